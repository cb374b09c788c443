"""Audits in the background: one at a time over all replicas, with a durable row of what each found."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

import msgspec
import structlog

from trade_service.submission.ports import Clock, StoreUnavailable
from trade_service.trading.audit import Balance, Finding
from trade_service.trading.ledger_audit import AuditReport, Progress
from trade_service.trading.restoring import LedgerUnreadable

_log = structlog.get_logger(__name__)

LEASE_S = 20.0
"""An audit whose replica has not renewed it for so long has failed."""
RENEW_S = 4.0
MAX_LISTED = 100

AuditRunId = str
"""A UUID, version 7: it contains the time of its creation."""


class Book(StrEnum):
    """What is audited."""

    DATABASE = "database"
    """This database alone."""
    BOTH = "both"
    """This database, and the Execution Service's ledger beside it."""


class RunStatus(StrEnum):
    """How an audit stands."""

    RUNNING = "RUNNING"
    CLEAN = "CLEAN"
    FINDINGS = "FINDINGS"
    FAILED = "FAILED"
    """It proves nothing: its message says why."""


class RunReport(msgspec.Struct, frozen=True):
    """What an audit found, as its row has it: counts are exact, findings the first of each kind."""

    balance: Balance
    downstream_rows: int | None
    counts: dict[str, int]
    notes: dict[str, int]
    findings: list[Finding] = []
    """Left out in lists."""

    @classmethod
    def of(cls, report: AuditReport) -> "RunReport":
        return cls(report.balance, report.downstream_rows, report.counts, report.notes, report.findings)


class AuditRun(msgspec.Struct, frozen=True):
    """An audit that runs or ran in the background."""

    id: AuditRunId
    book: Book
    status: RunStatus
    started_at: datetime
    finished_at: datetime | None
    started_by: str | None
    """None where nobody was authenticated."""
    replica: str
    ledger_rows: int | None
    """How many executions of the ledger were compared so far."""
    message: str
    report: RunReport | None
    """None while it runs, and if it failed."""


class AuditRunStore(Protocol):
    """Audits on record. Every method may raise StoreUnavailable."""

    async def start(self, run_id: AuditRunId, book: Book, replica: str, lease_s: float) -> None:
        """Records an audit that begins now; raises AuditRunning while another one runs."""

    async def renew(self, run_id: AuditRunId, ledger_rows: int | None, lease_s: float) -> bool:
        """Renews its lease; False if it was declared failed in the meantime."""

    async def finish(
        self, run_id: AuditRunId, status: RunStatus, message: str, report: RunReport | None
    ) -> None:
        """Records its result, unless it was declared failed in the meantime."""

    async def get(self, run_id: AuditRunId) -> AuditRun:
        """One audit with its findings; raises NotFound."""

    async def page(self, before: AuditRunId | None, limit: int) -> list[AuditRun]:
        """Audits without their findings, the newest first."""


Audit = Callable[[Book, Progress], Coroutine[Any, Any, AuditReport]]
"""Audits; may raise StoreUnavailable and LedgerUnreadable."""


class AuditRuns:
    """Starts audits and runs them in this process, as long as `run` runs.

    Args:
        replica: the name of this process.
    """

    def __init__(self, store: AuditRunStore, audit: Audit, replica: str, clock: Clock) -> None:
        self._store = store
        self._audit = audit
        self._replica = replica
        self._clock = clock
        self._started: asyncio.Queue[tuple[AuditRunId, Book]] = asyncio.Queue()
        self._rows: int | None = None

    async def start(self, book: Book) -> AuditRun:
        """Starts an audit in this process and returns at once; raises AuditRunning, StoreUnavailable."""
        run_id = self._clock.new_attempt_id()
        await self._store.start(run_id, book, self._replica, LEASE_S)
        self._started.put_nowait((run_id, book))
        return await self._store.get(run_id)

    async def get(self, run_id: AuditRunId) -> AuditRun:
        """One audit with its findings; raises NotFound, StoreUnavailable."""
        return await self._store.get(run_id)

    async def page(self, before: AuditRunId | None, limit: int) -> list[AuditRun]:
        """Audits without their findings, the newest first; raises StoreUnavailable."""
        return await self._store.page(before, limit)

    async def run(self) -> None:
        """Runs one audit after the other."""
        while True:
            run_id, book = await self._started.get()
            self._rows = None
            audit = asyncio.create_task(self._audit(book, self._note_rows))
            renewals = asyncio.create_task(self._renew(run_id))
            try:
                await asyncio.wait((audit, renewals), return_when=asyncio.FIRST_COMPLETED)
                if audit.done():
                    await self._finish(run_id, *_result_of(audit))
                else:
                    _log.error("audit_lost", audit_id=run_id, exc_info=renewals.exception())
            finally:
                audit.cancel()
                renewals.cancel()
                await asyncio.wait((audit, renewals))

    async def _finish(
        self, run_id: AuditRunId, status: RunStatus, message: str, report: RunReport | None
    ) -> None:
        while True:
            try:
                await self._store.finish(run_id, status, message, report)
                break
            except StoreUnavailable as error:
                _log.warning("audit_not_recorded", audit_id=run_id, error=str(error))
                await self._clock.sleep(1)
        _log.info("audit_finished", audit_id=run_id, status=status, message=message)

    async def _renew(self, run_id: AuditRunId) -> None:
        """Returns when the audit was declared failed."""
        is_ours = True
        while is_ours:
            await self._clock.sleep(RENEW_S)
            try:
                is_ours = await self._store.renew(run_id, self._rows, LEASE_S)
            except StoreUnavailable as error:
                _log.warning("audit_not_renewed", audit_id=run_id, error=str(error))

    def _note_rows(self, rows: int) -> None:
        self._rows = rows


def _result_of(
    audit: asyncio.Task[AuditReport],
) -> tuple[RunStatus, str, RunReport | None]:
    """What an audit proved; whatever error ended it, the service goes on."""
    match audit.exception():
        case None:
            report = audit.result()
            return RunStatus.CLEAN if report.clean else RunStatus.FINDINGS, "", RunReport.of(report)
        case StoreUnavailable() as error:
            _log.warning("audit_failed", error=str(error))
            return RunStatus.FAILED, error.public, None
        case LedgerUnreadable() as error:
            return RunStatus.FAILED, str(error), None
        case error:
            _log.error("audit_failed", exc_info=error)
            return RunStatus.FAILED, "unexpected internal error; see the service log", None
