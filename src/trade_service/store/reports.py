"""What the database holds, for the audit, `db status`, the metrics and the log of exhausted executions."""

from collections.abc import AsyncIterator, Sequence

import asyncpg
import msgspec

from trade_service.domain.executions import OPEN, SubmissionState
from trade_service.domain.fields import is_possible_id
from trade_service.store.bulk_store import CLOCK_SKEW_MS
from trade_service.store.database import Database
from trade_service.store.statements import load
from trade_service.trading.audit import (
    AcceptedExecution,
    ArchiveDifference,
    Balance,
    Listed,
    OwnExecution,
    WrongOrder,
)
from trade_service.trading.operating import Backlog, PastAttempt

SQL = load("reports")
PAGE = 10_000
MAX_ROWS = 20_000
SEARCH_S = 5.0
"""How long the search for tries may take: after a long outage its range is long."""


class Contents(msgspec.Struct, frozen=True):
    """How many rows the database holds."""

    trade_orders: int
    attempts: int
    open_attempts: int
    executions: dict[str, int]
    """By submission state."""


class PostgresAuditReads:
    """What an audit reads of this database; each answer is of one moment. Raises StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def balance(self) -> Balance:
        """Counts and quantities of everything."""
        (row,) = await self._database.scan(SQL["balance"])
        return Balance(
            row["orders"],
            row["executions"],
            row["submitted"],
            {state.value: row[f"state_{state}"] for state in SubmissionState},
            row["quantity_sent"],
            row["quantity_held"],
            row["wrong_orders"],
            row["legacy_orders"],
            row["archived"],
        )

    async def wrong_orders(self, limit: int) -> list[WrongOrder]:
        """The first orders of this service whose quantitySent is not the sum over their executions."""
        return [WrongOrder(*row) for row in await self._database.scan(SQL["wrong_orders"], limit=limit)]

    async def accepted_without_id(self, limit: int) -> Listed:
        """Accepted executions of this service without an id that nothing looks up."""
        return _listed(await self._database.scan(SQL["accepted_without_id"], limit=limit))

    async def stranded(self, limit: int) -> Listed:
        """Executions that are not final and that no open attempt owns."""
        return _listed(await self._database.scan(SQL["stranded"], limit=limit))

    async def archive_differs(self, limit: int) -> list[ArchiveDifference]:
        """The first files whose executions are not all known as archived, and executions here and archived."""
        return [
            ArchiveDifference(*row) for row in await self._database.scan(SQL["archive_differs"], limit=limit)
        ]

    async def idle_attempts(self) -> int:
        """How many open attempts own nothing any more."""
        return int((await self._database.scan(SQL["idle_attempts"]))[0][0])

    async def failed_differ(self) -> int:
        """How many executions the table of failed ones lacks, or has wrongly."""
        return int((await self._database.scan(SQL["failed_differ"]))[0][0])

    async def own(self, execution_ids: Sequence[int]) -> dict[int, OwnExecution]:
        """Our executions of those ids, archived ones included; numbers that are no id of ours are left out."""
        rows = await self._database.fetch(SQL["own"], ids=list(filter(is_possible_id, execution_ids)))
        return {row[0]: OwnExecution(row[0], row[1] and SubmissionState(row[1]), *row[2:]) for row in rows}

    async def accepted(self) -> AsyncIterator[list[AcceptedExecution]]:
        """All accepted executions by ascending id, page by page."""
        after = 0
        while rows := await self._database.scan(SQL["accepted"], after=after, limit=PAGE):
            yield [
                AcceptedExecution(execution_id, service_id, legacy)
                for execution_id, service_id, legacy, accepted in rows
                if accepted
            ]
            after = rows[-1]["id"]


def _listed(rows: Sequence[asyncpg.Record]) -> Listed:
    found = tuple((execution_id, state) for execution_id, state, _ in rows)
    return Listed(found, rows[0]["total"] if rows else 0)


async def server_of(database: Database) -> tuple[str, str]:
    """The server's version and the database's name. Raises StoreUnavailable."""
    version, name = (await database.fetch(SQL["server"]))[0]
    return version, name


async def contents_of(database: Database) -> Contents:
    """Counts everything; the tables must exist. Raises StoreUnavailable."""
    async with database.transaction(scans=True) as session:
        (counts,) = await session.fetch(SQL["counts"])
        states = await session.fetch(SQL["states"])
    return Contents(**counts, executions={row["state"]: row["executions"] for row in states})


class PostgresBacklog:
    """Reads the backlog; executions of more than `attempts` open attempts are not counted."""

    def __init__(self, database: Database, attempts: int) -> None:
        self._database = database
        self._attempts = attempts

    async def read(self) -> Backlog:
        """The backlog now; raises StoreUnavailable."""
        rows = await self._database.fetch(SQL["backlog"], attempts=self._attempts)
        ((pauses,),) = await self._database.fetch(SQL["pauses"])
        by_state = {row["submission_state"]: row for row in rows}
        unknown, retry = by_state.get(SubmissionState.UNKNOWN), by_state.get(SubmissionState.RETRY)
        return Backlog(
            executions={state: by_state[state]["executions"] if state in by_state else 0 for state in OPEN},
            oldest_unknown_s=max(0.0, unknown["oldest_s"]) if unknown is not None else 0.0,
            retry_overdue_s=max(0.0, retry["overdue_s"]) if retry is not None else 0.0,
            pauses=pauses,
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
