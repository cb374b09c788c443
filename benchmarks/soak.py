"""An hour at a quarter of full load: does it stay as fast, and do tables and indexes stay small?"""

import asyncio
import os
import statistics
import tempfile
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import asyncpg
import msgspec

from benchmarks.batch_costs import processor_s
from trade_service.bench.environment import Environment, serving
from trade_service.bench.load_generator import (
    SHEDDING,
    SUBMIT,
    SUBMIT_TIMEOUT,
    RequestOutcome,
    Send,
    Step,
    StepFigures,
    arrivals,
    fire,
    saturate,
    session_with,
)
from trade_service.bench.results import Better, Scenario, short
from trade_service.bench.seeding import connected
from trade_service.bench.subprocesses import BenchError, child, simulator

GOAL = 0.95
QUARTER = 0.25
PARTS = 6
CLIENTS = 32
ORDERS = 100
"""Of one request, sliced and submitted as soon as they are created."""
SEED = 17
BLOAT = 2.0
"""A table and its indexes may take this many times what they need."""
ARCHIVE_EVERY_S = 10.0
TURNS = 5
FIRST_SINGLE = 1_000_000_000
CREATE = "/api/v1/tradeOrders/bulk"
JSON = {"Content-Type": "application/json"}
TABLES = ("trade_order", "execution", "submission_attempt", "audit_log")
_SIZES = """
SELECT c.relname AS name, pg_relation_size(c.oid) AS table_bytes, pg_indexes_size(c.oid) AS index_bytes,
       s.n_live_tup + s.n_dead_tup AS rows, s.n_dead_tup AS dead, s.n_tup_upd AS updates, s.n_tup_hot_upd AS hot,
       s.autovacuum_count AS vacuums
FROM pg_class c JOIN pg_stat_user_tables s ON s.relid = c.oid
WHERE c.relname = ANY($1::text[])
"""
_MADE_OLD = "ALTER TABLE execution ALTER COLUMN execution_timestamp SET DEFAULT now() - interval '2 days'"
_FILL = """
UPDATE execution
SET execution_status_id = (SELECT id FROM execution_status WHERE abbreviation = 'FULL'),
    quantity_filled = quantity_ordered, version = version + 1
WHERE id = ANY(ARRAY(
    SELECT e.id FROM execution e JOIN execution_status s ON s.id = e.execution_status_id
    WHERE e.submission_state = 'accepted' AND s.abbreviation = 'SENT'
    ORDER BY e.id LIMIT 100000))
"""
_USED = """
SELECT (SELECT xact_commit FROM pg_stat_database WHERE datname = $1)::float8 AS commits,
       pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8 AS bytes,
       (SELECT coalesce(sum(fsyncs), 0) FROM pg_stat_io WHERE object = 'wal')::float8 AS syncs
"""
_REBUILT = """
SELECT pg_relation_size($1::text::regclass) AS table_bytes, pg_indexes_size($1::text::regclass) AS index_bytes
"""


async def soak(environment: Environment, scenario: Scenario) -> None:
    """Requests that create 100 trade orders, each followed by one that slices and submits them, leave at random
    times fixed in advance, at a quarter of the rate that 32 callers without pauses had reached. The time (MINUTES,
    an hour by default) is divided into six parts. Meanwhile executions are filled, and `trade-service archive`
    moves those that are filled to files again and again. At the end full load is measured in turn with a new
    database. Bloat is what rebuilding the tables and indexes (VACUUM FULL) takes off their size.
    """
    pick = environment.preset.pick
    seconds = 60 * float(os.environ.get("MINUTES") or pick(0.1, 2.0, 60.0))
    burst_s = min(15.0, seconds / 12)
    async with (
        environment.database() as dsn,
        simulator(0.0) as base_url,
        serving(dsn, base_url) as url,
        session_with(url) as session,
        connected(dsn) as link,
    ):
        submitter, costs = Submitter(session, ORDERS), Costs(scenario, dsn, link)
        environment.step("finding the full load")
        before = await _full_load(submitter.send, burst_s)
        step = Step(QUARTER * before, seconds / PARTS)
        sizes, parts = list[Mapping[str, asyncpg.Record]](), list[StepFigures]()
        async with costs.of(f"in requests of {ORDERS}", submitter), retention(scenario, dsn):
            for number in range(PARTS):
                environment.step(f"part {number + 1} of {PARTS}")
                parts += await fire([step], arrivals([step], SEED + number), submitter.send)
                sizes.append(await _sizes(link))
        single = Submitter(session, 1, FIRST_SINGLE)
        async with costs.of("one by one", single):
            await saturate(single.send, 1, burst_s)
        environment.step("full load, in turn with a new database")
        after, fresh = await _beside_new(environment, submitter, burst_s)
        environment.step("measuring the bloat")
        await _report_bloat(scenario, link)
    _report_parts(scenario, parts, sizes, submitter.last_error)
    share = after / fresh
    scenario.find(
        f"Full load reaches {short(ORDERS * after)} executions/s afterwards, {share:.2f} times the "
        f"{short(ORDERS * fresh)} on a new database in the same minute.",
        good=share >= GOAL,
    )


