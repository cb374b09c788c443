"""Statements that submit, record and recover find executions by their primary key at every size of the table.

The statistics are production's: nearly every execution is accepted and has its id of the Execution Service, and
ANALYZE ran without VACUUM. Then a condition such as `execution_service_id IS NULL` looks so selective that the
planner would take a secondary index, and read the whole table with it.
"""

from collections.abc import AsyncIterator
from math import inf
from typing import Any

import pytest

from tests.store.plan_rows import ARCHIVE_FILE, ORDERS
from tests.store.statement_cases import HOT
from tests.store.test_query_plans import MODES, MOST_TOUCHED
from tests.support.database import TestServer
from tests.support.plans import Plan, Probe, connected, store_statements
from tests.support.trading import run_sql
from trade_service.store.database import Database
from trade_service.store.store_settings import StoreSettings

SIZES = (1_000, 200_000, 1_000_000)
BATCH = 100
STATES = ("none", "queued", "claimed", "unknown", "accepted")
"""States of the batches written after the statistics; the last has no id yet, as after an early fill."""
OTHER_WAYS = {
    "orders.executions_of": "execution_trade_order_ndx",
    "orders.refused_orders": "execution_trade_order_ndx",
    "operator.executions_of_order": "execution_trade_order_ndx",
    "changes.order_use": "execution_trade_order_ndx",
    "changes.delete_order": "execution_trade_order_ndx",
    "archive.page_executions": "execution_timestamp_ndx",
}
"""Statements that read the executions of an order, or old ones."""


def attempt_of(state: str) -> str:
    """The attempt of the batch in that state."""
    return f"01900000-0000-7000-8000-00000000000{STATES.index(state)}"


FRESH = "01a00000-0000-7000-8000-000000000001"

_ORDERS = f"""
INSERT INTO trade_order (order_id, portfolio_id, order_type, security_id, quantity, quantity_sent, submitted)
SELECT n, 'P', 'BUY', 'S' || n, 10, 10, true FROM generate_series(1, {ORDERS}) n
"""
_ACCEPTED = """
INSERT INTO execution (execution_status_id, trade_type_id, trade_order_id, destination_id, quantity_ordered,
                       quantity_placed, submission_state, execution_service_id)
SELECT 2, 1, 1 + n % {orders}, 1, 10, 10, 'accepted', n FROM generate_series(1, {rows}) n
"""
_ATTEMPTS = """
INSERT INTO submission_attempt (id, state, owner, execution_ids, lease_until, next_action_at, floor_id)
SELECT gen_random_uuid(), 'answered', 'one', ARRAY[n], now(), NULL, 5 FROM generate_series(1, {rows} / 100) n
"""
_BATCH = """
INSERT INTO execution (execution_status_id, trade_type_id, trade_order_id, destination_id, quantity_ordered,
                       quantity_placed, submission_state, attempt_id)
SELECT 1, 1, n, 1, 10, 0, '{state}', '{attempt}' FROM generate_series(1, {batch}) n
"""
_ITS_ATTEMPT = """
INSERT INTO submission_attempt (id, state, owner, execution_ids, lease_until, next_action_at, floor_id)
SELECT '{attempt}', 'sent', 'one', array_agg(id ORDER BY id), now(), now() - interval '1 s', 5
FROM execution WHERE attempt_id = '{attempt}'
"""


def cases(rows: int) -> dict[str, dict[str, Any]]:
    """The statements and their parameters; the batches follow `rows` accepted executions."""
    ids = {s: list(range(rows + i * BATCH + 1, rows + (i + 1) * BATCH + 1)) for i, s in enumerate(STATES)}
    service_ids = [2 * rows + i for i in range(BATCH)]
    told = {
        "ids": ids["claimed"],
        "attempt_id": attempt_of("claimed"),
        "states": ["accepted"] * BATCH,
        "service_ids": service_ids,
        "owned_as": "claimed",
        "refund": 0,
        "pauses_budget": False,
        "status_new": 1,
        "status_sent": 2,
        "submitted_when_left": "0.01",
        "next_action_in_ms": None,
        **{f"finding_{what}": [] for what in ("ids", "states", "codes", "messages")},
    }
    answer = {"kind": "answered", "code": "OK", "message": "", "http_status": 207, "next_batch_size": None}
    answer |= {"duration_ms": 3, "top_id": 4}
    attempt = {"attempt_id": FRESH, "owner": "one", "settle_ms": 1}
    unknown = {"ids": ids["unknown"], "attempt_id": attempt_of("unknown"), "owned_as": "unknown"}
    return {
        "submission.claim": {"ids": ids["queued"], "claimable": ["none", "queued"]}
        | {"give_up_after_ms": 1, "lease_ms": 1, "epoch": 1, "retry_count": 0, "counted": 0}
        | attempt,
        "submission.record": told | answer | {"settle_ms": 1},
        "submission.record_accepted": told | answer,
        "submission.record_look_up": told | unknown | {"epoch": 1},
        "submission.mark_lost": {"ids": ids["claimed"], "attempt_ids": [attempt_of("claimed")]},
        "submission.open_items": {"ids": ids["unknown"], "attempt_ids": [attempt_of("unknown")]},
        "submission.states": {"ids": ids["unknown"]},
        "submission.take_due": {"owner": "one", "limit": 10, "hold_ms": 1, "grace_ms": 1},
        "submission.adopt": {"ids": ids["none"], "status_new": 1} | attempt,
        "executions.read": {"ids": ids["none"], "status_new_name": "NEW"},
        "executions.enqueue": {"ids": ids["none"], "attempt_id": FRESH, "owner": "one", "grace_ms": 1},
        "executions.reasons": {"ids": ids["none"]},
        "executions.existing": {"ids": ids["none"]},
        "executions.fill": {
            "id": ids["accepted"][0],
            "version": 1,
            "quantity_filled": 1,
            "status_id": 5,
            "status_new_name": "NEW",
            "submitted_when_left": "0.01",
        },
        "bulk.begin": {"id": FRESH, "ids": ids["none"], "attempt_ids": [FRESH], "owner": "one"}
        | {"attempt_size": 100, "grace_ms": 0},
        "operator.resolve": told | unknown | {"actor": "ann", "reason": "why", "code": "RESOLVED"},
    }


