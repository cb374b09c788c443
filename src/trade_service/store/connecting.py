"""Opens connections, and finds out whether a pooler such as PgBouncer shares the sessions behind them.

A pooler in transaction mode lends a server's session for one transaction, so a client can keep neither settings
nor prepared statements in it. It is recognised by the process ids, because it gives its clients ids of its own.
Some poolers translate the names of prepared statements, which can then be kept all the same.
"""

from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal
from enum import Enum
from typing import TypeAlias
from uuid import uuid4

import asyncpg
import msgspec

from trade_service.store.failures import DRIVER_ROOTS, is_unavailable
from trade_service.store.store_settings import StoreSettings
from trade_service.submission.ports import StoreUnavailable

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

APPLICATION_NAME = "trade-service"
WEAK_COMMITS = ("off", "local")
"""Values of synchronous_commit that may lose a commit. `local` is raised also where no standby is named:
there `on` means the same, until one is."""

CLOSE_S = 2.0
"""How long closing a connection may take. It is worth waiting for: closing cancels a statement that still runs,
with the locks it holds."""
_ANSWER_MARGIN_S = 5.0
"""How much longer than the server's own time-out we wait for an answer: the network may be gone."""
_KEPT_STATEMENTS = 300
"""More than the store has, so that lists with ever new filters and sort orders do not push the hot ones out."""
_REFUSED = "the database refused the connection"
_WEAK = ", ".join(f"'{value}'" for value in WEAK_COMMITS)
_DURABLE_SESSION = f"""
SELECT set_config('default_transaction_isolation', 'read committed', false),
       set_config('synchronous_commit',
                  CASE WHEN current_setting('synchronous_commit') IN ({_WEAK}) THEN 'on'
                       ELSE current_setting('synchronous_commit') END, false)
WHERE pg_backend_pid() = {{pid}}
"""
"""Set even where it is strong enough: a reload of the server's configuration changes only what a session did not
set. Not behind a pooler, whose sessions are shared with others."""
_IN_SHARED_TRANSACTION = f"""
SET LOCAL statement_timeout = {{timeout_ms}}; SET LOCAL jit = off; SET LOCAL enable_seqscan = off;
SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') IN ({_WEAK});
"""
"""Where no setting of a session lasts, they travel in the same message as BEGIN."""
_IS_KNOWN = "SELECT EXISTS (SELECT FROM pg_prepared_statements WHERE name = $1)"
_NO_ROW = "SELECT 0"
_PROTOCOL_VIOLATION = "08P01"
_WRONG_NAMES = ("26000", "42P05")
"""A prepared statement that the server does not know, or that it has already."""


class Sessions(Enum):
    """Whether our connections have sessions of their own, or a pooler shares sessions."""

    OWN = "each connection has a session of its own"
    SHARED = "behind a pooler: each transaction carries its settings, and statements are not kept prepared"
    SHARED_WITH_NAMES = (
        "behind a pooler: each transaction carries its settings, and statements are kept prepared"
    )

    @property
    def keep_statements(self) -> bool:
        """Whether a prepared statement can be used again."""
        return self is not Sessions.SHARED


_DECLARED: Mapping[bool | None, Sessions | None] = {None: None, True: Sessions.OWN, False: Sessions.SHARED}


