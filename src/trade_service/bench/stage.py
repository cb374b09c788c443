"""Where scenarios are played: databases of their own, an Execution Service, somebody who is told."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import msgspec

from trade_service.bench.children import BenchError, simulator
from trade_service.bench.effort import Effort
from trade_service.bench.filling import FILL_TIMEOUT_S
from trade_service.bootstrap.running import running_services
from trade_service.bootstrap.services import Services
from trade_service.settings.load import load_settings
from trade_service.store.migrate import migrate

CONNECT_S = 10.0


@asynccontextmanager
async def services_on(dsn: str, base_url: str, **overrides: object) -> AsyncIterator[Services]:
    """The service on a database and an Execution Service; no setting of the user's counts."""
    values = {
        "database.url": dsn,
        "database.statement_timeout_s": FILL_TIMEOUT_S,
        "execution_service.base_url": base_url,
        **overrides,
    }
    settings = load_settings({}, None, values).settings
    async with running_services(settings, lambda _: None) as services:
        yield services


class Server(msgspec.Struct, frozen=True):
    """A PostgreSQL on which databases are made and dropped."""

    dsn: str

    def url_of(self, database: str) -> str:
        """The URL of another database of this server."""
        return urlunsplit(urlsplit(self.dsn)._replace(path=f"/{database}"))

    async def version(self) -> str:
        """Such as 18.4."""
        async with self._link() as link:
            return str(await link.fetchval("SHOW server_version"))

    @asynccontextmanager
    async def database(self, template: str) -> AsyncIterator[str]:
        """The name of a new database, dropped afterwards with whatever is still connected to it."""
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
        """A connection; raises BenchError for what the server, or its absence, is to blame for."""
        try:
            link = await asyncpg.connect(self.dsn, timeout=CONNECT_S)
            try:
                yield link
            finally:
                await link.close()
        except (asyncpg.PostgresError, OSError, TimeoutError) as error:
            raise BenchError(f"the PostgreSQL to measure on: {str(error) or type(error).__name__}") from error


class Target(msgspec.Struct, frozen=True):
    """What is measured in place of our own; None for what we start ourselves."""

    execution_service_url: str | None = None
    service_url: str | None = None
    """Of a running trade service: the load goes there."""
    key: str | None = None
    """API key for it."""


class Stage:
    """What every scenario is played on."""

    def __init__(
        self,
        server: Server | None,
        template: str,
        effort: Effort,
        target: Target,
        tell: Callable[[str, str], None],
    ) -> None:
        self._server = server
        self._template = template
        self.effort = effort
        self.target = target
        self._tell = tell
        self.title = ""
        """Of the scenario that is played."""

    def step(self, line: str) -> None:
        """Tells what is measured now."""
        self._tell(self.title, line)

    @property
    def latency_is_ours(self) -> bool:
        """Whether the Execution Service's latency can be chosen."""
        return self.target.execution_service_url is None

    @asynccontextmanager
    async def downstream(self, latency_ms: float) -> AsyncIterator[str]:
        """The address of the Execution Service: the user's, else one of our own with that latency."""
        if self.target.execution_service_url is not None:
            yield self.target.execution_service_url
            return
        async with simulator(latency_ms) as base_url:
            yield base_url

    @asynccontextmanager
    async def database(self) -> AsyncIterator[str]:
        """The URL of a new database with all tables and the reference data, dropped afterwards."""
        if self._server is None:
            raise BenchError("a service that runs has its own database; this measurement needs one of ours")
        async with self._server.database(self._template) as name:
            yield self._server.url_of(name)


@asynccontextmanager
async def opened_stage(
    server: Server | None, effort: Effort, target: Target, tell: Callable[[str, str], None]
) -> AsyncIterator[Stage]:
    """A stage on a server; its databases are copies of one that is set up here. Without a server it has none."""
    if server is None:
        yield Stage(None, "", effort, target, tell)
        return
    async with server.database("template0") as template:
        await migrate(server.url_of(template))
        yield Stage(server, template, effort, target, tell)
