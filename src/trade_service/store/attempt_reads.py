"""What the journal of attempts shows: the backlog, and the tries of exhausted executions."""

from collections.abc import Sequence

from trade_service.domain.executions import OPEN, SubmissionState
from trade_service.store.database import Database
from trade_service.store.statements import load
from trade_service.trading.operating import Backlog, PastAttempt

SQL = load("attempts")
CLOCK_SKEW_MS = 300_000
"""How far a replica's clock, which makes the ids, may differ from the database's."""
MAX_ROWS = 20_000
SEARCH_S = 5.0
"""How long the search for tries may take: after a long outage its range is long."""


class PostgresBacklog:
    """Reads the backlog; executions of more than `attempts` open attempts are not counted."""

    def __init__(self, database: Database, attempts: int) -> None:
        self._database = database
        self._attempts = attempts

    async def read(self) -> Backlog:
        """The backlog now; raises StoreUnavailable."""
        rows = await self._database.fetch(SQL["backlog"], attempts=self._attempts)
        by_state = {row["submission_state"]: row for row in rows}
        unknown, retry = by_state.get(SubmissionState.UNKNOWN), by_state.get(SubmissionState.RETRY)
        return Backlog(
            executions={state: by_state[state]["executions"] if state in by_state else 0 for state in OPEN},
            oldest_unknown_s=max(0.0, unknown["oldest_s"]) if unknown is not None else 0.0,
            retry_overdue_s=max(0.0, retry["overdue_s"]) if retry is not None else 0.0,
        )


class PostgresPastAttempts:
    """Reads the attempts of exhausted executions."""

    def __init__(self, database: Database, give_up_after_ms: int) -> None:
        self._database = database
        self._give_up_after_ms = give_up_after_ms

    async def tries_of(self, execution_ids: Sequence[int]) -> dict[int, list[PastAttempt]]:
        """Attempts by execution, oldest first. Raises StoreUnavailable, also when the search takes too long."""
        async with self._database.transaction(within_s=SEARCH_S) as session:
            rows = await session.fetch(
                SQL["tries"],
                ids=list(execution_ids),
                give_up_after_ms=self._give_up_after_ms,
                skew_ms=CLOCK_SKEW_MS,
                limit=MAX_ROWS,
            )
        tries: dict[int, list[PastAttempt]] = {execution_id: [] for execution_id in execution_ids}
        for execution_id, attempt_id, started_at, kind, code, http_status, findings in rows:
            past = PastAttempt(attempt_id, started_at, kind, code, http_status, tuple(findings))
            tries[execution_id].append(past)
        return tries
