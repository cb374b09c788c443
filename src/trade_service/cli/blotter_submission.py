"""From the lines of a blotter to results: read, place, submit, count. Everything that waits is bounded."""

import asyncio
import concurrent.futures
import os
import shutil
import stat
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TypeVar

import msgspec

from trade_service.blotter.order_rows import LineRules
from trade_service.blotter.reader import BlotterReader, ReadOptions
from trade_service.blotter.records import CellError, FileRefused, Layout
from trade_service.bootstrap.container import Services
from trade_service.cli.running import say
from trade_service.cli.tally import Tally, line_error
from trade_service.store.known_orders import BlotterPreview
from trade_service.submission.ports import StoreUnavailable
from trade_service.trading.model import BlotterLine, PlacedLine
from trade_service.trading.trade_orders import LINES_IN_A_TRANSACTION

T = TypeVar("T")

STANDARD_INPUT = "-"
CHUNK_LINES = 500
UNDER_WAY = 10_000
"""Executions without a result at any time; beyond that no more lines are read."""
PLACERS = 4
"""Transactions that place lines at the same time."""
PLACE_TRIES = 8
PLACE_PAUSE_S = 0.5


class Chunk(msgspec.Struct, frozen=True):
    """Some lines of a file."""

    good: list[BlotterLine]
    errors: list[CellError]
    count: int
    share_read: float | None
    """How much of the file has been read so far, 0..1; None when its length is not known."""


class BlotterSource:
    """A blotter file, read in a thread so that the loop never waits for a disk or a pipe."""

    def __init__(self, stream: BinaryIO, rules: LineRules, options: ReadOptions | None = None) -> None:
        facts = os.fstat(stream.fileno())
        self._size = facts.st_size if stat.S_ISREG(facts.st_mode) else 0
        self._stream = stream
        self._reader = BlotterReader(stream, rules, options)

    @classmethod
    async def open(cls, name: str, rules: LineRules, options: ReadOptions | None = None) -> "BlotterSource":
        """Opens a file, or standard input for `-`, and reads its header. Raises FileRefused and OSError."""
        return await _in_thread(lambda: cls(open_blotter(name), rules, options))

    @property
    def layout(self) -> Layout:
        return self._reader.layout

    @property
    def outside(self) -> str | None:
        """Says which rows are no orders, such as totals and footers; None if there are none."""
        if not self._reader.outside_count:
            return None
        count, (line, text) = self._reader.outside_count, self._reader.outside[0]
        return f"{count:,} rows are no orders and were left out, the first at {line}: {text!r}"

    async def chunks(self) -> AsyncIterator[Chunk]:
        """All lines up to the end of the file. Raises FileRefused and OSError when it cannot be read on."""
        while (chunk := await _in_thread(self._read)).count:
            yield chunk

    def _read(self) -> Chunk:
        page = self._reader.read(CHUNK_LINES)
        share = min(1.0, self._stream.tell() / self._size) if self._size else None
        if not page.count:
            self._stream.close()
        good = [BlotterLine(one.line, one.order, one.destination_id) for one in page.orders]
        return Chunk(good, page.errors, page.count, share)


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


def open_blotter(name: str) -> BinaryIO:
    """The bytes of a file, or of standard input for `-`."""
    if name != STANDARD_INPUT:
        return Path(name).open("rb")
    # Not sys.stdin itself: the interpreter could not shut down while a thread reads from that.
    return open(sys.stdin.fileno(), "rb", closefd=False)


def require_readable(name: str) -> None:
    """Raises OSError for a file that cannot be opened, before anything is started for it."""
    path = Path(name)
    # Not for a pipe: opening it would wait for its other end.
    if name != STANDARD_INPUT and (path.is_file() or path.is_dir() or not path.exists()):
        path.open("rb").close()


@contextmanager
def kept(name: str) -> Iterator[str]:
    """A name that can be read twice: what is not a regular file is copied into a temporary one."""
    if name != STANDARD_INPUT and (not Path(name).exists() or Path(name).is_file()):
        yield name
        return
    with tempfile.NamedTemporaryFile(prefix="trade-service-") as copy:
        with open_blotter(name) as stream:
            shutil.copyfileobj(stream, copy)
        copy.flush()
        yield copy.name


