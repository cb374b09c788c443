"""PostgreSQL through asyncpg: a pool with fair turns, whose sessions all keep the promises made here."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from decimal import Decimal
from functools import partial
from types import TracebackType
from typing import Any, NamedTuple, Self

import asyncpg
import msgspec

from trade_service.domain.reference import SeenRevision
from trade_service.store.connecting import CLOSE_S, Connection, Connector, Sessions, close
from trade_service.store.failures import DRIVER_ROOTS, READ_ONLY, is_unavailable
from trade_service.store.statements import REVISION_COLUMN, Statement
from trade_service.store.store_settings import StoreSettings
from trade_service.submission.ports import StoreUnavailable

_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED;"
_NOT_DONE = "the database does not answer or could not do it"
_SILENT = "the database does not answer"
_QUERY_CANCELED = "57014"


class PoolState(NamedTuple):
    """Connections in use, idle connections, and callers waiting for one."""

    in_use: int
    idle: int
    waiting: int


class Reads(ABC):
    """Statements and their rows. Values that a statement has no parameter for are ignored."""

    @abstractmethod
    async def fetch(self, statement: Statement, **values: object) -> list[asyncpg.Record]:
        """All rows of a statement."""

    async def fetch_row(self, statement: Statement, **values: object) -> asyncpg.Record | None:
        """The only row of a statement; None where it has none."""
        rows = await self.fetch(statement, **values)
        assert len(rows) <= 1, f"{len(rows)} rows where one was expected"
        return rows[0] if rows else None

    async def fetch_value(self, statement: Statement, **values: object) -> Any:
        """The first column of the only row; None where there is no row."""
        row = await self.fetch_row(statement, **values)
        return None if row is None else row[0]


class Session(Reads):
    """One connection; see `Database.session` and `Database.transaction`."""

    def __init__(self, connection: Connection, seen: SeenRevision) -> None:
        self.connection = connection
        self._seen = seen

    async def fetch(self, statement: Statement, **values: object) -> list[asyncpg.Record]:
        """All rows of a statement."""
        arguments = [values[name] for name in statement.parameters]
        rows = await self.connection.fetch(statement.text, *arguments)
        if statement.shows_revision and rows:
            self._seen.newest = max(self._seen.newest, rows[0][REVISION_COLUMN])
        return rows

    async def execute(self, statement: Statement, **values: object) -> int:
        """Runs a statement; returns how many rows it affected."""
        arguments = [values[name] for name in statement.parameters]
        count = (await self.connection.execute(statement.text, *arguments)).rpartition(" ")[2]
        return int(count) if count.isdecimal() else 0


class Database(Reads):
    """A pool of connections to one database. It connects when it is first used.

    Each statement that is run here directly is a transaction of its own, in one round trip.

    Connections are lent in the order in which callers asked for them. A connection is closed instead of lent
    again if the server's answer was not read to the end: after a time-out, a lost network or a cancelled caller.

    Every method raises StoreUnavailable when the database does not answer or could not do it now; errors that
    would occur again are raised as asyncpg raises them.

    Example:
        async with Database(StoreSettings("postgresql://user@host/trades")) as database:
            rows = await database.fetch(SQL["get_orders"], ids=[1, 2])
            async with database.transaction() as session:
                await session.fetch(SQL["lock_orders"], ids=[1, 2])
                await session.execute(SQL["delete_order"], id=1)
    """

    def __init__(self, settings: StoreSettings) -> None:
        self.settings = settings
        self.seen_revision = SeenRevision()
        self._connector = Connector(settings)
        self._turns = asyncio.Semaphore(settings.pool_size)
        self._waiting = 0
        self._in_use: set[Connection] = set()
        self._lanes: list[Lane] = []
        self._idle: list[Connection] = []
        """The last one is lent first. `renew` begins a new list: what does not come from it is closed."""
        self._lent: Callable[[], AbstractAsyncContextManager[Session]] = partial(_Lent, self)
        """Lends a connection."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def pooler(self) -> str:
        """How shared sessions are used; empty where they are our own, and before the first connection."""
        sessions = self._connector.sessions
        return "" if sessions is None or sessions is Sessions.OWN else sessions.value

    @property
    def pool_state(self) -> PoolState:
        """What the pool's connections are doing."""
        idle = sum(not connection.is_closed() for connection in self._idle)
        return PoolState(len(self._in_use), idle, sum(one._waiting for one in (self, *self._lanes)))

    def lane(self, size: int) -> "Lane":
        """This pool for callers that never hold more than `size` of its connections."""
        lane = Lane(self, size)
        self._lanes.append(lane)
        return lane

    def narrowed(self) -> "Database":
        """One more connection to the same database, whose users do not wait for those of this pool."""
        return Database(msgspec.structs.replace(self.settings, pool_size=1))

    async def fetch(self, statement: Statement, **values: object) -> list[asyncpg.Record]:
        """All rows of a statement."""
        async with self.session() as session:
            return await session.fetch(statement, **values)

    async def scan(self, statement: Statement, **values: object) -> list[asyncpg.Record]:
        """All rows of a statement that may read tables from end to end, as counting does."""
        async with self.transaction(scans=True) as session:
            return await session.fetch(statement, **values)

    async def execute(self, statement: Statement, **values: object) -> int:
        """Runs a statement; returns how many rows it affected."""
        async with self.session() as session:
            return await session.execute(statement, **values)

    def session(self) -> AbstractAsyncContextManager[Session]:
        """A connection on which every statement is a transaction of its own.

        Where a pooler shares sessions they share a transaction: between two messages outside of one, the
        connection may get another server, which does not know the statement.
        """
        return self._lent() if self._connector.sessions is Sessions.OWN else self._found_session()

    @asynccontextmanager
    async def _found_session(self) -> AsyncIterator[Session]:
        """A session that may be shared; the first connection finds out."""
        async with self._lent() as session:
            if self._connector.sessions is Sessions.OWN:
                yield session
            else:
                async with _transaction(session, self._connector.in_shared_transaction):
                    yield session

    @asynccontextmanager
    async def transaction(
        self, *, scans: bool = False, within_s: float | None = None
    ) -> AsyncIterator[Session]:
        """A connection in a READ COMMITTED transaction: committed at the end, rolled back on any error.

        Args:
            scans: whether its statements may read tables from end to end, as counting does.
            within_s: when the server ends a statement that runs longer; see `is_out_of_time`.
        """
        async with self._lent() as session:
            settings = self._connector.in_shared_transaction
            if scans:
                settings += "SET LOCAL enable_seqscan = on;"
            if within_s is not None:
                settings += f"SET LOCAL statement_timeout = {max(1, round(within_s * 1000))};"
            async with _transaction(session, settings):
                yield session

    def renew(self) -> None:
        """Renews every connection before it is lent again."""
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.terminate()

    async def close(self) -> None:
        """Closes all connections, also those still in use after a moment; a later use opens new ones."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S), AsyncExitStack() as turns:
                for _ in range(self.settings.pool_size):
                    await turns.enter_async_context(self._turns)
                await asyncio.gather(*map(close, self._idle))
        for connection in self._in_use:
            connection.terminate()
        self.renew()

    def _raise_known(self, error: BaseException) -> None:
        """Raises StoreUnavailable in place of `error`, if that says that the database is not to be had now."""
        if isinstance(error, DRIVER_ROOTS):
            is_outdated = self._connector.is_outdated_by(error)
            if is_outdated or _is_read_only(error):
                # After a failover all connections may lead to a server that is a standby now.
                self.renew()
            if is_outdated or is_unavailable(error):
                raise StoreUnavailable(f"{_NOT_DONE}: {error}", _NOT_DONE) from error
        elif isinstance(error, OSError):
            raise StoreUnavailable(f"{_SILENT}: {str(error) or 'time-out'}", _SILENT) from error

    async def _wait_for_turn(self) -> None:
        self._waiting += 1
        try:
            async with asyncio.timeout(self.settings.pool_timeout_s):
                await self._turns.acquire()
        except TimeoutError as error:
            message = "no database connection became free in time: the pool is exhausted"
            raise StoreUnavailable(message) from error
        finally:
            self._waiting -= 1


class _Lent(msgspec.Struct):
    """A connection of a pool, and the one place where errors of the driver get their meaning.

    Each statement needs one, and a generator would cost as much as the rest of lending.
    """

    pool: Database
    idle: list[Connection] = []
    """Where it came from."""
    connection: "Connection | None" = None

    async def __aenter__(self) -> Session:
        pool = self.pool
        if pool._turns.locked():
            await pool._wait_for_turn()
        else:
            await pool._turns.acquire()
        try:
            idle = self.idle = pool._idle
            while idle and idle[-1].is_closed():
                idle.pop()
            self.connection = connection = idle.pop() if idle else await pool._connector.connect()
        except BaseException as error:
            pool._turns.release()
            pool._raise_known(error)
            raise
        pool._in_use.add(connection)
        return Session(connection, pool.seen_revision)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pool, connection = self.pool, self.connection
        assert connection is not None
        healthy = error is None or (isinstance(error, Exception) and not _is_spoiled_by(error))
        try:
            pool._in_use.remove(connection)
            if connection.is_closed() or connection.is_in_transaction():
                healthy = False
            if healthy and self.idle is pool._idle:
                self.idle.append(connection)
            else:
                await close(connection)
            if error is not None:
                pool._raise_known(error)
        finally:
            pool._turns.release()


class Lane(Database):
    """A part of a pool, see `Database.lane`. However many callers wait in it, the others find connections."""

    def __init__(self, pool: Database, size: int) -> None:
        super().__init__(pool.settings)
        self._pool = pool
        self._connector = pool._connector
        self.seen_revision = pool.seen_revision
        self._turns = asyncio.Semaphore(size)
        self._lent = self._lent_in_turn

    @asynccontextmanager
    async def _lent_in_turn(self) -> AsyncIterator[Session]:
        await self._wait_for_turn()
        try:
            async with self._pool._lent() as session:
                yield session
        finally:
            self._turns.release()


@asynccontextmanager
async def _transaction(session: Session, settings: str) -> AsyncIterator[None]:
    """A transaction that begins with these settings."""
    run = session.connection.execute
    try:
        await run(_BEGIN + settings)
        yield
    except Exception as error:
        if not _is_spoiled_by(error):
            with suppress(asyncpg.InterfaceError):  # Closed by the server: nothing is left to undo.
                await run("ROLLBACK;")
        raise
    # A failed transaction answers COMMIT with ROLLBACK, and with no error.
    ended = await run("COMMIT;")
    assert ended == "COMMIT", f"the transaction hid an error: COMMIT was answered with {ended}"


def _is_spoiled_by(error: Exception) -> bool:
    """Whether an error ends its connection: the answer was not read to the end, or the server takes no writes."""
    return isinstance(error, OSError | asyncpg.InterfaceError | asyncpg.InternalClientError) or _is_read_only(
        error
    )


def _is_read_only(error: BaseException) -> bool:
    return isinstance(error, asyncpg.PostgresError) and error.sqlstate == READ_ONLY


def is_out_of_time(error: StoreUnavailable) -> bool:
    """Whether the server ended a statement for its time-out, and nothing else is the matter."""
    cause = error.__cause__
    return isinstance(cause, asyncpg.PostgresError) and cause.sqlstate == _QUERY_CANCELED


def spelled_array(items: Iterable[int | Decimal | str | None], *, quoted: bool = False) -> str:
    """An array in PostgreSQL's own spelling, to be cast to its type: `:ids::text::int[]`.

    The driver encodes a list four times slower. For numbers, truth values and bare words; `quoted` for any text.
    """
    if quoted:
        items = [
            item if item is None else '"' + str(item).replace("\\", r"\\").replace('"', r"\"") + '"'
            for item in items
        ]
    return f"{{{','.join(['NULL' if item is None else str(item) for item in items])}}}"
