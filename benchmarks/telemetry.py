"""The cost of metrics and traces. Also the collector's process, which accepts every POST."""

import math
import os
import statistics
import sys
import threading
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from trade_service.bench.environment import Environment
from trade_service.bench.results import Better, Scenario
from trade_service.bench.runs import Runs, engine_rate, runs_on
from trade_service.bench.subprocesses import address_of, child, print_line
from trade_service.bootstrap.container import Services

NORMAL_95 = 1.96
OFF, AGAIN, METRICS, TRACES = "off", "off again", "metrics", "metrics and traces"


async def telemetry(environment: Environment, scenario: Scenario) -> None:
    """The same engine several times in one process: without metrics, with them, and with traces too, which a
    collector in another process accepts. They run in turn, each round starting with another one. A cost is the
    median over the rounds of what a run lost against the one without in the same round, in throughput and in
    processor time, with its 95 % confidence interval. A second engine without metrics checks the method: its
    cost is 0.
    """
    pick = environment.preset.pick
    count, rounds = pick(200, 4_000, 4_000), int(os.environ.get("ROUNDS") or pick(2, 50, 200))
    rates = scenario.chart("Throughput", "round", "executions/s")
    costs = scenario.chart("Processor time per execution", "round", "µs")
    async with runs_on(environment, 0.0, 4 * count) as runs, _engines(runs) as running:
        rate = {name: rates.line(name) for name in running}
        cost = {name: costs.line(name, Better.LESS) for name in running}
        names = list(running)
        for number in range(rounds):
            environment.step(f"round {number + 1} of {rounds}")
            first = number % len(names)
            for name in names[first:] + names[:first]:
                ids = await runs.supply.take(count)
                begun_s = time.process_time()
                rate[name].add(number, await engine_rate(running[name], ids))
                cost[name].add(number, (time.process_time() - begun_s) / count * 1_000_000)
    off_rate, off_cost = rate[OFF].medians(), cost[OFF].medians()
    for name in (AGAIN, METRICS, TRACES):
        lost = [1 - value / off_rate[x] for x, value in rate[name].medians().items()]
        added = [value / off_cost[x] - 1 for x, value in cost[name].medians().items()]
        scenario.find(f"{name}: {_cost_of(lost)} of the throughput, {_cost_of(added)} more processor time.")


def _cost_of(shares: Sequence[float]) -> str:
    low, high = interval(shares)
    return f"{100 * statistics.median(shares):.1f} % ({100 * low:.1f} to {100 * high:.1f} %)"


def interval(shares: Sequence[float]) -> tuple[float, float]:
    """The 95 % confidence interval of the median: the order statistics of a sign test."""
    count = len(shares)
    first = max(0, count // 2 - round(NORMAL_95 * math.sqrt(count) / 2))
    ordered = sorted(shares)
    return ordered[first], ordered[count - 1 - first]


@asynccontextmanager
async def _engines(runs: Runs) -> AsyncIterator[Mapping[str, Services]]:
    """All engines, warmed up."""
    off = {"metrics.enabled": "false", "batch.metrics_enabled": "false"}
    async with AsyncExitStack() as stack:
        process = await stack.enter_async_context(child("benchmarks.telemetry"))
        traces = {"telemetry.traces_url": f"{await address_of(process, 'the collector')}/v1/traces"}
        settings: dict[str, dict[str, str]] = {OFF: off, AGAIN: off, METRICS: {}, TRACES: traces}
        yield {
            name: await stack.enter_async_context(runs.services(**values))
            for name, values in settings.items()
        }


class Collector(BaseHTTPRequestHandler):
    """Answers every POST with 200."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Accepts one message."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Logs nothing."""


def main() -> None:
    """Serves until standard input ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    print_line(f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
