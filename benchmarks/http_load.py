"""`make bench-http`: requests a second and latencies over HTTP, and what becomes of them under overload.

The installed commands, each a process of its own: `simulate`, and `serve` on a PostgreSQL in a folder that is
removed afterwards. First 100 clients, each asking again as soon as it is answered; submissions in turn with the
bare loop and with the bare submission on the same database, of which they reach a share. Then submissions at a
fixed rate, five times what was measured, whether answered or not: what is still accepted a second, how the rest
is refused, and how long readiness takes meanwhile.
"""

import argparse
import asyncio
import itertools
import os
import statistics
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import aiohttp
import msgspec
import uvloop

from benchmarks import bare_submission
from benchmarks.processor import processor_s
from trade_service.bench import bare_loop
from trade_service.bench.filling import fill, filler_on
from trade_service.bench.machine import described, this_machine
from trade_service.cli.demo_folder import database_folder, make_demo_folder, remove_demo_folder
from trade_service.settings.load import load_settings
from trade_service.store.embedded import EmbeddedPostgres

COMMAND = Path(sys.executable).with_name("trade-service")
CLIENTS = 100
BATCH = 100
ORDERS = 20_000
OVERLOAD = 5
LATENCIES_MS = (0, 5, 20)
IDS = 100_000_000
"""Enough for the orders, and for the executions of one Execution Service: each has its own books."""
WARM_UP_S = 2.0
SERVED_AT_ONCE = 64
"""Bound of the service that is overloaded: its default is meant for more than this machine."""
SUBMIT = "/api/v1/tradeOrders/batch/submit"
READINESS = "/actuator/health/readiness"
START_S = 60.0
ROUNDS = 3
PROCESSES = ("postgres", "simulate", "serve", "http_load")
BARE = 20_000
"""Executions in each run of the bare loop."""

Ask = Callable[[], Awaitable[int]]


@asynccontextmanager
async def command(*arguments: str, ready: str, **environment: str) -> AsyncIterator[str]:
    """The address that a command prints once it is ready."""
    process = await asyncio.create_subprocess_exec(
        COMMAND,
        *arguments,
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START_S):
            while ready not in (line := (await process.stdout.readline()).decode()):
                assert line, f"{arguments} ended before it was ready"
        drained = asyncio.create_task(process.stdout.read())
        yield next(word.rstrip(";,") for word in line.split() if word.startswith("http://"))
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
    await drained


@asynccontextmanager
async def service(dsn: str, downstream: str, **environment: str) -> AsyncIterator[str]:
    """The address of the service."""
    fixed = {
        "EXECUTION_SERVICE_BASE_URL": downstream,
        "DATABASE_URL": dsn,
        "LOG_LEVEL": "ERROR",
    }
    async with command("serve", "--port", "0", ready="Serving on", **fixed, **environment) as address:
        yield address


class Api:
    """Calls of the service."""

    def __init__(self, session: aiohttp.ClientSession, address: str, first_order_id: int) -> None:
        self._session = session
        self._address = address
        self._order_ids = itertools.count(first_order_id)
        self.retry_after: Counter[str] = Counter()

    async def get(self, path: str) -> int:
        """The status of a read."""
        async with self._session.get(self._address + path) as response:
            await response.read()
            return response.status

    async def post(self, path: str, body: object) -> tuple[int, bytes]:
        """Status and body of a change; notes Retry-After."""
        headers = {"Content-Type": "application/json"}
        data = msgspec.json.encode(body)
        async with self._session.post(self._address + path, data=data, headers=headers) as response:
            if response.status == 503:
                self.retry_after[response.headers.get("Retry-After", "none")] += 1
            return response.status, await response.read()

    async def orders(self, count: int) -> list[int]:
        """The ids of new orders, each large enough for a great many submissions."""
        ids: list[int] = []
        while len(ids) < count:
            bodies = [
                {
                    "orderId": next(self._order_ids),
                    "portfolioId": f"P{n % 50}",
                    "orderType": "BUY",
                    "securityId": f"S{n % 500}",
                    "quantity": 1_000_000_000,
                }
                for n in range(1000)
            ]
            status, raw = await self.post("/api/v1/tradeOrders/bulk", {"tradeOrders": bodies})
            assert status == 201, raw
            ids += [one["tradeOrder"]["id"] for one in msgspec.json.decode(raw)["results"]]
        return ids

    async def submit(self, order_ids: list[int]) -> int:
        """The status of a batch; a batch that is not wholly accepted counts as 599."""
        parts = [{"tradeOrderId": i, "quantity": 1, "destinationId": 1} for i in order_ids]
        status, raw = await self.post(SUBMIT, {"submissions": parts})
        return 599 if status == 200 and b'"status":"SUCCESS"' not in raw[:40] else status


