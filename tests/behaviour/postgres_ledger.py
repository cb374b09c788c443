"""Runs the behaviour suite on PostgreSQL: stored times are moved into the past to let time pass."""

from collections.abc import Mapping, Sequence
from typing import Any

from tests.behaviour.ledger import (
    OWNER,
    SETTLE_MS,
    AttemptRow,
    Everything,
    EvidenceRow,
    ExecutionRow,
    NewAttemptId,
    OrderWrites,
)
from tests.support.rows import NEW, SENT, insert_orders, insert_pieces
from tests.support.trading import run_sql
from trade_service.domain.executions import OPEN, QUANTITY_RETURNED
from trade_service.store.database import Database
from trade_service.store.downstream_store import PostgresDownstreamStore, PostgresFillStore
from trade_service.store.execution_reads import PostgresExecutionReads, to_order
from trade_service.store.failed_execution_store import PostgresFailures
from trade_service.store.operator_store import PostgresOperatorStore, PostgresRestoreStore
from trade_service.store.order_store import PostgresOrderStore
from trade_service.store.pause_store import PostgresPauseStore
from trade_service.store.statements import Statement, expanded, fragments_of
from trade_service.store.submission_store import PostgresSubmissionStore
from trade_service.submission.clock import SystemClock
from trade_service.submission.ports import DownstreamStore, SubmissionStore
from trade_service.trading.failed_executions import FailureCheck
from trade_service.trading.fill_check import FillStore
from trade_service.trading.operating import OperatorStore
from trade_service.trading.pausing import PauseStore
from trade_service.trading.ports import ExecutionReads
from trade_service.trading.restoring import RestoreStore

_COLUMN = {
    "state": "submission_state",
    "service_id": "execution_service_id",
    "quantity": "quantity_ordered",
    "placed": "quantity_placed",
    "filled": "quantity_filled",
    "status_id": "execution_status_id",
    "order_id": "trade_order_id",
}
"""Columns whose name differs from the field of ExecutionRow."""
_ELAPSE_ATTEMPTS = Statement.parsed("""
UPDATE submission_attempt
SET started_at = started_at - b.y, lease_until = lease_until - b.y, settle_from = settle_from - b.y,
    next_action_at = next_action_at - b.y, closed_at = closed_at - b.y
FROM (SELECT cast(:seconds AS float8) * interval '1 s' AS y) b
""")
_ELAPSE_EXECUTIONS = Statement.parsed("""
UPDATE execution SET give_up_at = give_up_at - cast(:seconds AS float8) * interval '1 s'
WHERE give_up_at IS NOT NULL
""")
_ELAPSE_PAUSES = Statement.parsed("""
UPDATE submission_pause SET paused_at = paused_at - cast(:seconds AS float8) * interval '1 s'
""")
_ELAPSE_FILL_CHECK = Statement.parsed("""
UPDATE downstream SET fills_checked_at = fills_checked_at - cast(:seconds AS float8) * interval '1 s'
""")
_EXECUTIONS = Statement.parsed("""
SELECT id, trade_order_id, submission_state, attempt_id::text, attempts_spent,
       extract(epoch FROM give_up_at - now())::float8, budget_ms, execution_status_id, execution_service_id,
       quantity_ordered, quantity_placed, quantity_filled, limit_price, trade_type_id, destination_id,
       blotter_id, version
FROM execution
ORDER BY id
""")
_ATTEMPTS = Statement.parsed("""
SELECT id::text, state, owner, execution_ids,
       extract(epoch FROM next_action_at - now())::float8, extract(epoch FROM lease_until - now())::float8,
       settle_ms, extract(epoch FROM settle_from - now())::float8,
       extract(epoch FROM closed_at - now())::float8,
       floor_id, epoch, top_id, retry_count, adopted, next_batch_size, observer, look_ups, kind, code,
       message, http_status, duration_ms, finding_ids, finding_states, finding_codes, finding_messages
FROM submission_attempt
ORDER BY id
""")


_EVIDENCE = Statement.parsed("""
SELECT execution_id, source, code, attempt_id::text, state_before, state, service_id_before, service_id, actor,
       message
FROM submission_evidence
ORDER BY id
""")


_ORDERS = Statement.parsed(expanded("SELECT {order_columns} FROM trade_order o", fragments_of("orders")))


_WRONGLY_FAILED = Statement.parsed(
    expanded(
        """
SELECT coalesce(f.execution_id, x.id), f.state, f.code, f.message, x.state, x.code, x.message
FROM (
    SELECT e.id, e.submission_state AS state, coalesce(v.code, f.code) AS code,
           coalesce(v.message, f.message) AS message
    FROM execution e {reasons}
    WHERE e.submission_state IN ('rejected', 'exhausted')
) x
FULL JOIN failed_execution f ON f.execution_id = x.id
-- A closed attempt takes no further finding.
WHERE (f.state, f.code, f.message)
      IS DISTINCT FROM (x.state, coalesce(x.code, f.code), coalesce(x.message, f.message))
""",
        fragments_of("orders"),
    )
)


