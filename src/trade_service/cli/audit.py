"""`trade-service audit` and `recover`: this database beside the Execution Service's ledger."""

import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
import rich_click as click
from rich.console import Console
from rich.text import Text

from trade_service.bootstrap.container import AUDIT_STATEMENT_TIMEOUT_S
from trade_service.bootstrap.running import prepared_database, restoring
from trade_service.cli.running import (
    FINDINGS,
    NOT_DONE,
    CommandError,
    config_option,
    confirmed,
    console_for,
    json_option,
    operator_options,
    print_json,
    require_answer,
    result_console,
    result_table,
    run_as_user,
    run_until_done,
    say,
    settings_for,
    unasked_json_option,
    yes_option,
)
from trade_service.domain.executions import SubmissionState
from trade_service.domain.fields import escaped, shown_number
from trade_service.execution_service.client import ExecutionServiceClient
from trade_service.settings.tree import Settings
from trade_service.store.reports import PostgresAuditReads
from trade_service.submission.clock import SystemClock
from trade_service.submission.manual_resolution import check_words
from trade_service.trading.ledger_audit import AuditReport, run_audit
from trade_service.trading.restoring import LedgerUnreadable, RestorePlan

PROGRESS_EVERY = 100_000
_SHOWN_OF_A_KIND = 20
_KINDS = {
    "unbalanced": "states that do not add up",
    "quantity": "orders whose quantitySent is not the sum over their executions",
    "accepted_without_id": "accepted without an executionServiceId",
    "stranded": "not final, and nothing will advance them",
    "accepted_twice": "accepted twice",
    "missing_downstream": "lost: accepted here, missing in the ledger",
    "extra_downstream": "in the ledger, but not accepted here",
    "different": "different in the ledger",
    "archive_differs": "archive files that do not match the archived executions",
    "impossible_id": "in the ledger under an id that cannot exist",
}
_NOTES = {
    "in_flight": "executions in the ledger that are still open here: reconciliation will settle them",
    "foreign": "executions in the ledger that are not ours",
    "earlier_life": "executions in the ledger from an earlier life of this database",
    "old_rows": "executions that the legacy service sent",
    "old_orders": "orders of the legacy service whose quantitySent is not the sum over their executions",
    "idle_attempts": "attempts whose executions later attempts have settled: recovery closes them",
    "failed_differ": "executions that the list of failures lacks or has wrongly: a daily check corrects it",
    "archived": "executions in the ledger that were archived here: compared like the others",
}


@click.command()
@json_option
@click.option("--no-downstream", is_flag=True, help="Audit this database alone.")
@config_option
def audit(*, as_json: bool, no_downstream: bool, toml_path: Path | None) -> None:
    """Prove that nothing was lost and nothing was accepted twice.

    Checks the sums in this database, then compares it with the Execution Service's ledger, execution by
    execution. Exit code 0 if everything is in order, 1 if there are findings.
    """
    settings = settings_for(toml_path)
    report = run_until_done(lambda: _audited(settings, with_ledger=not no_downstream))
    if as_json:
        print_json(report)
    else:
        print_audit(report, result_console())
    sys.exit(0 if report.clean else FINDINGS)


async def _audited(settings: Settings, *, with_ledger: bool = True) -> AuditReport:
    database = msgspec.structs.replace(settings.database, statement_timeout_s=AUDIT_STATEMENT_TIMEOUT_S)
    settings = msgspec.structs.replace(settings, database=database)
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(prepared_database(settings, say))
        ledger = None
        if with_ledger:
            client = ExecutionServiceClient(settings.execution_service, SystemClock())
            ledger = await stack.enter_async_context(client)
        try:
            return await run_audit(PostgresAuditReads(engine), ledger, _say_progress)
        except LedgerUnreadable as error:
            raise CommandError(
                f"{error}: check its address with `trade-service config`, or audit this database alone with "
                "--no-downstream"
            ) from None


def _say_progress(rows: int) -> None:
    if rows % PROGRESS_EVERY == 0:
        say(f"{rows:,} executions of the ledger compared ...")


