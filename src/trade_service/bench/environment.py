"""The environment of a benchmark: databases, an Execution Service, the service itself, and progress reports."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import msgspec

from trade_service.bench.preset import Preset
from trade_service.bench.subprocesses import BenchError, address_of, child, simulator
from trade_service.bootstrap.container import Services
from trade_service.bootstrap.running import running_services
from trade_service.settings.load import load_settings
from trade_service.store.migrate import migrate

CONNECT_S = 10.0
Report = Callable[[str, str], None]
"""Receives the title of the current question and the current step."""


@asynccontextmanager
async def services_on(dsn: str, base_url: str, **overrides: object) -> AsyncIterator[Services]:
    """The service on a database and an Execution Service, ignoring the user's settings."""
    values = {"database.url": dsn, "execution_service.base_url": base_url, **overrides}
    settings = load_settings({}, None, values).settings
    async with running_services(settings, lambda _: None) as services:
        yield services


@asynccontextmanager
async def serving(dsn: str, base_url: str, **overrides: object) -> AsyncIterator[str]:
    """Serves the API in a separate process; yields its URL."""
    values = msgspec.json.encode(overrides).decode()
    async with child("trade_service.bench.serve_process", dsn, base_url, values) as process:
        yield await address_of(process, "the service")


class Server(msgspec.Struct, frozen=True):
    """A PostgreSQL server on which databases are created and dropped."""

    dsn: str

    def url_of(self, database: str) -> str:
        """The URL of another database on this server."""
        return urlunsplit(urlsplit(self.dsn)._replace(path=f"/{database}"))

    async def version(self) -> str:
        """The server version, such as 18.4."""
        async with self._link() as link:
            return str(await link.fetchval("SHOW server_version"))

    @asynccontextmanager
    async def database(self, template: str) -> AsyncIterator[str]:
        """The name of a new database, dropped on exit together with its remaining connections."""
        name = f"trade_service_bench_{uuid4().hex[:12]}"
        await self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        try:
            yield name
        finally:
            await self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    async def _execute(self, statement: str) -> None:
        async with self._link() as link:
            await link.execute(statement)

    @asynccontextmanager
    async def _link(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection. Raises BenchError for every failure of the server."""
        try:
            link = await asyncpg.connect(self.dsn, timeout=CONNECT_S)
            try:
                yield link
            finally:
                await link.close()
        except (asyncpg.PostgresError, OSError, TimeoutError) as error:
            raise BenchError(f"PostgreSQL for the benchmark: {str(error) or type(error).__name__}") from error


class Target(msgspec.Struct, frozen=True):
    """Targets that the user gave, measured instead of those that the run would start."""

    execution_service_url: str | None = None
    service_url: str | None = None
    """A running trade service, which receives the load."""
    key: str | None = None
    """API key for it."""


class Environment:
    """What every question is measured in.

    Its databases are copies of `template` on `server`; without a server there are none.
    """

    def __init__(
        self, server: Server | None, template: str, preset: Preset, target: Target, report: Report
    ) -> None:
        self._server = server
        self._template = template
        self.preset = preset
        self.target = target
        self._report = report
        self.title = ""
        """The current question."""

    def step(self, line: str) -> None:
        """Reports what is being measured now."""
        self._report(self.title, line)

    @property
    def latency_is_ours(self) -> bool:
        """Whether the Execution Service's latency can be set."""
        return self.target.execution_service_url is None

    @asynccontextmanager
    async def downstream(self, latency_ms: float) -> AsyncIterator[str]:
        """The URL of the user's Execution Service, else of a simulator with this latency."""
        if self.target.execution_service_url is not None:
            yield self.target.execution_service_url
            return
        async with simulator(latency_ms) as base_url:
            yield base_url

    @asynccontextmanager
    async def database(self) -> AsyncIterator[str]:
        """The URL of a new, migrated database, dropped on exit."""
        if self._server is None:
            raise BenchError("this measurement needs its own database, which --url rules out")
        async with self._server.database(self._template) as name:
            yield self._server.url_of(name)


@asynccontextmanager
async def opened_environment(
    server: Server | None, preset: Preset, target: Target, report: Report
) -> AsyncIterator[Environment]:
    """An environment on a server, with a migrated template database; without a server it has no databases."""
    if server is None:
        yield Environment(None, "", preset, target, report)
        return
    async with server.database("template0") as template:
        await migrate(server.url_of(template))
        yield Environment(server, template, preset, target, report)
