"""`trade-service recover`: reconciles a restored database with the Execution Service's newer ledger."""

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
from trade_service.settings.tree import Settings
from trade_service.submission.manual_resolution import check_words
from trade_service.trading.restoring import RestorePlan


@click.command()
@click.option("--dry-run", is_flag=True, help="Show what would be done; change nothing.")
@click.option(
    "--same-ledger",
    is_flag=True,
    help="Executions sent before a reset or move of the ledger were sent to this one: reconcile them with it too.",
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
    database does not know, so nothing is sent. The command reads the whole ledger, starts new execution ids
    after the greatest one in it, sets every execution that is not final to unknown, so that it is reconciled
    before it is sent, and audits both sides. A running service continues without a restart. Exit code 0
    only if it was done.

    Executions sent before the ledger was reset or moved (alarms DOWNSTREAM_RESET and DOWNSTREAM_MOVED) stay
    unchanged: absence from this ledger proves nothing about them. If the alarm was wrong and the ledger is the
    same, say so with --same-ledger. After a real reset that would send again what the old ledger had accepted.
    """
    settings = settings_for(toml_path)
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
    click.echo(f"{changed:,} executions are unknown now; a running service reconciles them. Auditing ...")
    print_audit(await audited(settings, with_ledger=True), result_console())
    return True


def _show(plan: RestorePlan, *, same_ledger: bool) -> None:
    state = plan.state
    click.echo(state.blocked_reason or "This database records no problem.")
    click.echo(
        f"Our greatest execution id in the ledger is {plan.greatest_execution_id:,}, in this database "
        f"{state.last_execution_id:,}: new ids will start at {plan.first_new_id:,}."
    )
    click.echo(f"Executions that are not final and will become unknown: {_listed(plan.open_by_state)}.")
    if plan.of_earlier_epochs:
        fate = "become unknown too" if same_ledger else "stay unchanged: resolve them manually"
        click.echo(
            f"Sent before the ledger was reset or moved: {_listed(plan.of_earlier_epochs)}; they {fate}."
        )


def _listed(counts: Mapping[SubmissionState, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items())) or "none"