def print_audit(report: AuditReport, console: Console) -> None:
    """Prints the invariant, the findings, the notes and a verdict."""
    balance = report.balance
    states = " + ".join(f"{count:,} {state}" for state, count in balance.states.items() if state != "none")
    never = f", {balance.states['none']:,} never submitted" if balance.states["none"] else ""
    archived = f", {balance.archived:,} archived" if balance.archived else ""
    console.print(
        f"{balance.submitted:,} submitted = {states}{never}{archived}; {balance.orders:,} orders, quantity sent "
        f"{shown_number(balance.quantity_sent)}, held by executions {shown_number(balance.quantity_held)}",
        soft_wrap=True,
    )
    table = result_table("Audit", "checked", "found>")
    for kind, count in report.counts.items():
        table.add_row(_KINDS[kind], f"{count:,}", style="red" if count else "green")
    console.print(table)
    _print_findings(report, console)
    for kind, count in report.notes.items():
        console.print(f"note: {count:,} {_NOTES[kind]}", style="dim", soft_wrap=True)
    compared = (
        "The ledger was not read."
        if report.downstream_rows is None
        else f"{report.downstream_rows:,} executions of the ledger were compared."
    )
    verdict = "Clean." if report.clean else f"{sum(report.counts.values()):,} findings."
    console.print(f"{verdict} {compared}", style="bold green" if report.clean else "bold red")


def _print_findings(report: AuditReport, console: Console) -> None:
    for kind, count in report.counts.items():
        listed = [finding for finding in report.findings if finding.kind == kind][:_SHOWN_OF_A_KIND]
        for finding in listed:
            console.print(Text(f"  {escaped(finding.message)}", style="red"), soft_wrap=True)
        if count > len(listed):
            console.print(f"  ... and {count - len(listed):,} more: {_KINDS[kind]}")


@click.command()
@click.option("--dry-run", is_flag=True, help="Show what would be done; change nothing.")
@click.option(
    "--same-ledger",
    is_flag=True,
    help="Executions sent before a reset or move of the ledger were sent to this one: reconcile them with it too.",
)
@unasked_json_option
@operator_options
@yes_option
@config_option
def recover(
    *, dry_run: bool, same_ledger: bool, as_json: bool, reason: str, operator: str, yes: bool,
    toml_path: Path | None,
) -> None:  # fmt: skip
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
    require_answer(as_json=as_json, yes=yes, dry_run=dry_run)
    settings = settings_for(toml_path)
    if not dry_run:
        check_words(operator, reason)
    out = console_for(as_json=as_json)
    plan, changed = run_as_user(
        settings,
        lambda: _recover(settings, operator, reason, out, dry_run=dry_run, same_ledger=same_ledger, yes=yes),
    )
    report = None if changed is None else run_until_done(lambda: _audited(settings))
    if report is not None:
        print_audit(report, out)
    if as_json:
        print_json({**_plan_for_programs(plan), "dry_run": dry_run, "changed": changed, "audit": report})
    sys.exit(0 if dry_run or changed is not None else NOT_DONE)


async def _recover(
    settings: Settings,
    operator: str,
    reason: str,
    out: Console,
    *,
    dry_run: bool,
    same_ledger: bool,
    yes: bool,
) -> tuple[RestorePlan, int | None]:
    """The plan, and how many executions became unknown; None if nothing was changed."""
    async with restoring(settings, say) as restorer:
        plan = await restorer.look()
        _print_plan(plan, out, same_ledger=same_ledger)
        if dry_run:
            out.print("Dry run: nothing was changed.", soft_wrap=True)
            return plan, None
        if not confirmed("Recover this database?", yes=yes):
            out.print("Nothing was changed.", soft_wrap=True)
            return plan, None
        changed = await restorer.recover(plan, operator, reason, same_ledger=same_ledger)
    out.print(
        f"{changed:,} executions are unknown now; a running service reconciles them. Auditing ...",
        soft_wrap=True,
    )
    return plan, changed


def _plan_for_programs(plan: RestorePlan) -> dict[str, object]:
    return {
        "blocked_reason": plan.state.blocked_reason, "greatest_execution_id": plan.greatest_execution_id,
        "last_execution_id": plan.state.last_execution_id, "first_new_id": plan.first_new_id,
        "open": plan.open_by_state, "of_earlier_epochs": plan.of_earlier_epochs,
    }  # fmt: skip


def _print_plan(plan: RestorePlan, out: Console, *, same_ledger: bool) -> None:
    def say_result(line: str) -> None:
        out.print(Text(line), soft_wrap=True)

    state = plan.state
    say_result(state.blocked_reason or "This database records no problem.")
    say_result(
        f"Our greatest execution id in the ledger is {plan.greatest_execution_id:,}, in this database "
        f"{state.last_execution_id:,}: new ids will start at {plan.first_new_id:,}."
    )
    say_result(f"Executions that are not final and will become unknown: {_listed(plan.open_by_state)}.")
    if plan.of_earlier_epochs:
        fate = "become unknown too" if same_ledger else "stay unchanged: resolve them manually"
        say_result(
            f"Sent before the ledger was reset or moved: {_listed(plan.of_earlier_epochs)}; they {fate}."
        )


def _listed(counts: Mapping[SubmissionState, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in sorted(counts.items())) or "none"