_MISPLACED = Statement.parsed("""
SELECT e.id, e.submission_state, a.state
FROM execution e LEFT JOIN submission_attempt a ON a.id = e.attempt_id
WHERE e.submission_state IN ('queued', 'claimed', 'retry', 'unknown')
  AND (a.next_action_at IS NOT NULL AND e.id = ANY(a.execution_ids)
       AND (a.state <> 'queued' OR e.submission_state = 'queued')) IS NOT TRUE
""")


class _Clock(SystemClock):
    """The real clock, with attempt ids that the test chooses."""

    def __init__(self, new_attempt_id: NewAttemptId) -> None:
        super().__init__()
        self._new_attempt_id = new_attempt_id

    def new_attempt_id(self) -> str:
        return self._new_attempt_id()


class PostgresLedger:
    def __init__(self, database: Database, new_attempt_id: NewAttemptId) -> None:
        self._database = database
        self._was_changed = False
        """Whether a test changed executions as another program might."""
        self._added_open = False
        self.submissions: SubmissionStore = PostgresSubmissionStore(
            database, _Clock(new_attempt_id), OWNER, SETTLE_MS, status_new=NEW, status_sent=SENT
        )
        self.reads: ExecutionReads = PostgresExecutionReads(database, OWNER, SETTLE_MS)
        self.operators: OperatorStore = PostgresOperatorStore(database, _Clock(new_attempt_id), NEW, SENT)
        self.downstream: DownstreamStore = PostgresDownstreamStore(database)
        self.restores: RestoreStore = PostgresRestoreStore(database, _Clock(new_attempt_id))
        self.fills: FillStore = PostgresFillStore(database)
        self.pauses: PauseStore = PostgresPauseStore(database)
        self.orders: OrderWrites = PostgresOrderStore(database, OWNER)

    async def add_orders(self, count: int = 1, quantity: int = 10) -> list[int]:
        return await insert_orders(self._database, count, quantity)

    async def add_pieces(
        self, order_ids: Sequence[int], each: int = 1, state: str | None = "none"
    ) -> list[int]:
        self._was_changed = self._was_changed or state in QUANTITY_RETURNED
        self._added_open = self._added_open or state in OPEN
        return await insert_pieces(self._database, order_ids, each, state)

    async def check_failed_executions(self) -> None:
        """The table of failed executions has those that are rejected or exhausted, each with its reason."""
        if self._was_changed:
            await run_sql(self._database, "UPDATE failed_execution_check SET due_at = now()")
            await FailureCheck(PostgresFailures(self._database), SystemClock()).once()
        async with self._database.session() as session:
            assert await session.fetch(_WRONGLY_FAILED) == []

    async def check_open_executions(self) -> None:
        """Lists find those in open states by their open attempts; no queued attempt has any but queued ones."""
        if not (self._was_changed or self._added_open):
            async with self._database.session() as session:
                assert await session.fetch(_MISPLACED) == []

    async def change_execution(self, execution_id: int, **fields: Any) -> None:
        self._was_changed = True
        await self._update(
            "execution", execution_id, {_COLUMN.get(name, name): value for name, value in fields.items()}
        )

    async def change_order(self, order_id: int, **fields: Any) -> None:
        await self._update("trade_order", order_id, fields)

    async def delete_execution(self, execution_id: int) -> None:
        self._was_changed = True
        await run_sql(self._database, "DELETE FROM execution WHERE id = :id", id=execution_id)

    async def elapse(self, seconds: float) -> None:
        async with self._database.transaction() as session:
            await session.execute(_ELAPSE_ATTEMPTS, seconds=seconds)
            await session.execute(_ELAPSE_EXECUTIONS, seconds=seconds)
            await session.execute(_ELAPSE_PAUSES, seconds=seconds)
            await session.execute(_ELAPSE_FILL_CHECK, seconds=seconds)

    async def everything(self) -> Everything:
        async with self._database.transaction() as session:
            orders = [to_order(row) for row in await session.fetch(_ORDERS)]
            executions = [ExecutionRow(*row) for row in await session.fetch(_EXECUTIONS)]
            evidence = [EvidenceRow(*row) for row in await session.fetch(_EVIDENCE)]
            attempts = [_attempt(row) for row in await session.fetch(_ATTEMPTS)]
        return Everything(
            {order.id: order for order in orders},
            {row.id: row for row in executions},
            {attempt.id: attempt for attempt in attempts},
            tuple(evidence),
        )

    async def _update(self, table: str, row_id: int, fields: Mapping[str, Any]) -> None:
        changes = ", ".join(f"{name} = :{name}" for name in fields)
        await run_sql(self._database, f"UPDATE {table} SET {changes} WHERE id = :row", row=row_id, **fields)


def _attempt(row: Any) -> AttemptRow:
    attempt_id, state, owner, execution_ids, *rest, finding_ids, states, codes, messages = row
    findings = tuple(zip(finding_ids, states, codes, messages, strict=True))
    values: list[Any] = [attempt_id, state, owner, tuple(execution_ids), *rest, findings]
    return AttemptRow(*values)
