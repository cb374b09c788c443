"""One pass over the downstream's books: what it may conclude."""

from collections.abc import Callable
from decimal import Decimal

import msgspec
import pytest

from tests.core.factories import open_item, page, remote
from trade_service.submission.look_up import PAGE, LookUpPass, agrees, doubtful, look_up, matches
from trade_service.submission.messages import BatchExecutionRequest, RemoteExecution, Security
from trade_service.submission.model import AttemptId, GatewayReply
from trade_service.submission.ports import Listing


class Books:
    """A listing of rows that may change between two pages."""

    def __init__(self, rows: list[RemoteExecution], aligned: bool = False) -> None:
        self.rows = rows
        self.aligned = aligned
        self.offsets: list[int] = []
        self.between: Callable[[], None] = lambda: None

    async def list_newest(self, offset: int, limit: int) -> Listing:
        self.offsets.append(offset)
        start = offset // limit * limit if self.aligned else offset
        newest_first = sorted(self.rows, key=lambda row: -(row.id or 0))
        listing = Listing(page(newest_first[start : start + limit], len(self.rows)))
        self.between()
        return listing

    async def submit_batch(
        self, request: BatchExecutionRequest, attempt_id: AttemptId, write_before: float
    ) -> GatewayReply:
        raise AssertionError("a look-up sends nothing")


def rows(first: int, last: int) -> list[RemoteExecution]:
    return [remote(i, i + 10_000) for i in range(first, last + 1)]


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 199, 200, 250, 1000])
async def test_a_pass_to_the_end_sees_every_row(count: int, *, aligned: bool) -> None:
    books = Books(rows(1, count), aligned)
    seen = await look_up(books, range(10_001, 10_001 + count), 0, 100)
    assert not seen.problem
    assert seen.is_complete_to(0)
    assert seen.top_id == count
    assert all(len({row.id for row in found}) == 1 for found in seen.found.values())


async def test_a_pass_reads_back_to_its_floor_only() -> None:
    books = Books(rows(1, 5000))
    seen = await look_up(books, [14_990], 4900, 100)
    assert seen.is_complete_to(4900)
    assert not seen.is_complete_to(4800)
    assert len(books.offsets) == 2


@pytest.mark.parametrize("inserted", [1, 60, 98])
async def test_rows_inserted_meanwhile_hide_nothing(inserted: int) -> None:
    books = Books(rows(1, 1000))

    def insert() -> None:
        top = max(row.id or 0 for row in books.rows)
        books.rows += rows(top + 1, top + inserted)

    books.between = insert
    seen = await look_up(books, range(10_001, 11_001), 0, 2000)
    assert seen.is_complete_to(0)
    assert all(seen.found.values())


async def test_rows_that_disappear_make_the_pass_inconclusive() -> None:
    books = Books(rows(1, 500))
    books.between = lambda: books.rows.__delitem__(slice(-5, None))
    seen = await look_up(books, [10_001], 0, 100)
    assert "disappeared" in seen.problem


async def test_an_unsorted_listing_is_not_trusted() -> None:
    class Unsorted(Books):
        async def list_newest(self, offset: int, limit: int) -> Listing:
            return Listing(page(self.rows[offset : offset + limit], len(self.rows)))

    assert "not sorted" in (await look_up(Unsorted(rows(1, 50)), [10_001], 0, 100)).problem


async def test_a_failing_listing_concludes_nothing() -> None:
    class Failing(Books):
        async def list_newest(self, offset: int, limit: int) -> Listing:
            if offset:
                return Listing(None, "DOWNSTREAM_UNAVAILABLE", "away")
            return await super().list_newest(offset, limit)

    seen = await look_up(Failing(rows(1, 300)), [10_001], 0, 100)
    assert seen.problem == "away"
    assert not seen.is_complete_to(0)


async def test_a_pass_is_bounded() -> None:
    seen = await look_up(Books(rows(1, 5 * PAGE)), [10_001], 0, 2)
    assert "2 pages" in seen.problem


@pytest.mark.parametrize(
    "other",
    [
        {"quantity": Decimal("10.00000001")},
        {"trade_type": "SELL"},
        {"destination": "RBC"},
        {"security": None, "security_id": "OTHER"},
    ],
)
def test_a_row_of_another_life_with_our_id_is_not_ours(other: dict[str, object]) -> None:
    item = open_item(7)
    assert agrees(item, remote(1, 7))
    assert agrees(item, remote(1, 7, Decimal("10.00000000")))
    assert not agrees(item, msgspec.structs.replace(remote(1, 7), **other))


async def test_an_execution_accepted_twice_shows_both_ids() -> None:
    books = Books([remote(1, 7), remote(2, 8), remote(3, 7)])
    items = [open_item(7), open_item(8), open_item(9)]
    seen = await look_up(books, [7, 8, 9], 0, 10)
    assert matches(seen, items, 0) == {7: [1, 3], 8: [2], 9: []}


@pytest.mark.parametrize(
    ("changes", "is_doubtful"),
    [
        ({}, False),
        ({"quantity": Decimal(9)}, True),
        ({"trade_type": "SELL"}, True),
        ({"security": None}, True),
        ({"security": Security("OTHER", None), "destination": None}, True),
        ({"security": Security("OTHER", None), "quantity": Decimal(9)}, False),
    ],
)
def test_old_rows_of_the_same_security_or_half_shown_may_be_ours(
    changes: dict[str, object], *, is_doubtful: bool
) -> None:
    row = msgspec.structs.replace(remote(50, 7), **changes)
    seen = LookUpPass(found={7: [row]})
    assert doubtful(seen, open_item(7), floor_id=0) == (50 if is_doubtful else None)
    assert doubtful(seen, open_item(7), floor_id=49) == (50 if changes else None)
    assert doubtful(seen, open_item(7), floor_id=50) is None