class Connector:
    """Opens connections to one database.

    `sessions` is what `prepared_statements` declares, else what the first connection finds.
    """

    def __init__(self, settings: StoreSettings) -> None:
        self._settings = settings
        self._is_declared = settings.prepared_statements is not None
        self.sessions: Sessions | None = _DECLARED[settings.prepared_statements]

    @property
    def in_shared_transaction(self) -> str:
        """The settings of a transaction on a shared session; empty on a session of our own."""
        if self.sessions is Sessions.OWN:
            return ""
        return _IN_SHARED_TRANSACTION.format(timeout_ms=round(self._settings.statement_timeout_s * 1000))

    def is_outdated_by(self, error: BaseException) -> bool:
        """Whether an error shows that a pooler treats names differently now; the next connection finds out."""
        if self._is_declared or getattr(error, "sqlstate", None) not in _WRONG_NAMES:
            return False
        self.sessions = None
        return True

    async def connect(self) -> Connection:
        """Opens a connection and sets it up. Raises StoreUnavailable, and errors of the driver and the network."""
        if self.sessions in (None, Sessions.OWN):
            was, connection = self.sessions, await self._own()
            self.sessions = None if connection is None else Sessions.OWN
            if connection is not None:
                return connection
            if was is Sessions.OWN:  # The caller counts on a session of its own.
                raise StoreUnavailable("the database is behind a pooler now: connections are being renewed")
            self.sessions = await self._kind_of_pooler()
        connection = await self._open(self.sessions)
        try:
            async with connection.transaction():
                await _set_codecs(connection)
        except BaseException:
            connection.terminate()
            raise
        return connection

    async def _own(self) -> "Connection | None":
        """A connection with a session of its own, if there is one or it is declared so."""
        try:
            connection = await self._open(Sessions.OWN)
        except asyncpg.PostgresError as error:
            # PgBouncer refuses settings that it does not pass on.
            if self._is_declared or error.sqlstate != _PROTOCOL_VIOLATION:
                raise
            return None
        try:
            done = await connection.execute(_DURABLE_SESSION.format(pid=connection.get_server_pid()))
            if done == _NO_ROW and not self._is_declared:
                await close(connection)
                return None
            await _set_codecs(connection)
        except BaseException:
            connection.terminate()
            raise
        return connection

    async def _kind_of_pooler(self) -> Sessions:
        """Prepares a statement, and asks whether the server knows it by the same name."""
        connection, name = await self._open(Sessions.SHARED), f"trade_service_{uuid4().hex}"
        try:
            async with connection.transaction():
                prepared = await connection.prepare("SELECT 1", name=name)
                if not await connection.fetchval(_IS_KNOWN, prepared.get_name()):
                    return Sessions.SHARED_WITH_NAMES
                await connection.execute(f'DEALLOCATE "{name}"')
                return Sessions.SHARED
        finally:
            await close(connection)

    async def _open(self, sessions: Sessions) -> Connection:
        settings, timeout_s = self._settings, self._settings.statement_timeout_s
        server_settings = {"application_name": APPLICATION_NAME}
        if sessions is Sessions.OWN:
            server_settings |= {
                "statement_timeout": str(round(timeout_s * 1000)),
                "jit": "off",
                # Plans of prepared statements are kept, those of foreign keys too: one made while a table was
                # small would read all of it for up to a minute after it has grown.
                "enable_seqscan": "off",
            }
        try:
            return await asyncpg.connect(
                settings.url,
                timeout=settings.connect_timeout_s,
                command_timeout=timeout_s + _ANSWER_MARGIN_S if timeout_s else None,
                statement_cache_size=_KEPT_STATEMENTS if sessions.keep_statements else 0,
                server_settings=server_settings,
            )
        except (asyncpg.PostgresError, ValueError) as error:
            if is_unavailable(error):
                raise
            # Such as an unknown parameter in the address, or a database that accepts no connections.
            raise StoreUnavailable(f"{_REFUSED}: {error}", _REFUSED) from error


async def close(connection: Connection) -> None:
    """Closes a connection; an error must not reach a caller whose work is committed."""
    with suppress(OSError, *DRIVER_ROOTS):
        await connection.close(timeout=CLOSE_S)


async def _set_codecs(connection: Connection) -> None:
    # Decimals are read from their digits, which takes less than half the time of PostgreSQL's binary form;
    # either way they are exact.
    await connection.set_type_codec(
        "numeric", schema="pg_catalog", encoder=str, decoder=Decimal, format="text"
    )
    for kind in ("json", "jsonb"):
        await connection.set_type_codec(
            kind, schema="pg_catalog", encoder=_json, decoder=msgspec.json.decode, format="text"
        )


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
