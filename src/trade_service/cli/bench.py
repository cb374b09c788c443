"""`trade-service bench`: measures this machine, or compares two measurements."""

import datetime
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import rich_click as click
from rich.console import Console

from trade_service.bench.compare import compare
from trade_service.bench.environment import Report, Server, Target
from trade_service.bench.machine import described, this_machine
from trade_service.bench.preset import PRESETS
from trade_service.bench.results import Results, read_results
from trade_service.bench.runner import QUESTIONS, Plan, Question, run
from trade_service.bench.subprocesses import simulator
from trade_service.cli.bench_tables import print_comparison, print_scenario
from trade_service.cli.demo_folder import database_folder, make_demo_folder
from trade_service.cli.running import (
    CommandError,
    checked_url,
    console_for,
    json_option,
    key_option,
    options,
    print_json,
    run_until_done,
    say,
)
from trade_service.masking import mask_url
from trade_service.observability.logs import configure_logs
from trade_service.settings.load import load_settings
from trade_service.store.embedded import EmbeddedPostgres

INCOMPLETE = 1
LOAD = "load"
PREFIX = "trade-service-bench-"
IN_CHECKOUT = ("callers", "replicas", "table")
"""Questions that a checkout answers with `make bench-more`."""


_target_options = options(
    click.option(
        "--database-url",
        help="A PostgreSQL to use, as a user that may create databases: the run creates databases there and "
        "drops them.",
    ),
    click.option(
        "--execution-service-url",
        callback=checked_url,
        help="An Execution Service to use: executions are created there; its latency counts.",
    ),
    click.option(
        "--url",
        "service_url",
        callback=checked_url,
        help="A running trade service: creates orders there and submits them (only `load`).",
    ),
    key_option("API key for --url."),
    click.option("--yes", is_flag=True, help="Do not ask before sending load to a given target."),
)
"""What to measure instead of what the command starts itself."""


def bench_command(questions: Mapping[str, Question]) -> click.Group:
    """The command for these questions."""

    @click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
    @click.option("--quick", "preset", flag_value="quick", help="Seconds: only a smoke test.")
    @click.option("--full", "preset", flag_value="full", help="Everything, for a quiet night.")
    @click.option("--only", multiple=True, type=_OneOf(list(questions)), help="This question; repeatable.")
    @click.option("--output", type=click.Path(path_type=Path), metavar="STEM",
                  help="Write STEM.json and STEM.html.  [default: bench-<time> here]")  # fmt: skip
    @_target_options
    @json_option
    @click.pass_context
    def bench(
        context: click.Context, /, preset: str | None, only: tuple[str, ...], output: Path | None, *,
        database_url: str | None, yes: bool, as_json: bool, **target: str | None,
    ) -> None:  # fmt: skip
        """Measure throughput, latency and memory of the service on this machine.

        Starts its own PostgreSQL and Execution Service simulators in a temporary folder, ignores your settings,
        and removes everything afterwards. Takes about 2 minutes. Ctrl-C stops it and keeps the results so far.
        """
        if context.invoked_subcommand is not None:
            return
        configure_logs("CRITICAL", "auto")
        given = Target(**target)
        chosen = only or (tuple(questions) if given.service_url is None else (LOAD,))
        url = _database(database_url)
        warnings = check(given, chosen, url, output)
        if warnings and not yes:
            click.confirm(f"{warnings} Continue?", abort=True, err=True)
        stem = output or Path(f"bench-{datetime.datetime.now().astimezone():%Y%m%d-%H%M%S}")
        plan = Plan(
            PRESETS[preset or "default"],
            {key: questions[key] for key in chosen},
            stem,
            given,
            _downstream(given),
        )
        results = run_until_done(lambda: _measure(plan, url, console_for(as_json=as_json)))
        if as_json:
            print_json(results)
        sys.exit(0 if all(scenario.complete for scenario in results.scenarios) else INCOMPLETE)

    bench.add_command(compare_files)
    return bench


