"""What `submit` and `demo` show: progress while it runs, outcomes and a summary at the end."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Column
from rich.text import Text

from trade_service.cli.running import result_table
from trade_service.cli.tally import Incidents, Tally
from trade_service.domain.errors import shorten
from trade_service.submission.model import SubmitStatus
from trade_service.trading.blotter_preview import Preview

LIVE_PAUSE_S = 0.2
PLAIN_PAUSE_S = 5.0
MESSAGE_WIDTH = 200
MEDIUM_WIDTH, FULL_WIDTH = 70, 100
"""From these widths of a terminal on, the line of progress says more."""
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
        *_columns(console.width), console=console, auto_refresh=False, expand=True
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


def _columns(width: int) -> list[ProgressColumn]:
    """What fits into one line of a terminal; the rest is in the summary."""
    columns: list[ProgressColumn] = [BarColumn(bar_width=None), MofNCompleteColumn()]
    if width >= MEDIUM_WIDTH:
        columns += [_text("{task.fields[rate]}/s"), _text("[red]{task.fields[failed]}"), TimeElapsedColumn()]
    if width >= FULL_WIDTH:
        columns.insert(0, _text("Submitting"))
        columns.insert(-2, _text("[green]{task.fields[accepted]} accepted"))
    return columns


def _text(template: str) -> TextColumn:
    return TextColumn(template, table_column=Column(no_wrap=True))


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


def _counts(tally: Tally) -> list[str]:
    now = tally.accepted - tally.before
    before = f" now, {tally.before:,} before" if tally.before else ""
    counts = [f"{now:,} accepted{before}"]
    counts += [f"{tally.failed:,} failed"] if tally.failed else []
    counts += [f"{tally.pending:,} pending"] if tally.pending else []
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


def print_bad_lines(
    tally: Tally, console: Console, errors_file: Path | None, *, is_written: bool = True
) -> None:
    """Prints the number of bad lines, and the first of them one by one; `is_written`: the file has them by now."""
    if not tally.bad_lines:
        return
    where = f", all of them in {errors_file}" if errors_file and is_written else ""
    console.print(f"{tally.bad}{where}:", style="red")
    for error in tally.first_errors:
        console.print(Text(f"  {error}"), soft_wrap=True)
    if tally.bad_lines > len({error.line for error in tally.first_errors}):
        hint = "" if errors_file else "; --errors FILE writes them all"
        console.print(f"  ... and more{hint}")


def print_for_person(tally: Tally, console: Console) -> None:
    """Names the executions that only a person can settle, with the command."""
    for execution_id in tally.for_person:
        console.print(
            f"Execution {execution_id} needs you: `trade-service show {execution_id}`, then "
            f"`trade-service resolve {execution_id}` with --accepted-as ID or --not-accepted.",
            style="bold yellow",
            soft_wrap=True,
        )
    if tally.for_person_count > len(tally.for_person):
        console.print(
            f"... and {tally.for_person_count - len(tally.for_person):,} more: `trade-service unknowns`"
        )


def print_sentence(tally: Tally, elapsed_s: float, console: Console, *, is_whole: bool = True) -> None:
    """Prints the whole result in one line; `is_whole`: all orders were read."""
    if not (tally.executions or tally.bad_lines or tally.skipped or tally.over_limits):
        if is_whole:
            console.print("There was nothing to submit.", style="bold green")
        else:
            console.print(
                "Stopped before any order had a result. Run the same command again; nothing is sent twice.",
                style="yellow",
                soft_wrap=True,
            )
        return
    rate = tally.finished / max(elapsed_s, 0.001)
    parts = _counts(tally)
    parts += [tally.bad] if tally.bad_lines else []
    parts += [f"{tally.over_limits:,} left out, beyond a limit"] if tally.over_limits else []
    parts += [f"{tally.skipped:,} skipped, refused before"] if tally.skipped else []
    console.print(
        f"{tally.executions:,} executions in {elapsed_s:.1f} s ({rate:,.0f}/s): {', '.join(parts)}.",
        style="bold green" if tally.is_all_good else "bold red",
        soft_wrap=True,
    )
    if tally.pending > tally.for_person_count:
        console.print(
            "Pending executions are stored, but nothing sends them once this command has ended: run it again, or "
            "start `trade-service serve`.",
            style="yellow",
            soft_wrap=True,
        )


def summary_of(tally: Tally, elapsed_s: float) -> dict[str, object]:
    """The whole result for programs."""
    return {
        "lines": tally.lines, "bad_lines": tally.bad_lines, "skipped": tally.skipped,
        "over_limits": tally.over_limits,
        "known_orders": tally.known_orders, "executions": tally.executions,
        "accepted_now": tally.accepted - tally.before, "accepted_before": tally.before, "failed": tally.failed,
        "pending": tally.pending, "needs_person": tally.for_person, "outcomes": tally.outcomes,
        "first_errors": tally.first_errors, "elapsed_s": round(elapsed_s, 3), "is_all_good": tally.is_all_good,
    }  # fmt: skip


def print_dry_run(tally: Tally, preview: Preview, what: str, console: Console) -> None:
    """Prints what a real run would do, in one line; `what` are `orders` of a file, or `executions`."""
    of_file = (
        f"Dry run of {tally.lines:,} {tally.unit}s, nothing was written: {preview.new:,} new orders, "
        f"{preview.rest:,} known ones with something left to send, {preview.done:,} known ones sent before, "
        f"{tally.bad}."
    )
    console.print(
        of_file
        if what == "orders"
        else f"Dry run, nothing was sent; left to send: {preview.to_send:,} {what}.",
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
