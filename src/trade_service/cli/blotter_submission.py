"""From the lines of a blotter to results: read, place, submit, count. Everything that waits is bounded."""

import asyncio
import concurrent.futures
import os
import stat
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import BinaryIO, TypeVar

import msgspec

from trade_service.blotter.file_refusals import FileRefused
from trade_service.blotter.first_reading import FirstReading, read_first
from trade_service.blotter.order_rows import LineRules
from trade_service.blotter.reader import BlotterReader, ReadOptions
from trade_service.blotter.records import Layout, OrderRecord, RefusedRow
from trade_service.blotter.repeats import RepeatRules
from trade_service.bootstrap.container import Services
from trade_service.cli.blotter_input import open_blotter
from trade_service.cli.result_files import ResultFiles
from trade_service.cli.running import say
from trade_service.cli.tally import Tally
from trade_service.store.known_orders import refused_before
from trade_service.submission.codes import AlarmCode, OutcomeCode
from trade_service.submission.events import AlarmEvent, SubmissionEvent
from trade_service.submission.model import ExecutionSubmitResult
from trade_service.submission.ports import StoreUnavailable
from trade_service.trading.blotter_preview import Preview
from trade_service.trading.blotter_submissions import KnownOrders, check_rows, to_line
from trade_service.trading.line_results import (
    LineResult,
    line_error,
    placed_result,
    refused_result,
    skipped_result,
    taken_result,
    waits_for_person,
)
from trade_service.trading.model import PlacedLine
from trade_service.trading.trade_orders import LINES_IN_A_TRANSACTION

T = TypeVar("T")

CHUNK_LINES = 500
UNDER_WAY = 10_000
"""Executions without a result at any time; beyond that no more lines are read."""
PLACERS = 4
"""Transactions that place lines at the same time."""
PEOPLE_FIRST_S = 2.0
PEOPLE_MOST_S = 30.0
"""How soon, and at least how often, it is checked whether all that is left waits for a person."""
PLACE_TRIES = 8
PLACE_PAUSE_S = 0.5


class Chunk(msgspec.Struct, frozen=True):
    """Some lines of a file."""

    orders: list[OrderRecord]
    refused: list[RefusedRow]
    count: int
    share_read: float | None
    """How much of the file has been read so far, 0..1; None when its length is not known."""


class BlotterSource:
    """A blotter file, read in a thread so that the loop never waits for a disk or a pipe."""

    def __init__(
        self, stream: BinaryIO, rules: LineRules, options: ReadOptions | None, repeats: RepeatRules | None
    ) -> None:
        facts = os.fstat(stream.fileno())
        self._size = facts.st_size if stat.S_ISREG(facts.st_mode) else 0
        self._stream = stream
        self._reader = BlotterReader(stream, rules, options, repeats)

    @classmethod
    async def open(
        cls,
        name: str,
        rules: LineRules,
        options: ReadOptions | None = None,
        repeats: RepeatRules | None = None,
    ) -> "BlotterSource":
        """Opens a file, and reads its header. Raises FileRefused and OSError."""
        return await _in_thread(lambda: cls(open_blotter(name), rules, options, repeats))

    @property
    def layout(self) -> Layout:
        return self._reader.layout

    @property
    def outside(self) -> str | None:
        """Says which rows are no orders; None if there are none."""
        return self._reader.left_out

    async def chunks(self) -> AsyncIterator[Chunk]:
        """All lines up to the end of the file. Raises FileRefused and OSError when it cannot be read on."""
        while (chunk := await _in_thread(self._read)).count:
            yield chunk

    def _read(self) -> Chunk:
        page = self._reader.read(CHUNK_LINES)
        share = min(1.0, self._stream.tell() / self._size) if self._size else None
        if not page.count:
            self._stream.close()
        return Chunk(page.orders, page.refused, page.count, share)


async def first_reading(name: str, rules: LineRules, options: ReadOptions) -> FirstReading:
    """Reads a file to its end before any order of it is taken. Raises FileRefused and OSError."""
    return await _in_thread(lambda: read_first(lambda: open_blotter(name), rules, options))


async def _in_thread(call: Callable[[], T]) -> T:
    """As `asyncio.to_thread`, in a daemon thread: nothing can interrupt a read from a silent pipe, and it must not
    keep the process from ending."""
    future: concurrent.futures.Future[T] = concurrent.futures.Future()
    future.set_running_or_notify_cancel()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001  # raised where the result is awaited
            future.set_exception(error)

    threading.Thread(target=run, name="blotter", daemon=True).start()
    return await asyncio.wrap_future(future)


