"""`trade-service unknowns`, `show` and `resolve`: executions with an unknown outcome."""

import sys
from datetime import datetime
from pathlib import Path

import msgspec
import rich_click as click
from rich.console import Console
from rich.text import Text

from trade_service.bootstrap.running import operating
from trade_service.cli.running import (
    FINDINGS,
    NOT_DONE,
    CommandError,
    config_option,
    confirmed,
    json_option,
    operator_options,
    print_json,
    require_answer,
    result_console,
    result_table,
    run_on,
    say_result,
    unasked_json_option,
    yes_option,
)
from trade_service.domain.access import KnownBy
from trade_service.domain.executions import OPEN, SubmissionState
from trade_service.domain.fields import escaped, shown_number
from trade_service.submission.manual_resolution import (
    ExecutionCase,
    LedgerFinding,
    Resolution,
    check_evidence,
    waits_for,
)
from trade_service.trading.operating import (
    MAX_LISTED,
    AttemptHistory,
    Evidence,
    History,
    OperatorService,
    Unknowns,
)

_UNITS = (("d", 86_400), ("h", 3600), ("min", 60))


@click.command()
@click.option(
    "--limit", default=100, show_default=True, type=click.IntRange(1, MAX_LISTED), help="Rows to show."
)
@json_option
@config_option
def unknowns(*, limit: int, as_json: bool, toml_path: Path | None) -> None:
    """List executions with an unknown outcome, the oldest first, and what each waits for.

    The service keeps reconciling them. If one stays, `show` it, ask the Execution Service's team, then `resolve`
    it. Exit code 0 if there are none, else 1.
    """
    found = run_on(operating, toml_path, lambda operators: operators.unknowns(limit))
    if as_json:
        rows = [{**msgspec.structs.asdict(case), "waits_for": waits_for(case)} for case in found.cases]
        print_json({"total": found.total, "unknowns": rows})
    else:
        _print_unknowns(found, result_console())
    sys.exit(FINDINGS if found.total else 0)


@click.command()
@click.argument("execution_id", type=int, required=False)
@click.option("--order", "order_id", type=int, help="Show the executions of the order with this order id.")
@json_option
@config_option
def show(*, execution_id: int | None, order_id: int | None, as_json: bool, toml_path: Path | None) -> None:
    """Show the history of an execution: attempts, answers, reconciliation and evidence, in order."""
    if (execution_id is None) == (order_id is None):
        raise click.UsageError("Give EXECUTION_ID or --order ORDER_ID, and not both.")
    histories = run_on(operating, toml_path, lambda operators: _histories(operators, execution_id, order_id))
    if as_json:
        print_json(histories if execution_id is None else histories[0])
        return
    console = result_console()
    for place, history in enumerate(histories):
        if place:
            console.print()
        _print_history(history, console)


async def _histories(
    operators: OperatorService, execution_id: int | None, order_id: int | None
) -> list[History]:
    ids = [execution_id] if execution_id is not None else await operators.executions_of_order(order_id or 0)
    if not ids:
        raise CommandError(f"no execution of an order with the id {order_id} exists")
    return [await operators.history(one) for one in ids]


@click.command()
@click.argument("execution_id", type=int)
@click.option("--accepted-as", type=int, help="It was accepted; its id at the Execution Service.")
@click.option(
    "--not-accepted", is_flag=True, help="It was not accepted; its quantity is returned to the order."
)
@unasked_json_option
@operator_options
@click.option(
    "--force",
    is_flag=True,
    help="Resolve even if the ledger is doubtful: it lacks the id, or has our id with other terms.",
)
@yes_option
@config_option
def resolve(
    *, execution_id: int, accepted_as: int | None, not_accepted: bool, reason: str, operator: str, force: bool,
    yes: bool, as_json: bool, toml_path: Path | None,
) -> None:  # fmt: skip
    """Resolve the unknown outcome of EXECUTION_ID manually, with a reason that is stored.

    First shows what the Execution Service's ledger says now, then asks for confirmation. A resolution that
    contradicts the ledger or the recorded state is refused. The service may be running or not; callers waiting
    for the outcome get it. Nothing is sent: use `requeue` to send again what was not accepted. Exit code 0 only
    if it was resolved.
    """
    if (accepted_as is None) != not_accepted:
        raise click.UsageError("Give --accepted-as ID or --not-accepted, and not both.")
    require_answer(as_json=as_json, yes=yes)
    resolution = Resolution(execution_id, accepted_as, operator, reason)
    done = run_on(
        operating,
        toml_path,
        lambda operators: _resolve(operators, resolution, force=force, yes=yes, as_json=as_json),
    )
    sys.exit(0 if done else NOT_DONE)


