"""The PostgreSQL of a round: restarted by immediate shutdown or kill -9, read through short connections."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg

from tests.chaos.relay import Address
from trade_service.store.embedded import EmbeddedPostgres, is_running

DOWN_LIMIT_S = 30.0
POLL_S = 0.02


class Database:
    """A server in a folder of its own."""

    def __init__(self, stack: AsyncExitStack, folder: Path, server: EmbeddedPostgres) -> None:
        self._stack = stack
        self._folder = folder
        self._server = server
        self.lock = asyncio.Lock()

    @classmethod
    @asynccontextmanager
    async def running(cls, folder: Path) -> AsyncIterator["Database"]:
        """Runs the server, and leaves no process behind."""
        async with AsyncExitStack() as stack:
            server = await stack.enter_async_context(EmbeddedPostgres.running(folder))
            yield cls(stack, folder, server)

    @property
    def dsn(self) -> str:
        """The URL without a relay."""
        return self._server.dsn

    @property
    def address(self) -> Address:
        """Address of the server; a Unix socket's stays the same after restarts."""
        parts = urlsplit(self._server.dsn)
        query = parse_qs(parts.query)
        if "host" in query:
            port = int(query["port"][0])
            return f"{query['host'][0]}/.s.PGSQL.{port}", port
        return parts.hostname or "127.0.0.1", parts.port or 5432

    def url_through(self, port: int) -> str:
        """The URL of the database through a relay."""
        parts = urlsplit(self._server.dsn)
        login = parts.netloc.rpartition("@")[0]
        return f"postgresql://{login}@127.0.0.1:{port}{parts.path}?sslmode=disable"

    async def restart(self, number: signal.Signals, pause_s: float) -> None:
        """Ends the postmaster (SIGQUIT: immediate shutdown, SIGKILL), and starts it again after a pause."""
        os.kill(self._server.pid, number)
        async with asyncio.timeout(DOWN_LIMIT_S):
            while is_running(self._folder):
                await asyncio.sleep(POLL_S)
        await asyncio.sleep(pause_s)
        self._server = await self._stack.enter_async_context(EmbeddedPostgres.running(self._folder))

    async def save(self, table: str, path: Path) -> None:
        """Writes a table as CSV."""
        link = await asyncpg.connect(self._server.dsn, ssl=False)
        try:
            await link.copy_from_query(
                f"SELECT * FROM {table} ORDER BY id", output=path, format="csv", header=True
            )
        finally:
            await link.close(timeout=1)

    async def rows(self, query: str, *values: object) -> list[Any]:
        """The rows of a query; waits while the server is down."""
        async with asyncio.timeout(DOWN_LIMIT_S):
            while True:
                try:
                    return await self._rows(query, *values)
                except (OSError, asyncpg.PostgresConnectionError, asyncpg.OperatorInterventionError):
                    await asyncio.sleep(POLL_S)
                except asyncpg.InterfaceError:
                    await asyncio.sleep(POLL_S)

    async def _rows(self, query: str, *values: object) -> list[Any]:
        link = await asyncpg.connect(self._server.dsn, ssl=False)
        try:
            return list(await link.fetch(query, *values))
        finally:
            await link.close(timeout=1)
