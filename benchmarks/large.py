"""Years of data: the same work beside a million executions and beside ten million."""

import asyncio
import os
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal
from typing import TypeVar

import aiohttp
import asyncpg
import msgspec

from benchmarks.large_tables import DESTINATIONS, PER_ATTEMPT, SECURITIES, fill_large
from trade_service.bench.environment import Environment, serving
from trade_service.bench.results import Better, Scenario, place, short
from trade_service.bench.runs import Runs
from trade_service.bench.seeding import connected, supply_on
from trade_service.bench.subprocesses import BenchError, simulator
from trade_service.bootstrap.container import Services
from trade_service.store.database import Database
from trade_service.store.reports import PostgresAuditReads
from trade_service.store.store_settings import StoreSettings
from trade_service.submission.clock import SystemClock
from trade_service.submission.messages import Listing, RemoteExecution, RemoteExecutionPage, RemotePagination
from trade_service.trading.ledger_audit import run_audit

GOAL = 0.9
BYTES_EACH = 700
"""Of disk for each execution, with its share of the order, the attempt, the indexes and the log of changes."""
MOST_WITHOUT_SPARE = 10_000_000
AWAY = "http://127.0.0.1:9"
BATCH = 100
QUICK_RECOVERY = {"submission.recovery_poll_ms": 50, "retry.initial_delay_ms": 1, "retry.max_delay_ms": 1}
RECOVERY_S = 120.0
POLL_S = 0.02

_LOST = """
WITH owned AS (
    UPDATE execution SET submission_state = 'claimed', attempt_id = $1, attempts_spent = 1,
                         give_up_at = now() + interval '900 s'
    WHERE id = ANY($2::int[])
)
INSERT INTO submission_attempt (id, state, owner, execution_ids, started_at, lease_until, settle_ms, floor_id,
                                floor_execution_id, epoch, next_action_at)
SELECT $1, 'sent', 'gone', $2::int[], now() - interval '1 s', now() - interval '1 s', 0, high_water_id,
       high_water_execution_id, epoch, now()
FROM downstream
"""
_LEFT = "SELECT count(*) FROM execution WHERE id = ANY($1::int[]) AND submission_state <> 'accepted'"

T = TypeVar("T")
Path = Callable[["Side"], str]
READS: Mapping[str, Path] = {
    "execution by id": lambda side: f"/api/v1/executions/{side.any_execution()}",
    "trade order by id": lambda side: f"/api/v1/tradeOrders/{side.any_order()}",
    "executions of an order": lambda side: f"/api/v2/executions?tradeOrderId={side.any_order()}",
    "order by orderId": lambda side: f"/api/v2/tradeOrders?orderId={side.any_order()}",
    "execution by executionServiceId": lambda side: (
        f"/api/v2/executions?executionServiceId={side.any_execution()}"
    ),
    "attempts of an execution": lambda side: f"/api/v2/executions/{side.any_execution()}/attempts",
    "page of executions by cursor": lambda side: side.cursor_path("executions", "sort=id"),
    "page of executions by cursor, newest first": lambda side: side.cursor_path(
        "executions", "sort=-executionTimestamp"
    ),
    "page of orders by cursor": lambda side: side.cursor_path("tradeOrders", "sort=id"),
    "page of orders by cursor, one security": lambda side: side.cursor_path(
        "tradeOrders", "security.securityId=S7&sort=-id"
    ),
}


