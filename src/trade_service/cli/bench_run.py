"""One run of `trade-service bench`: everything started, every scenario played, everything removed."""

import datetime
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from rich.console import Console

from trade_service import __version__
from trade_service.bench.children import simulator
from trade_service.bench.machine import described, this_machine
from trade_service.bench.play import play
from trade_service.bench.report import report
from trade_service.bench.results import FORMAT, Results, Scenario, write_results
from trade_service.bench.stage import Server, opened_stage
from trade_service.cli.bench_plan import Plan
from trade_service.cli.bench_view import print_scenario
from trade_service.cli.demo_folder import database_folder, make_demo_folder
from trade_service.cli.running import say
from trade_service.store.embedded import EmbeddedPostgres

PREFIX = "trade-service-bench-"
Tell = Callable[[str, str], None]


async def measure(plan: Plan, out: Console) -> Results:
    """Plays the scenarios of a plan; shows and writes each as soon as it is there."""
    began = datetime.datetime.now(datetime.UTC)
    stem, clock = plan.stem(began.astimezone()), time.monotonic()
    results = Results(
        FORMAT, began.isoformat(timespec="seconds"), __version__, plan.effort.name, this_machine(),
        database="", downstream=plan.downstream,
    )  # fmt: skip
    out.print(
        f"[bold]trade-service bench[/] ({plan.effort.name}): {described(results.machine)}", soft_wrap=True
    )

    def done(scenario: Scenario) -> None:
        results.seconds = round(time.monotonic() - clock, 1)
        write(results, stem)
        print_scenario(scenario, out)

    results.interrupted = True
    try:
        with _shown(out) as tell:
            async with (
                _server(plan, tell) as server,
                opened_stage(server, plan.effort, plan.target, tell) as stage,
            ):
                results.database = "" if server is None else f"PostgreSQL {await server.version()}"
                await play(plan.scenarios, stage, results, done)
        results.interrupted = False
    finally:
        write(results, stem)
        out.print(f"Written: {stem}.json and {stem}.html", highlight=False, soft_wrap=True)
    return results


def write(results: Results, stem: Path) -> None:
    """The JSON file, and the report of it."""
    write_results(results, stem.with_name(f"{stem.name}.json"))
    stem.with_name(f"{stem.name}.html").write_text(report(results), "utf-8")


@asynccontextmanager
async def _server(plan: Plan, tell: Tell) -> AsyncIterator[Server | None]:
    """The PostgreSQL of the plan, else one in a temporary folder that nothing outlives.

    None where a service is measured that has its own.
    """
    if plan.target.service_url is not None:
        yield None
        return
    if plan.database_url is not None:
        yield Server(plan.database_url)
        return
    tell("", "starting PostgreSQL")
    folder = make_demo_folder(PREFIX)
    async with (
        simulator(0.0, keeper_of=folder),
        EmbeddedPostgres.running(database_folder(folder), progress=lambda line: tell("", line)) as postgres,
    ):
        yield Server(postgres.dsn)


@contextmanager
def _shown(out: Console) -> Iterator[Tell]:
    """How far it is: on a terminal the present step, elsewhere a line for each scenario."""
    if out.is_terminal:
        with out.status("") as status:
            yield lambda title, line: status.update(f"{title}: {line}" if title else line)
        return
    last = ""

    def tell(title: str, _: str) -> None:
        nonlocal last
        if title != last:
            say(f"Measuring: {title} ...")
        last = title

    yield tell
