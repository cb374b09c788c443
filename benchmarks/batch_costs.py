"""Where the time of a batch goes, by process and by step."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import psutil

from trade_service.bench import bare_loop
from trade_service.bench.environment import Environment
from trade_service.bench.results import Better, Scenario
from trade_service.bench.runs import engine_rate, runs_on

BATCH = 100
STEPS = {
    "request built and encoded": (
        "trade_service.submission.batch_processor", "ExecutionBatchProcessor", "build_batch_request"),
    "answer decoded": ("trade_service.execution_service.wire", "", "decode_batch_answer"),
    "answer interpreted": (
        "trade_service.submission.batch_processor", "ExecutionBatchProcessor", "process_response"),
    "outcomes decided": ("trade_service.submission.failure_handler", "ExecutionFailureHandler", "close_reply"),
    "outcomes published": ("trade_service.submission.service", "", "publish_outcomes"),
    "metrics": ("trade_service.observability.metrics", "BulkExecutionMetrics", "__call__"),
    "log line": ("trade_service.observability.submission_log", "SubmissionLog", "__call__"),
}  # fmt: skip
"""The engine's own steps: module, class if any, and function."""


async def batch(environment: Environment, scenario: Scenario) -> None:
    """Engine and bare loop in turn on one database and one Execution Service, all on the same cores: processor
    time per batch of 100 by process, and wall time. PostgreSQL's share of the bare loop is what the other
    processes left, because its connections end with the run. Then the engine's own steps, timed in a further
    run; what they leave of the service's time is the driver, the HTTP client and the event loop. Needs an
    otherwise idle machine.
    """
    count = environment.preset.pick(500, 20_000, 20_000)
    repetitions, cores = environment.preset.pick(1, 8, 8), psutil.cpu_count() or 1
    chart = scenario.chart("Time per batch of 100", "executions per run", "µs")
    async with runs_on(environment, 0.0, count) as runs, runs.services() as services:
        for repetition in range(repetitions):
            environment.step(f"repetition {repetition + 1} of {repetitions}")
            for name in ("engine", "bare loop"):
                ids, begun = await runs.supply.take(count), _used()
                if name == "engine":
                    await engine_rate(services, ids)
                else:
                    await bare_loop.run(runs.dsn, runs.base_url, ids, services.settings.batch.max_concurrent)
                spent = {key: (value - begun[key]) / count * BATCH * 1e6 for key, value in _used().items()}
                if name == "bare loop":
                    others = spent["idle"] + spent["service"] + spent["simulator"]
                    spent["postgres"] = cores * spent["wall"] - others
                for key, value in spent.items():
                    chart.line_of(f"{name}: {key}", Better.LESS).add(count, round(value))
        environment.step("steps")
        with _timed() as spent_s:
            await engine_rate(services, await runs.supply.take(count))
    steps = scenario.chart("Steps of the engine", "executions per run", "µs per batch")
    for name, seconds in spent_s.items():
        steps.line(name, Better.LESS).add(count, round(seconds / count * BATCH * 1e6))
    wall = {one.name: one.medians()[count] for one in chart.series if one.name.endswith("wall")}
    scenario.find(
        f"A batch takes {wall['engine: wall']:,.0f} µs, of the bare loop {wall['bare loop: wall']:,.0f} µs."
    )


def _used() -> dict[str, float]:
    """Seconds so far: wall time, and processor time by process."""
    idle = psutil.cpu_times()
    return {
        "wall": time.perf_counter(),
        "service": time.process_time(),
        "idle": idle.idle + getattr(idle, "iowait", 0.0),
    } | {
        name.replace("simulate", "simulator"): used
        for name, used in processor_s("postgres", "simulate").items()
    }


def processor_s(*names: str) -> dict[str, float]:
    """Processor seconds of living processes, by the first of the names that their command line contains."""
    spent_s = dict.fromkeys(names, 0.0)
    for process in psutil.process_iter(["name", "cmdline", "cpu_times"]):
        command = f"{process.info['name']} {' '.join(process.info['cmdline'] or ())}"
        spent = process.info["cpu_times"]
        name = next((name for name in names if name in command), None)
        if name is not None and spent is not None:
            spent_s[name] += spent.user + spent.system
    return spent_s


@contextmanager
def _timed() -> Iterator[Mapping[str, float]]:
    """Times every step while active; yields the seconds so far."""
    spent_s, undo = dict.fromkeys(STEPS, 0.0), list[tuple[Any, str, Any]]()

    def timing(step: str, function: Any) -> Any:
        def timed(*arguments: Any, **options: Any) -> Any:
            begun = time.perf_counter()
            try:
                return function(*arguments, **options)
            finally:
                spent_s[step] += time.perf_counter() - begun

        return timed

    for step, (module, class_name, name) in STEPS.items():
        owner = import_module(module)
        owner = getattr(owner, class_name) if class_name else owner
        undo.append((owner, name, getattr(owner, name)))
        setattr(owner, name, timing(step, getattr(owner, name)))
    try:
        yield spent_s
    finally:
        for owner, name, function in undo:
            setattr(owner, name, function)
