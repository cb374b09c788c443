"""`trade-service requeue`: submits rejected or exhausted executions again."""

import sys
from collections import Counter
from datetime import datetime
from functools import partial
from pathlib import Path

import rich_click as click
from rich.console import Console
from rich.text import Text

from trade_service.bootstrap.running import operating
from trade_service.cli.execution_options import MOMENT, selecting_options, with_offset
from trade_service.cli.running import (
    NOT_DONE,
    config_option,
    confirmed,
    console_for,
    operator_options,
    options,
    print_json,
    require_answer,
    result_table,
    run_on,
    unasked_json_option,
    yes_option,
)
from trade_service.domain.errors import shorten
from trade_service.domain.executions import QUANTITY_RETURNED, SubmissionState
from trade_service.domain.fields import shown_number
from trade_service.submission.manual_resolution import check_words
from trade_service.trading.operating import OperatorService
from trade_service.trading.requeueing import (
    MAX_FOLLOWED,
    Requeue,
    Requeued,
    RequeueFilter,
    note_on_earlier_epoch,
)

SHOWN = 200
MESSAGE_WIDTH = 80
_STATES = sorted(state.value for state in QUANTITY_RETURNED)
_ALL = [SubmissionState(state) for state in _STATES]


@click.command()
@click.argument("execution_ids", type=int, nargs=-1)
@selecting_options(_STATES)
@options(
    click.option(
        "--message", "messages", multiple=True,
        help="Only executions that ended with this message; UUIDs and numbers of four digits or more may differ; "
        "repeatable.",
    ),
    click.option(
        "--failed-since", type=MOMENT, metavar="TIME", help="Only those that failed at this time or later."
    ),
    click.option("--failed-until", type=MOMENT, metavar="TIME", help="Only those that failed before this time."),
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Show what would be done; change nothing.")
@unasked_json_option
@operator_options
@yes_option
@config_option
def requeue(
    *, execution_ids: tuple[int, ...], states: tuple[str, ...], codes: tuple[str, ...], since: datetime | None,
    until: datetime | None, orders: tuple[int, ...], destinations: tuple[str, ...], messages: tuple[str, ...],
    failed_since: datetime | None, failed_until: datetime | None, dry_run: bool, as_json: bool,
    reason: str, operator: str, yes: bool, toml_path: Path | None,
) -> None:  # fmt: skip
    """Submit rejected or exhausted executions again: EXECUTION_IDS, or all that match the options.

    Shows what it would do, then asks for confirmation. Takes the quantity from the order again if it still has
    enough. A running service then reconciles each execution before it sends it, so one that was accepted after
    all is not sent twice; this takes the settle time. Exit code 0 only if all were requeued.
    """
    wanted = RequeueFilter(
        [SubmissionState(state) for state in states or _STATES],
        codes or None, with_offset(since), with_offset(until), orders or None, destinations or None,
        messages or None, with_offset(failed_since), with_offset(failed_until),
    )  # fmt: skip
    if bool(execution_ids) == (bool(states) or wanted != RequeueFilter(_ALL)):
        raise click.UsageError("Give EXECUTION_IDS or options that select them, but not both.")
    require_answer(as_json=as_json, yes=yes, dry_run=dry_run)
    if not dry_run:
        check_words(operator, reason)
    plan = Requeue(operator or "-", reason or "dry run", dry_run=True, most=MAX_FOLLOWED)
    command = None if dry_run else Requeue(operator, reason, most=MAX_FOLLOWED)
    work = partial(_requeue, execution_ids or wanted, plan, command, yes=yes, as_json=as_json)
    sys.exit(0 if run_on(operating, toml_path, work) else NOT_DONE)


async def _requeue(
    what: tuple[int, ...] | RequeueFilter, plan: Requeue, command: Requeue | None, operators: OperatorService, *,
    yes: bool, as_json: bool,
) -> bool:  # fmt: skip
    """Shows the plan, then asks and requeues if there is a command; returns whether that is possible for all."""
    console = console_for(as_json=as_json)
    ids, more = (
        await operators.select(what, MAX_FOLLOWED) if isinstance(what, RequeueFilter) else (list(what), False)
    )
    if not ids:
        console.print("No execution matches.", style="bold green")
        _print_as_json([], more=False, is_wanted=as_json)
        return True
    preview = await operators.requeue(ids, plan)
    good = sum(one.error is None for one in preview)
    _print_preview(preview, good, console)
    if more:
        console.print(f"More than {MAX_FOLLOWED:,} executions match: run the command again for the rest.")
    if command is None or not good:
        _print_as_json(preview, more=more, is_wanted=as_json)
        return good == len(preview)
    if not confirmed(f"Requeue {good:,} executions?", yes=yes):
        console.print("Nothing was changed.")
        return False
    results = await operators.requeue(ids, command)
    _print_as_json(results, more=more, is_wanted=as_json)
    refusals = Counter(one.error.code for one in results if one.error is not None)
    refused = "".join(f", {count:,} refused ({code})" for code, count in refusals.items())
    done = len(results) - refusals.total()
    console.print(
        f"{done:,} requeued{refused}. A running service reconciles them, then sends them.",
        style="bold red" if refusals else "bold green",
        soft_wrap=True,
    )
    return not refusals


def _print_as_json(results: list[Requeued], *, more: bool, is_wanted: bool) -> None:
    if is_wanted:
        rows = [
            {
                "execution_id": one.execution_id,
                "order_id": None if one.ended is None else one.ended.order_id,
                "error": one.error and {"code": one.error.code, "message": one.error.message},
                "of_earlier_epoch": one.of_earlier_epoch,
            }
            for one in results
        ]
        print_json({"executions": rows, "more": more})


def _print_preview(preview: list[Requeued], good: int, console: Console) -> None:
    table = result_table(
        "Preview", "execution>", "order id>", "quantity>", "order has>", "ended", "why", "then"
    )
    for one in preview[:SHOWN]:
        table.add_row(*_row(one), style=None if one.error is None else "red")
    console.print(table)
    if len(preview) > SHOWN:
        console.print(f"... and {len(preview) - SHOWN:,} more")
    console.print(f"{good:,} of {len(preview):,} can be requeued.")
    if note := note_on_earlier_epoch(preview):
        console.print(f"{note}.", style="bold yellow", soft_wrap=True)


def _row(one: Requeued) -> tuple[str | Text, ...]:
    done = (
        "quantity taken, reconciled, if absent unknown"
        if one.may_need_person
        else "quantity taken, reconciled, sent"
    )
    then = Text(done if one.error is None else one.error.message)
    ended = one.ended
    if ended is None or one.room is None:
        return str(one.execution_id), "-", "-", "-", "-", "-", then
    return (
        str(one.execution_id),
        str(ended.order_id),
        shown_number(ended.quantity),
        shown_number(one.room),
        ", ".join(filter(None, (ended.state, ended.code))),
        Text(shorten(" ".join(ended.message.split()), MESSAGE_WIDTH)),
        then,
    )