class _OneOf(click.Choice[str]):
    """A choice that names the replacement for questions that moved to the repository."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value in IN_CHECKOUT and value not in self.choices:
            self.fail(f"{value!r} needs a checkout: run `make bench-more ONLY={value}` there.", param, ctx)
        return super().convert(value, param, ctx)


@click.command("compare")
@click.argument("before", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("after", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--strict", is_flag=True, help="Exit with 1 if a figure got worse.")
@json_option
def compare_files(before: Path, after: Path, *, strict: bool, as_json: bool) -> None:
    """Compare two result files figure by figure: AFTER against BEFORE.

    A figure is better or worse if the repetitions of the two runs do not overlap and their medians differ by at
    least 5 %; otherwise it is the same, as far as these runs can show.
    """
    comparison = compare(read_results(before), read_results(after))
    print_comparison(comparison, console_for(as_json=as_json))
    if as_json:
        print_json(comparison)
    if strict and comparison.count("worse"):
        sys.exit(INCOMPLETE)


def _database(url: str | None) -> str | None:
    """The URL in canonical form; raises SettingsError."""
    return None if url is None else load_settings({}, None, {"database.url": url}).settings.database.url


def is_here(url: str) -> bool:
    """Whether a URL names this machine; one without a host does not."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check(target: Target, questions: tuple[str, ...], database_url: str | None, output: Path | None) -> str:
    """Returns warnings to confirm; empty if the run only touches what it starts itself.

    Raises CommandError for options that exclude one another.
    """
    if target.service_url is not None and (database_url or target.execution_service_url):
        raise CommandError(
            "--url measures a service with its own database and Execution Service: use it alone"
        )
    if target.service_url is not None and questions != (LOAD,):
        raise CommandError(f"--url: a running service can only be measured with --only {LOAD}")
    if output is not None and not output.absolute().parent.is_dir():
        raise CommandError(f"--output: folder {output.absolute().parent} does not exist")
    warnings = []
    if target.service_url is not None:
        warnings.append(
            f"Creates orders at {mask_url(target.service_url)} and submits them, beyond its capacity."
        )
    if target.execution_service_url is not None:
        downstream = mask_url(target.execution_service_url)
        warnings.append(f"Sends tens of thousands of executions to {downstream}, which may trade them.")
    if database_url is not None and not is_here(database_url):
        warnings.append(f"Creates, fills and drops databases at {mask_url(database_url)}.")
    return " ".join(warnings)


def _downstream(target: Target) -> str:
    if target.service_url is not None:
        return f"that of {mask_url(target.service_url)}"
    given = target.execution_service_url
    return "simulator" if given is None else mask_url(given)


async def _measure(plan: Plan, database_url: str | None, out: Console) -> Results:
    """Runs a plan, printing each question as it finishes."""
    out.print(
        f"[bold]trade-service bench[/] ({plan.preset.name}): {described(this_machine())}", soft_wrap=True
    )
    try:
        with _progress(out) as report:
            server = _server(plan.target, database_url, report)
            return await run(plan, server, report, lambda scenario: print_scenario(scenario, out))
    finally:
        out.print(f"Written: {plan.stem}.json and {plan.stem}.html", soft_wrap=True)


@asynccontextmanager
async def _server(target: Target, database_url: str | None, report: Report) -> AsyncIterator[Server | None]:
    """The given PostgreSQL, else one in a temporary folder; None for a service with its own database."""
    if target.service_url is not None or database_url is not None:
        yield None if database_url is None else Server(database_url)
        return
    report("", "starting PostgreSQL")
    folder = make_demo_folder(PREFIX)
    # The simulator outlives even a killed benchmark, and then removes the folder.
    async with (
        simulator(0.0, keeper_of=folder),
        EmbeddedPostgres.running(database_folder(folder), progress=lambda line: report("", line)) as postgres,
    ):
        yield Server(postgres.dsn)


@contextmanager
def _progress(out: Console) -> Iterator[Report]:
    """Shows the current step on a terminal, and one line per question elsewhere."""
    if out.is_terminal:
        with out.status("") as status:
            yield lambda title, line: status.update(f"{title}: {line}" if title else line)
        return
    last = ""

    def report(title: str, _: str) -> None:
        nonlocal last
        if title != last:
            say(f"Measuring: {title} ...")
        last = title

    yield report


bench = bench_command(QUESTIONS)
