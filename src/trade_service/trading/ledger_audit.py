"""Runs an audit: this database alone first, then the Execution Service's ledger beside it, page by page."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import Protocol

import msgspec
import stamina

from trade_service.domain.fields import is_service_id, shown_number
from trade_service.submission.downstream_scan import ListingReader
from trade_service.submission.messages import Listing, RemoteExecution, RemoteExecutionPage
from trade_service.submission.ports import Ledger
from trade_service.trading.audit import (
    SHOWN,
    AcceptedExecution,
    ArchiveDifference,
    AuditLog,
    Balance,
    Finding,
    FindingKind,
    LedgerComparison,
    Listed,
    NoteKind,
    OwnExecution,
    WrongOrder,
)
from trade_service.trading.restoring import LedgerUnreadable

CANDIDATES = 100_000
"""Executions that seem to be missing from the ledger and are checked again; more than that is not a race."""

CHECKED_ONE_BY_ONE = 1000

Progress = Callable[[int], None]
"""Called with the number of ledger rows compared so far."""


class AuditReads(Protocol):
    """What an audit reads of this database. Every method may raise StoreUnavailable."""

    async def balance(self) -> Balance:
        """Counts and quantities of everything."""

    async def wrong_orders(self, limit: int) -> list[WrongOrder]:
        """The first orders of this service whose quantitySent is not the sum over their executions."""

    async def accepted_without_id(self, limit: int) -> Listed:
        """Accepted executions whose id downstream is neither known nor being reconciled."""

    async def stranded(self, limit: int) -> Listed:
        """Executions that are not final and that no open attempt owns."""

    async def archive_differs(self, limit: int) -> list[ArchiveDifference]:
        """The first files whose executions are not all known as archived, and executions here and archived."""

    async def idle_attempts(self) -> int:
        """How many open attempts no longer own an execution."""

    async def failed_differ(self) -> int:
        """How many executions the table of failed ones lacks, or has wrongly."""

    async def own(self, execution_ids: Sequence[int]) -> dict[int, OwnExecution]:
        """Executions by id, as far as they exist here or were archived."""

    def accepted(self) -> AsyncIterator[list[AcceptedExecution]]:
        """All accepted executions, archived ones included, by ascending id, page by page."""


class AuditReport(msgspec.Struct, frozen=True, rename="camel"):
    """What an audit found; counts are exact, findings the first of each kind."""

    clean: bool
    balance: Balance
    downstream_rows: int | None
    """None when the ledger was not read."""
    counts: dict[str, int]
    notes: dict[str, int]
    findings: list[Finding]


async def run_audit(
    reads: AuditReads, ledger: Ledger | None, progress: Progress = lambda _: None
) -> AuditReport:
    """Audits this database, and compares it with the ledger if one is given.

    Raises:
        StoreUnavailable: The database does not answer.
        LedgerUnreadable: The ledger cannot be read to its end.
    """
    log = AuditLog()
    balance = await _audit_own(reads, log)
    rows = None
    if ledger is not None:
        rows = await _LedgerAudit(reads, ledger, log, progress).run()
    return AuditReport(
        clean=log.is_clean,
        balance=balance,
        downstream_rows=rows,
        counts={kind.value: log.counts[kind] for kind in FindingKind},
        notes={kind.value: count for kind, count in log.notes.items() if count},
        findings=log.findings,
    )


async def _audit_own(reads: AuditReads, log: AuditLog) -> Balance:
    balance = await reads.balance()
    if not balance.is_balanced:
        states = ", ".join(f"{count} {state}" for state, count in balance.states.items() if count)
        log.find(
            FindingKind.UNBALANCED, None, f"{balance.submitted} executions were submitted, but: {states}"
        )
    for order in await reads.wrong_orders(SHOWN):
        message = (
            f"trade order {order.id} (orderId {order.order_id}): quantitySent is "
            f"{shown_number(order.quantity_sent)}, its executions hold {shown_number(order.quantity_held)}"
        )
        log.find(FindingKind.QUANTITY, order.id, message)
    log.set_count(FindingKind.QUANTITY, balance.wrong_orders)
    for kind, listed, problem in (
        (FindingKind.NO_ID, await reads.accepted_without_id(SHOWN), "its executionServiceId is not known"),
        (FindingKind.STRANDED, await reads.stranded(SHOWN), "no open attempt owns it"),
    ):
        for execution_id, state in listed.executions:
            log.find(kind, execution_id, f"execution {execution_id}: it is {state}, but {problem}")
        log.set_count(kind, listed.total)
    for one in await reads.archive_differs(SHOWN):
        message = f"archive: {one.what}: {one.found} archived executions instead of {one.expected}"
        log.find(FindingKind.ARCHIVE, None, message)
    log.notes[NoteKind.LEGACY_ORDERS] = balance.old_orders
    log.notes[NoteKind.IDLE_ATTEMPTS] = await reads.idle_attempts()
    log.notes[NoteKind.FAILED_DIFFER] = await reads.failed_differ()
    return balance


class _LedgerAudit:
    """The comparison with the whole ledger, while both sides may change."""

    def __init__(self, reads: AuditReads, ledger: Ledger, log: AuditLog, progress: Progress) -> None:
        self._reads = reads
        self._ledger = ledger
        self._comparison = LedgerComparison(log)
        self._progress = progress

    async def run(self) -> int:
        """Compares everything; returns how many ledger rows there were."""
        comparison, top_id = self._comparison, 0
        async for rows in self._rows(0):
            top_id = max([top_id, *(row_id for row in rows if is_service_id(row_id := row.id or 0))])
            await self._compare(rows)
            self._progress(comparison.rows)
        missing: list[AcceptedExecution] = []
        async for page in self._reads.accepted():
            missing += filter(comparison.is_missing, page)
            if len(missing) > CANDIDATES:
                comparison.add_missing(missing)
                missing.clear()
        if missing:
            missing = await self._check_again(missing, top_id)
        comparison.add_missing(missing)
        return comparison.rows

    async def _check_again(
        self, missing: Sequence[AcceptedExecution], top_id: int
    ) -> list[AcceptedExecution]:
        """Those that are still missing: an acceptance during the first reading is above `top_id`, and a late
        commit is found by its id."""
        async for rows in self._rows(top_id):
            await self._compare([row for row in rows if (row.id or 0) > top_id])
        still = [*filter(self._comparison.is_missing, missing)]
        for accepted in still[:CHECKED_ONE_BY_ONE]:
            known = accepted.execution_service_id
            if known is None or not is_service_id(known):
                continue
            page = await self._page(partial(self._ledger.find, known))
            rows = [r for r in page.content if r.id == known and r.trade_service_execution_id == accepted.id]
            await self._compare(rows[:1])
        return [*filter(self._comparison.is_missing, still)]

    async def _compare(self, rows: Sequence[RemoteExecution]) -> None:
        # Only ids that fit our column can be ours, and can be looked for.
        ids = {ours for row in rows if is_service_id(ours := row.trade_service_execution_id or 0)}
        self._comparison.compare(rows, await self._reads.own(sorted(ids)))

    async def _rows(self, low_water_id: int) -> AsyncIterator[Sequence[RemoteExecution]]:
        """Every row above `low_water_id`, and some below it, once each, newest first."""
        reading = ListingReader(self, low_water_id)
        async for _, rows in reading.run():
            if rows:
                yield rows
        if reading.walk.problem:
            raise _unreadable(reading.walk.problem)

    async def list_newest(self, offset: int, limit: int) -> Listing:
        return Listing(await self._page(partial(self._ledger.list_newest, offset, limit)))

    @staticmethod
    @stamina.retry(on=LedgerUnreadable, attempts=3, timeout=None, wait_initial=0.5, wait_jitter=0.5)
    async def _page(call: Callable[[], Awaitable[Listing]]) -> RemoteExecutionPage:
        listing = await call()
        if listing.page is None:
            raise _unreadable(listing.message or listing.code)
        return listing.page


def _unreadable(problem: str) -> LedgerUnreadable:
    return LedgerUnreadable(f"the Execution Service's ledger cannot be read ({problem})")