class Submitting:
    """Submits blotter lines or executions, and counts their results.

    Args:
        services: The running service.
        tally: Counts the results.
        wait_s: How long an execution is waited for before it counts as pending.
    """

    def __init__(self, services: Services, tally: Tally, wait_s: float) -> None:
        self._services = services
        self._tally = tally
        self._wait_s = wait_s
        self._under_way = 0
        self._placing = asyncio.Semaphore(PLACERS)
        self._room = asyncio.Event()

    async def submit_blotter(self, source: BlotterSource) -> None:
        """Places and submits all good lines of a file; raises FileRefused once the lines before it are done."""
        refusal: FileRefused | None = None
        async with asyncio.TaskGroup() as group:
            try:
                async for chunk in source.chunks():
                    _count(chunk, self._tally)
                    for start in range(0, len(chunk.good), LINES_IN_A_TRANSACTION):
                        lines = chunk.good[start : start + LINES_IN_A_TRANSACTION]
                        await self._enter(len(lines))
                        group.create_task(self._place_and_follow(lines, source.layout.api_columns))
            except FileRefused as error:
                refusal = error
        self._tally.expected = self._tally.executions
        if refusal is not None:
            raise refusal

    async def submit_ids(self, pages: AsyncIterator[list[int]]) -> None:
        """Submits existing executions."""
        async with asyncio.TaskGroup() as group:
            async for page in pages:
                await self._enter(len(page))
                self._tally.executions += len(page)
                group.create_task(self._follow(page))
        self._tally.expected = self._tally.executions

    async def _enter(self, count: int) -> None:
        while self._under_way >= UNDER_WAY:
            self._room.clear()
            await self._room.wait()
        self._under_way += count

    def _leave(self, count: int) -> None:
        self._under_way -= count
        self._room.set()

    async def _place_and_follow(self, lines: Sequence[BlotterLine], columns: Mapping[str, str]) -> None:
        async with self._placing:
            placed = await self._place(lines)
        self._tally.add_placed(placed, columns)
        execution_ids = [i for line in placed for i in line.execution_ids]
        self._leave(len(lines) - len(execution_ids))
        await self._follow(execution_ids)

    async def _follow(self, execution_ids: Sequence[int]) -> None:
        results = self._services.intake.stream(execution_ids, self._wait_s, wait_through_open_circuit=True)
        async for result in results:
            self._tally.add_result(result)
            self._leave(1)

    async def _place(self, lines: Sequence[BlotterLine]) -> list[PlacedLine]:
        """Placing is safe to repeat, so a short absence of the database is waited for."""
        pause_s = PLACE_PAUSE_S
        for _ in range(PLACE_TRIES - 1):
            try:
                return await self._services.orders.place_blotter(lines)
            except StoreUnavailable as error:
                say(f"trade-service: {error}: trying again in {pause_s:g} s")
                await asyncio.sleep(pause_s)
                pause_s *= 2
        return await self._services.orders.place_blotter(lines)


class Checked(msgspec.Struct):
    """What checking a file found; nothing was written."""

    new: int = 0
    rest: int = 0
    """Known orders of which something is left to send."""
    done: int = 0
    by_destination: dict[int, int] = {}


async def check_blotter(source: BlotterSource, preview: BlotterPreview, tally: Tally) -> Checked:
    """Checks every line alone and against the database."""
    checked, columns = Checked(), source.layout.api_columns
    async for chunk in source.chunks():
        _count(chunk, tally)
        refused: list[CellError] = []
        for line, seen in zip(chunk.good, await preview.check(chunk.good), strict=True):
            if seen.error is not None:
                refused.append(line_error(line.line, line.order.order_id, seen.error, columns))
                continue
            checked.new += seen.is_new
            checked.done += not seen.is_new and not seen.to_send
            checked.rest += not seen.is_new and seen.to_send
            if seen.to_send:
                count = checked.by_destination.get(line.destination_id, 0)
                checked.by_destination[line.destination_id] = count + 1
        tally.add_errors(refused)
    return checked


def _count(chunk: Chunk, tally: Tally) -> None:
    tally.lines += chunk.count
    tally.add_errors(chunk.errors)
    if chunk.share_read:
        tally.expected = (tally.lines - tally.bad_lines) / chunk.share_read
