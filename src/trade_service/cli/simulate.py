"""`trade-service simulate`: runs the Execution Service simulator until it is stopped."""

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import platformdirs
import rich_click as click
from rich.table import Table

from execution_simulator.faults import FAULTS, FaultPlanError
from execution_simulator.ledger_file import LedgerFileError
from execution_simulator.profiles import PROFILES
from execution_simulator.server import RunningSimulator, SimulatorSettings, running_simulator
from execution_simulator.settings import parse_fault_rates
from trade_service.bench.subprocesses import until_input_ends
from trade_service.cli.running import (
    CommandError,
    announce,
    options,
    print_json,
    result_console,
    run_until_stopped,
)
from trade_service.store.embedded_folder import BOOKS_FILE

SHOWN_REPEATS = 20
LATENCY_JITTER = 0.5
LATE_COMMIT_MS = 300


def _print_faults(*, as_json: bool) -> None:
    if as_json:
        print_json(
            [{"name": one.name, "text": one.text, "per_item": one.per_item} for one in FAULTS.values()]
        )
        return
    table = Table("fault", "what happens", title="Faults (rate: per call, or per item)", title_justify="left")
    for fault in FAULTS.values():
        table.add_row(fault.name, fault.text + (" (per item)" if fault.per_item else ""))
    result_console().print(table)


_latency_options = options(
    click.option("--latency-ms", "call_latency_ms", default=0.0, show_default=True, help="Latency of each call."),
    click.option("--item-latency-ms", default=0.0, show_default=True,
                 help="Additional latency per execution of a call."),
    click.option("--latency-jitter", default=LATENCY_JITTER, show_default=True,
                 type=click.FloatRange(0, 1), help="Share by which these latencies vary up or down."),
)  # fmt: skip


_fault_options = options(
    click.option("--fault", "faults", multiple=True, metavar="NAME=RATE",
                 help="A fault of submissions; repeatable."),
    click.option("--poison", multiple=True, metavar="PATTERN",
                 help="Security ids (with * and ?) whose rows fail in the database: the whole batch gets 500 "
                      "and nothing of it is committed; repeatable."),
    click.option("--lookup-fault", "lookup_faults", multiple=True, metavar="NAME=RATE",
                 help="A fault of GET calls; repeatable."),
    click.option("--script", default="", metavar="A,B:1,...", help="Faults of the first calls, in order."),
    click.option("--seed", default=1, show_default=True, help="The same seed gives the same faults."),
    click.option("--list-faults", is_flag=True, help="List all faults and exit."),
)  # fmt: skip


_books_options = options(
    click.option("--first-id", default=1, show_default=True, help="First execution id of a new ledger."),
    click.option("--books", "books_path", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
                 help="Keep the ledger in this file instead of the one in your data folder. It is read at the "
                      "start and written before each answer."),
    click.option("--fresh", is_flag=True,
                 help="Start with an empty ledger and keep it in memory only."),
)  # fmt: skip


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", default=8084, show_default=True, type=click.IntRange(0, 65535), help="0: any free port."
)
@click.option("--profile", default="real", show_default=True, type=click.Choice(list(PROFILES)),
              help="real: the deployed service's behaviour; published: its OpenAPI document.")  # fmt: skip
@_latency_options
@_fault_options
@_books_options
@click.option("--json", "as_json", is_flag=True,
              help="Print JSON: a line once it is ready, another one at the end.")  # fmt: skip
@click.option("--until-input-ends", is_flag=True, hidden=True,
              help="Stop at the end of standard input, and so with the parent process.")  # fmt: skip
@click.option("--keeper-of", type=click.Path(path_type=Path), hidden=True,
              help="The same, and then remove this folder of a demo or benchmark.")  # fmt: skip
