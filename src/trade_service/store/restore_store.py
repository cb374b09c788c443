"""Makes every execution that is not final unknown again: the port RestoreStore on PostgreSQL."""

from collections.abc import Mapping
from itertools import islice
from typing import Any

from sqlalchemy import BigInteger, Boolean, Integer, String, Text, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, UUID

from trade_service.domain.executions import SubmissionState
from trade_service.store.database import Database
from trade_service.store.downstream_store import ADVANCED, ONE_AT_A_TIME
from trade_service.store.engine import whole_tables
from trade_service.store.tables import INSTANT
from trade_service.submission.ports import Clock

ENTRY_SIZE = 1000
"""Executions of one entry of the journal."""

_NOT_FINAL = """
    e.submission_state IN ('queued', 'claimed', 'retry', 'unknown')
    OR e.submission_state = 'none' AND e.execution_service_id IS NULL AND e.quantity_placed <= 0
"""
_OF_EARLIER_EPOCH = (
    """e.submission_state IN ('claimed', 'unknown') AND a.epoch < (SELECT epoch FROM downstream)"""
)
COUNT_OPEN = text(
    f"""
    SELECT e.submission_state, coalesce({_OF_EARLIER_EPOCH}, false), count(*)
    FROM execution e LEFT JOIN submission_attempt a ON a.id = e.attempt_id
    WHERE {_NOT_FINAL}
    GROUP BY 1, 2
    """
)
LOCK_OPEN = text(
    f"""
    SELECT e.id, e.submission_state = 'none' OR coalesce(a.adopted, false) AS adopted, a.lease_until
    FROM execution e
    LEFT JOIN LATERAL (SELECT * FROM submission_attempt t WHERE t.id = e.attempt_id OFFSET 0) a ON true
    WHERE ({_NOT_FINAL}) AND (:same_ledger OR ({_OF_EARLIER_EPOCH}) IS NOT TRUE)
    ORDER BY e.id
    FOR NO KEY UPDATE OF e
    """
).bindparams(bindparam("same_ledger", type_=Boolean))
RECOVER = text(
    """
    WITH wanted AS MATERIALIZED (
        SELECT * FROM unnest(cast(:ids AS int[]), cast(:leases AS timestamptz[])) AS t(id, lease_until)
    ), evidence AS (
        INSERT INTO submission_evidence
            (execution_id, source, code, attempt_id, state_before, state, actor, message)
        SELECT e.id, 'operator', 'RECOVERED', :attempt_id, e.submission_state, 'unknown', :actor, :reason
        FROM execution e WHERE e.id = ANY(cast(:ids AS int[]))
    ), again AS (
        UPDATE execution e
        SET submission_state = 'unknown', attempt_id = :attempt_id, attempts_spent = 0, give_up_at = NULL,
            budget_ms = NULL
        WHERE e.id = ANY(cast(:ids AS int[]))
    )
    INSERT INTO submission_attempt
        (id, state, owner, execution_ids, settle_ms, settle_from, floor_id, epoch, adopted, next_action_at,
         closed_at, kind, code, message)
    SELECT :attempt_id, 'answered', :actor, array_agg(id ORDER BY id), :settle_ms,
           greatest(now(), max(lease_until)),
           0, (SELECT epoch FROM downstream), :adopted, now(), now(), 'lost',
           'RECOVERED', :reason
    FROM wanted
    """
).bindparams(
    bindparam("ids", type_=ARRAY(Integer)),
    bindparam("leases", type_=ARRAY(INSTANT)),
    bindparam("attempt_id", type_=UUID(as_uuid=False)),
    bindparam("adopted", type_=Boolean),
    bindparam("settle_ms", type_=Integer),
    bindparam("actor", type_=String),
    bindparam("reason", type_=Text),
)
UNBLOCK = text(
    f"""
    WITH alone AS MATERIALIZED ({ONE_AT_A_TIME}),
    unblocked AS (UPDATE downstream SET blocked_at = NULL, blocked_reason = NULL)
    {ADVANCED}
    """
).bindparams(bindparam("beyond", type_=BigInteger))


class PostgresRestoreStore:
    """The port RestoreStore; both methods may read the whole table of executions."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def open_by_state(self) -> tuple[Mapping[SubmissionState, int], Mapping[SubmissionState, int]]:
        """How many executions are in each state that is not final: of this epoch, and of earlier ones."""
        async with whole_tables(self._database) as connection:
            rows = (await connection.execute(COUNT_OPEN)).all()
        of_this, of_earlier = (
            {SubmissionState(state): count for state, is_earlier, count in rows if is_earlier is wanted}
            for wanted in (False, True)
        )
        return of_this, of_earlier

    async def recover(
        self, beyond: int, settle_ms: int, actor: str, reason: str, *, same_ledger: bool
    ) -> int:
        """Makes every execution that is not final unknown with floor 0."""
        async with whole_tables(self._database) as connection:
            rows = (await connection.execute(LOCK_OPEN, {"same_ledger": same_ledger})).all()
            for adopted in (False, True):
                of_a_kind = (row for row in rows if row.adopted is adopted)
                while part := list(islice(of_a_kind, ENTRY_SIZE)):
                    await connection.execute(RECOVER, self._values(part, settle_ms, actor, reason))
            await connection.execute(UNBLOCK, {"beyond": beyond})
        return len(rows)

    def _values(self, part: list[Any], settle_ms: int, actor: str, reason: str) -> dict[str, Any]:
        return {
            "ids": [row.id for row in part],
            "leases": [row.lease_until for row in part],
            "attempt_id": self._clock.new_attempt_id(),
            "adopted": part[0].adopted,
            "settle_ms": settle_ms,
            "actor": actor,
            "reason": reason,
        }
