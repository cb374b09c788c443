"""`trade-service pause` and `resume`: stop sending, to all destinations or to one, and resume it."""

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import rich_click as click

from trade_service.bootstrap.running import pausing
from trade_service.cli.running import (
    NOT_DONE,
    config_option,
    confirmed,
    console_for,
    operator_options,
    options,
    print_json,
    require_answer,
    run_on,
    unasked_json_option,
    yes_option,
)
from trade_service.submission.manual_resolution import check_words
from trade_service.trading.pausing import PauseEffect, PauseOrder, PauseService

_options = options(
    click.option(
        "--destination", help="Only this destination (its abbreviation).  [default: all destinations]"
    ),
    click.option("--dry-run", is_flag=True, help="Show what would be done; change nothing."),
    unasked_json_option,
    operator_options,
    yes_option,
    config_option,
)
_Act = Callable[[PauseService, PauseOrder], Awaitable[PauseEffect]]


@click.command()
@_options
def pause(
    *, destination: str | None, dry_run: bool, as_json: bool, reason: str, operator: str, yes: bool,
    toml_path: Path | None,
) -> None:  # fmt: skip
    """Stop sending to all destinations or to one, on every replica, until it is resumed.

    Shows how many executions would wait, then asks for confirmation. What is being sent goes out. Everything else
    waits: orders and submissions are accepted and answered PENDING, nothing is lost, and time budgets stand still.
    """
    order = PauseOrder(destination, operator, reason, dry_run)
    _run(PauseService.pause, order, f"Pause sending to {order.object}?", toml_path, yes=yes, as_json=as_json)


@click.command()
@_options
def resume(
    *, destination: str | None, dry_run: bool, as_json: bool, reason: str, operator: str, yes: bool,
    toml_path: Path | None,
) -> None:  # fmt: skip
    """Resume sending to all destinations or to one; running services send what waited within seconds.

    Without --destination it ends the pause of all destinations; one that was paused separately stays paused.
    """
    order = PauseOrder(destination, operator, reason, dry_run)
    _run(
        PauseService.resume, order, f"Resume sending to {order.object}?", toml_path, yes=yes, as_json=as_json
    )


def _run(
    act: _Act, order: PauseOrder, question: str, toml_path: Path | None, *, yes: bool, as_json: bool
) -> None:
    require_answer(as_json=as_json, yes=yes, dry_run=order.dry_run)
    if not order.dry_run:
        check_words(order.actor, order.reason)

    async def work(pauses: PauseService) -> bool:
        console = console_for(as_json=as_json)
        effect = await act(pauses, PauseOrder(order.destination, order.actor, order.reason, dry_run=True))
        console.print(f"{effect.message}.", soft_wrap=True, markup=False)
        if not order.dry_run:
            if not confirmed(question, yes=yes):
                console.print("Nothing was changed.")
                return False
            effect = await act(pauses, order)
            console.print(f"{effect.message}.", style="bold", soft_wrap=True, markup=False)
        if as_json:
            print_json(
                {
                    "destination": order.destination,
                    "changed": effect.changed,
                    "waiting": effect.figures.waiting,
                    "in_flight": effect.figures.in_flight,
                    "message": effect.message,
                }
            )

        return True

    sys.exit(0 if run_on(pausing, toml_path, work) else NOT_DONE)
