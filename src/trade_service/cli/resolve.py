"""`trade-service resolve`: resolves an unknown outcome manually, with evidence."""

import sys
from pathlib import Path

import rich_click as click

from trade_service.cli.interaction import (
    NOT_DONE,
    as_operator,
    confirmed,
    operator_option,
    reason_option,
    yes_option,
)
from trade_service.cli.running import config_option
from trade_service.submission.manual_resolution import LedgerFinding, Resolution, check_evidence
from trade_service.trading.operating import OperatorService


@click.command()
@click.argument("execution_id", type=int)
@click.option("--accepted-as", type=int, help="It was accepted; its id at the Execution Service.")
@click.option(
    "--not-accepted", is_flag=True, help="It was not accepted; its quantity is returned to the order."
)
@reason_option
@operator_option
@click.option("--force", is_flag=True, help="Resolve even if the Execution Service's ledger contradicts it.")
@yes_option
@config_option
def resolve(
    *, execution_id: int, accepted_as: int | None, not_accepted: bool, reason: str, operator: str, force: bool,
    yes: bool, toml_path: Path | None,
) -> None:  # fmt: skip
    """Resolve the unknown outcome of EXECUTION_ID manually, with a reason that is stored.

    First shows what the Execution Service's ledger says now, then asks for confirmation. A resolution that
    contradicts the ledger or the recorded state is refused. The service may be running or not; callers waiting
    for the outcome get it. Nothing is sent: use `requeue` to send again what was not accepted. Exit code 0 only
    if it was resolved.
    """
    if (accepted_as is None) != not_accepted:
        raise click.UsageError("Give --accepted-as ID or --not-accepted, and not both.")
    resolution = Resolution(execution_id, accepted_as, operator, reason)
    done = as_operator(toml_path, lambda operators: _resolve(operators, resolution, force=force, yes=yes))
    sys.exit(0 if done else NOT_DONE)


async def _resolve(operators: OperatorService, resolution: Resolution, *, force: bool, yes: bool) -> bool:
    execution_id, accepted_as = resolution.execution_id, resolution.accepted_as
    looked = await operators.look(resolution)
    click.echo(f"Execution {execution_id} is {looked.case.state} (orderId {looked.case.order_id}).")
    click.echo(f"{looked.evidence.message[:1].upper()}{looked.evidence.message[1:]}.")
    check_evidence(looked.evidence, override=force)
    outcome = "not accepted" if accepted_as is None else f"accepted as {accepted_as}"
    unseen = (
        ""
        if looked.evidence.finding is LedgerFinding.CONFIRMS
        else ", although the ledger does not confirm it"
    )
    if not confirmed(f"Resolve execution {execution_id} as {outcome}{unseen}?", yes=yes):
        click.echo("Nothing was changed.")
        return False
    await operators.resolve(resolution, looked, override=force)
    after = (
        "" if accepted_as is not None else _not_sent(adopted=looked.case.adopted, execution_id=execution_id)
    )
    click.echo(f"Execution {execution_id} is resolved as {outcome}.{after}")
    return True


def _not_sent(*, adopted: bool, execution_id: int) -> str:
    if adopted:
        return f" The earlier service wrote it; POST /api/v1/execution/{execution_id}/submit sends it."
    return f" Its quantity was returned to the order; `trade-service requeue {execution_id}` sends it again."
