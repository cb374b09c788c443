"""A real PostgreSQL for the tests, with a new database for each test that needs one."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import msgspec

from tests.support.leftovers import passable_folder
from trade_service.store.embedded import EmbeddedPostgres
from trade_service.store.migrate import migrate

SERVER_VARIABLE = "TRADE_SERVICE_TEST_DATABASE_URL"
"""Names a server to use instead of the embedded one; its user must be allowed to create databases."""


class TestServer(msgspec.Struct, frozen=True):
    """A server on which tests create and drop databases."""

    __test__ = False

    url: str
    """URL of a database to connect to when creating others."""
    link: "asyncpg.Connection[asyncpg.Record]"
    """Connected to it: opening a connection for each would take as long as creating a database."""
    turn: asyncio.Lock

    def url_of(self, database: str) -> str:
        """The URL of another database of this server."""
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{database}"))

    async def execute(self, statement: str) -> None:
        """Runs one statement outside any transaction."""
        async with self.turn:
            await self.link.execute(statement)

    @asynccontextmanager
    async def database(self, template: str = "template1") -> AsyncIterator[str]:
        """The URL of a new database, dropped afterwards together with its connections."""
        name = f"test_{uuid4().hex}"
        # Copying files takes half the time of writing every page to the log.
        await self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')
        try:
            yield self.url_of(name)
        finally:
            await self.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@asynccontextmanager
async def running_server() -> AsyncIterator[TestServer]:
    """The server that the environment names, else an embedded one in a temporary folder."""
    async with AsyncExitStack() as stack:
        url = os.environ.get(SERVER_VARIABLE)
        if url is None:
            folder = stack.enter_context(passable_folder("tspg"))
            url = (await stack.enter_async_context(EmbeddedPostgres.running(folder / "pg"))).dsn
        link = await asyncpg.connect(url)
        stack.push_async_callback(link.close)
        yield TestServer(url, link, asyncio.Lock())


@asynccontextmanager
async def migrated_template(server: TestServer) -> AsyncIterator[str]:
    """The name of a database with all tables and reference data, to clone others from."""
    async with server.database() as url:
        await migrate(url)
        yield urlsplit(url).path.removeprefix("/")
