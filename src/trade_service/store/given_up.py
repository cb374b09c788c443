"""The attempts of executions that were given up, found by when those were first claimed.

An attempt's id begins with its time, so the attempts since then are one range of the primary key. No index
leads from an execution to its attempts: the submission path would pay for it with every batch.
"""

from collections.abc import Sequence

from sqlalchemy import Integer, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY

from trade_service.store.database import Database
from trade_service.store.engine import transaction
from trade_service.trading.history import PastAttempt

CLOCK_SKEW_MS = 300_000
"""How far the clock of a replica, which makes the ids, may be from the database's."""
MOST_ROWS = 20_000
MOST_MS = 5_000
"""How long the search may take: after a long outage the range is long."""

TRIES = text("""
WITH first AS MATERIALIZED (
    SELECT min(coalesce(e.give_up_at, now()) - :give_up_after_ms * interval '1 ms') AS claimed_at
    FROM execution e
    WHERE e.id = ANY(:ids)
)
SELECT u.id AS execution_id, a.id::text AS attempt_id, a.started_at, a.kind, a.code, a.http_status,
       array(SELECT f.code
             FROM unnest(a.finding_ids, a.finding_codes) WITH ORDINALITY AS f(id, code, place)
             WHERE f.id = u.id
             ORDER BY f.place) AS findings
FROM submission_attempt a
CROSS JOIN LATERAL unnest(a.execution_ids) AS u(id)
WHERE a.id >= (
        SELECT (lpad(to_hex((extract(epoch FROM claimed_at) * 1000)::bigint - :skew_ms), 12, '0')
                || repeat('0', 20))::uuid
        FROM first)
  AND a.execution_ids && :ids
  AND a.state <> 'queued'
  AND u.id = ANY(:ids)
ORDER BY a.id
LIMIT :limit
""").bindparams(
    bindparam("ids", type_=ARRAY(Integer)),
    *(bindparam(name, type_=Integer) for name in ("give_up_after_ms", "skew_ms", "limit")),
)
_IN_TIME = text(f"SET LOCAL statement_timeout = {MOST_MS}")


class PostgresGivenUp:
    """Reads the attempts of exhausted executions."""

    def __init__(self, database: Database, give_up_after_ms: int) -> None:
        self._database = database
        self._give_up_after_ms = give_up_after_ms

    async def tries_of(self, execution_ids: Sequence[int]) -> dict[int, list[PastAttempt]]:
        """Attempts by execution, oldest first. Raises StoreUnavailable, also when the search takes too long."""
        wanted = {
            "ids": list(execution_ids),
            "give_up_after_ms": self._give_up_after_ms,
            "skew_ms": CLOCK_SKEW_MS,
            "limit": MOST_ROWS,
        }
        async with transaction(self._database) as connection:
            await connection.execute(_IN_TIME)
            rows = (await connection.execute(TRIES, wanted)).all()
        tries: dict[int, list[PastAttempt]] = {execution_id: [] for execution_id in execution_ids}
        for execution_id, attempt_id, started_at, kind, code, http_status, findings in rows:
            found = PastAttempt(attempt_id, started_at, kind, code, http_status, tuple(findings))
            tries[execution_id].append(found)
        return tries