def simulate(
    host: str, port: int, books_path: Path | None, keeper_of: Path | None, *,
    fresh: bool, until_input_ends: bool, list_faults: bool, as_json: bool, **options: Any,
) -> None:  # fmt: skip
    """Run an Execution Service simulator with seeded faults.

    It behaves like the deployed Execution Service, keeps a ledger of accepted executions across restarts, and
    prints a summary at the end.
    """
    if list_faults:
        _print_faults(as_json=as_json)
        return
    settings = _settings(**options)
    books = _books_path(books_path, fresh=fresh)
    with_parent = until_input_ends or keeper_of is not None
    try:
        run_until_stopped(
            lambda stopping: _simulate(
                settings, host, port, stopping, books, with_parent=with_parent, as_json=as_json
            )
        )
    except LedgerFileError as error:
        raise CommandError(f"{error} with --books, or use --fresh") from None
    if keeper_of is not None:
        from trade_service.cli.demo_folder import remove_demo_folder

        asyncio.run(remove_demo_folder(keeper_of))


def _books_path(given: Path | None, *, fresh: bool) -> Path | None:
    """The ledger file; None keeps the ledger in memory."""
    if fresh:
        if given is not None:
            raise CommandError("--fresh uses no file: omit --fresh or --books")
        return None
    if given is not None:
        return given
    folder = platformdirs.user_data_path("globeco-trade-service", appauthor=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(
            f"cannot keep the ledger in {folder} ({error.strerror}): name a file with --books, or use --fresh"
        ) from error
    return folder / BOOKS_FILE


def _settings(
    *,
    faults: tuple[str, ...],
    lookup_faults: tuple[str, ...],
    poison: tuple[str, ...],
    script: str,
    **plain: Any,
) -> SimulatorSettings:
    try:
        return SimulatorSettings(
            faults=parse_fault_rates(faults),
            lookup_faults=parse_fault_rates(lookup_faults),
            poison=list(poison),
            script=[entry.strip() for entry in script.split(",") if entry.strip()],
            late_commit_ms=LATE_COMMIT_MS,
            **plain,
        )
    except FaultPlanError as error:
        raise CommandError(f"{error} (see `trade-service simulate --list-faults`)") from None


async def _simulate(
    settings: SimulatorSettings, host: str, port: int, stopping: asyncio.Event,
    books_path: Path | None, *, with_parent: bool, as_json: bool,
) -> None:  # fmt: skip
    try:
        async with running_simulator(settings, host, port, books_path) as simulator:
            _say_ready(simulator, books_path, as_json=as_json)
            if with_parent:
                # Any end of the parent closes standard input, `kill -9` included.
                with contextlib.suppress(asyncio.CancelledError):
                    await until_input_ends(stopping.wait())
            else:
                await stopping.wait()
                _print_ledger(simulator, as_json=as_json)
    except OSError as error:
        raise CommandError(
            f"cannot listen on {host}:{port}: {error.strerror}; choose another --port"
        ) from error


def _say_ready(simulator: RunningSimulator, books_path: Path | None, *, as_json: bool) -> None:
    held = simulator.ledger.total
    lines = [f"Execution Service simulator on {simulator.base_url}, Ctrl-C stops it"]
    if books_path is not None:
        lines.append(
            f"Its ledger is {books_path} ({held:,} executions so far); --fresh starts with an empty one"
        )
    facts = {
        "url": simulator.base_url,
        "books": None if books_path is None else str(books_path),
        "executions": held,
    }
    announce("\n".join(lines), facts if as_json else None)


def _print_ledger(simulator: RunningSimulator, *, as_json: bool) -> None:
    console = result_console()
    counts = simulator.ledger.accepted_counts()
    twice = {key: count for key, count in sorted(counts.items()) if count > 1}
    if as_json:
        facts = {"accepted": simulator.ledger.total, "executions": len(counts), "accepted_twice": twice}
        announce("", facts | {"calls": simulator.calls, "faults": simulator.faults_met})
        return
    table = Table("", "count", title="Ledger of the Execution Service simulator", title_justify="left")
    table.add_row("executions accepted", f"{simulator.ledger.total:,}")
    table.add_row("distinct executions", f"{len(counts):,}")
    table.add_row("accepted more than once", f"{len(twice):,}")
    for name, count in sorted(simulator.calls.items()):
        table.add_row(f"calls: {name}", f"{count:,}")
    for name, count in sorted(simulator.faults_met.items()):
        table.add_row(f"fault: {name}", f"{count:,}")
    console.print(table)
    for key, count in list(twice.items())[:SHOWN_REPEATS]:
        console.print(f"execution {key} was accepted {count} times", highlight=False)
