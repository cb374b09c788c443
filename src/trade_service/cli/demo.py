"""`trade-service demo`: the main job on real input, through a service that fails in many ways."""

import sys
import time
from pathlib import Path

import rich_click as click
from rich.console import Console
from rich.panel import Panel

from trade_service.bootstrap.running import running_services
from trade_service.bootstrap.services import Services
from trade_service.cli.audit import print_audit
from trade_service.cli.blotter_source import blotter_source
from trade_service.cli.demo_folder import database_folder, make_demo_folder, write_blotter
from trade_service.cli.demo_simulator import DemoSimulator, demo_simulator
from trade_service.cli.pipeline import Submitting
from trade_service.cli.progress import shown_progress
from trade_service.cli.running import run_until_done
from trade_service.cli.summary import print_outcomes, print_sentence, print_survived, result_console
from trade_service.cli.tally import ErrorFile, Survived, Tally
from trade_service.observability.logs import configure_logs
from trade_service.settings.model import Settings
from trade_service.store.audit_reads import PostgresAuditReads
from trade_service.store.store_settings import StoreSettings
from trade_service.submission.engine_settings import (
    ExecutionServiceSettings,
    RetrySettings,
    SubmissionSettings,
)
from trade_service.trading.blotter_file import LineRules
from trade_service.trading.ledger_audit import AuditReport, run_audit
from trade_service.web.web_settings import ServerSettings

ORDERS = 5_000
WAIT_S = 120.0
NOT_ALL_GOOD = 1


@click.command()
@click.option(
    "--orders", default=ORDERS, show_default=True, type=click.IntRange(1, 1_000_000), help="How many orders."
)
@click.option(
    "--latency-ms",
    default=20.0,
    show_default=True,
    type=click.FloatRange(0, 10_000),
    help="Time that each call of the Execution Service takes.",
)
@click.option("--seed", default=7, show_default=True, help="The same seed gives the same faults.")
@click.option("--keep", is_flag=True, help="Keep the database, and say where it is.")  # fmt: skip
def demo(*, orders: int, latency_ms: float, seed: int, keep: bool) -> None:
    """Show the main job: a blotter of real tickers through an Execution Service that fails in many ways.

    Needs nothing and leaves nothing: a PostgreSQL and a stand-in Execution Service of its own run in a
    temporary folder, whatever the settings say. Exit code 0 when everything was accepted exactly once.
    """
    configure_logs("ERROR", "auto")
    folder = make_demo_folder()
    out = result_console()
    sys.exit(run_until_done(lambda: _demo(folder, orders, latency_ms, seed, out, keep=keep)))


async def _demo(folder: Path, orders: int, latency_ms: float, seed: int, out: Console, *, keep: bool) -> int:
    began = time.monotonic()
    out.print(
        Panel.fit(
            f"[bold]The main job[/]: {orders:,} orders on S&P 500 tickers become executions and go, in\n"
            "batches of 100, to an Execution Service that loses answers, answers wrongly and throttles.",
            title="trade-service demo",
        )
    )
    async with demo_simulator(folder, orders, latency_ms, seed, keep=keep) as simulator:
        _step(out, f"A stand-in Execution Service runs on {simulator.base_url}, {latency_ms:g} ms a call")
        _step(out, f"It will fail one call in five: {', '.join(simulator.faults)}")
        report, tally = await _work(folder, orders, simulator, out)
    if keep:
        where = database_folder(folder)
        _step(out, f"Kept: TRADE_SERVICE_DATABASE_DATA_DIR={where} trade-service db status")
    good = report.clean and tally.is_all_good
    lost, twice = report.counts["missing_downstream"], report.counts["accepted_twice"]
    out.print(
        f"Accepted twice: {twice}, lost: {lost}. {time.monotonic() - began:.1f} s in all.",
        style="bold green" if good else "bold red",
        highlight=False,
    )
    return 0 if good else NOT_ALL_GOOD


async def _work(
    folder: Path, orders: int, simulator: DemoSimulator, out: Console
) -> tuple[AuditReport, Tally]:
    settings = demo_settings(folder, simulator.base_url)
    async with running_services(settings, lambda line: _step(out, line)) as services:
        _step(out, "Its PostgreSQL is ready")
        tally = await _submit(services, write_blotter(folder, orders), out)
        _step(out, "Auditing: the database against the Execution Service's ledger")
        report = await run_audit(PostgresAuditReads(services.engine), services.gateway)
        print_audit(report, out)
    return report, tally


async def _submit(services: Services, blotter: Path, out: Console) -> Tally:
    began = time.monotonic()
    tally, survived = Tally(), Survived()
    services.events.subscribe(survived)
    rules = LineRules.of(await services.references.get(), services.settings.execution_service.trade_types)
    with ErrorFile(None) as errors:
        async with blotter_source(str(blotter), rules) as source, shown_progress(tally, survived, out):
            await Submitting(services, tally, errors, WAIT_S).submit_blotter(source)
    print_outcomes(tally, out)
    print_survived(survived, out)
    print_sentence(tally, time.monotonic() - began, out)
    for alarm in survived.alarms:
        out.print(f"alarm: {alarm}", style="bold red", markup=False, soft_wrap=True)
    return tally


def demo_settings(folder: Path, base_url: str) -> Settings:
    """Short times, so that what is lost is looked up within seconds; nothing of the user's is read."""
    return Settings(
        server=ServerSettings(shutdown_grace_s=5.0),
        database=StoreSettings(data_dir=str(database_folder(folder))),
        execution_service=ExecutionServiceSettings(
            base_url=base_url, connect_timeout_ms=1_000, read_timeout_ms=1_000
        ),
        retry=RetrySettings(max_attempts=10, initial_delay_ms=100, max_delay_ms=1_000, give_up_after_s=300),
        submission=SubmissionSettings(
            settle_time_ms=1_500, lease_margin_ms=500, recovery_poll_ms=100, look_up_max_delay_ms=1_000
        ),
    )


def _step(out: Console, line: str) -> None:
    out.print(f"[bold cyan]>[/] {line}", highlight=False, soft_wrap=True)
