"""The end of a submission: outcomes by code, bad lines, one sentence."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from trade_service.cli.pipeline import Checked
from trade_service.cli.tally import Survived, Tally
from trade_service.domain.errors import shorten
from trade_service.domain.reference import ReferenceData
from trade_service.submission.model import SubmitStatus

WIDTH_WITHOUT_TERMINAL = 140
MESSAGE_WIDTH = 200
_STYLES = {
    SubmitStatus.SUCCESS: "green",
    SubmitStatus.PENDING: "yellow",
    SubmitStatus.FAILED: "red",
    SubmitStatus.RETRY_EXHAUSTED: "red",
}


def result_console() -> Console:
    """Standard output, as wide as tables need where it is no terminal."""
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH_WITHOUT_TERMINAL)


def print_outcomes(tally: Tally, console: Console) -> None:
    """A row for each outcome: how many executions, one of them, what was said of it."""
    table = Table(title="Outcomes", title_justify="left", show_edge=False, pad_edge=False)
    table.add_column("status")
    table.add_column("code")
    table.add_column("executions", justify="right")
    table.add_column("for example", justify="right")
    table.add_column("message", overflow="fold")
    for outcome in tally.outcomes:
        message = shorten(" ".join(outcome.message.split()), MESSAGE_WIDTH)
        style = _STYLES[outcome.status]
        example = str(outcome.example_id)
        table.add_row(outcome.status, outcome.code, f"{outcome.count:,}", example, Text(message), style=style)
    if tally.outcomes:
        console.print(table)


def print_bad_lines(tally: Tally, console: Console, errors_file: str | None) -> None:
    """The first bad lines one by one, and how many there are."""
    if not tally.bad_lines:
        return
    where = f", all of them in {errors_file}" if errors_file else ""
    console.print(f"{tally.bad_lines:,} bad lines{where}:", style="red", highlight=False)
    for error in tally.first_errors:
        console.print(Text(f"  {error}"), soft_wrap=True)
    if tally.bad_lines > len({error.line for error in tally.first_errors}):
        hint = "" if errors_file else "; --errors FILE writes them all"
        console.print(f"  ... and more{hint}", highlight=False)


def print_sentence(tally: Tally, elapsed_s: float, console: Console) -> None:
    """All of it in one line."""
    if not tally.executions and not tally.bad_lines:
        console.print("There was nothing to submit.", style="bold green")
        return
    rate = tally.told / max(elapsed_s, 0.001)
    parts = [f"{tally.accepted:,} accepted"]
    parts += [f"{tally.failed:,} failed"] if tally.failed else []
    parts += [f"{tally.pending:,} pending, they go on in the background"] if tally.pending else []
    parts += [f"{tally.bad_lines:,} bad lines"] if tally.bad_lines else []
    known = f", {tally.known_orders:,} orders known from before" if tally.known_orders else ""
    console.print(
        f"{tally.executions:,} executions in {elapsed_s:.1f} s ({rate:,.0f}/s){known}: {', '.join(parts)}.",
        style="bold green" if tally.is_all_good else "bold red",
        highlight=False,
        soft_wrap=True,
    )


def print_dry_run(tally: Tally, checked: Checked, reference: ReferenceData, console: Console) -> None:
    """What a real run would do."""
    table = Table(title="A real run would send", title_justify="left", show_edge=False, pad_edge=False)
    table.add_column("destination")
    table.add_column("executions", justify="right")
    for destination_id, count in sorted(checked.by_destination.items()):
        table.add_row(reference.destinations[destination_id].abbreviation, f"{count:,}")
    if checked.by_destination:
        console.print(table)
    console.print(
        f"Dry run of {tally.lines:,} lines, nothing was written: {checked.new:,} new orders, "
        f"{checked.rest:,} known ones with something left to send, {checked.done:,} known ones sent before, "
        f"{tally.bad_lines:,} bad lines.",
        style="bold red" if tally.bad_lines else "bold green",
        highlight=False,
        soft_wrap=True,
    )


def print_survived(survived: Survived, console: Console) -> None:
    """What went wrong on the way and what became of it."""
    table = Table(title="What was survived", title_justify="left", show_edge=False, pad_edge=False)
    table.add_column("what happened")
    table.add_column("how often", justify="right")
    table.add_row("calls of the Execution Service", f"{survived.calls:,}")
    for code, count in survived.failed_calls.most_common():
        table.add_row(f"  calls that failed: {code}", f"{count:,}", style="yellow")
    for code, count in survived.unclear_items.most_common():
        table.add_row(f"  executions with an unclear answer: {code}", f"{count:,}", style="yellow")
    table.add_row("executions whose outcome was unknown for a while", f"{survived.looked_up:,}")
    table.add_row("  found in the Execution Service's books by a look-up", f"{survived.found:,}")
    table.add_row("  proven absent there", f"{survived.absent:,}")
    table.add_row("executions sent again, each after proof that it was not accepted", f"{survived.resent:,}")
    console.print(table)