async def closed_loop(ask: Ask, seconds: float) -> dict[str, object]:
    """What CLIENTS get that ask again as soon as they are answered."""
    took_ms: list[float] = []
    statuses: Counter[int] = Counter()
    end = time.perf_counter() + seconds

    async def client() -> None:
        while (began := time.perf_counter()) < end:
            statuses[await ask()] += 1
            took_ms.append((time.perf_counter() - began) * 1000)

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(CLIENTS):
            group.create_task(client())
    whole_s = time.perf_counter() - began
    return {
        "requests": len(took_ms),
        "requests/s": round(len(took_ms) / whole_s),
        "accepted/s": round(statuses[200] / whole_s, 1),
        **_percentiles(took_ms),
        "statuses": dict(statuses),
    }


async def open_loop(ask: Ask, probe: Ask, rate: float, seconds: float) -> dict[str, object]:
    """What becomes of requests at a fixed rate, and how a probe fares meanwhile."""
    took_ms: dict[int, list[float]] = {}
    probes_ms: list[float] = []
    probed: Counter[int] = Counter()
    begun = time.perf_counter()

    async def one(due: float) -> None:
        status = await ask()
        took_ms.setdefault(status, []).append((time.perf_counter() - due) * 1000)

    async def probing() -> None:
        while time.perf_counter() - begun < seconds:
            asked = time.perf_counter()
            probed[await probe()] += 1
            probes_ms.append((time.perf_counter() - asked) * 1000)
            await asyncio.sleep(0.1)

    async with asyncio.TaskGroup() as group:
        group.create_task(probing())
        for number in range(round(rate * seconds)):
            due = begun + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            group.create_task(one(due))
    whole_s = time.perf_counter() - begun
    return {
        "offered/s": round(rate, 1),
        "accepted/s": round(len(took_ms.get(200, ())) / whole_s, 1),
        "by status": {status: {"count": len(ms), **_percentiles(ms)} for status, ms in took_ms.items()},
        "readiness": {"statuses": dict(probed), **_percentiles(probes_ms)},
    }


def _percentiles(took_ms: list[float]) -> dict[str, float]:
    """Median, 99th percentile and maximum, in milliseconds."""
    if len(took_ms) < 2:
        return {"max ms": round(max(took_ms, default=0.0), 1)}
    cuts = statistics.quantiles(took_ms, n=100)
    return {"p50 ms": round(cuts[49], 1), "p99 ms": round(cuts[98], 1), "max ms": round(max(took_ms), 1)}


def _batches(api: Api, order_ids: list[int]) -> Ask:
    """Submissions of BATCH orders, other ones each time for as long as there are."""
    starts = itertools.cycle(range(0, len(order_ids) - BATCH + 1, BATCH))

    async def ask() -> int:
        start = next(starts)
        return await api.submit(order_ids[start : start + BATCH])

    return ask


async def shares(
    session: aiohttp.ClientSession, dsn: str, latency_ms: int, first_id: int, seconds: float
) -> dict[str, object]:
    """What submissions over HTTP reach of the bare loop and of the bare submission, all three in turn."""
    options = ("--port", "0", "--fresh", "--latency-ms", str(latency_ms), "--first-id", str(first_id))
    async with (
        command("simulate", *options, ready="http://") as downstream,
        service(dsn, downstream) as address,
    ):
        api = Api(session, address, first_id)
        order_ids = await api.orders(ORDERS)
        submit = _batches(api, order_ids)
        await closed_loop(submit, WARM_UP_S)
        return await in_turn(submit, dsn, downstream, order_ids, seconds)


