"""`trade-service audit`: compares this database with the Execution Service's ledger."""

import sys
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
import rich_click as click
from rich.console import Console
from rich.text import Text

from trade_service.bootstrap.running import prepared_database
from trade_service.cli.interaction import result_console, result_table
from trade_service.cli.running import CommandError, config_option, run_until_done, say, settings_for
from trade_service.domain.money import shown
from trade_service.execution_service.client import ExecutionServiceClient
from trade_service.settings.tree import Settings
from trade_service.store.audit_reads import PostgresAuditReads
from trade_service.submission.clock import SystemClock
from trade_service.trading.ledger_audit import AuditReport, run_audit
from trade_service.trading.restoring import LedgerUnreadable

FINDINGS = 1
STATEMENT_TIMEOUT_S = 3600.0
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
    "impossible_id": "in the ledger under an id that cannot exist",
}
_NOTES = {
    "in_flight": "executions in the ledger that are still open here: reconciliation will settle them",
    "foreign": "executions in the ledger that are not ours",
    "earlier_life": "executions in the ledger from an earlier life of this database",
    "old_rows": "executions that the earlier service sent",
    "old_orders": "orders of the earlier service whose quantitySent is not the sum over their executions",
    "idle_attempts": "open attempts that own no execution any more: recovery closes them",
}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
@click.option("--no-downstream", is_flag=True, help="Audit this database alone.")
@config_option
def audit(*, as_json: bool, no_downstream: bool, toml_path: Path | None) -> None:
    """Prove that nothing was lost and nothing was accepted twice.

    Checks the sums in this database, then compares it with the Execution Service's ledger, execution by
    execution. Exit code 0 if everything is in order, 1 if there are findings.
    """
    settings = settings_for(toml_path)
    report = run_until_done(lambda: audited(settings, with_ledger=not no_downstream))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(report)))
    else:
        print_audit(report, result_console())
    sys.exit(0 if report.clean else FINDINGS)


async def audited(settings: Settings, *, with_ledger: bool) -> AuditReport:
    """Audits the database of the settings, and compares it with the ledger if wanted."""
    database = msgspec.structs.replace(settings.database, statement_timeout_s=STATEMENT_TIMEOUT_S)
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
    plain = {"highlight": False, "soft_wrap": True}
    console.print(
        f"{balance.submitted:,} submitted = {states}{never}; {balance.orders:,} orders, quantity sent "
        f"{shown(balance.quantity_sent)}, held by executions {shown(balance.quantity_held)}",
        **plain,  # type: ignore[arg-type]  # both are flags
    )
    table = result_table("Audit", "checked", "found>")
    for kind, count in report.counts.items():
        table.add_row(_KINDS[kind], f"{count:,}", style="red" if count else "green")
    console.print(table)
    _print_findings(report, console)
    for kind, count in report.notes.items():
        console.print(f"note: {count:,} {_NOTES[kind]}", style="dim", **plain)  # type: ignore[arg-type]
    compared = (
        "The ledger was not read."
        if report.downstream_rows is None
        else f"{report.downstream_rows:,} executions of the ledger were compared."
    )
    verdict = "Clean." if report.clean else f"{sum(report.counts.values()):,} findings."
    console.print(
        f"{verdict} {compared}", style="bold green" if report.clean else "bold red", highlight=False
    )


def _print_findings(report: AuditReport, console: Console) -> None:
    for kind, count in report.counts.items():
        listed = [finding for finding in report.findings if finding.kind == kind][:_SHOWN_OF_A_KIND]
        for finding in listed:
            console.print(Text(f"  {finding.message}", style="red"), soft_wrap=True)
        if count > len(listed):
            console.print(f"  ... and {count - len(listed):,} more: {_KINDS[kind]}", highlight=False)
