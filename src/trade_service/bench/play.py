"""The scenarios, one after the other, each with what it found so far."""

import importlib
import time
from collections.abc import Awaitable, Callable, Sequence

import aiohttp
import asyncpg
import msgspec

from trade_service.bench.children import BenchError
from trade_service.bench.results import Results, Scenario
from trade_service.bench.stage import Stage
from trade_service.submission.ports import StoreUnavailable

Measure = Callable[[Stage, Scenario], Awaitable[None]]


class Play(msgspec.Struct, frozen=True):
    """Where a scenario is written, and the question that it answers."""

    module: str
    title: str


PLAYS = {
    "latency": Play("trade_service.bench.latency", "Bulk against single submission"),
    "size": Play("trade_service.bench.batch_size", "Which batch size?"),
    "concurrency": Play("trade_service.bench.concurrency", "How many batches at once?"),
    "callers": Play("trade_service.bench.coalescing", "Many callers with one execution each"),
    "memory": Play("trade_service.bench.memory", "Memory and garbage collection"),
    "load": Play("trade_service.bench.load", "Load on the HTTP API, up to overload and back"),
    "replicas": Play("trade_service.bench.replicas", "Replicas on one PostgreSQL"),
    "table": Play("trade_service.bench.table_size", "Few and many executions in the table"),
}


EXPECTED = (BenchError, StoreUnavailable, aiohttp.ClientError, asyncpg.PostgresError, OSError)
"""What may happen to a measurement against any database and any service."""


async def play(keys: Sequence[str], stage: Stage, results: Results, done: Callable[[Scenario], None]) -> None:
    """Plays scenarios and adds each to `results` as it begins, so that an interrupted one is kept as well.

    One that fails says why in its `problem`, and the next is played. `done` is told of each at its end.
    """
    for key in keys:
        module = importlib.import_module(PLAYS[key].module)
        scenario = Scenario(key, PLAYS[key].title, module.ABOUT)
        results.scenarios.append(scenario)
        measure: Measure = module.measure
        stage.title = scenario.title
        stage.step("preparing")
        began = time.monotonic()
        try:
            await measure(stage, scenario)
            scenario.complete = True
        except Exception as error:  # raised again below unless it is expected
            cause = _cause_of(error)
            if not isinstance(cause, EXPECTED):
                raise
            scenario.problem = str(cause) or type(cause).__name__
        finally:
            scenario.problem = scenario.problem or ("" if scenario.complete else "interrupted")
            scenario.seconds = round(time.monotonic() - began, 1)
            done(scenario)


def _cause_of(error: BaseException) -> BaseException:
    """The first failure inside of groups of them: what tasks raise comes in a group."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
