"""The real profile's pure behaviour, beyond the published document."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json
from msgspec.structs import replace

from execution_simulator.behaviour import Call, Verdict, respond
from execution_simulator.columns import (
    column,
    from_e8,
    iso_microseconds,
    iso_nanoseconds,
    to_datetime,
)
from execution_simulator.faults import FAULTS, Channel, Commit, FaultPlanError, parse_step
from execution_simulator.ledger import Ledger, VersionConflictError
from execution_simulator.listing import Query
from execution_simulator.payloads import (
    BatchExecutionResponse,
    ErrorBody,
    Execution,
    ExecutionPost,
    ExecutionPut,
    encode,
)
from execution_simulator.profiles import REAL
from execution_simulator.profiles.base import BROKEN, UNEXPECTED, Refusal
from execution_simulator.settings import SimulatorSettings, poison_pattern

PATH = "/api/v1/executions/batch"
NOW_NS = 1_795_516_200_123_456_500
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def post(trade_id: int = 1, **changes: Any) -> ExecutionPost:
    good = ExecutionPost("NEW", "BUY", "NYSE", "AAPL", Decimal(100), None, trade_id, 1)
    return replace(good, **changes)


def run(posts: Sequence[ExecutionPost | None], entry: str = "ok", **more: Any) -> Verdict:
    call = Call(posts, parse_step(entry), {}, 500, NOW_NS, PATH, REAL, **more)
    return respond(call, random.Random(0))


def refusal(item: ExecutionPost | None) -> str | None:
    (fate,) = REAL.check_all([item], singly=False)
    return fate.message if isinstance(fate, Refusal) else None


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (None, "Execution request cannot be null"),
        (post(execution_status=None), "Execution status is required"),
        (post(trade_type=" \t"), "Trade type is required"),
        (post(destination=""), "Destination is required"),
        (post(security_id=" "), "Security ID is required"),
        (post(quantity=None), "Quantity is required"),
        (post(execution_status="X" * 21), "Execution status cannot exceed 20 characters"),
        (post(trade_type="X" * 11), "Trade type cannot exceed 10 characters"),
        (post(destination="D" * 21), "Destination cannot exceed 20 characters"),
        (post(security_id="S" * 25), "Security ID cannot exceed 24 characters"),
        (post(quantity=Decimal(0)), "Quantity must be greater than zero"),
        (post(quantity=Decimal("-1E-9")), "Quantity must be greater than zero"),
        (post(limit_price=Decimal(0)), "Limit price must be greater than zero when specified"),
        (post(trade_type="buy"), "Invalid trade type. Must be BUY or SELL"),
        (
            post(execution_status="WORK"),
            "Invalid execution status. Must be NEW, PENDING, FILLED, CANCELLED, or REJECTED",
        ),
        # The first violated rule in the service's own order: missing, too long, too small, unknown.
        (post(execution_status="WORK", trade_type="SHORT"), "Invalid trade type. Must be BUY or SELL"),
        (post(trade_type="SHORT", quantity=Decimal(0)), "Quantity must be greater than zero"),
        (post(quantity=Decimal(0), destination="D" * 21), "Destination cannot exceed 20 characters"),
        (post(destination="D" * 21, quantity=None), "Quantity is required"),
        (post(security_id="", execution_status=""), "Execution status is required"),
    ],
)
def test_refusals_use_the_service_s_messages(item: ExecutionPost | None, message: str) -> None:
    assert refusal(item) == message


@pytest.mark.parametrize(
    "item",
    [
        post(version=None),
        post(trade_service_execution_id=None),
        post(quantity=Decimal("1.123456789")),
        post(limit_price=Decimal("1E-12")),
        post(quantity=Decimal("9999999999.999999994")),
        post(destination="  ML"),
        post(security_id="S" * 24, destination="D" * 20),
    ],
)
def test_the_service_accepts_what_its_document_forbids(item: ExecutionPost) -> None:
    assert run([item]).status == 201


@pytest.mark.parametrize(
    "item",
    [
        post(quantity=Decimal("12345678901.5")),
        post(quantity=Decimal("9999999999.999999995")),
        post(limit_price=Decimal("1E+10")),
        post(quantity=Decimal("1E+999999")),
        post(quantity=Decimal("Infinity")),
        post(quantity=Decimal("NaN")),
        post(limit_price=Decimal("NaN")),
        post(security_id="AA\0PL"),
        post(destination="M\0L"),
    ],
)
def test_a_row_that_the_database_rejects_fails_the_whole_batch(item: ExecutionPost) -> None:
    assert REAL.check_all([item], singly=False) == [BROKEN]
    verdict = run([post(1), post(2, trade_type="SHORT"), item, post(3)])
    assert (verdict.status, verdict.accepted, verdict.channel) == (500, (), Channel.ERROR)
    assert isinstance(verdict.body, ErrorBody)
    assert (verdict.body.message, verdict.body.path) == (UNEXPECTED, f"uri={PATH}")
    assert verdict.ids_lost == 2, "the good row before it, and its own"


@given(st.sampled_from(sorted(FAULTS)), st.integers(0, 4), st.integers(0, 2**32))
def test_nothing_of_a_poisoned_batch_is_ever_committed(name: str, guilty: int, seed: int) -> None:
    posts = [post(n, security_id=f"SEC{n}") for n in range(5)]
    poison = poison_pattern([f"SEC{guilty}", "NONE*"])
    call = Call(posts, parse_step(name), {}, 500, NOW_NS, PATH, REAL, poison=poison)
    verdict = respond(call, random.Random(seed))
    assert list(verdict.accepted) == []
    fault = FAULTS[name]
    reached = fault.commit is not Commit.NONE
    assert verdict.ids_lost == (guilty + 1 if reached else 0)
    if fault.channel in (Channel.RESULTS, Channel.TRUNCATED, Channel.HUGE):
        assert verdict.status == 500


@pytest.mark.parametrize(
    ("pattern", "matched"), [("BAD*", "BADLY"), ("?AD", "BAD"), ("[AB]1", "B1"), ("EXACT", "EXACT")]
)
def test_poison_is_a_pattern_of_whole_ids(pattern: str, matched: str) -> None:
    assert run([post(security_id=matched)], poison=poison_pattern([pattern])).status == 500
    assert run([post(security_id=f"not {matched}")], poison=poison_pattern([pattern])).status == 201


def test_invalid_poison_and_profiles_are_named() -> None:
    with pytest.raises(FaultPlanError, match="poison '' must have 1 to 100 characters"):
        SimulatorSettings(poison=[""])
    with pytest.raises(FaultPlanError, match="at most 100 patterns, got 101"):
        SimulatorSettings(poison=["A"] * 101)
    with pytest.raises(FaultPlanError, match="profile must be real or published, got unreal"):
        SimulatorSettings(profile="unreal")  # type: ignore[arg-type]


def created(item: ExecutionPost, **more: Any) -> Execution:
    body = run([item], **more).body
    assert isinstance(body, BatchExecutionResponse)
    assert isinstance(body.results, list)
    execution = body.results[0].execution
    assert execution is not None
    return execution


def stored(item: ExecutionPost, **more: Any) -> Execution:
    verdict = run([item], **more)
    books = Ledger(500, REAL.version_of)
    books.accept(verdict.accepted, verdict.amounts, to_datetime(NOW_NS), **more)
    entry = books.by_id(500)
    assert entry is not None
    return REAL.stored(entry)


@pytest.mark.parametrize(
    ("security_id", "answered", "listed"),
    [
        ("SEC000000000000000009001", "SEC", "T9001"),
        ("SEC1", "SEC", None),
        ("AB1", None, None),
        ("1234", "", None),
        ("A1B2C3D4E5F6", "ABCDE", None),
    ],
)
def test_only_reads_pad_ids_and_resolve_tickers(
    security_id: str, answered: str | None, listed: str | None
) -> None:
    fresh, kept = created(post(security_id=security_id)), stored(post(security_id=security_id))
    assert (fresh.security_id, fresh.security.security_id) == (security_id, security_id)
    assert (fresh.ticker, fresh.security.ticker) == (answered, answered)
    padded = f"{security_id:24}"
    assert (kept.security_id, kept.security.security_id) == (padded, padded)
    assert (kept.ticker, kept.security.ticker) == (listed, listed)


@pytest.mark.parametrize(("given_version", "answered", "kept"), [(1, 1, 2), (None, 0, 1), (7, 7, 8)])
def test_the_stored_version_is_one_ahead_of_the_answer(
    given_version: int | None, answered: int, kept: int
) -> None:
    item = post(version=given_version)
    assert (created(item).version, stored(item).version) == (answered, kept)


def test_the_single_endpoint_only_checks_the_columns() -> None:
    item = post(trade_type="SHORT", quantity=Decimal(-1), version=None)
    fresh, kept = created(item, singly=True), stored(item, singly=True)
    assert (fresh.version, kept.version) == (1, 1)
    assert (fresh.average_price, kept.average_price) == (None, None)
    assert fresh.sent_timestamp == fresh.received_timestamp
    assert kept.quantity == -1
    for broken in (post(quantity=None), post(destination=None), post(trade_type="X" * 11)):
        assert run([broken], singly=True).status == 500


decimals = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**11), max_value=10**11)


@given(decimals)
def test_a_column_rounds_half_away_from_zero_and_overflows(value: Decimal) -> None:
    rounded = value.quantize(Decimal("1E-8"), ROUND_HALF_UP)
    units = column(value)
    assert (units is None) == (abs(rounded) >= 10**10)
    if units is not None:
        assert from_e8(units) == rounded


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("10.5", "10.50000000"), ("0.000000001", "0E-8"), ("1E-8", "1E-8"), ("1.23E-6", "0.00000123"),
        ("0.00000012", "1.2E-7"), ("100", "100.00000000"), ("1.123456785", "1.12345679"),
    ],
)  # fmt: skip
def test_numbers_are_written_as_java_writes_them(value: str, text: str) -> None:
    body = encode(stored(post(quantity=Decimal(value))))
    assert f'"quantity":{text},'.encode() in body
    assert b'"quantityFilled":0E-8,"averagePrice":0E-8,' in body


@given(st.integers(0, 4_102_444_800_000_000_000))
def test_timestamps_drop_trailing_zeros_and_reads_round_to_the_microsecond(now_ns: int) -> None:
    long, short = iso_nanoseconds(now_ns), iso_microseconds(to_datetime(now_ns))
    for text, digits in ((long, 9), (short, 6)):
        fraction = text[19:-1]
        assert text.endswith("Z")
        assert not fraction.endswith(("0", "."))
        assert len(fraction) <= digits + 1
    seconds, nanoseconds = divmod(now_ns, 10**9)
    assert datetime.fromisoformat(long[:19] + "Z") == EPOCH + timedelta(seconds=seconds)
    assert int(long[20:-1].ljust(9, "0")) == nanoseconds
    assert datetime.fromisoformat(short) == EPOCH + timedelta(microseconds=(now_ns + 500) // 1000)


def ledger_of(count: int, lost: Sequence[int] = ()) -> Ledger:
    books = Ledger(1, REAL.version_of)
    for n in range(count):
        books.skip(1 if n in lost else 0)
        item = post(n, destination=("ML", "NYSE")[n % 2], trade_type=("BUY", "SELL", "SELL")[n % 3])
        books.accept([item], [(10**8, None)], to_datetime(NOW_NS + n * 1000))
    return books


@given(
    st.integers(0, 30), st.integers(0, 40), st.integers(1, 12), st.sets(st.integers(0, 29)),
    st.sampled_from(["id", "-id", "id,id", "nope", "-nope,-id", " id", "receivedTimestamp", "", ","]),
    st.sampled_from([None, "ML", "ml"]),
)  # fmt: skip
def test_offsets_round_to_pages_except_when_sorted_by_id(
    count: int, offset: int, limit: int, lost: set[int], sort_by: str, destination: str | None
) -> None:
    books = ledger_of(count, sorted(lost))
    page = REAL.page(books, Query(offset, limit, sort_by, destination=destination))
    plain = sort_by == "id"
    rows = [row for row in books.after(0, 100) if destination is None or row.destination == "ML"]
    if plain and destination == "ml":
        rows = []
    if plain or sort_by.startswith("-"):
        rows.reverse()
    start = offset if plain else offset - offset % limit
    assert page.content == [REAL.stored(row) for row in rows[start : start + limit]]
    pagination = page.pagination
    assert (pagination.offset, pagination.limit) == (offset, limit)
    assert pagination.current_page == offset // limit
    if not plain or offset % limit == 0:
        assert pagination.total_elements == len(rows)
        assert pagination.total_pages == -(-len(rows) // limit)
    assert pagination.has_next == (pagination.current_page + 1 < pagination.total_pages)
    assert pagination.has_previous == (pagination.current_page > 0)


def test_sorting_by_id_miscounts_when_the_offset_is_within_the_last_page() -> None:
    pagination = REAL.page(ledger_of(20), Query(19, 3, "id")).pagination
    assert (pagination.total_elements, pagination.total_pages) == (19, 7)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"trade_type": "BUY"}, 4), ({"trade_type": "buy"}, 4), ({"trade_type": "b"}, 4),
        ({"execution_status": "new"}, 10), ({"execution_status": "N"}, 10), ({"execution_status": "PART"}, 0),
        ({"destination": "YS"}, 5), ({"ticker": "NONE"}, 0), ({"ticker": " "}, 10), ({"destination": ""}, 10),
        ({"sort_by": "id", "trade_type": "BUY"}, 4), ({"sort_by": "id", "trade_type": "buy"}, 0),
        ({"sort_by": "id", "destination": ""}, 0), ({"sort_by": "id", "ticker": "NONE"}, 0),
    ],
)  # fmt: skip
def test_filters_are_exact_when_sorted_by_id_and_loose_otherwise(query: dict[str, str], found: int) -> None:
    page = REAL.page(ledger_of(10), Query(**{"sort_by": "-id"} | query))  # type: ignore[arg-type]
    assert page.pagination.total_elements == found


def test_fills_are_rounded_and_stored_without_validation() -> None:
    books = ledger_of(2)
    for filled, status in (("-1", "PART"), ("0.999999999", "FULL"), ("2", "FULL")):
        entry = books.by_id(1)
        assert entry is not None
        fill = ExecutionPut(Decimal(filled), entry.version, Decimal("2.5"))
        amounts = REAL.fill_amounts(fill)
        assert amounts is not None
        assert books.fill(1, *amounts, fill.version) is not None
        entry = books.by_id(1)
        assert entry is not None
        assert entry.execution_status == status
        written = encode(REAL.stored(entry))
    assert b'"quantityFilled":2.00000000,"averagePrice":2.50000000,"version":5' in written
    assert REAL.fill_amounts(ExecutionPut(Decimal("1E+10"), 1)) is None
    assert REAL.fill_amounts(ExecutionPut(Decimal(1), 1, Decimal("1E+10"))) is None
    with pytest.raises(VersionConflictError):
        books.fill(2, Decimal(1), None, 1)


def test_error_bodies_always_carry_validation_errors() -> None:
    body = json.decode(encode(REAL.error(500, UNEXPECTED, "/x", NOW_NS)))
    assert body == {
        "timestamp": "2026-11-24T10:30:00.1234565Z",
        "status": 500,
        "error": "Internal Server Error",
        "message": UNEXPECTED,
        "path": "uri=/x",
        "validationErrors": None,
    }
