"""One pass over the ledger, and what it may conclude."""

import random
from collections.abc import Callable
from decimal import Decimal
from unittest import mock

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.factories import open_item, page, remote
from trade_service.domain.fields import MAX_SERVICE_ID
from trade_service.submission import listing_walk
from trade_service.submission.downstream_scan import (
    DownstreamScan,
    ListingReader,
    agrees,
    doubtful,
    matches,
    same_identifier,
    scan_downstream,
    why_doubtful,
)
from trade_service.submission.listing_walk import PAGE, straddling_size
from trade_service.submission.messages import (
    BatchExecutionRequest,
    Listing,
    RemoteExecution,
    RemoteExecutionPage,
    RemotePagination,
    Security,
)
from trade_service.submission.model import AttemptId, GatewayReply


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
        shown = newest_first[start : start + limit]
        has_next = start + limit < len(newest_first)
        listing = Listing(page(shown, len(self.rows), has_next=has_next))
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
    seen = await scan_downstream(books, range(10_001, 10_001 + count), 0, 100)
    assert not seen.problem
    assert seen.is_complete_to(0)
    assert seen.newest_id == count
    assert all(len({row.id for row in found}) == 1 for found in seen.found.values())


async def test_a_pass_reads_back_to_its_floor_only() -> None:
    books = Books(rows(1, 5000))
    seen = await scan_downstream(books, [14_990], 4900, 100)
    assert seen.is_complete_to(4900)
    assert not seen.is_complete_to(4800)
    assert len(books.offsets) == 1


@pytest.mark.parametrize("inserted", [1, 60, 98])
async def test_rows_inserted_meanwhile_hide_nothing(inserted: int) -> None:
    books = Books(rows(1, 300))

    def insert() -> None:
        top = max(row.id or 0 for row in books.rows)
        books.rows += rows(top + 1, top + inserted)

    books.between = insert
    seen = await scan_downstream(books, range(10_001, 10_301), 0, 2000)
    assert seen.is_complete_to(0)
    assert all(seen.found.values())


async def test_rows_that_disappear_make_the_pass_inconclusive() -> None:
    books = Books(rows(1, 1000))
    books.between = lambda: books.rows.__delitem__(slice(-60, None))
    seen = await scan_downstream(books, [10_001], 0, 100)
    assert "without a gap" in seen.problem
    assert not seen.is_complete_to(0)


class Tampered(Books):
    """A listing with every page changed by `change`."""

    def __init__(
        self, rows: list[RemoteExecution], change: Callable[[RemoteExecutionPage], RemoteExecutionPage]
    ) -> None:
        super().__init__(rows)
        self.change = change

    async def list_newest(self, offset: int, limit: int) -> Listing:
        listing = await super().list_newest(offset, limit)
        assert listing.page is not None
        return Listing(self.change(listing.page))


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        (lambda p: RemoteExecutionPage(p.content[::-1], p.pagination), "not sorted"),
        (lambda p: RemoteExecutionPage([p.content[0], *p.content[:-1]], p.pagination), "not sorted"),
        (lambda p: RemoteExecutionPage(p.content[:50], p.pagination), "says that more follow"),
        (lambda p: RemoteExecutionPage(p.content[:50], None), "hasNext is missing"),
        (lambda p: RemoteExecutionPage(p.content, RemotePagination(None, 5)), "hasNext is missing"),
        (lambda p: RemoteExecutionPage(p.content + rows(-5, 0)[::-1], p.pagination), "holds 106"),
        (lambda p: RemoteExecutionPage([*p.content[:-1], remote(None, 1)], p.pagination), "without an id"),
    ],
)
async def test_a_page_that_proves_nothing_ends_the_pass(
    changed: Callable[[RemoteExecutionPage], RemoteExecutionPage], problem: str
) -> None:
    seen = await scan_downstream(Tampered(rows(1, 250), changed), [10_001], 0, 100)
    assert problem in seen.problem
    assert not seen.is_complete_to(0)
    assert not seen.pages


