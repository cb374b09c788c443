"""Runs a benchmark: starts what it needs, measures each question, and writes the results after each."""

import datetime
import importlib
import inspect
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import aiohttp
import asyncpg
import msgspec

from trade_service import __version__
from trade_service.bench.environment import Environment, Report, Server, Target, opened_environment
from trade_service.bench.machine import this_machine
from trade_service.bench.preset import Preset
from trade_service.bench.report import report
from trade_service.bench.results import FORMAT, Results, Scenario, write_results
from trade_service.bench.subprocesses import BenchError
from trade_service.submission.ports import StoreUnavailable

Measure = Callable[[Environment, Scenario], Awaitable[None]]


class Question(msgspec.Struct, frozen=True):
    """A question, and the function that measures it as `module:function`.

    The function's docstring describes the method in the report.
    """

    measured_by: str
    title: str

    def load(self) -> Measure:
        """Imports the function."""
        module, _, name = self.measured_by.partition(":")
        measure: Measure = getattr(importlib.import_module(module), name)
        return measure


QUESTIONS = {
    "latency": Question(
        "trade_service.bench.throughput:bulk_against_single", "Bulk against single submission"
    ),
    "size": Question("trade_service.bench.throughput:batch_size", "Which batch size?"),
    "concurrency": Question("trade_service.bench.throughput:batches_at_once", "How many batches at once?"),
    "memory": Question("trade_service.bench.memory:memory", "Memory and garbage collection"),
    "load": Question("trade_service.bench.load:load", "Load on the HTTP API, up to overload and back"),
}
EXPECTED = (BenchError, StoreUnavailable, aiohttp.ClientError, asyncpg.PostgresError, OSError)
"""Failures that any database or service may cause."""


class Plan(msgspec.Struct, frozen=True):
    """What to measure, against what, and where to write the results (`stem` plus a suffix)."""

    preset: Preset
    questions: Mapping[str, Question]
    stem: Path
    target: Target = Target()
    downstream: str = "simulator"
    """Names the Execution Service in the report."""


async def run(
    plan: Plan,
    server: AbstractAsyncContextManager[Server | None],
    progress: Report,
    done: Callable[[Scenario], None],
) -> Results:
    """Measures every question of a plan on a PostgreSQL server, which may be None for a service under `--url`.

    Writes the results after each, so that an interrupted run keeps them. `done` receives each finished question.
    """
    clock = time.monotonic()
    results = Results(
        FORMAT, datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"), __version__,
        plan.preset.name, this_machine(), database="", downstream=plan.downstream, interrupted=True,
    )  # fmt: skip

    def finished(scenario: Scenario) -> None:
        results.seconds = round(time.monotonic() - clock, 1)
        _write(results, plan.stem)
        done(scenario)

    try:
        async with (
            server as postgres,
            opened_environment(postgres, plan.preset, plan.target, progress) as environment,
        ):
            results.database = "" if postgres is None else f"PostgreSQL {await postgres.version()}"
            for key, question in plan.questions.items():
                await _answer(key, question, environment, results, finished)
        results.interrupted = False
    finally:
        _write(results, plan.stem)
    return results


async def _answer(
    key: str,
    question: Question,
    environment: Environment,
    results: Results,
    finished: Callable[[Scenario], None],
) -> None:
    """Measures one question; an expected failure becomes its `problem`."""
    measure = question.load()
    scenario = Scenario(key, question.title, " ".join((inspect.getdoc(measure) or "").split()))
    results.scenarios.append(scenario)
    environment.title = scenario.title
    environment.step("preparing")
    began = time.monotonic()
    try:
        await measure(environment, scenario)
        scenario.complete = True
    except Exception as error:  # raised again unless expected
        cause = _cause_of(error)
        if not isinstance(cause, EXPECTED):
            raise
        scenario.problem = str(cause) or type(cause).__name__
    finally:
        scenario.problem = scenario.problem or ("" if scenario.complete else "interrupted")
        scenario.seconds = round(time.monotonic() - began, 1)
        finished(scenario)


def _cause_of(error: BaseException) -> BaseException:
    """The first leaf of nested exception groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _write(results: Results, stem: Path) -> None:
    write_results(results, stem.with_name(f"{stem.name}.json"))
    stem.with_name(f"{stem.name}.html").write_text(report(results), "utf-8")
