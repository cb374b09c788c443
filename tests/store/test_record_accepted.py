"""The fast path for a batch accepted whole has the same result as the general one in every case."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pytest

from tests.support.attempts import claimed, closing
from tests.support.rows import fetched, insert_executions, row_of, store_on
from tests.support.trading import run_sql
from trade_service.store import submission_store
from trade_service.store.database import Database
from trade_service.submission.model import Recorded

SIZE = 3
ONE = "UPDATE execution SET {} WHERE id = :id"
BETWEEN = {
    "nothing": None,
    "a fill": ONE.format("submission_state = 'accepted', quantity_placed = 10, execution_status_id = 5"),
    "an acceptance": ONE.format(
        "submission_state = 'accepted', execution_service_id = 77, quantity_placed = 10"
    ),
    "an id": ONE.format("execution_service_id = 77"),
    "another status": ONE.format("execution_status_id = 8"),
    "another attempt": ONE.format("attempt_id = gen_random_uuid()"),
    "an unknown outcome": ONE.format("submission_state = 'unknown'"),
    "a rejection": ONE.format("submission_state = 'rejected'"),
    "a deletion": "DELETE FROM execution WHERE id = :id",
    "no attempt any more": """
        DELETE FROM submission_attempt WHERE id = (SELECT attempt_id FROM execution WHERE id = :id)""",
    "an attempt with more than is told": """
        UPDATE submission_attempt SET execution_ids = execution_ids || 0
        WHERE id = (SELECT attempt_id FROM execution WHERE id = :id)""",
}

EXECUTIONS = """
SELECT submission_state, execution_service_id - CASE WHEN execution_service_id > 1000 THEN id ELSE 0 END, version,
       execution_status_id, quantity_placed, attempts_spent, attempt_id = cast(:attempt_id AS uuid)
FROM execution WHERE id = ANY(:ids) ORDER BY id"""
ORDERS = """
SELECT o.quantity_sent, o.submitted, o.version
FROM trade_order o JOIN execution e ON e.trade_order_id = o.id WHERE e.id = ANY(:ids) ORDER BY e.id"""
ATTEMPT = """
SELECT state, kind, code, http_status, duration_ms, top_id, finding_ids, next_batch_size, message,
       closed_at = settle_from, next_action_at IS NULL
FROM submission_attempt WHERE id = cast(:id AS uuid)"""


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("between", BETWEEN)
async def test_both_ways_end_alike(
    database: Database, monkeypatch: pytest.MonkeyPatch, between: str, times: int
) -> None:
    short = await _told(database, BETWEEN[between], times)
    monkeypatch.setattr(submission_store, "_accepts_all", lambda _closing: False)
    assert short == await _told(database, BETWEEN[between], times)


async def test_what_is_told_beside_the_attempts_own_takes_the_general_way(database: Database) -> None:
    """It counts as an acceptance, whichever attempt owns it."""
    store = store_on(database)
    ids = await insert_executions(database, SIZE + 1)
    attempt, _ = await claimed(store, ids[:SIZE])
    recorded = await store.record(closing(attempt.attempt_id, dict.fromkeys(ids, "accepted")))
    assert [one.changed for one in recorded] == [True] * (SIZE + 1)
    assert (await row_of(database, "execution", ids[SIZE])).submission_state == "accepted"


async def _told(database: Database, between: str | None, times: int) -> Sequence[object]:
    """The result of a record and the rows after it: ids as positions, times as present or absent."""
    store = store_on(database)
    ids = await insert_executions(database, SIZE)
    attempt, _ = await claimed(store, ids)
    if between is not None:
        await run_sql(database, between, id=ids[1])
    told = closing(attempt.attempt_id, dict.fromkeys(ids, "accepted"), high_water_id=5, duration_ms=12.6)
    for _ in range(times):
        recorded = await store.record(told)
    places = {execution_id: place for place, execution_id in enumerate(ids)}
    return [
        {msgspec.structs.replace(one, **_placed(one, places)) for one in recorded},
        await _rows(database, EXECUTIONS, ids=ids, attempt_id=attempt.attempt_id),
        await _rows(database, ORDERS, ids=ids),
        await _rows(database, ATTEMPT, id=attempt.attempt_id),
    ]


def _placed(one: Recorded, places: Mapping[int, int]) -> dict[str, int | None]:
    """Replaces ids, and service ids derived from them, by positions."""
    service_id = one.execution_service_id
    return {
        "execution_id": places[one.execution_id],
        "execution_service_id": places.get((service_id or 0) - 1000, service_id),
    }


async def _rows(database: Database, statement: str, **values: Any) -> list[Any]:
    return [tuple(row) for row in await fetched(database, statement, **values)]