class Submitter:
    """Creates orders and submits them at once, as a desk's order system does."""

    def __init__(self, session: aiohttp.ClientSession, size: int, first_order_id: int = 1) -> None:
        self._session = session
        self._size = size
        self._order_ids = count(first_order_id)
        self.executions = 0
        """Accepted so far."""
        self.last_error = ""

    async def send(self) -> RequestOutcome:
        """Two requests for its number of orders; never raises for failures of the network or the service."""
        orders = [
            {"orderId": next(self._order_ids), "portfolioId": "SOAK", "orderType": "BUY",
             "securityId": f"SEC{number}", "quantity": 100, "limitPrice": 12.5}
            for number in range(self._size)
        ]  # fmt: skip
        try:
            created = await self._post(CREATE, {"tradeOrders": orders})
            submissions = [
                {"tradeOrderId": result["tradeOrder"]["id"], "quantity": 100, "destinationId": 1}
                for result in created["results"]
            ]
            answer = await self._post(SUBMIT, {"submissions": submissions})
        except Refused as refused:
            self.last_error = str(refused)
            return RequestOutcome.SHED if refused.is_shed else RequestOutcome.BAD
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self.last_error = str(error) or type(error).__name__
            return RequestOutcome.BAD
        self.executions += answer["successful"]
        return RequestOutcome.GOOD if answer["successful"] == self._size else RequestOutcome.BAD

    async def _post(self, path: str, body: object) -> dict[str, Any]:
        """The answer. Raises Refused, or what the client raises."""
        data = msgspec.json.encode(body)
        async with self._session.post(path, data=data, headers=JSON, timeout=SUBMIT_TIMEOUT) as answer:
            text = await answer.read()
        if answer.status not in (200, 201):
            raise Refused(answer.status, text)
        decoded: dict[str, Any] = msgspec.json.decode(text)
        return decoded


class Refused(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, text: bytes) -> None:
        super().__init__(f"{status}: {text[:200].decode(errors='replace')}")
        self.is_shed = status in SHEDDING


@asynccontextmanager
async def retention(scenario: Scenario, dsn: str) -> AsyncIterator[None]:
    """Fills executions and archives them while active: they are made two days old, and kept for one.

    A run that fails is a finding, and the next one goes on, as a timer's would.
    """
    archived, failures = 0, list[str]()

    async def keep_archiving(link: asyncpg.Connection, folder: str) -> None:
        nonlocal archived
        while True:
            await link.execute(_FILL)
            async with child(
                "trade_service.cli.main", "archive", "--yes", "--json", "--dir", folder,
                environment={"DATABASE_URL": dsn, "TRADE_SERVICE_RETENTION_EXECUTIONS_DAYS": "1"},
                stderr=PIPE,
            ) as process:  # fmt: skip
                said, complaint = await process.communicate()
            if process.returncode:
                failures.append(f"{process.returncode}: {complaint.decode(errors='replace').strip()}")
            else:
                archived += sum(kind["rows"] for kind in msgspec.json.decode(said))
            await asyncio.sleep(ARCHIVE_EVERY_S)

    with tempfile.TemporaryDirectory(prefix="soak") as folder:
        async with connected(dsn) as link:
            await link.execute(_MADE_OLD)
            working = asyncio.create_task(keep_archiving(link, folder))
            try:
                yield
            finally:
                failure = working.exception() if working.done() else None
                working.cancel()
                await asyncio.wait([working])
        if failure is not None:
            raise failure
    scenario.find(f"{archived:,} rows were archived meanwhile.", good=archived > 0)
    if failures:
        scenario.find(f"{len(failures)} archive runs failed, the first with {failures[0]}", good=False)


