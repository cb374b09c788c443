"""A real PostgreSQL for the tests, and a fresh database of it for each test that asks."""

import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import msgspec

from trade_service.store.embedded import EmbeddedPostgres
from trade_service.store.migrate import migrate

SERVER_VARIABLE = "TRADE_SERVICE_TEST_DATABASE_URL"
"""Names a server to use in place of the embedded one; its user must be allowed to create databases."""


class TestServer(msgspec.Struct, frozen=True):
    """A server on which tests make and drop databases of their own."""

    __test__ = False

    url: str
    """Of a database to connect to for making others."""

    def url_of(self, database: str) -> str:
        """The URL of another database of this server."""
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{database}"))

    async def execute(self, statement: str) -> None:
        """Runs one statement outside any transaction."""
        link = await asyncpg.connect(self.url)
        try:
            await link.execute(statement)
        finally:
            await link.close()

    @asynccontextmanager
    async def database(self, template: str = "template1") -> AsyncIterator[str]:
        """The URL of a new database, dropped afterwards with whatever is still connected to it."""
        name = f"test_{uuid4().hex}"
        await self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        try:
            yield self.url_of(name)
        finally:
            await self.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@asynccontextmanager
async def running_server() -> AsyncIterator[TestServer]:
    """The server that the environment names, else an embedded one in a folder of its own, gone afterwards."""
    if url := os.environ.get(SERVER_VARIABLE):
        yield TestServer(url)
        return
    with tempfile.TemporaryDirectory(prefix="tspg") as folder:
        _let_through(Path(folder))
        async with EmbeddedPostgres.running(Path(folder) / "pg") as server:
            yield TestServer(server.dsn)


def _let_through(folder: Path) -> None:
    """As root the server runs as another user, who has to get to its data."""
    folder.chmod(0o711)


@asynccontextmanager
async def migrated_template(server: TestServer) -> AsyncIterator[str]:
    """The name of a database with all tables and the reference data, for others to be cloned from."""
    async with server.database() as url:
        await migrate(url)
        yield urlsplit(url).path.removeprefix("/")
