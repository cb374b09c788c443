"""`trade-service audit`: nothing lost, nothing twice, proven from both books."""

import sys
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
import rich_click as click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from trade_service.bootstrap.derived import client_settings
from trade_service.bootstrap.running import prepared_database
from trade_service.cli.audit_run import AuditReport, run_audit
from trade_service.cli.running import config_option, run_until_done, say, settings_for
from trade_service.cli.summary import result_console
from trade_service.domain.money import shown
from trade_service.execution_service.client import ExecutionServiceClient
from trade_service.settings.model import Settings
from trade_service.store.audit_reads import AuditReads
from trade_service.submission.clock import SystemClock

FINDINGS = 1
STATEMENT_TIMEOUT_S = 3600.0
PROGRESS_EVERY = 100_000
_SHOWN_OF_A_KIND = 20
_KINDS = {
    "unbalanced": "states that do not add up",
    "quantity": "orders whose quantitySent is not the sum over their executions",
    "accepted_without_id": "accepted without an executionServiceId",
    "stranded": "not final, and nothing will drive them on",
    "accepted_twice": "accepted twice",
    "missing_downstream": "lost: accepted here, absent there",
    "extra_downstream": "there, but not accepted here",
    "different": "different there",
    "impossible_id": "there under an id that no execution can have",
}
_NOTES = {
    "in_flight": "executions that are there already and still open here: the next look-up settles them",
    "foreign": "executions there that are none of ours",
    "earlier_life": "executions there of an earlier life of our database",
    "old_rows": "executions that the earlier service sent",
    "old_orders": "orders of the earlier service whose quantitySent is not the sum over their executions",
    "idle_attempts": "open attempts that own nothing any more: recovery closes them",
}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
@click.option("--no-downstream", is_flag=True, help="Audit our own books alone.")
@config_option
def audit(*, as_json: bool, no_downstream: bool, toml_path: Path | None) -> None:
    """Prove that nothing is lost and nothing was accepted twice.

    Adds up our own books, and compares them with the Execution Service's, execution by execution.
    Exit code 0 when all is well, 1 when something was found.
    """
    settings = settings_for(toml_path, quiet_level="ERROR").settings
    report = run_until_done(lambda: audit_books(settings, with_downstream=not no_downstream))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(report)))
    else:
        print_audit(report, result_console())
    sys.exit(0 if report.clean else FINDINGS)


def print_audit(report: AuditReport, console: Console) -> None:
    """The invariant, what was found, what is worth a mention, one sentence."""
    balance = report.balance
    states = " + ".join(f"{count:,} {state}" for state, count in balance.states.items() if state != "none")
    never = f", {balance.states['none']:,} never submitted" if balance.states["none"] else ""
    plain = {"highlight": False, "soft_wrap": True}
    console.print(
        f"{balance.submitted:,} submitted = {states}{never}; {balance.orders:,} orders, quantity sent "
        f"{shown(balance.quantity_sent)}, held by executions {shown(balance.quantity_held)}",
        **plain,  # type: ignore[arg-type]  # both are flags
    )
    table = Table(title="Audit", title_justify="left", show_edge=False, pad_edge=False)
    table.add_column("what was looked for")
    table.add_column("found", justify="right")
    for kind, count in report.counts.items():
        table.add_row(_KINDS[kind], f"{count:,}", style="red" if count else "green")
    console.print(table)
    _print_findings(report, console)
    for kind, count in report.notes.items():
        console.print(f"note: {count:,} {_NOTES[kind]}", style="dim", **plain)  # type: ignore[arg-type]
    compared = (
        "The Execution Service's books were not read."
        if report.downstream_rows is None
        else f"{report.downstream_rows:,} executions in the Execution Service's books were compared."
    )
    verdict = "Clean." if report.clean else f"{sum(report.counts.values()):,} findings."
    console.print(
        f"{verdict} {compared}", style="bold green" if report.clean else "bold red", highlight=False
    )


def _print_findings(report: AuditReport, console: Console) -> None:
    for kind, count in report.counts.items():
        shown = [finding for finding in report.findings if finding.kind == kind][:_SHOWN_OF_A_KIND]
        for finding in shown:
            console.print(Text(f"  {finding.message}", style="red"), soft_wrap=True)
        if count > len(shown):
            console.print(f"  ... and {count - len(shown):,} more: {_KINDS[kind]}", highlight=False)


async def audit_books(settings: Settings, *, with_downstream: bool) -> AuditReport:
    """Audits the database of the settings, beside the Execution Service's ledger where asked for."""
    database = msgspec.structs.replace(settings.database, statement_timeout_s=STATEMENT_TIMEOUT_S)
    settings = msgspec.structs.replace(settings, database=database)
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(prepared_database(settings, say))
        downstream = None
        if with_downstream:
            client = ExecutionServiceClient(client_settings(settings), SystemClock())
            downstream = await stack.enter_async_context(client)
        return await run_audit(AuditReads(engine), downstream, _tell_progress)


def _tell_progress(rows: int) -> None:
    if rows % PROGRESS_EVERY == 0:
        say(f"{rows:,} executions of the Execution Service compared ...")