async def test_a_deleted_row_hides_no_other_one() -> None:
    """A page that straddles the boundary reads it again: at 100 and at every later one."""
    every_second = [remote(2 * i, i + 10_000) for i in range(1, 501)]
    books = Books(every_second, aligned=True)
    newest = iter(sorted((row.id or 0 for row in every_second), reverse=True))

    def delete_newest() -> None:
        gone = next(newest)
        books.rows = [row for row in books.rows if row.id != gone]

    books.between = delete_newest
    seen = await scan_downstream(books, range(10_001, 10_401), 0, 100)
    assert not seen.problem
    assert all(seen.found.values())


async def test_ids_that_follow_one_another_need_no_second_look_at_a_boundary() -> None:
    books = Books(rows(1, 500))
    await scan_downstream(books, [10_001], 0, 100)
    assert books.offsets == [0, 100, 200, 300, 400]


@given(st.integers(1, 100_000))
def test_every_boundary_can_be_straddled(number: int) -> None:
    offset = number * PAGE
    size = straddling_size(offset)
    start = offset // size * size
    assert 0 < size < PAGE
    assert offset - start >= PAGE // 10
    assert start + size - offset >= PAGE // 10


class ChangingBooks(Books):
    """A ledger that changes between two reads."""

    def __init__(self, ids: list[int], dice: random.Random, *, aligned: bool, calm: bool) -> None:
        super().__init__([remote(i, i) for i in ids], aligned)
        self.dice = dice
        self.calm = calm
        self.next_id = max(ids, default=0) + 1
        self.late: list[RemoteExecution] = []
        self.deleted: set[int] = set()
        self.between = self.change

    def change(self) -> None:
        if self.calm and self.dice.random() < 0.5:
            return
        for _ in range(self.dice.choice((0, 0, 1, 3, 12))):
            (self.late if self.dice.random() < 0.2 else self.rows).append(self._new())
        if self.late and self.dice.random() < 0.5:
            self.rows.append(self.late.pop())
        for _ in range(self.dice.choice((0, 0, 0, 1, 2, 5))):
            if self.rows:
                gone = self.rows.pop(self.dice.randrange(len(self.rows)))
                self.deleted.add(gone.id or 0)

    def _new(self) -> RemoteExecution:
        self.next_id += self.dice.choice((1, 1, 2))
        return remote(self.next_id, self.next_id)


@given(
    st.integers(0, 90), st.randoms(use_true_random=False), st.booleans(), st.booleans(), st.integers(0, 100)
)
async def test_a_complete_pass_saw_every_row_that_was_there_and_stayed(
    count: int, dice: random.Random, aligned: bool, calm: bool, low_water_id: int
) -> None:
    """With any inserts, late commits and deletions between two pages, with and without rounding."""
    ids = set(dice.sample(range(1, 200), count))
    with mock.patch.object(listing_walk, "PAGE", 10):
        books = ChangingBooks(sorted(ids), dice, aligned=aligned, calm=calm)
        reading = ListingReader(books, low_water_id, 200)
        shown: set[int] = set()
        fresh: list[int] = []
        async for page_rows, new in reading.run():
            shown.update(row.id or 0 for row in page_rows)
            fresh += [row.id or 0 for row in new]
    assert len(set(fresh)) == len(fresh)
    down_to = reading.walk.read_down_to
    if reading.walk.problem or down_to is None:
        assert reading.walk.problem or not ids
        return
    stayed = {i for i in ids if i >= down_to} - books.deleted
    assert stayed <= set(fresh)
    assert stayed <= shown
    assert down_to <= low_water_id + 1


async def test_execution_ids_near_the_end_of_their_range_are_not_followed() -> None:
    books = Books([*rows(1, 150), remote(151, MAX_SERVICE_ID), remote(152, 10**20)])
    seen = await scan_downstream(books, [10_001], 0, 100)
    assert (seen.newest_id, seen.max_execution_id) == (152, 10_150)


