"""What `submit` and `demo` show: progress while it runs, outcomes and a summary at the end."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from trade_service.cli.blotter_submission import Checked
from trade_service.cli.running import result_table
from trade_service.cli.tally import Incidents, Tally
from trade_service.domain.errors import shorten
from trade_service.domain.reference import ReferenceData
from trade_service.submission.model import SubmitStatus

LIVE_PAUSE_S = 0.2
PLAIN_PAUSE_S = 5.0
MESSAGE_WIDTH = 200
_STYLES = {
    SubmitStatus.SUCCESS: "green",
    SubmitStatus.PENDING: "yellow",
    SubmitStatus.FAILED: "red",
    SubmitStatus.RETRY_EXHAUSTED: "red",
}


class _ProgressWithTrouble(Progress):
    """A bar, and below it the last failure."""

    trouble = ""

    def get_renderables(self) -> Iterable[RenderableType]:
        yield self.make_tasks_table(self.tasks)
        if self.trouble:
            yield Text(f"  {self.trouble}", style="yellow", no_wrap=True, overflow="ellipsis")


@asynccontextmanager
async def shown_progress(tally: Tally, incidents: Incidents, console: Console) -> AsyncIterator[None]:
    """Shows progress while the body runs: a live bar on a terminal, a line now and then elsewhere."""
    began = time.monotonic()
    if not console.is_terminal:
        async with _repeated(lambda: _plain(tally, incidents, began, console), PLAIN_PAUSE_S):
            yield
        _plain(tally, incidents, began, console)
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
        progress.trouble = incidents.last_trouble
        progress.update(
            task,
            completed=tally.finished,
            total=None if tally.expected is None else max(round(tally.expected), tally.finished),
            rate=f"{_rate(tally, began):,.0f}",
            accepted=f"{tally.accepted:,}",
            failed=" ".join(_counts(tally)[1:]),
        )
        progress.refresh()

    with progress:
        async with _repeated(refresh, LIVE_PAUSE_S):
            yield
        incidents.last_trouble = ""
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
    return tally.finished / max(time.monotonic() - began, 0.001)


def _counts(tally: Tally, of_pending: str = "") -> list[str]:
    counts = [f"{tally.accepted:,} accepted"]
    counts += [f"{tally.failed:,} failed"] if tally.failed else []
    counts += [f"{tally.pending:,} pending{of_pending}"] if tally.pending else []
    return counts


def _plain(tally: Tally, incidents: Incidents, began: float, console: Console) -> None:
    total = "" if tally.expected is None else f" of {max(round(tally.expected), tally.finished):,}"
    trouble = f"; {incidents.last_trouble}" if incidents.last_trouble else ""
    counts = ", ".join(_counts(tally))
    line = f"{tally.finished:,}{total} done, {_rate(tally, began):,.0f}/s: {counts}{trouble}"
    console.print(line, markup=False, highlight=False, soft_wrap=True)


def print_outcomes(tally: Tally, console: Console) -> None:
    """Prints a row for each outcome: how many executions, one of them, its message."""
    table = result_table("Outcomes", "status", "code", "executions>", "for example>", "message")
    for outcome in tally.outcomes:
        message = shorten(" ".join(outcome.message.split()), MESSAGE_WIDTH)
        style = _STYLES[outcome.status]
        example = str(outcome.example_id)
        table.add_row(outcome.status, outcome.code, f"{outcome.count:,}", example, Text(message), style=style)
    if tally.outcomes:
        console.print(table)


def print_bad_lines(tally: Tally, console: Console, errors_file: Path | None) -> None:
    """Prints the number of bad lines, and the first of them one by one."""
    if not tally.bad_lines:
        return
    where = f", all of them in {errors_file}" if errors_file else ""
    console.print(f"{tally.bad_lines:,} bad lines{where}:", style="red")
    for error in tally.first_errors:
        console.print(Text(f"  {error}"), soft_wrap=True)
    if tally.bad_lines > len({error.line for error in tally.first_errors}):
        hint = "" if errors_file else "; --errors FILE writes them all"
        console.print(f"  ... and more{hint}")


def print_sentence(tally: Tally, elapsed_s: float, console: Console) -> None:
    """Prints the whole result in one line."""
    if not tally.executions and not tally.bad_lines:
        console.print("There was nothing to submit.", style="bold green")
        return
    rate = tally.finished / max(elapsed_s, 0.001)
    parts = _counts(tally, " (they continue in the background)")
    parts += [f"{tally.bad_lines:,} bad lines"] if tally.bad_lines else []
    known = f", {tally.known_orders:,} orders known from before" if tally.known_orders else ""
    console.print(
        f"{tally.executions:,} executions in {elapsed_s:.1f} s ({rate:,.0f}/s){known}: {', '.join(parts)}.",
        style="bold green" if tally.is_all_good else "bold red",
        soft_wrap=True,
    )


def print_dry_run(tally: Tally, checked: Checked, reference: ReferenceData, console: Console) -> None:
    """Prints what a real run would do."""
    table = result_table("A real run would send", "destination", "executions>")
    for destination_id, count in sorted(checked.by_destination.items()):
        table.add_row(reference.destinations[destination_id].abbreviation, f"{count:,}")
    if checked.by_destination:
        console.print(table)
    console.print(
        f"Dry run of {tally.lines:,} lines, nothing was written: {checked.new:,} new orders, "
        f"{checked.rest:,} known ones with something left to send, {checked.done:,} known ones sent before, "
        f"{tally.bad_lines:,} bad lines.",
        style="bold red" if tally.bad_lines else "bold green",
        soft_wrap=True,
    )


def print_incidents(incidents: Incidents, console: Console) -> None:
    """Prints what went wrong on the way and how it was resolved."""
    table = result_table("Failures survived", "what happened", "count>")
    table.add_row("calls of the Execution Service", f"{incidents.calls:,}")
    for code, count in incidents.failed_calls.most_common():
        table.add_row(f"  calls that failed: {code}", f"{count:,}", style="yellow")
    for code, count in incidents.unclear_items.most_common():
        table.add_row(f"  executions with an unclear answer: {code}", f"{count:,}", style="yellow")
    table.add_row("executions whose outcome was unknown for a while", f"{incidents.reconciled:,}")
    table.add_row("  found in the Execution Service's ledger", f"{incidents.found:,}")
    table.add_row("  proven absent from it", f"{incidents.absent:,}")
    table.add_row("executions sent again, each after proof that it was not accepted", f"{incidents.resent:,}")
    console.print(table)