def _print_unknowns(found: Unknowns, console: Console) -> None:
    if not found.total:
        console.print("No outcome is unknown.", style="bold green")
        return
    table = result_table(None, "execution>", "order id>", "open for>", "state", "since", "waits for")
    for case in found.cases:
        ids = str(case.execution_id), str(case.order_id)
        table.add_row(*ids, _age(case.open_s), case.state, Text(case.code or ""), Text(waits_for(case)))
    console.print(table)
    limited = "" if len(found.cases) == found.total else f" (showing the oldest {len(found.cases):,})"
    console.print(f"{found.total:,} unknown{limited}.", style="bold yellow")


def _age(seconds: float | None) -> str:
    """A duration in its largest unit, such as 3.0 h."""
    if seconds is None:
        return "-"
    for unit, size in _UNITS:
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def _print_history(history: History, console: Console) -> None:
    for line in _state_lines(history.case):
        console.print(Text(escaped(line)), soft_wrap=True)
    moments: list[tuple[datetime, list[str]]] = [
        *((attempt.started_at, _attempt_lines(attempt)) for attempt in history.attempts),
        *((one.found_at, _evidence_lines(one)) for one in history.evidence),
    ]
    if not moments:
        console.print(_without_history(history.case))
    for moment, (title, *lines) in sorted(moments, key=lambda one: one[0]):
        at = moment.astimezone().isoformat(sep=" ", timespec="milliseconds")
        console.print(Text(f"\n{at}  {escaped(title)}", style="bold"), soft_wrap=True)
        for line in lines:
            console.print(Text(f"    {escaped(line)}"), soft_wrap=True)


def _without_history(case: ExecutionCase) -> str:
    if case.legacy or case.state is SubmissionState.NONE:
        return "It was never sent by this service."
    return (
        "Its attempts are not in the database: they were archived, or the legacy service made them. "
        f"`trade-service archive search --execution {case.execution_id}` prints archived ones."
    )


def _state_lines(case: ExecutionCase) -> list[str]:
    known = case.execution_service_id
    known_as = (
        "no id at the Execution Service is known" if known is None else f"at the Execution Service {known}"
    )
    lines = [
        f"execution {case.execution_id} is {case.state}; {known_as}",
        f"  {case.trade_type or 'no trade type'} {shown_number(case.quantity)} {case.security_id} at "
        f"{case.destination}, filled {shown_number(case.quantity_filled)}; trade order {case.trade_order_id} "
        f"(orderId {case.order_id})",
    ]
    if case.state in OPEN:
        lines.append(f"  open for {_age(case.open_s)}, waits for {waits_for(case)}")
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
        message = f": {attempt.message}" if attempt.message else ""
        lines.append(f"{attempt.kind}, {attempt.code}{status}{took}{message}")
    lines += [f"-> {found.state}, {found.code}: {found.message}" for found in attempt.outcomes]
    if attempt.look_ups:
        lines.append(f"{attempt.look_ups} reconciliations above id {attempt.floor_id}")
    return lines


def _evidence_lines(one: Evidence) -> list[str]:
    known = "name not verified" if one.actor_known_by == KnownBy.NONE else one.actor_known_by
    who = f" by {one.actor}" + (f" ({known})" if known else "") if one.actor else f", source: {one.source}"
    before = "a legacy row" if one.state_before is None else one.state_before
    known = "" if one.execution_service_id is None else f" as {one.execution_service_id}"
    lines = [f"{one.code}{who}", f"{before} -> {one.state}{known}"]
    return [*lines, one.message] if one.message else lines


async def _resolve(
    operators: OperatorService, resolution: Resolution, *, force: bool, yes: bool, as_json: bool
) -> bool:
    show_line = _silent if as_json else say_result
    execution_id, accepted_as = resolution.execution_id, resolution.accepted_as
    looked = await operators.look(resolution)
    case, evidence = looked.case, looked.evidence
    show_line(f"Execution {execution_id} is {case.state} (orderId {case.order_id}).")
    show_line(f"{evidence.message[:1].upper()}{evidence.message[1:]}.")
    check_evidence(evidence, override=force)
    outcome = "not accepted" if accepted_as is None else f"accepted as {accepted_as}"
    confirms = evidence.finding is LedgerFinding.CONFIRMS
    unseen = "" if confirms else ", although the ledger does not confirm it"
    if not confirmed(f"Resolve execution {execution_id} as {outcome}{unseen}?", yes=yes):
        show_line("Nothing was changed.")
        return False
    await operators.resolve(resolution, looked, override=force)
    if accepted_as is not None:
        after = ""
    elif case.adopted:
        after = f" The legacy service wrote it; POST /api/v1/execution/{execution_id}/submit sends it."
    else:
        after = (
            f" Its quantity was returned to the order; `trade-service requeue {execution_id}` sends it again."
        )
    show_line(f"Execution {execution_id} is resolved as {outcome}.{after}")
    if as_json:
        print_json({"execution_id": execution_id, "state_before": case.state, "resolved_as": outcome,
                    "accepted_as": accepted_as, "evidence": evidence.message})  # fmt: skip
    return True


def _silent(_: str) -> None:
    """For programs, which get one document at the end."""
