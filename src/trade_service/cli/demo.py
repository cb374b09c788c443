"""`trade-service demo`: submits real orders through a service that fails in many ways, and audits the result."""

import random
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import rich_click as click
from rich.console import Console
from rich.panel import Panel

from trade_service.bench.subprocesses import BenchError, address_of, child
from trade_service.blotter.order_rows import LineRules
from trade_service.bootstrap.container import Services
from trade_service.bootstrap.running import running_services
from trade_service.cli.audit import print_audit
from trade_service.cli.blotter_submission import BlotterSource, Submitting
from trade_service.cli.demo_console import BAD_SECURITY, show_console
from trade_service.cli.demo_folder import database_folder, make_demo_folder, write_blotter
from trade_service.cli.running import (
    NOT_DONE,
    CommandError,
    console_for,
    json_option,
    print_json,
    run_until_done,
)
from trade_service.cli.submit_view import (
    print_incidents,
    print_outcomes,
    print_sentence,
    shown_progress,
    summary_of,
)
from trade_service.cli.tally import Incidents, Tally
from trade_service.observability.logs import configure_logs
from trade_service.settings.tree import Settings
from trade_service.store.reports import PostgresAuditReads
from trade_service.store.store_settings import StoreSettings
from trade_service.submission.engine_settings import (
    ExecutionServiceSettings,
    RetrySettings,
    SubmissionSettings,
)
from trade_service.trading.ledger_audit import run_audit
from trade_service.web.web_settings import ServerSettings

ORDERS = 5_000
WAIT_S = 120.0
BATCH = 100
FAULTY_CALLS = 5
"""One in this many calls fails."""
CLASSES = (
    "reset_after",
    "error_500_partial",
    "shifted_index",
    "throttle_429",
    "truncated",
    "error_503",
    "no_results_201",
    "reset_before",
    "fewer_results",
    "gateway_504_late",
    "item_fail_transient",
    "hang_after",
    "repeated_index",
    "gateway_502",
)
RATES = ("reset_after=0.01", "error_500_partial=0.01", "shifted_index=0.01", "error_503=0.005")
"""Faults of the calls after the script, which repeat what the script broke."""


@click.command()
@click.option(
    "--orders", default=ORDERS, show_default=True, type=click.IntRange(1, 1_000_000), help="Number of orders."
)
@click.option(
    "--latency-ms",
    default=20.0,
    show_default=True,
    type=click.FloatRange(0, 10_000),
    help="Duration of each call of the Execution Service.",
)
@click.option("--seed", default=7, show_default=True, help="The same seed gives the same faults.")
@click.option("--keep", is_flag=True, help="Keep the database and print where it is.")
@click.option(
    "--console",
    is_flag=True,
    help="Afterwards serve the console, with new orders every second, until Ctrl-C.",
)
@json_option
def demo(*, orders: int, latency_ms: float, seed: int, keep: bool, console: bool, as_json: bool) -> None:
    """Submit a blotter of real tickers to an Execution Service that fails in many ways, then audit the result.

    Needs no setup and leaves nothing behind: it runs its own PostgreSQL and Execution Service simulator in a
    temporary folder and ignores your settings. Exit code 0 if everything was accepted exactly once.
    """
    if console and as_json:
        raise click.UsageError("--console stays open, so it prints no result: leave out --json.")
    configure_logs("ERROR", "auto")
    folder = make_demo_folder()
    out = console_for(as_json=as_json)
    result = run_until_done(lambda: _demo(folder, orders, latency_ms, seed, out, keep=keep, console=console))
    if as_json:
        print_json(result)
    sys.exit(0 if result["is_all_good"] else NOT_DONE)