@pytest.mark.parametrize(
    ("offset", "rows_there", "total", "is_right"),
    [
        (0, 100, 100, True),
        (400, 4, 404, True),
        (500, 0, 404, True),
        (0, 50, 404, False),
        (400, 100, 404, False),
    ],
)
def test_a_last_page_has_to_end_where_the_listing_does(
    offset: int, rows_there: int, total: int, *, is_right: bool
) -> None:
    last = page(rows(1, rows_there)[::-1], total)
    problem = listing_walk.page_problem(last, listing_walk.Ask(offset, PAGE))
    assert (problem == "") is is_right, problem


async def test_rows_with_impossible_ids_count_for_nothing_and_block_no_other() -> None:
    odd = [remote(2**31, 7), remote(3_000_000_000, None), remote(-4, 8)]
    books = Books([*odd, *rows(1, 150)])
    seen = await scan_downstream(books, [7, 8, 9, 10_001], 0, 100)
    assert not seen.problem
    assert seen.is_complete_to(0)
    assert (seen.newest_id, seen.newest_execution_id, seen.max_execution_id) == (150, 10_150, 10_150)
    assert seen.impossible == {2**31: 7, 3_000_000_000: None, -4: 8}
    assert doubtful(seen, open_item(7), 0) == 2**31
    assert doubtful(seen, open_item(8), 100) == -4
    assert doubtful(seen, open_item(9), 0) is None
    assert matches(seen, [open_item(7), open_item(9)], 0) == {7: [], 9: []}
    assert "no execution can have" in why_doubtful(seen, 7)


def test_one_downstream_id_for_two_of_ours_proves_neither() -> None:
    seen = DownstreamScan(found={7: [], 8: [], 9: []})
    seen.collect([remote(5, 7), remote(6, 9)])
    seen.collect([remote(5, 8)])
    items = [open_item(7), open_item(8), open_item(9)]
    assert matches(seen, items, 0) == {7: [], 8: [], 9: [6]}
    assert [doubtful(seen, item, 0) for item in items] == [5, 5, None]
    assert "another execution" in why_doubtful(seen, 8)


@given(st.text(), st.text(alphabet=" "), st.text(alphabet=" "))
def test_trailing_blanks_never_tell_identifiers_apart(text: str, one: str, other: str) -> None:
    assert same_identifier(text + one, text + other)
    assert not same_identifier(text + one, f"{text}x{other}")
    assert not same_identifier(text, None)
    assert not same_identifier(None, text)


def test_a_padded_row_agrees_whichever_side_is_padded() -> None:
    padded = msgspec.structs.replace(remote(1, 7), security=Security("S7".ljust(24), None))
    assert agrees(open_item(7), padded)
    assert agrees(msgspec.structs.replace(open_item(7), security_id="S7 "), remote(1, 7))
    seen = DownstreamScan(found={7: [msgspec.structs.replace(padded, quantity=Decimal(9))]})
    assert doubtful(seen, open_item(7), 0) == 1


async def test_a_failing_listing_concludes_nothing() -> None:
    class Failing(Books):
        async def list_newest(self, offset: int, limit: int) -> Listing:
            if offset:
                return Listing(None, "DOWNSTREAM_UNAVAILABLE", "away")
            return await super().list_newest(offset, limit)

    seen = await scan_downstream(Failing(rows(1, 300)), [10_001], 0, 100)
    assert seen.problem == "away"
    assert not seen.is_complete_to(0)


async def test_a_pass_is_bounded() -> None:
    seen = await scan_downstream(Books(rows(1, 5 * PAGE)), [10_001], 0, 2)
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
    seen = await scan_downstream(books, [7, 8, 9], 0, 10)
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
    seen = DownstreamScan(found={7: [row]})
    assert doubtful(seen, open_item(7), low_water_id=0) == (50 if is_doubtful else None)
    assert doubtful(seen, open_item(7), low_water_id=49) == (50 if changes else None)
    assert doubtful(seen, open_item(7), low_water_id=50) is None