@pytest.fixture(scope="module", params=SIZES, ids=lambda rows: f"{rows:,}")
async def sized(
    request: pytest.FixtureRequest, postgres: TestServer, template_database: str
) -> AsyncIterator[tuple[int, Database]]:
    """Accepted executions, analysed, then a batch of each kind that is not in the statistics."""
    rows: int = request.param
    async with postgres.database(template_database) as url:
        database = Database(StoreSettings(url, statement_timeout_s=300))
        for table in ("execution", "submission_attempt", "trade_order"):
            await run_sql(database, f"ALTER TABLE {table} SET (autovacuum_enabled = false)")
        await run_sql(database, "ALTER TABLE execution DISABLE TRIGGER ALL")  # Keys right by construction.
        await run_sql(database, _ORDERS)
        await run_sql(database, _ACCEPTED.format(orders=ORDERS, rows=rows))
        await run_sql(database, _ATTEMPTS.format(rows=max(rows, 500_000)))
        await run_sql(database, "ALTER TABLE execution ENABLE TRIGGER ALL")
        await run_sql(database, ARCHIVE_FILE)
        await run_sql(database, "ANALYZE")
        for state in STATES:
            names = {"state": state, "attempt": attempt_of(state), "batch": BATCH}
            await run_sql(database, _BATCH.format(**names))
            await run_sql(database, _ITS_ATTEMPT.format(**names))
        yield rows, database
        await database.close()


def complaint(name: str, plan: Plan, most: float) -> str | None:
    """The fault of a plan that may touch at most so many executions."""
    wrong = plan.indexes_of("execution") - {"execution_pkey", OTHER_WAYS.get(name)}
    if "execution" in plan.scanned or wrong or plan.touched.get("execution", 0) > most:
        return f"scans {sorted(plan.scanned)}, by {sorted(wrong)}, touches {dict(plan.touched)}:\n{plan.text}"
    return None


@pytest.mark.parametrize("mode", MODES)
async def test_executions_are_found_by_their_primary_key(sized: tuple[int, Database], mode: str) -> None:
    rows, database = sized
    found, statements, ours = {}, store_statements(), cases(rows)
    async with connected(database) as link:
        await link.execute(f"SET plan_cache_mode = {mode}")
        # The others find nothing, or other executions than they would: that changes no plan.
        for name, values in ({name: case.values for name, case in HOT.items()} | ours).items():
            # Behind a PgBouncer nobody turns it off.
            await link.execute(f"SET enable_seqscan = {'on' if name in ours else 'off'}")
            probe = Probe(link, name, statements[name])
            await probe.prepare()
            if wrong := complaint(name, await probe.plan(values), MOST_TOUCHED if name in ours else inf):
                found[name] = wrong
            await probe.drop()
    assert not found, "\n\n".join(f"{name}: {wrong}" for name, wrong in found.items())


@pytest.mark.parametrize("mode", MODES)
async def test_attempts_of_an_execution_are_found_by_ranges(sized: tuple[int, Database], mode: str) -> None:
    _, database = sized
    await run_sql(database, "SELECT brin_summarize_new_values('submission_attempt_range_ndx')")
    async with connected(database) as link:
        await link.execute(f"SET plan_cache_mode = {mode}")
        await link.execute("SET enable_seqscan = on")  # As `history` does.
        probe = Probe(link, "operator.attempts_of", store_statements()["operator.attempts_of"])
        await probe.prepare()
        plan = await probe.plan({"id": 777, "limit": 100})
        await probe.drop()
    assert "submission_attempt_range_ndx" in plan.indexes, plan.text
    assert "submission_attempt" not in plan.scanned, plan.text
