"""PostgreSQL through asyncpg: a pool with fair turns, whose sessions all keep the promises made here."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from decimal import Decimal
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeAlias

import asyncpg
import msgspec

from trade_service.store.failures import DRIVER_ROOTS, READ_ONLY, is_unavailable
from trade_service.store.statements import Statement
from trade_service.store.store_settings import StoreSettings
from trade_service.submission.ports import StoreUnavailable

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

APPLICATION_NAME = "trade-service"

WEAK_COMMITS = ("off", "local")
"""Values of synchronous_commit that may lose a commit. `local` is raised also where no standby is named:
there `on` means the same, until one is."""

_WEAK = ", ".join(f"'{value}'" for value in WEAK_COMMITS)
_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED;"
_DURABLE_SESSION = f"""
SELECT set_config('default_transaction_isolation', 'read committed', false),
       set_config('synchronous_commit',
                  CASE WHEN current_setting('synchronous_commit') IN ({_WEAK}) THEN 'on'
                       ELSE current_setting('synchronous_commit') END, false)
WHERE pg_backend_pid() = {{pid}}
"""
"""Set even where it is strong enough: a reload of the server's configuration changes only what a session did not
set. Not where an undeclared pooler stands between, which gives its clients process ids of its own and shares the
session with others: `promises` reports that."""
_DURABLE_TRANSACTION = f"""
SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') IN ({_WEAK});
"""
"""Behind a PgBouncer no setting of a session lasts, so it travels in the same message as BEGIN."""

_ANSWER_MARGIN_S = 5.0
"""How much longer than the server's own time-out we wait for an answer: the network may be gone."""
_NOT_DONE = "the database does not answer or could not do it"
_SILENT = "the database does not answer"
_REFUSED = "the database refused the connection"
_GOODBYE_S = 2.0
"""How long closing a connection may take. It is worth waiting for: closing cancels a statement that still runs,
with the locks it holds."""
_KEPT_STATEMENTS = 300
"""More than the store has, so that lists with ever new filters and sort orders do not push the hot ones out."""
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

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def fetch(self, statement: Statement, **values: object) -> list[asyncpg.Record]:
        """All rows of a statement."""
        return await self.connection.fetch(statement.text, *[values[name] for name in statement.parameters])

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
        self._turns = asyncio.Semaphore(settings.pool_size)
        self._waiting = 0
        self._in_use: set[Connection] = set()
        self._lanes: list[Lane] = []
        self._idle: list[Connection] = []
        """The last one is lent first. `renew` begins a new list: what does not come from it is closed."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

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

        Behind a PgBouncer they share a transaction: between two messages outside of one, the connection may get
        another server, which does not know the statement.
        """
        return self._lent() if self.settings.prepared_statements else self.transaction()

    @asynccontextmanager
    async def transaction(
        self, *, scans: bool = False, within_s: float | None = None
    ) -> AsyncIterator[Session]:
        """A connection in a READ COMMITTED transaction: committed at the end, rolled back on any error.

        Args:
            scans: whether its statements may read tables from end to end, as counting does.
            within_s: when the server ends a statement that runs longer; see `is_out_of_time`.
        """
        settings = "" if self.settings.prepared_statements else _DURABLE_TRANSACTION
        if scans:
            settings += "SET LOCAL enable_seqscan = on;"
        elif within_s is not None and not self.settings.prepared_statements:
            settings += "SET LOCAL enable_seqscan = off;"
        if within_s is not None:
            settings += f"SET LOCAL statement_timeout = {max(1, round(within_s * 1000))};"
        async with self._lent() as session:
            run = session.connection.execute
            try:
                await run(_BEGIN + settings)
                yield session
            except Exception as error:
                if not _is_spoiled_by(error):
                    with suppress(asyncpg.InterfaceError):  # Closed by the server: nothing is left to undo.
                        await run("ROLLBACK;")
                raise
            # A failed transaction answers COMMIT with ROLLBACK, and with no error.
            ended = await run("COMMIT;")
            assert ended == "COMMIT", f"the transaction hid an error: COMMIT was answered with {ended}"

    def renew(self) -> None:
        """Opens every connection anew before it is lent again."""
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.terminate()

    async def close(self) -> None:
        """Closes all connections, also those still in use after a moment; a later use opens new ones."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_GOODBYE_S), AsyncExitStack() as turns:
                for _ in range(self.settings.pool_size):
                    await turns.enter_async_context(self._turns)
                await asyncio.gather(*map(_close, self._idle))
        for connection in self._in_use:
            connection.terminate()
        self.renew()

    @asynccontextmanager
    async def _lent(self) -> AsyncIterator[Session]:
        """A connection of the pool, and the one place where errors of the driver get their meaning."""
        if self._turns.locked():
            await self._wait_for_turn()
        else:
            await self._turns.acquire()
        try:
            idle, healthy = self._idle, False
            while idle and idle[-1].is_closed():
                idle.pop()
            connection = idle.pop() if idle else await self._connect()
            self._in_use.add(connection)
            try:
                yield Session(connection)
                healthy = True
            except Exception as error:
                healthy = not _is_spoiled_by(error)
                raise
            finally:
                self._in_use.remove(connection)
                if connection.is_closed() or connection.is_in_transaction():
                    healthy = False
                if healthy and idle is self._idle:
                    idle.append(connection)
                else:
                    await _close(connection)
        except DRIVER_ROOTS as error:
            if _is_read_only(error):
                # After a failover all connections may lead to a server that is a standby now.
                self.renew()
            if not is_unavailable(error):
                raise
            raise StoreUnavailable(f"{_NOT_DONE}: {error}", _NOT_DONE) from error
        except OSError as error:
            raise StoreUnavailable(f"{_SILENT}: {str(error) or 'time-out'}", _SILENT) from error
        finally:
            self._turns.release()

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

    async def _connect(self) -> Connection:
        settings = self.settings
        timeout_s = settings.statement_timeout_s
        server_settings = {
            "application_name": APPLICATION_NAME,
            "statement_timeout": str(round(timeout_s * 1000)),
            "jit": "off",
            # Plans of prepared statements are kept, those of foreign keys too: one that was made while a table
            # was small would go on to read all of it, for up to a minute after it has grown.
            "enable_seqscan": "off",
        }
        try:
            connection = await asyncpg.connect(
                settings.url,
                timeout=settings.connect_timeout_s,
                command_timeout=timeout_s + _ANSWER_MARGIN_S if timeout_s else None,
                statement_cache_size=_KEPT_STATEMENTS if settings.prepared_statements else 0,
                server_settings=server_settings if settings.prepared_statements else None,
            )
        except (asyncpg.PostgresError, ValueError) as error:
            if is_unavailable(error):
                raise
            # A parameter of the address that it does not know, a database that takes no connections.
            raise StoreUnavailable(f"{_REFUSED}: {error}", _REFUSED) from error
        try:
            await _prepare(connection, lasting=settings.prepared_statements)
        except BaseException:
            connection.terminate()
            raise
        return connection


class Lane(Database):
    """A part of a pool, see `Database.lane`. However many callers wait in it, the others find connections."""

    def __init__(self, pool: Database, size: int) -> None:
        super().__init__(pool.settings)
        self._pool = pool
        self._turns = asyncio.Semaphore(size)

    @asynccontextmanager
    async def _lent(self) -> AsyncIterator[Session]:
        await self._wait_for_turn()
        try:
            async with self._pool._lent() as session:
                yield session
        finally:
            self._turns.release()


async def _prepare(connection: Connection, *, lasting: bool) -> None:
    """Sets up a new connection, whose session is our own if it is `lasting`."""
    # Decimals are read from their digits, which takes less than half the time of PostgreSQL's binary form;
    # either way they are exact.
    await connection.set_type_codec(
        "numeric", schema="pg_catalog", encoder=str, decoder=Decimal, format="text"
    )
    for kind in ("json", "jsonb"):
        await connection.set_type_codec(
            kind, schema="pg_catalog", encoder=_json, decoder=msgspec.json.decode, format="text"
        )
    if lasting:
        await connection.execute(_DURABLE_SESSION.format(pid=connection.get_server_pid()))


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _is_spoiled_by(error: Exception) -> bool:
    """Whether an error ends its connection: the answer was not read to the end, or the server takes no writes."""
    return isinstance(error, OSError | asyncpg.InterfaceError | asyncpg.InternalClientError) or _is_read_only(
        error
    )


def _is_read_only(error: BaseException) -> bool:
    return isinstance(error, asyncpg.PostgresError) and error.sqlstate == READ_ONLY


async def _close(connection: Connection) -> None:
    """A caller whose work is done and committed does not get the error of a goodbye that fails."""
    with suppress(OSError, *DRIVER_ROOTS):
        await connection.close(timeout=_GOODBYE_S)


def is_out_of_time(error: StoreUnavailable) -> bool:
    """Whether the server ended a statement for its time-out, and nothing else is the matter."""
    cause = error.__cause__
    return isinstance(cause, asyncpg.PostgresError) and cause.sqlstate == _QUERY_CANCELED


def spelled_array(items: Iterable[int | Decimal | str | None]) -> str:
    """An array in PostgreSQL's own spelling, to be cast to its type: `:ids::text::int[]`.

    The driver encodes a list four times slower. For numbers, truth values and bare words only: everything else
    would need quotes.
    """
    return f"{{{','.join(['NULL' if item is None else str(item) for item in items])}}}"