class Costs:
    """What an execution costs, from the order's creation to SENT."""

    def __init__(self, scenario: Scenario, dsn: str, link: asyncpg.Connection) -> None:
        self._scenario = scenario
        self._link = link
        self._service = f"serve_process {dsn}"
        self._database = urlsplit(dsn).path[1:]

    @asynccontextmanager
    async def of(self, how: str, submitter: Submitter) -> AsyncIterator[None]:
        """Counts while active; other databases of the server must be idle."""
        before, done = await self._used(), submitter.executions
        yield
        after, executions = await self._used(), max(1, submitter.executions - done)
        each = {name: (used - before[name]) / executions for name, used in after.items()}
        self._scenario.find(
            f"An execution {how} costs {each['service'] * 1e6:,.0f} µs of processor time in the service and "
            f"{each['postgres'] * 1e6:,.0f} µs in PostgreSQL's sessions, {each['commits']:.3f} commits, "
            f"{each['syncs']:.3f} syncs and {each['bytes']:,.0f} bytes of the write-ahead log."
        )

    async def _used(self) -> Mapping[str, float]:
        row = await self._link.fetchrow(_USED, self._database)
        assert row is not None
        spent_s = processor_s(self._service, self._database)
        return dict(row) | {"service": spent_s[self._service], "postgres": spent_s[self._database]}


async def _full_load(send: Send, seconds: float) -> float:
    """Requests per second of callers without pauses. Raises BenchError if none succeeds."""
    found = await saturate(send, CLIENTS, seconds, warm_up_s=seconds / 5)
    rate = found.rate(RequestOutcome.GOOD)
    if not rate:
        raise BenchError("no request of the load succeeded")
    return rate


async def _beside_new(environment: Environment, submitter: Submitter, seconds: float) -> tuple[float, float]:
    """Full load on the used database and on a new one, in turn, so that both meet the same conditions: medians."""
    rates = dict[str, list[float]](used=[], new=[])
    async with (
        environment.database() as dsn,
        simulator(0.0) as base_url,
        serving(dsn, base_url) as url,
        session_with(url) as session,
    ):
        sides = {"used": submitter.send, "new": Submitter(session, ORDERS).send}
        for turn in range(TURNS):
            for side in sorted(sides, reverse=bool(turn % 2)):
                rates[side].append(await _full_load(sides[side], seconds / 3))
    return statistics.median(rates["used"]), statistics.median(rates["new"])


async def _sizes(link: asyncpg.Connection) -> Mapping[str, asyncpg.Record]:
    return {row["name"]: row for row in await link.fetch(_SIZES, list(TABLES))}


def _report_parts(
    scenario: Scenario,
    parts: Sequence[StepFigures],
    sizes: Sequence[Mapping[str, asyncpg.Record]],
    last_error: str,
) -> None:
    rates = scenario.chart("Throughput", "part", "executions/s").line("good")
    times = scenario.chart("Latency from the planned start", "part", "ms", log=True)
    lines = {share: times.line(name, Better.LESS) for share, name in ((0.5, "median"), (0.99, "99 %"))}
    dead = scenario.chart("Dead rows at the end of the part", "part", "% of the rows")
    for number, (part, after) in enumerate(zip(parts, sizes, strict=True), 1):
        rates.add(number, ORDERS * part.rate(RequestOutcome.GOOD))
        for share, line in lines.items():
            line.add(number, round(part.latency_ms(share) or 0.0, 1))
        for name, row in after.items():
            dead.line_of(name, Better.LESS).add(number, round(100 * row["dead"] / max(1, row["rows"]), 1))
    # What was offered differs from part to part by chance.
    first, last = (part.rate(RequestOutcome.GOOD) / part.rate() for part in (parts[0], parts[-1]))
    scenario.find(
        f"The last part answers {last:.2%} of its requests, the first {first:.2%}; 99 % within "
        f"{short(parts[-1].latency_ms(0.99) or 0.0)} ms and {short(parts[0].latency_ms(0.99) or 0.0)} ms.",
        good=last >= GOAL * first,
    )
    failed = sum(
        part.outcomes[one] for part in parts for one in RequestOutcome if one is not RequestOutcome.GOOD
    )
    scenario.find(f"{failed:,} requests failed{f' ({last_error})' if failed else ''}.", good=failed == 0)


async def _report_bloat(scenario: Scenario, link: asyncpg.Connection) -> None:
    """What a rebuild takes off each table and its indexes."""
    for name, row in (await _sizes(link)).items():
        await link.execute(f"VACUUM FULL {name}")
        rebuilt = await link.fetchrow(_REBUILT, name)
        assert rebuilt is not None
        table, indexes = (row[kind] / max(1, rebuilt[kind]) for kind in ("table_bytes", "index_bytes"))
        hot = f"{row['hot'] / row['updates']:.1%} of its updates HOT" if row["updates"] else "never updated"
        scenario.find(
            f"{name}: {row['table_bytes'] / 1e6:,.0f} MB, {table:.2f} times what a rebuild needs; indexes "
            f"{row['index_bytes'] / 1e6:,.0f} MB, {indexes:.2f} times; {hot}, vacuumed {row['vacuums']} times.",
            good=max(table, indexes) <= BLOAT,
        )
