"""Runs an audit: our own books first, then those of the Execution Service, page by page beside ours."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import msgspec

from trade_service.cli.command_error import CommandError
from trade_service.domain.executions import is_service_id
from trade_service.domain.money import shown
from trade_service.execution_service.client import ExecutionServiceClient
from trade_service.store.audit_reads import AuditReads, Balance
from trade_service.submission.look_up import BooksReading
from trade_service.submission.messages import RemoteExecution, RemoteExecutionPage
from trade_service.submission.ports import Listing
from trade_service.trading.audit import (
    SHOWN,
    AcceptedExecution,
    AuditLog,
    BooksComparison,
    Finding,
    FindingKind,
    NoteKind,
)

LIST_TRIES = 3
LIST_PAUSE_S = 0.5
CANDIDATES = 100_000
"""Executions that seem to be missing downstream and are asked for again; past this many it is no race."""

ASKED_ONE_BY_ONE = 1000
_UNREADABLE = "the Execution Service's books cannot be read"
_ADVICE = "check its address with `trade-service config`, or audit our own books alone with --no-downstream"

Progress = Callable[[int], None]


class AuditReport(msgspec.Struct, frozen=True, rename="camel"):
    """What an audit found; counts are exact, findings the first of each kind."""

    clean: bool
    balance: Balance
    downstream_rows: int | None
    """None when the Execution Service was not asked."""
    counts: dict[str, int]
    notes: dict[str, int]
    findings: list[Finding]


async def run_audit(
    reads: AuditReads, downstream: ExecutionServiceClient | None, progress: Progress
) -> AuditReport:
    """Audits our books, and the downstream's when it is given. Raises StoreUnavailable and CommandError."""
    log = AuditLog()
    balance = await _audit_own(reads, log)
    rows = None
    if downstream is not None:
        comparison = BooksComparison(log)
        await _compare(reads, downstream, comparison, progress)
        rows = comparison.rows
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
            f"{shown(order.quantity_sent)}, its executions hold {shown(order.quantity_held)}"
        )
        log.find(FindingKind.QUANTITY, order.id, message)
    log.set_count(FindingKind.QUANTITY, balance.wrong_orders)
    without_id = await reads.accepted_without_id(SHOWN)
    for execution_id, _ in without_id.executions:
        message = f"execution {execution_id}: accepted, and its executionServiceId is not known"
        log.find(FindingKind.NO_ID, execution_id, message)
    log.set_count(FindingKind.NO_ID, without_id.total)
    stranded = await reads.stranded(SHOWN)
    for execution_id, state in stranded.executions:
        message = f"execution {execution_id}: it is {state}, and no open attempt owns it"
        log.find(FindingKind.STRANDED, execution_id, message)
    log.set_count(FindingKind.STRANDED, stranded.total)
    log.notes[NoteKind.OLD_ORDERS] = balance.old_orders
    log.notes[NoteKind.IDLE_ATTEMPTS] = await reads.idle_attempts()
    return balance


async def _compare(
    reads: AuditReads, downstream: ExecutionServiceClient, comparison: BooksComparison, progress: Progress
) -> None:
    books = _PatientBooks(downstream)
    top_id = 0
    async for rows in _rows(books, 0):
        top_id = max([top_id, *(row_id for row in rows if is_service_id(row_id := row.id or 0))])
        await _compare_rows(reads, comparison, rows)
        progress(comparison.rows)
    missing: list[AcceptedExecution] = []
    async for page in reads.accepted():
        for accepted in page:
            if comparison.is_missing(accepted):
                missing.append(accepted)
        if len(missing) > CANDIDATES:
            comparison.tell_missing(missing)
            missing.clear()
    if missing:
        missing = await _ask_again(reads, books, comparison, missing, top_id)
    comparison.tell_missing(missing)


async def _ask_again(
    reads: AuditReads,
    books: "_PatientBooks",
    comparison: BooksComparison,
    missing: Sequence[AcceptedExecution],
    top_id: int,
) -> list[AcceptedExecution]:
    """Those that are missing even now: what was accepted while the books were read is above `top_id` there,
    and what was committed late is found by its id."""
    async for rows in _rows(books, top_id):
        await _compare_rows(reads, comparison, [row for row in rows if (row.id or 0) > top_id])
    still = [accepted for accepted in missing if comparison.is_missing(accepted)]
    for accepted in still[:ASKED_ONE_BY_ONE]:
        known = accepted.execution_service_id
        if known is None or not is_service_id(known):
            continue
        page = await books.find(known)
        rows = [
            row for row in page.content if row.id == known and row.trade_service_execution_id == accepted.id
        ]
        await _compare_rows(reads, comparison, rows[:1])
    return [accepted for accepted in still if comparison.is_missing(accepted)]


async def _compare_rows(
    reads: AuditReads, comparison: BooksComparison, rows: Sequence[RemoteExecution]
) -> None:
    # Only ids that our column can hold can be ours, and can be asked for.
    ids = {ours for row in rows if is_service_id(ours := row.trade_service_execution_id or 0)}
    comparison.compare(rows, await reads.own(sorted(ids)))


async def _rows(books: "_PatientBooks", floor_id: int) -> AsyncIterator[Sequence[RemoteExecution]]:
    """Every row above `floor_id`, and some below it, once each, newest first."""
    reading = BooksReading(books, floor_id)
    async for _, rows in reading.run():
        if rows:
            yield rows
    if reading.walk.problem:
        raise CommandError(f"{_UNREADABLE} ({reading.walk.problem}): {_ADVICE}")


class _PatientBooks:
    """The Execution Service's books; a page that fails is asked for again."""

    def __init__(self, downstream: ExecutionServiceClient) -> None:
        self._downstream = downstream

    async def list_newest(self, offset: int, limit: int) -> Listing:
        return await self._read(lambda: self._downstream.list_newest(offset, limit))

    async def find(self, service_id: int) -> RemoteExecutionPage:
        """The row of that id, or none; raises CommandError when the service does not say."""
        listing = await self._read(lambda: self._downstream.find(service_id))
        if listing.page is None:
            raise CommandError(f"{_UNREADABLE} ({listing.message}): {_ADVICE}")
        return listing.page

    @staticmethod
    async def _read(call: Callable[[], Awaitable[Listing]]) -> Listing:
        pause_s = LIST_PAUSE_S
        for _ in range(LIST_TRIES - 1):
            listing = await call()
            if listing.page is not None:
                return listing
            await asyncio.sleep(pause_s)
            pause_s *= 2
        return await call()