class NothingGoesOut(Exception):
    """Nothing will be sent until a person acts; the message says what to do."""


class Submitting:
    """Submits blotter lines or executions, and counts their results.

    Args:
        services: The running service.
        tally: Counts the results.
        wait_s: How long an execution is waited for before it counts as pending.
        files: Gets the result of each line.
        skips_refused: Leaves out orders whose executions were rejected or exhausted in an earlier run.
        insists: Waits for an Execution Service that rejects every call.
    """

    def __init__(
        self, services: Services, tally: Tally, wait_s: float, files: ResultFiles | None = None, *,
        skips_refused: bool = False, insists: bool = False,
    ) -> None:  # fmt: skip
        self._services = services
        self._tally = tally
        self._wait_s = wait_s
        self._files = files
        self._skips_refused = skips_refused
        self._insists = insists
        self._under_way = 0
        self._placing = asyncio.Semaphore(PLACERS)
        self._room = asyncio.Event()
        self._doubtful: set[int] = set()
        """Executions whose row in the ledger only a person can judge."""
        services.events.subscribe(self._hear)

    async def submit_blotter(self, source: BlotterSource) -> None:
        """Places and submits all good lines of a file; raises FileRefused once the lines before it are done.

        Raises NothingGoesOut, in a group.
        """
        refusal: FileRefused | None = None
        self._tally.unit = source.layout.unit
        async with asyncio.TaskGroup() as group:
            try:
                async for chunk in source.chunks():
                    count_chunk(chunk, self._tally, self._files)
                    for start in range(0, len(chunk.orders), LINES_IN_A_TRANSACTION):
                        records = chunk.orders[start : start + LINES_IN_A_TRANSACTION]
                        await self._enter(len(records))
                        group.create_task(self._place_and_follow(records, source.layout))
            except FileRefused as error:
                refusal = error
        self._tally.expected = self._tally.executions
        if refusal is not None:
            raise refusal

    async def submit_ids(self, pages: AsyncIterator[list[int]]) -> None:
        """Submits existing executions. Raises NothingGoesOut, in a group."""
        async with asyncio.TaskGroup() as group:
            async for page in pages:
                await self._enter(len(page))
                self._tally.executions += len(page)
                group.create_task(self._follow_ids(page))
        self._tally.expected = self._tally.executions

    async def _enter(self, count: int) -> None:
        while self._under_way >= UNDER_WAY:
            self._room.clear()
            await self._room.wait()
        self._under_way += count

    def _leave(self, count: int) -> None:
        self._under_way -= count
        self._room.set()

    async def _place_and_follow(self, records: Sequence[OrderRecord], layout: Layout) -> None:
        async with self._placing:
            chosen = await self._without_refused(records) if self._skips_refused else records
            placed = await self._patiently(
                lambda: self._services.orders.place_blotter([to_line(record) for record in chosen])
            )
        self._tally.add_placed(placed, layout)
        execution_ids = [i for line in placed for i in line.execution_ids]
        self._leave(len(records) - len(execution_ids))
        results: dict[int, ExecutionSubmitResult] = {}
        try:
            await self._follow(execution_ids, results)
        finally:
            if self._files is not None:
                for record, line in zip(chosen, placed, strict=True):
                    self._files.add(_result_of(line, results, record, layout))

    async def _follow_ids(self, execution_ids: Sequence[int]) -> None:
        results: dict[int, ExecutionSubmitResult] = {}
        try:
            await self._follow(execution_ids, results)
        finally:
            if self._files is not None:
                for execution_id in execution_ids:
                    self._files.add(placed_result(PlacedLine(0, 0, (execution_id,)), results, ()))

    async def _follow(self, execution_ids: Sequence[int], results: dict[int, ExecutionSubmitResult]) -> None:
        """Until all have results, or those that are left wait for a person."""
        consuming = asyncio.create_task(self._consume(execution_ids, results))
        pause_s = PEOPLE_FIRST_S
        try:
            while not (await asyncio.wait({consuming}, timeout=pause_s))[0]:
                if obstacle := self._obstacle():
                    raise NothingGoesOut(obstacle)
                left = [i for i in execution_ids if i not in results]
                if left and await self._all_need_person(left):
                    break
                pause_s = min(2 * pause_s, PEOPLE_MOST_S)
            else:
                await consuming
                return
        finally:
            if not consuming.done():
                consuming.cancel()
                await asyncio.gather(consuming, return_exceptions=True)
        for execution_id in left:
            if execution_id not in results:
                self._add(waits_for_person(execution_id), results)
                self._tally.add_for_person(execution_id)

    async def _consume(self, execution_ids: Sequence[int], results: dict[int, ExecutionSubmitResult]) -> None:
        stream = self._services.intake.stream(execution_ids, self._wait_s, wait_through_open_circuit=True)
        paused: dict[int, ExecutionSubmitResult] = {}
        async for result in stream:
            self._add(result, results)
            if result.code == OutcomeCode.PAUSED:
                paused[result.execution_id] = result
        if paused:  # Whichever process sends after the pause must find them.
            await self._services.executions.durable(paused)

    def _add(self, result: ExecutionSubmitResult, results: dict[int, ExecutionSubmitResult]) -> None:
        results[result.execution_id] = result
        self._tally.add_result(result)
        self._leave(1)

    def _obstacle(self) -> str:
        """Why nothing will be sent until a person acts; empty if nothing prevents it."""
        gate, admission = self._services.gate, self._services.admission
        if gate.is_blocked:
            return gate.reason
        if admission.breaker.refused and not self._insists:
            return (
                f"the Execution Service rejects every call ({admission.refusal}): correct its configuration "
                "or ours (`trade-service config`), or give --wait-for-service to wait for it"
            )
        return ""

    def _hear(self, event: SubmissionEvent) -> None:
        if isinstance(event, AlarmEvent) and event.code == AlarmCode.LOOK_UP_DOUBTFUL:
            self._doubtful.update(event.execution_ids)

    async def _all_need_person(self, execution_ids: Sequence[int]) -> bool:
        others = [i for i in execution_ids if i not in self._doubtful]
        try:
            cases = await self._services.operators.needing_person(others)
        except StoreUnavailable:
            return False
        return len(cases) == len(others)

    async def _without_refused(self, records: Sequence[OrderRecord]) -> Sequence[OrderRecord]:
        order_ids = [record.order.order_id for record in records]
        refused = await self._patiently(lambda: refused_before(self._services.database, order_ids))
        chosen = []
        for record in records:
            if record.order.order_id not in refused:
                chosen.append(record)
                continue
            self._tally.skipped += 1
            if self._files is not None:
                self._files.add(skipped_result(record))
        return chosen

    async def _patiently(self, act: Callable[[], Awaitable[T]]) -> T:
        """What is safe to repeat waits for a short absence of the database."""
        pause_s = PLACE_PAUSE_S
        for _ in range(PLACE_TRIES - 1):
            try:
                return await act()
            except StoreUnavailable as error:
                say(f"trade-service: {error}: trying again in {pause_s:g} s")
                await asyncio.sleep(pause_s)
                pause_s *= 2
        return await act()


