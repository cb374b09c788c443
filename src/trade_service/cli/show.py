"""`trade-service show`: the history of one execution."""

from datetime import datetime
from pathlib import Path

import msgspec
import rich_click as click
from rich.console import Console
from rich.text import Text

from trade_service.cli.interaction import age, as_operator, result_console
from trade_service.cli.running import config_option
from trade_service.domain.executions import OPEN
from trade_service.domain.money import shown
from trade_service.submission.manual_resolution import ExecutionCase, waits_for
from trade_service.trading.history import AttemptHistory, Evidence, History


@click.command()
@click.argument("execution_id", type=int)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
@config_option
def show(*, execution_id: int, as_json: bool, toml_path: Path | None) -> None:
    """Show the history of an execution: attempts, answers, reconciliation and evidence, in order."""
    history = as_operator(toml_path, lambda operators: operators.history(execution_id))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(history)))
    else:
        print_history(history, result_console())


def print_history(history: History, console: Console) -> None:
    """Prints the current state, then the events."""
    case = history.case
    for line in _now(case):
        console.print(Text(line), soft_wrap=True)
    moments: list[tuple[datetime, list[str]]] = [
        *((attempt.started_at, _attempt_lines(attempt)) for attempt in history.attempts),
        *((one.found_at, _evidence_lines(one)) for one in history.evidence),
    ]
    if not moments:
        console.print("It was never sent.")
    for moment, lines in sorted(moments, key=lambda one: one[0]):
        console.print(Text(f"\n{_at(moment)}  {lines[0]}", style="bold"), soft_wrap=True)
        for line in lines[1:]:
            console.print(Text(f"    {line}"), soft_wrap=True)


def _now(case: ExecutionCase) -> list[str]:
    known = case.execution_service_id
    known_as = (
        "no id at the Execution Service is known" if known is None else f"at the Execution Service {known}"
    )
    lines = [
        f"execution {case.execution_id} is {case.state}; {known_as}",
        f"  {case.trade_type or 'no trade type'} {shown(case.quantity)} {case.security_id} at "
        f"{case.destination}, filled {shown(case.quantity_filled)}; trade order {case.trade_order_id} "
        f"(orderId {case.order_id})",
    ]
    if case.state in OPEN:
        lines.append(f"  open for {age(case.open_s)}, waits for {waits_for(case)}")
    return lines


def _attempt_lines(attempt: AttemptHistory) -> list[str]:
    if attempt.state == "queued":
        return [f"queued by {attempt.owner}"]
    status = "" if attempt.http_status is None else f", HTTP {attempt.http_status}"
    took = "" if attempt.duration_ms is None else f", {attempt.duration_ms:,} ms"
    others = "alone" if attempt.size == 1 else f"in a batch of {attempt.size}"
    what = "entry" if attempt.kind == "requeued" or attempt.adopted else "attempt"
    lines = [f"{what} {attempt.attempt_id} by {attempt.owner}, {others}"]
    if attempt.kind is None:
        lines.append("no outcome yet")
    else:
        said = f": {attempt.message}" if attempt.message else ""
        lines.append(f"{attempt.kind}, {attempt.code}{status}{took}{said}")
    lines += [f"-> {found.state}, {found.code}: {found.message}" for found in attempt.outcomes]
    if attempt.look_ups:
        lines.append(f"{attempt.look_ups} reconciliations above id {attempt.floor_id}")
    return lines


def _evidence_lines(one: Evidence) -> list[str]:
    who = f" by {one.actor}" if one.actor else f", source: {one.source}"
    before = "a legacy row" if one.state_before is None else one.state_before
    known = "" if one.execution_service_id is None else f" as {one.execution_service_id}"
    lines = [f"{one.code}{who}", f"{before} -> {one.state}{known}"]
    return [*lines, one.message] if one.message else lines


def _at(moment: datetime) -> str:
    return moment.astimezone().isoformat(sep=" ", timespec="milliseconds")
