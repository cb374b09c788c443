"""From lines to results: read, place, submit, tell. Everything that waits is bounded."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence

from trade_service.bootstrap.services import Services
from trade_service.cli.blotter_source import BlotterSource
from trade_service.cli.running import say
from trade_service.cli.tally import ErrorFile, Tally, line_error
from trade_service.store.blotter_preview import BlotterPreview
from trade_service.submission.ports import StoreUnavailable
from trade_service.trading.blotter_file import LineError
from trade_service.trading.model import BlotterLine, PlacedLine
from trade_service.trading.trade_orders import LINES_IN_A_TRANSACTION

UNDER_WAY = 10_000
"""Executions without a result at one time: past this many no more lines are read."""
PLACERS = 4
"""Transactions that place lines at the same time."""
PLACE_TRIES = 8
PLACE_PAUSE_S = 0.5


class Submitting:
    """Submits what it is given, and counts what comes of it."""

    def __init__(self, services: Services, tally: Tally, errors: ErrorFile, wait_s: float) -> None:
        self._services = services
        self._tally = tally
        self._errors = errors
        self._wait_s = wait_s
        self._under_way = 0
        self._placing = asyncio.Semaphore(PLACERS)
        self._room = asyncio.Event()

    async def submit_blotter(self, source: BlotterSource) -> None:
        """Places and submits all good lines of a file."""
        tally = self._tally
        async with asyncio.TaskGroup() as group:
            async for chunk in source.chunks():
                tally.lines += chunk.count
                tally.take_errors(chunk.errors)
                self._errors.write(chunk.errors)
                if chunk.share_read:
                    tally.expected = (tally.lines - tally.bad_lines) / chunk.share_read
                for start in range(0, len(chunk.good), LINES_IN_A_TRANSACTION):
                    lines = chunk.good[start : start + LINES_IN_A_TRANSACTION]
                    await self._enter(len(lines))
                    group.create_task(self._place_and_follow(lines, source.header.columns))
        tally.expected = tally.executions

    async def submit_ids(self, pages: AsyncIterator[list[int]]) -> None:
        """Submits executions that exist."""
        async with asyncio.TaskGroup() as group:
            async for page in pages:
                await self._enter(len(page))
                self._tally.executions += len(page)
                group.create_task(self._follow(page))
        self._tally.expected = self._tally.executions

    async def _enter(self, count: int) -> None:
        """Waits until there is room for more."""
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
        self._errors.write(self._tally.take_placed(placed, columns))
        execution_ids = [i for line in placed for i in line.execution_ids]
        self._leave(len(lines) - len(execution_ids))
        await self._follow(execution_ids)

    async def _follow(self, execution_ids: Sequence[int]) -> None:
        results = self._services.submissions.stream_executions(execution_ids, self._wait_s, patient=True)
        async for result in results:
            self._tally.take_result(result)
            self._leave(1)

    async def _place(self, lines: Sequence[BlotterLine]) -> list[PlacedLine]:
        """Placing is safe to repeat, so a database that is away for a moment is waited for."""
        pause_s = PLACE_PAUSE_S
        for _ in range(PLACE_TRIES - 1):
            try:
                return await self._services.orders.place_blotter(lines)
            except StoreUnavailable as error:
                say(f"trade-service: {error}: trying again in {pause_s:g} s")
                await asyncio.sleep(pause_s)
                pause_s *= 2
        return await self._services.orders.place_blotter(lines)


class Checked:
    """What a check of a file found, before anything is written."""

    def __init__(self) -> None:
        self.new = 0
        self.rest = 0
        self.done = 0
        self.by_destination: dict[int, int] = {}


async def check_blotter(
    source: BlotterSource, preview: BlotterPreview, tally: Tally, errors: ErrorFile
) -> Checked:
    """Checks every line by itself and against the database; writes nothing there."""
    checked, columns = Checked(), source.header.columns
    async for chunk in source.chunks():
        tally.lines += chunk.count
        tally.take_errors(chunk.errors)
        errors.write(chunk.errors)
        refused: list[LineError] = []
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
        tally.take_errors(refused)
        errors.write(refused)
        tally.expected = tally.lines / chunk.share_read if chunk.share_read else None
    return checked