async def large(environment: Environment, scenario: Scenario) -> None:
    """Two databases on one server, one with ten times the finished work of the other, are measured in turn, so
    that both meet the same conditions: look-ups and pages of lists by cursor over HTTP, both parts of the audit
    (the ledger's rows are made up in this process), submission in batches and by one caller, and recovery of
    attempts whose owner died, until all of their executions are accepted. Each figure is a rate; the larger
    database should reach nine tenths of the smaller one's.
    """
    pick = environment.preset.pick
    usual = pick(20_000, 1_000_000, 10_000_000)
    rows = int(os.environ.get("EXECUTIONS") or usual) // (10 * BATCH) * (10 * BATCH)
    _check_disk(rows)
    rates = Rates(scenario, pick(1, 3, 7))
    async with AsyncExitStack() as stack:
        sides = [await stack.enter_async_context(filled(environment, each)) for each in (rows // 10, rows)]
        await _read(environment, sides, rates, pick(2, 30, 60))
        await _audit(environment, sides, rates, pick(1, 1, 1))
        await _work(environment, sides, rates, pick(200, 2_000, 10_000))
    rates.conclude()


class Rates:
    """Figures per second by question, at both sizes."""

    def __init__(self, scenario: Scenario, rounds: int) -> None:
        self._scenario = scenario
        self._chart = scenario.chart("Rates", "executions in the database", "per second", log=True)
        self.rounds = rounds

    def add(self, name: str, side: "Side", per_second: float) -> None:
        self._chart.line_of(name, Better.MORE).add(side.rows, per_second)

    def conclude(self) -> None:
        for line in self._chart.series:
            medians = line.medians()
            few, many = min(medians), max(medians)
            share = medians[many] / medians[few]
            self._scenario.find(
                f"{line.name}: beside {place(many)} executions {short(medians[many])}/s, {share:.2f} times the "
                f"rate beside {place(few)} ({short(medians[few])}/s).",
                good=share >= GOAL,
            )


class Side:
    """One of the two databases."""

    def __init__(self, dsn: str, rows: int) -> None:
        self.dsn = dsn
        self.rows = rows
        self._random = random.Random(rows)
        self._cursors: dict[tuple[str, str], str] = {}

    def any_execution(self) -> int:
        return self._random.randint(1, self.rows)

    def any_order(self) -> int:
        return self._random.randint(1, self.rows // PER_ATTEMPT)

    def cursor_path(self, which: str, query: str) -> str:
        cursor = self._cursors.get((which, query))
        return f"/api/v2/{which}?{query}&limit=50&" + (f"cursor={cursor}" if cursor else "offset=1000")

    def note_cursor(self, which: str, query: str, cursor: str | None) -> None:
        """Where the next page begins; None: the walk begins anew."""
        self._cursors[which, query] = cursor or ""


@asynccontextmanager
async def filled(environment: Environment, rows: int) -> AsyncIterator[Side]:
    """A database with that many finished executions."""
    async with environment.database() as dsn:
        async with connected(dsn) as link:
            await fill_large(link, rows, lambda line: environment.step(f"{rows:,}: {line}"))
        yield Side(dsn, rows)


def in_turn(items: Sequence[T], turn: int) -> Sequence[T]:
    """The items in their order, or backwards: no side always comes first."""
    return items if turn % 2 else items[::-1]


def _check_disk(rows: int) -> None:
    """Raises BenchError if the tables would fill the disk; beyond the usual size a third of it must stay free."""
    disk, needed = shutil.disk_usage(tempfile.gettempdir()), int(1.1 * rows * BYTES_EACH)
    spare = disk.total / 3 if rows > MOST_WITHOUT_SPARE else needed
    if disk.free - needed < spare:
        raise BenchError(
            f"{rows:,} executions need {needed / 1e9:.0f} GB of {tempfile.gettempdir()}, where "
            f"{disk.free / 1e9:.0f} GB of {disk.total / 1e9:.0f} GB are free: set EXECUTIONS to fewer"
        )


async def _read(environment: Environment, sides: Sequence[Side], rates: Rates, requests: int) -> None:
    """One request at a time, to each side in turn; the rate is that of the median request."""
    services = {"security_service.base_url": AWAY, "portfolio_service.base_url": AWAY}
    async with AsyncExitStack() as stack:
        sessions = []
        for side in sides:
            url = await stack.enter_async_context(serving(side.dsn, AWAY, **services))
            sessions.append(await stack.enter_async_context(aiohttp.ClientSession(url)))
        for name, path in READS.items():
            environment.step(name)
            for turn in range(-1, rates.rounds):
                times_s: Mapping[int, list[float]] = {side.rows: [] for side in sides}
                for number in range(requests):
                    for side, session in in_turn(list(zip(sides, sessions, strict=True)), number):
                        begun = time.perf_counter()
                        await _get(session, side, path(side))
                        times_s[side.rows].append(time.perf_counter() - begun)
                for side in sides if turn >= 0 else ():  # The first one fills caches.
                    rates.add(name, side, 1 / statistics.median(times_s[side.rows]))


async def _get(session: aiohttp.ClientSession, side: Side, path: str) -> None:
    async with session.get(path) as response:
        text = await response.read()
    if response.status != 200:
        raise BenchError(f"{path}: {response.status} {text[:200].decode(errors='replace')}")
    if "limit=50&" in path:
        which, _, query = path.removeprefix("/api/v2/").partition("?")
        pagination = msgspec.json.decode(text)["pagination"]
        side.note_cursor(which, query.partition("&limit=")[0], pagination.get("nextCursor"))


class MadeUpLedger:
    """The ledger that belongs to a filled database, newest first."""

    def __init__(self, rows: int) -> None:
        self._rows = rows

    async def list_newest(self, offset: int, limit: int) -> Listing:
        last = self._rows - offset
        first = max(0, last - limit)
        content = [_row(number) for number in range(last, first, -1)]
        return Listing(RemoteExecutionPage(content, RemotePagination(first > 0, self._rows)))

    async def find(self, service_id: int) -> Listing:
        return Listing(
            RemoteExecutionPage([_row(service_id)], RemotePagination(has_next=False, total_elements=1))
        )


def _row(number: int) -> RemoteExecution:
    order = (number - 1) // PER_ATTEMPT**2 * PER_ATTEMPT + 1 + (number - 1) % PER_ATTEMPT
    return RemoteExecution(
        number,
        number,
        trade_type="BUY",
        destination=DESTINATIONS[number % len(DESTINATIONS)],
        security_id=f"S{order % SECURITIES}",
        quantity=Decimal(100),
    )


async def _audit(environment: Environment, sides: Sequence[Side], rates: Rates, rounds: int) -> None:
    for name, with_ledger in (("audit of the database", False), ("audit of both books", True)):
        for turn in range(rounds):
            for side in in_turn(sides, turn):
                environment.step(f"{name}, {side.rows:,} executions")
                async with Database(StoreSettings(side.dsn, statement_timeout_s=3600.0)) as database:
                    ledger = MadeUpLedger(side.rows) if with_ledger else None
                    begun = time.perf_counter()
                    report = await run_audit(PostgresAuditReads(database), ledger)
                    rates.add(name, side, side.rows / (time.perf_counter() - begun))
                if not report.clean or report.balance.executions != side.rows:
                    raise BenchError(f"the audit found {report.counts} among {side.rows:,} executions")


async def _work(environment: Environment, sides: Sequence[Side], rates: Rates, lost: int) -> None:
    """Submission, and recovery of `lost` executions."""
    preset = environment.preset
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        runs, services = list[Runs](), list[Services]()
        for side in sides:
            base_url = await enter(simulator(0.0, "--first-id", str(side.rows + 1)))
            supply = await enter(supply_on(side.dsn, preset.most))
            runs.append(Runs(supply, preset, side.dsn, base_url))
            services.append(await enter(runs[-1].services(**QUICK_RECOVERY)))
        for turn in range(rates.rounds):
            environment.step(f"submission and recovery, {turn + 1} of {rates.rounds}")
            order = in_turn(list(zip(sides, runs, services, strict=True)), turn)
            for side, run, service in order:
                rates.add("submission in batches of 100", side, await run.bulk(service))
            for side, run, service in order:
                rates.add("submission by one caller", side, await run.one_by_one(service))
            for side, run, _ in order:
                ids = await run.supply.take(lost)
                begun = await _lose(run.supply.link, ids)
                await _until_recovered(run.supply.link, ids)
                rates.add("recovery", side, lost / (time.perf_counter() - begun))


async def _lose(link: asyncpg.Connection, ids: Sequence[int]) -> float:
    """Leaves executions as a process does that dies between claim and call; returns when recovery may begin."""
    clock = SystemClock()
    async with link.transaction():
        for first in range(0, len(ids), BATCH):
            await link.execute(_LOST, clock.new_attempt_id(), list(ids[first : first + BATCH]))
    return time.perf_counter()


async def _until_recovered(link: asyncpg.Connection, ids: Sequence[int]) -> None:
    give_up = time.perf_counter() + RECOVERY_S
    while (left := await link.fetchval(_LEFT, list(ids))) > 0:
        if time.perf_counter() > give_up:
            raise BenchError(f"recovery left {left:,} of {len(ids):,} executions after {RECOVERY_S:g} s")
        await asyncio.sleep(POLL_S)