async def _demo(
    folder: Path, orders: int, latency_ms: float, seed: int, out: Console, *, keep: bool, console: bool
) -> dict[str, object]:
    """Returns the result for programs."""
    began = time.monotonic()
    out.print(
        Panel.fit(
            f"[bold]The main job[/]: {orders:,} orders on S&P 500 tickers become executions and go, in\n"
            "batches of 100, to an Execution Service that loses answers, answers wrongly and throttles.",
            title="trade-service demo",
        )
    )
    script = fault_script(orders, seed)
    async with demo_simulator(folder, script, latency_ms, seed, keep=keep) as url:
        _step(out, f"The Execution Service simulator runs on {url}, {latency_ms:g} ms per call")
        _step(out, f"One call in five will fail: {', '.join(sorted({*script} - {'ok'}))}")
        async with running_services(demo_settings(folder, url), lambda line: _step(out, line)) as services:
            _step(out, "PostgreSQL is ready")
            tally, incidents = await _submit(services, write_blotter(folder, orders), out)
            _step(out, "Auditing: the database against the Execution Service's ledger")
            report = await run_audit(PostgresAuditReads(services.database), services.gateway)
            print_audit(report, out)
            good = report.clean and tally.is_all_good
            took_s = time.monotonic() - began
            out.print(
                f"Accepted twice: {report.counts['accepted_twice']}, lost: {report.counts['missing_downstream']}. "
                f"{took_s:.1f} s in all.",
                style="bold green" if good else "bold red",
            )
            if console:
                await show_console(services, lambda line: _step(out, line))
    if keep:
        where = database_folder(folder)
        _step(out, f"Kept: TRADE_SERVICE_DATABASE_DATA_DIR={where} trade-service db status")
    return {
        **summary_of(tally, took_s), "is_all_good": good, "calls": incidents.calls,
        "failed_calls": incidents.failed_calls, "reconciled": incidents.reconciled, "resent": incidents.resent,
        "alarms": incidents.alarms, "audit": report, "folder": str(database_folder(folder)) if keep else None,
    }  # fmt: skip


async def _submit(services: Services, blotter: Path, out: Console) -> tuple[Tally, Incidents]:
    began = time.monotonic()
    tally, incidents = Tally(), Incidents()
    services.events.subscribe(incidents)
    rules = LineRules.of(await services.references.get(), services.settings.execution_service.trade_types)
    source = await BlotterSource.open(str(blotter), rules)
    async with shown_progress(tally, incidents, out):
        await Submitting(services, tally, WAIT_S).submit_blotter(source)
    print_outcomes(tally, out)
    print_incidents(incidents, out)
    print_sentence(tally, time.monotonic() - began, out)
    for alarm in incidents.alarms:
        out.print(f"alarm: {alarm}", style="bold red", markup=False, soft_wrap=True)
    return tally, incidents


def demo_settings(folder: Path, base_url: str) -> Settings:
    """Short times, so that lost answers are reconciled within seconds; the user's settings are not read."""
    return Settings(
        server=ServerSettings(port=0, shutdown_grace_s=5.0),
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
    out.print(f"[bold cyan]>[/] {line}", soft_wrap=True)


def fault_script(orders: int, seed: int) -> list[str]:
    """The faults of the first calls: one call in `FAULTY_CALLS` fails, each class in turn."""
    randomness = random.Random(seed)
    calls = -(-orders // BATCH)
    script = ["ok"] * calls
    count = max(1, calls // FAULTY_CALLS)
    for turn in range(count):
        first, last = turn * calls // count, (turn + 1) * calls // count
        script[randomness.randrange(first, max(last, first + 1))] = CLASSES[turn % len(CLASSES)]
    return script


@asynccontextmanager
async def demo_simulator(
    folder: Path, script: list[str], latency_ms: float, seed: int, *, keep: bool
) -> AsyncIterator[str]:
    """Runs the simulator and yields its URL.

    It is a process that removes the folder, unless it is kept, and ends when this process ends, however it ends.
    """
    options = [
        "--latency-ms", str(latency_ms), "--seed", str(seed), "--script", ",".join(script),
        "--poison", BAD_SECURITY,
        *(("--until-input-ends",) if keep else ("--keeper-of", str(folder))),
        *(option for rate in RATES for option in ("--fault", rate)),
    ]  # fmt: skip
    try:
        async with child("trade_service.cli.main", "simulate", "--port", "0", "--fresh", *options) as process:
            yield await address_of(process, "the Execution Service simulator")
    except BenchError:
        raise CommandError(
            "the Execution Service simulator did not start: try `trade-service simulate`"
        ) from None
