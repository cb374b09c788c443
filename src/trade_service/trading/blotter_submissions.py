"""Blotters that arrive whole: checked against the database, and created and submitted all together."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from trade_service.blotter.records import CellError, Layout, OrderRecord, RefusedRow
from trade_service.domain.errors import NotFound, TooMany
from trade_service.domain.orders import MAX_SUBMISSIONS
from trade_service.domain.reference import ReferenceData
from trade_service.submission.model import AttemptId
from trade_service.submission.ports import Clock
from trade_service.trading.blotter_preview import Preview, SeenLine
from trade_service.trading.bulk_submissions import MAX_EXECUTIONS, BulkSubmissionId, BulkSubmissions
from trade_service.trading.line_results import (
    REFUSED,
    LineResult,
    ResultColumns,
    line_error,
    placed_result,
    refused_result,
    taken_result,
)
from trade_service.trading.model import BlotterLine, PlacedLine
from trade_service.trading.reference import ReferenceCache, written_by
from trade_service.trading.trade_orders import checked_lines

_CHECKED_AT_ONCE, _RESULTS_AT_ONCE = 200, 1_000


class KnownOrders(Protocol):
    """Compares lines of a blotter with the orders that exist. Raises StoreUnavailable."""

    async def check(self, lines: Sequence[BlotterLine]) -> list[SeenLine]:
        """What placing each line would do, in their order."""


class RefusedRecord(msgspec.Struct, frozen=True):
    """A row that is a good order, and that the rules of the database refuse."""

    record: OrderRecord
    error: CellError
    code: str


async def check_rows(
    known: KnownOrders, preview: Preview, records: Sequence[OrderRecord], layout: Layout
) -> list[RefusedRecord]:
    """Adds what would be sent to the preview; returns what would be refused."""
    refused = []
    lines = [to_line(record) for record in records]
    for record, line, seen in zip(records, lines, await known.check(lines), strict=True):
        if seen.error is None:
            preview.add(line, seen)
        else:
            error = line_error(line.line, line.order.order_id, seen.error, layout)
            refused.append(RefusedRecord(record, error, seen.error.code))
    return refused


def to_line(record: OrderRecord) -> BlotterLine:
    """The line as it is placed."""
    return BlotterLine(record.line, record.order, record.destination_id)


class ReadBlotter(msgspec.Struct):
    """All rows of a blotter, in memory: its reader bounds them."""

    layout: Layout
    orders: list[OrderRecord] = []
    refused: list[RefusedRow] = []
    unpriced: int = 0
    """Orders without a limit price."""
    left_out: str | None = None
    """Says which rows are no orders."""

    @property
    def rows(self) -> int:
        """Orders and refused rows."""
        return len(self.orders) + len(self.refused)


class KeptRow(msgspec.Struct, frozen=True):
    """A row of a submitted blotter, and what it became: executions, or a refusal."""

    line: int
    order_id: int | None
    cells: Sequence[str]
    execution_ids: tuple[int, ...] = ()
    code: str = ""
    message: str = ""

    @property
    def is_refused(self) -> bool:
        """Whether the row was refused before anything was sent."""
        return bool(self.code)


class KeptBlotter(msgspec.Struct, frozen=True):
    """A submitted blotter as it is stored: every row, in the order of the file."""

    header: tuple[str, ...]
    rows: tuple[KeptRow, ...]

    @property
    def execution_ids(self) -> list[int]:
        """The executions in the order of the file, each once."""
        return list(dict.fromkeys(one for row in self.rows for one in row.execution_ids))


class BlotterStore(Protocol):
    """Submitted blotters as stored. Every method may raise StoreUnavailable."""

    async def submit(
        self,
        submission_id: BulkSubmissionId,
        lines: Sequence[BlotterLine],
        attempt_ids: Sequence[AttemptId],
        reference: ReferenceData,
        keep: Callable[[Sequence[PlacedLine]], KeptBlotter | None],
    ) -> KeptBlotter | None:
        """Places all lines, queues their executions, and writes the bulk submission and the blotter.

        One transaction, with the request's key if any; nothing is written where `keep` returns None. There are
        attempts for every hundred lines, and after these for every hundred executions that were never submitted.
        Raises StaleReference.
        """

    async def read(self, submission_id: BulkSubmissionId) -> KeptBlotter | None:
        """The blotter of a bulk submission; None where it has none."""


class BlotterSubmissions:
    """Checks blotters, submits them and reports their results.

    Example:
        checked = await blotters.check(read, preview)
        submission_id, kept = await blotters.submit(read)
        columns, rows = await blotters.results(submission_id)
    """

    def __init__(
        self,
        store: BlotterStore,
        known: KnownOrders,
        references: ReferenceCache,
        bulk: BulkSubmissions,
        clock: Clock,
        wake_recovery: Callable[[int], None],
    ) -> None:
        self._store = store
        self._known = known
        self._references = references
        self._bulk = bulk
        self._clock = clock
        self._wake_recovery = wake_recovery

    async def check(self, blotter: ReadBlotter, preview: Preview) -> list[RefusedRecord]:
        """Compares all orders with those that exist; writes nothing. Returns what would be refused."""
        refused: list[RefusedRecord] = []
        for start in range(0, len(blotter.orders), _CHECKED_AT_ONCE):
            page = blotter.orders[start : start + _CHECKED_AT_ONCE]
            refused += await check_rows(self._known, preview, page, blotter.layout)
        return refused

    async def submit(
        self, blotter: ReadBlotter, *, strict: bool
    ) -> tuple[BulkSubmissionId, KeptBlotter | None]:
        """Creates all good orders and queues an execution for each, in one transaction: all of them or none.

        An order that exists is resumed as by `TradeOrderService.place_blotter`. A refused one does not affect the
        others, unless it is `strict`. Nothing is written where no row is good: the blotter is then None.
        """
        records = sorted(blotter.orders, key=lambda record: record.order.order_id)
        lines = [to_line(record) for record in records]
        # Enough for the lines, and for executions of earlier runs that were never sent.
        attempts = -(-(len(lines) + MAX_EXECUTIONS) // MAX_SUBMISSIONS) + 1
        submission_id, *attempt_ids = (self._clock.new_attempt_id() for _ in range(1 + attempts))
        destinations = {line.destination_id for line in lines}
        blotters = {line.order.blotter_id for line in lines} - {None}

        async def write(reference: ReferenceData) -> KeptBlotter | None:
            # In a thread, as all that takes long for ten thousand lines: other requests go on.
            good, refused = await asyncio.to_thread(checked_lines, lines, reference)

            def keep(placed: Sequence[PlacedLine]) -> KeptBlotter | None:
                kept = _kept(blotter, [*placed, *refused.values()])
                _check_count(len(kept.execution_ids))
                is_refused = strict and any(row.is_refused for row in kept.rows)
                return None if is_refused or not kept.execution_ids else kept

            if not good:
                return None
            return await self._store.submit(submission_id, good, attempt_ids, reference, keep)

        kept = await written_by(
            self._references,
            lambda data: destinations <= data.destinations.keys() and blotters <= data.blotters.keys(),
            write,
        )
        if kept is not None:
            self._wake_recovery(0)
        return submission_id, kept

    async def read(self, submission_id: BulkSubmissionId) -> KeptBlotter:
        """A submitted blotter; raises NotFound."""
        kept = await self._store.read(submission_id)
        if kept is None:
            raise NotFound.of("submitted blotter", submission_id)
        return kept

    async def results(self, submission_id: BulkSubmissionId) -> tuple[ResultColumns, list[LineResult]]:
        """The present result of each row, as files of results have them; raises NotFound."""
        kept = await self.read(submission_id)
        found, total = {}, len(kept.execution_ids)
        for start in range(0, total, _RESULTS_AT_ONCE):
            places = range(start, min(start + _RESULTS_AT_ONCE, total))
            for item in await self._bulk.items(submission_id, places):
                found[item.execution_id] = item.result()
            await asyncio.sleep(0)
        return ResultColumns(kept.header), [
            _refused_row(row)
            if row.is_refused
            else placed_result(PlacedLine(row.line, row.order_id or 0, row.execution_ids), found, row.cells)
            for row in kept.rows
        ]


def _kept(blotter: ReadBlotter, placed: Sequence[PlacedLine]) -> KeptBlotter:
    cells = {record.line: record.cells for record in blotter.orders}
    rows = [_as_kept(refused_result(row)) for row in blotter.refused]
    for line in placed:
        if line.error is None:
            rows.append(KeptRow(line.line, line.order_id, cells[line.line], line.execution_ids))
        else:
            error = line_error(line.line, line.order_id, line.error, blotter.layout)
            rows.append(_as_kept(taken_result(error, line.error.code, cells[line.line])))
    return KeptBlotter(blotter.layout.header, tuple(sorted(rows, key=lambda row: row.line)))


def _check_count(executions: int) -> None:
    """Raises TooMany for more executions than a bulk submission may have."""
    if executions > MAX_EXECUTIONS:
        message = (
            f"blotter: must have at most {MAX_EXECUTIONS} executions; got {executions}, nothing was created: "
            "split the file, or send it with `trade-service submit`"
        )
        raise TooMany(message, field="blotter", value=executions, limit=MAX_EXECUTIONS)


def _as_kept(result: LineResult) -> KeptRow:
    return KeptRow(result.line or 0, result.order_id, result.cells, code=result.code, message=result.message)


def _refused_row(row: KeptRow) -> LineResult:
    """A refused row as files of results have it."""
    return LineResult(
        row.line, row.order_id, (), REFUSED, row.code, row.message, (), row.cells, is_rejected=True
    )
