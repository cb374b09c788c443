"""What all replicas do at present, in PostgreSQL."""

from collections.abc import Sequence

import msgspec

from trade_service.domain.executions import QUANTITY_RETURNED, SubmissionState
from trade_service.store.database import Database
from trade_service.store.statements import load
from trade_service.submission.manual_resolution import OVERDUE_S
from trade_service.trading.activity import LATENCY_STEPS, Calls, Interval
from trade_service.trading.overview_model import LedgerDoubt, OpenAttempts, StateCounts, Waiting
from trade_service.trading.replicas import (
    ALIVE_S,
    FORGET_S,
    LISTED_S,
    WITHIN_S,
    Circuit,
    ReplicaReport,
    ReplicaState,
)

SQL = load("overview")
_MOST_ATTEMPTS = 20_000
"""Open attempts that are looked at."""
_COUNTED_FAILURES = 20_000
"""Failed executions that are counted where the table is too large to count all."""
_READ_PAGES = 1_000
"""Pages of the table `execution` that are read to count its rows by state; of a larger table a sample."""


class PostgresOverviewReads:
    """The ports CallReads and OverviewReads on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def calls(self, starts: Sequence[int], length_s: int) -> dict[int, Interval]:
        if not starts:
            return {}
        rows = await self._database.fetch(
            SQL["calls"],
            starts=list(starts),
            lows=[_first_id(start) for start in starts],
            highs=[_first_id(start + length_s) for start in starts],
            latency_steps=LATENCY_STEPS,
        )
        intervals: dict[int, dict[str, Calls]] = {}
        for start, owner, *sums, steps, counts in rows:
            intervals.setdefault(start, {})[owner] = calls = Calls(*sums)
            calls.latencies = dict(zip(steps or (), counts or (), strict=True))
        return dict(intervals)

    async def open_attempts(self) -> OpenAttempts:
        row = await self._database.fetch_row(
            SQL["open_attempts"], attempts=_MOST_ATTEMPTS, overdue_s=OVERDUE_S
        )
        assert row is not None
        count, queued, claimed, retry, unknown, *rest = row
        executions = {
            SubmissionState.QUEUED: queued,
            SubmissionState.CLAIMED: claimed,
            SubmissionState.RETRY: retry,
            SubmissionState.UNKNOWN: unknown,
        }
        return OpenAttempts(count, executions, *rest)

    async def waiting_for_person(self) -> Waiting:
        row = await self._database.fetch_row(SQL["waiting_for_person"])
        assert row is not None
        return Waiting(*row)

    async def ledger(self) -> LedgerDoubt:
        row = await self._database.fetch_row(SQL["ledger"])
        assert row is not None
        return LedgerDoubt(*row)

    async def circuits(self) -> list[Circuit]:
        return [Circuit(*row) for row in await self._database.fetch(SQL["circuits"], alive_s=ALIVE_S)]

    async def replicas(self) -> list[ReplicaReport]:
        rows = await self._database.fetch(
            SQL["replicas"],
            within_s=WITHIN_S,
            attempts=_MOST_ATTEMPTS,
            listed_s=LISTED_S,
            alive_s=ALIVE_S,
        )
        return [ReplicaReport(*row) for row in rows]

    async def states(self) -> StateCounts:
        pages = int(await self._database.fetch_value(SQL["pages"]))
        percent = min(100.0, 100.0 * _READ_PAGES / max(1, pages))
        rows = await self._database.fetch(SQL["states"], percent=percent)
        counts = {SubmissionState(state): round(count * 100 / percent) for state, count in rows if state}
        if percent == 100:
            return StateCounts(counts, frozenset(SubmissionState))
        failed = await self._database.fetch(SQL["failed"], most=_COUNTED_FAILURES)
        if sum(count for _, count in failed) == _COUNTED_FAILURES:
            return StateCounts(counts, frozenset())
        counts |= dict.fromkeys(QUANTITY_RETURNED, 0)
        counts |= {SubmissionState(state): count for state, count in failed}
        return StateCounts(counts, QUANTITY_RETURNED)


class PostgresReplicaStore:
    """The port ReplicaStore on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def beat(self, owner: str, state: ReplicaState) -> None:
        await self._database.execute(SQL["beat"], owner=owner, **msgspec.structs.asdict(state))

    async def leave(self, owner: str) -> None:
        await self._database.execute(SQL["leave"], owner=owner, forget_s=FORGET_S)


def _first_id(at_s: int) -> str:
    """The least id of an attempt that was made at this second since 1970."""
    digits = f"{at_s * 1000:012x}"
    return f"{digits[:8]}-{digits[8:]}-0000-0000-000000000000"
