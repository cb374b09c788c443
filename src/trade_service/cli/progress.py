"""How far it is: a live bar on a terminal, a line now and then elsewhere."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from trade_service.cli.tally import Survived, Tally

LIVE_PAUSE_S = 0.2
PLAIN_PAUSE_S = 5.0


class _ProgressWithTrouble(Progress):
    """A bar, and below it what went wrong last."""

    trouble = ""

    def get_renderables(self) -> Iterable[RenderableType]:
        yield self.make_tasks_table(self.tasks)
        if self.trouble:
            yield Text(f"  {self.trouble}", style="yellow", no_wrap=True, overflow="ellipsis")


@asynccontextmanager
async def shown_progress(tally: Tally, survived: Survived, console: Console) -> AsyncIterator[None]:
    """Shows a submission's progress while the body runs."""
    began = time.monotonic()
    if not console.is_terminal:
        async with _repeated(lambda: _plain(tally, survived, began, console), PLAIN_PAUSE_S):
            yield
        _plain(tally, survived, began, console)
        return
    progress = _ProgressWithTrouble(
        TextColumn("Submitting"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}/s"),
        TextColumn("[green]{task.fields[accepted]} accepted[/] [red]{task.fields[failed]}"),
        TimeElapsedColumn(),
        console=console,
        auto_refresh=False,
    )
    task = progress.add_task("", total=None, rate="0", accepted="0", failed="")

    def refresh() -> None:
        failed = f"{tally.failed:,} failed" if tally.failed else ""
        pending = f"{tally.pending:,} pending" if tally.pending else ""
        progress.trouble = survived.last_trouble
        progress.update(
            task,
            completed=tally.told,
            total=None if tally.expected is None else max(round(tally.expected), tally.told),
            rate=f"{_rate(tally, began):,.0f}",
            accepted=f"{tally.accepted:,}",
            failed=" ".join(part for part in (failed, pending) if part),
        )
        progress.refresh()

    with progress:
        async with _repeated(refresh, LIVE_PAUSE_S):
            yield
        survived.last_trouble = ""
        refresh()


@asynccontextmanager
async def _repeated(act: Callable[[], None], pause_s: float) -> AsyncIterator[None]:
    async def forever() -> None:
        while True:
            await asyncio.sleep(pause_s)
            act()

    task = asyncio.create_task(forever())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def _rate(tally: Tally, began: float) -> float:
    return tally.told / max(time.monotonic() - began, 0.001)


def _plain(tally: Tally, survived: Survived, began: float, console: Console) -> None:
    total = "" if tally.expected is None else f" of {max(round(tally.expected), tally.told):,}"
    counts = [f"{tally.accepted:,} accepted"]
    counts += [f"{tally.failed:,} failed"] if tally.failed else []
    counts += [f"{tally.pending:,} pending"] if tally.pending else []
    trouble = f"; {survived.last_trouble}" if survived.last_trouble else ""
    line = f"{tally.told:,}{total} done, {_rate(tally, began):,.0f}/s: {', '.join(counts)}{trouble}"
    console.print(line, markup=False, highlight=False, soft_wrap=True)
