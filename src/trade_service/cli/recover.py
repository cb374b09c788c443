"""`trade-service recover`: brings a database that is older than the Execution Service's ledger up to it."""

import sys
from collections.abc import Mapping
from pathlib import Path

import rich_click as click

from trade_service.bootstrap.running import restoring
from trade_service.cli.audit import audited, print_audit
from trade_service.cli.interaction import (
    NOT_DONE,
    confirmed,
    operator_option,
    reason_option,
    result_console,
    yes_option,
)
from trade_service.cli.running import config_option, run_until_done, say, settings_for
from trade_service.domain.executions import SubmissionState
from trade_service.settings.model import Settings
from trade_service.submission.by_hand import check_words
from trade_service.trading.restoring import RestorePlan


@click.command()
@click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing.")
@click.option(
    "--same-ledger",
    is_flag=True,
    help="What was sent before a reset or a move of the ledger was sent to this one: look it up here too.",
)
@reason_option
@operator_option
@yes_option
@config_option
def recover(
    *, dry_run: bool, same_ledger: bool, reason: str, operator: str, yes: bool, toml_path: Path | None
) -> None:
    """Recover a database that was restored from a backup.

    Use it when readiness or an alarm names it: the Execution Service's ledger holds executions that this
    database does not know, so nothing is sent. The command reads the whole ledger, lets new executions begin
    after the greatest id in it, makes every execution that is not final unknown, so that it is looked up before
    it is sent, and audits both sides. A running service goes on by itself. Exit code 0 only if it was done.

    What was sent before the ledger was reset or moved (alarms DOWNSTREAM_RESET and DOWNSTREAM_MOVED) stays as it
    is: absence from this ledger proves nothing about it. If the alarm was wrong and the ledger is the same, say
    so with --same-ledger. After a true reset that would send again what the old ledger had accepted.
    """
    settings = settings_for(toml_path, quiet_level="ERROR").settings
    if not dry_run:
        check_words(operator, reason)
    done = run_until_done(
        lambda: _recover(settings, operator, reason, dry_run=dry_run, same_ledger=same_ledger, yes=yes)
    )
    sys.exit(0 if done else NOT_DONE)


async def _recover(
    settings: Settings, operator: str, reason: str, *, dry_run: bool, same_ledger: bool, yes: bool
) -> bool:
    async with restoring(settings, say) as restorer:
        plan = await restorer.look()
        _show(plan, same_ledger=same_ledger)
        if dry_run:
            click.echo("Dry run: nothing was changed.")
            return True
        if not confirmed("Recover this database?", yes=yes):
            click.echo("Nothing was changed.")
            return False
        changed = await restorer.recover(plan, operator, reason, same_ledger=same_ledger)
    click.echo(f"{changed:,} executions are unknown now; a running service looks them up. Auditing ...")
    print_audit(await audited(settings, with_ledger=True), result_console())
    return True


def _show(plan: RestorePlan, *, same_ledger: bool) -> None:
    state = plan.state
    click.echo(state.blocked_reason or "Nothing is wrong as far as this database knows.")
    click.echo(
        f"The ledger's greatest execution id of ours is {plan.greatest_execution_id:,}, this database has made "
        f"{state.last_execution_id:,}: new executions will begin at {plan.first_new_id:,}."
    )
    click.echo(f"Executions that are not final and become unknown: {_listed(plan.open_by_state)}.")
    if plan.of_earlier_epochs:
        fate = "become unknown as well" if same_ledger else "stay as they are: resolve them by hand"
        click.echo(
            f"Sent before the ledger was reset or moved: {_listed(plan.of_earlier_epochs)}; they {fate}."
        )


def _listed(counts: Mapping[SubmissionState, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items())) or "none"
