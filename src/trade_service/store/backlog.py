"""What is open in the database now, for gauges."""

from sqlalchemy import Integer, bindparam, text

from trade_service.domain.executions import OPEN, SubmissionState
from trade_service.store.database import Database
from trade_service.store.engine import autocommitted
from trade_service.trading.history import Backlog

BACKLOG = text("""
WITH open AS MATERIALIZED (
    SELECT id, execution_ids, started_at, next_action_at
    FROM submission_attempt
    WHERE next_action_at IS NOT NULL
    ORDER BY next_action_at
    LIMIT :attempts
), owned AS MATERIALIZED (
    SELECT a.started_at, a.next_action_at, e.submission_state
    FROM open a
    CROSS JOIN LATERAL unnest(a.execution_ids) AS u(id)
    CROSS JOIN LATERAL (
        SELECT x.submission_state, x.attempt_id FROM execution x WHERE x.id = u.id OFFSET 0
    ) e
    WHERE e.attempt_id = a.id
)
SELECT submission_state, count(*) AS executions,
       coalesce(extract(epoch FROM now() - min(started_at)), 0)::float8 AS oldest_s,
       coalesce(extract(epoch FROM now() - min(next_action_at)), 0)::float8 AS overdue_s
FROM owned
GROUP BY submission_state
""").bindparams(bindparam("attempts", type_=Integer))


class PostgresBacklog:
    """Reads the backlog through the attempts that are not closed; what lies beyond `attempts` is not counted."""

    def __init__(self, database: Database, attempts: int) -> None:
        self._database = database
        self._attempts = attempts

    async def read(self) -> Backlog:
        """The backlog now; raises StoreUnavailable."""
        async with autocommitted(self._database) as connection:
            rows = (await connection.execute(BACKLOG, {"attempts": self._attempts})).all()
        by_state = {row.submission_state: row for row in rows}
        unknown, retry = by_state.get(SubmissionState.UNKNOWN), by_state.get(SubmissionState.RETRY)
        return Backlog(
            executions={state: by_state[state].executions if state in by_state else 0 for state in OPEN},
            oldest_unknown_s=max(0.0, unknown.oldest_s) if unknown is not None else 0.0,
            retry_overdue_s=max(0.0, retry.overdue_s) if retry is not None else 0.0,
        )
