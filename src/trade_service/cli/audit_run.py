"""Runs an audit: our own books first, then those of the Execution Service, page by page beside ours."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

import msgspec

from trade_service.cli.command_error import CommandError
from trade_service.execution_service.client import ExecutionServiceClient
from trade_service.store.audit_reads import AuditReads, Balance
from trade_service.submission.messages import RemoteExecution
from trade_service.trading.audit import (
    SHOWN,
    AcceptedExecution,
    AuditLog,
    BooksComparison,
    Finding,
    FindingKind,
    NoteKind,
)

PAGE = 100
"""The most that the Execution Service lists at once."""
PAGES_AT_ONCE = 8
LIST_TRIES = 3
LIST_PAUSE_S = 0.5
CANDIDATES = 100_000
"""Executions that seem to be missing downstream and are asked for again; past this many it is no race."""

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
            f"{order.quantity_sent.normalize():f}, its executions hold {order.quantity_held.normalize():f}"
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
    offset = 0
    async for rows in _all_rows(downstream, offset):
        await _compare_rows(reads, comparison, rows)
        offset += len(rows)
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
        # What was accepted here after the listing had been read stands in the listing's tail by now.
        async for rows in _all_rows(downstream, offset):
            await _compare_rows(reads, comparison, rows)
    comparison.tell_missing([accepted for accepted in missing if comparison.is_missing(accepted)])


async def _compare_rows(
    reads: AuditReads, comparison: BooksComparison, rows: Sequence[RemoteExecution]
) -> None:
    ids = {row.trade_service_execution_id for row in rows if row.trade_service_execution_id is not None}
    comparison.compare(rows, await reads.own(sorted(ids)))


async def _all_rows(downstream: ExecutionServiceClient, offset: int) -> AsyncIterator[list[RemoteExecution]]:
    """The listing by ascending id from an offset on: new rows come at its end, so that no page shifts."""
    last_id = 0
    while True:
        offsets = [offset + place * PAGE for place in range(PAGES_AT_ONCE)]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_page(downstream, at)) for at in offsets]
        pages = [task.result() for task in tasks]
        rows: list[RemoteExecution] = []
        for page in pages:
            rows += page
            if len(page) < PAGE:
                break
        last_id = _ascending(rows, last_id)
        if rows:
            yield rows
        if len(rows) < PAGE * PAGES_AT_ONCE:
            return
        offset += len(rows)


async def _page(downstream: ExecutionServiceClient, offset: int) -> list[RemoteExecution]:
    pause_s = LIST_PAUSE_S
    for tries_left in reversed(range(LIST_TRIES)):
        listing = await downstream.list_oldest(offset, PAGE)
        if listing.page is not None:
            return listing.page.content
        if tries_left:
            await asyncio.sleep(pause_s)
            pause_s *= 2
    raise CommandError(
        f"the Execution Service's books cannot be read ({listing.message}): check its address with "
        "`trade-service config`, or audit our own books alone with --no-downstream"
    )


def _ascending(rows: Sequence[RemoteExecution], last_id: int) -> int:
    for row in rows:
        if row.id is None or row.id <= last_id:
            raise CommandError(
                f"the Execution Service's listing is not sorted by id ({row.id} follows {last_id}): it "
                "cannot be compared"
            )
        last_id = row.id
    return last_id