async def in_turn(
    submit: Ask, dsn: str, downstream: str, order_ids: list[int], seconds: float
) -> dict[str, object]:
    """The rounds of the three, and the shares of their medians."""
    runs, workers = [], load_settings({}, None, {}).settings.batch.max_concurrent
    rates: dict[str, list[float]] = {"over HTTP": [], "bare submission": [], "bare loop": []}
    async with filler_on(dsn) as engine:
        for _ in range(ROUNDS):
            before = processor_s(*PROCESSES)
            runs.append(await closed_loop(submit, seconds / ROUNDS))
            after, batches = processor_s(*PROCESSES), float(str(runs[-1]["requests"]))
            runs[-1]["processor ms a request"] = {
                name: round(1000 * (after[name] - before[name]) / batches, 2) for name in PROCESSES
            }
            rates["over HTTP"].append(BATCH * float(str(runs[-1]["accepted/s"])))
            bare = await bare_submission.run(dsn, downstream, order_ids, workers, seconds / ROUNDS)
            rates["bare submission"].append(bare.rate)
            ids = await fill(engine, BARE)
            rates["bare loop"].append((await bare_loop.run(dsn, downstream, ids, workers)).rate)
    medians = {name: statistics.median(of) for name, of in rates.items()}
    return {
        "runs": runs,
        "executions/s": {name: [round(rate) for rate in of] for name, of in rates.items()},
        "share of": {
            name: round(medians["over HTTP"] / medians[name], 2) for name in ("bare submission", "bare loop")
        },
    }


async def measure(session: aiohttp.ClientSession, dsn: str, seconds: float) -> dict[str, object]:
    """All figures."""
    figures: dict[str, object] = {"machine": described(this_machine())}
    for place, latency_ms in enumerate(LATENCIES_MS):
        name = f"POST batch/submit of {BATCH}, a call takes {latency_ms} ms"
        figures[name] = await shares(session, dsn, latency_ms, 1 + place * IDS, seconds)
        print(name, figures[name], file=sys.stderr, flush=True)
    first_id = str(1 + len(LATENCIES_MS) * IDS)
    options = ("--port", "0", "--fresh", "--first-id", first_id)
    async with command("simulate", *options, ready="http://") as downstream:
        async with service(dsn, downstream) as address:
            api = Api(session, address, 1 + len(LATENCIES_MS) * IDS)
            order_ids = await api.orders(ORDERS)
            submit = _batches(api, order_ids)
            assert await submit() == 200
            reads = {
                "GET v1 tradeOrders/{id}": f"/api/v1/tradeOrders/{order_ids[7]}",
                "GET v1 executions/{id}": "/api/v1/executions/1",
                "GET v2 tradeOrders, 50 rows": "/api/v2/tradeOrders?sort=-id",
                "GET v2 executions, 50 rows": "/api/v2/executions?sort=-id",
                "GET v2 tradeOrders, 1,000 rows": "/api/v2/tradeOrders?limit=1000",
            }
            for name, path in reads.items():
                figures[name] = await closed_loop(partial(api.get, path), seconds)
                print(name, figures[name], file=sys.stderr, flush=True)
        bound = {"TRADE_SERVICE_SERVER_MAX_CONCURRENT_REQUESTS": str(SERVED_AT_ONCE)}
        async with service(dsn, downstream, **bound) as address:
            api = Api(session, address, 1)
            submit = _batches(api, order_ids)
            usual = await closed_loop(submit, seconds / 2)
            rate = OVERLOAD * float(str(usual["accepted/s"]))
            over = await open_loop(submit, partial(api.get, READINESS), rate, seconds)
            figures[f"{OVERLOAD} times that load, {SERVED_AT_ONCE} served at once"] = {
                "without overload": usual,
                **over,
                "Retry-After": dict(api.retry_after),
            }
    return figures


async def main(arguments: argparse.Namespace) -> None:
    """Measures and prints one JSON document."""
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=120)
    folder = make_demo_folder()
    try:
        async with (
            EmbeddedPostgres.running(database_folder(folder)) as postgres,
            aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
        ):
            figures = await measure(session, postgres.dsn, arguments.seconds)
    finally:
        await remove_demo_folder(folder)
    print(msgspec.json.format(msgspec.json.encode(figures, enc_hook=str), indent=2).decode())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0, help="for each figure")
    uvloop.run(main(parser.parse_args()))
