"""Makes every execution that is not final unknown, after a database was restored from a backup."""

from collections.abc import Mapping

from trade_service.domain.executions import SubmissionState
from trade_service.store.database import Database
from trade_service.store.statements import load
from trade_service.submission.ports import Clock

SQL = load("restore")
ENTRY_SIZE = 1000
"""Executions of one entry of the journal."""


class PostgresRestoreStore:
    """The port RestoreStore on PostgreSQL; both methods may read the whole table of executions."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def open_by_state(self) -> tuple[Mapping[SubmissionState, int], Mapping[SubmissionState, int]]:
        async with self._database.transaction(scans=True) as session:
            rows = await session.fetch(SQL["count_open"])
        of_this, of_earlier = (
            {SubmissionState(state): count for state, is_earlier, count in rows if is_earlier is wanted}
            for wanted in (False, True)
        )
        return of_this, of_earlier

    async def recover(
        self, beyond: int, settle_ms: int, actor: str, reason: str, *, same_ledger: bool
    ) -> int:
        async with self._database.transaction(scans=True) as session:
            rows = await session.fetch(SQL["lock_open"], same_ledger=same_ledger)
            for adopted in (False, True):
                alike = [row for row in rows if row["adopted"] is adopted]
                for start in range(0, len(alike), ENTRY_SIZE):
                    part = alike[start : start + ENTRY_SIZE]
                    await session.execute(
                        SQL["recover"],
                        ids=[row["id"] for row in part],
                        leases=[row["lease_until"] for row in part],
                        attempt_id=self._clock.new_attempt_id(),
                        adopted=adopted,
                        settle_ms=settle_ms,
                        actor=actor,
                        reason=reason,
                    )
            await session.fetch(SQL["unblock"], beyond=beyond)
        return len(rows)
