"""`trade-service bench`: measurements for users, and the comparison of two of them."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import rich_click as click

from trade_service.bench.compare import compare
from trade_service.bench.effort import DEFAULT, FULL, QUICK, Effort
from trade_service.bench.play import PLAYS
from trade_service.bench.results import read_results
from trade_service.bench.stage import Target
from trade_service.cli.bench_plan import LOAD, Plan, check_plan
from trade_service.cli.bench_view import print_comparison
from trade_service.cli.interaction import result_console
from trade_service.cli.running import run_until_done
from trade_service.observability.logs import configure_logs
from trade_service.section import root_url
from trade_service.settings.load import load_settings

INCOMPLETE = 1


def _address(_: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is None:
        return None
    try:
        return root_url(value)
    except ValueError as error:
        raise click.BadParameter(f"must be {error}", param_hint=parameter.opts[0]) from None


SERVICE_HELP = (
    "A trade service that runs: only the scenario `load`, against it. Orders are created there and submitted."
)
EXECUTION_SERVICE_HELP = (
    "An Execution Service to send to: executions are created there. Latencies are then what they are."
)
DATABASE_HELP = (
    "A PostgreSQL to measure on, as a user that may create databases: databases are made there for the run "
    "and dropped."
)
OUTPUT_HELP = "Where STEM.json and STEM.html are written.  [default: bench-<time> here]"


def _target_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What is measured in place of what the command starts itself."""
    for option in (
        click.option("--yes", is_flag=True, help="Do not ask before load goes to what was given."),
        click.option("--key", envvar="TRADE_SERVICE_API_KEY", help="API key for --url."),
        click.option("--url", "service_url", callback=_address, help=SERVICE_HELP),
        click.option("--execution-service-url", callback=_address, help=EXECUTION_SERVICE_HELP),
        click.option("--database-url", help=DATABASE_HELP),
    ):
        command = option(command)
    return command


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--quick", "effort", flag_value="quick", help="Seconds: only to see that it works.")
@click.option("--full", "effort", flag_value="full", help="Everything, long enough for a quiet night.")
@click.option("--only", multiple=True, type=click.Choice(list(PLAYS)), help="This scenario; repeatable.")
@click.option("--output", type=click.Path(path_type=Path), metavar="STEM", help=OUTPUT_HELP)
@_target_options
@click.pass_context
def bench(
    context: click.Context, effort: str | None, only: tuple[str, ...], output: Path | None, *,
    database_url: str | None, execution_service_url: str | None, service_url: str | None, key: str | None,
    yes: bool,
) -> None:  # fmt: skip
    """Measure on this machine what the service does in a second, with how much, and up to where.

    Starts a PostgreSQL and stand-in Execution Services of its own in a temporary folder, measures, and removes
    them; no setting counts. About 3 minutes. Ctrl-C ends it and keeps what was found so far.
    """
    if context.invoked_subcommand is not None:
        return
    configure_logs("CRITICAL", "auto")
    target = Target(execution_service_url, service_url, key)
    everything = tuple(PLAYS) if service_url is None else (LOAD,)
    plan = Plan(_effort(effort), only or everything, output, _database(database_url), target)
    question = check_plan(plan)
    if question and not yes:
        click.confirm(f"{question} Go on?", abort=True, err=True)
    from trade_service.cli.bench_run import measure

    results = run_until_done(lambda: measure(plan, result_console()))
    sys.exit(0 if all(scenario.complete for scenario in results.scenarios) else INCOMPLETE)


def _database(url: str | None) -> str | None:
    """The URL in full, in whichever spelling it was given; raises SettingsError."""
    return None if url is None else load_settings({}, None, {"database.url": url}).settings.database.url


def _effort(name: str | None) -> Effort:
    return {"quick": QUICK, "full": FULL}.get(name or "", DEFAULT)


@bench.command("compare")
@click.argument("before", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("after", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--strict", is_flag=True, help="Exit code 1 when something became worse.")
def compare_files(before: Path, after: Path, *, strict: bool) -> None:
    """Compare two result files, ratio by ratio: AFTER against BEFORE.

    A figure is better or worse when the repetitions of the two runs do not overlap and their medians differ by 5 %
    or more; all else is the same, as far as these runs can tell.
    """
    comparison = compare(read_results(before), read_results(after))
    print_comparison(comparison, result_console())
    if strict and comparison.count("worse"):
        sys.exit(INCOMPLETE)