async def check_blotter(
    source: BlotterSource, known: KnownOrders, preview: Preview, tally: Tally, files: ResultFiles | None
) -> None:
    """Checks every line alone and against the database; writes nothing to it."""
    tally.unit = preview.unit = source.layout.unit
    async for chunk in source.chunks():
        count_chunk(chunk, tally, files)
        refused = await check_rows(known, preview, chunk.orders, source.layout)
        if files is not None:
            for one in refused:
                files.add(taken_result(one.error, one.code, one.record.cells))
        tally.add_errors([one.error for one in refused])


def _result_of(
    line: PlacedLine, results: Mapping[int, ExecutionSubmitResult], record: OrderRecord, layout: Layout
) -> LineResult:
    if line.error is None:
        return placed_result(line, results, record.cells)
    error = line_error(line.line, line.order_id, line.error, layout)
    return taken_result(error, line.error.code, record.cells)


def count_chunk(chunk: Chunk, tally: Tally, files: ResultFiles | None) -> None:
    """Counts the lines of a chunk, and reports those that are no orders."""
    tally.lines += chunk.count
    for row in chunk.refused:
        tally.add_errors(row.errors)
        if files is not None:
            files.add(refused_result(row))
    if chunk.share_read:
        tally.expected = (tally.lines - tally.bad_lines) / chunk.share_read
