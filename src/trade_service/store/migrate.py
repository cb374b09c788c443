"""Bringing the database to the shape that this release needs, and telling whether it has it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import lru_cache
from pathlib import Path

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from trade_service.store.engine import (
    StoreSettings,
    autocommitted,
    create_engine,
    settings_of,
    transaction,
)
from trade_service.store.failures import is_unavailable, sqlstate
from trade_service.store.migrations import VERSION_TABLE, MigrationError

__all__ = ["MigrationError", "MigrationReport", "SchemaState", "check", "downgrade", "migrate", "revisions"]

MIGRATIONS = Path(__file__).parent / "migrations"
LOCK_TIMEOUT_S = 15
"""How long the tables may be held by somebody else before a migration gives up."""
MIGRATION_LOCK = 0x7472_6164_655F_7376
"""Key of the lock that lets one process migrate at a time; held until its transaction ends."""

Progress = Callable[[str], None]


class SchemaState(msgspec.Struct, frozen=True):
    """The shape that a database has, beside the one that this release needs."""

    current: str | None
    """None when this service never migrated the database."""
    needed: str
    known: bool
    """False when a later release migrated the database."""

    @property
    def pending(self) -> bool:
        """Whether `migrate` has something to do."""
        return self.known and self.current != self.needed


class MigrationReport(msgspec.Struct, frozen=True):
    """What a migration did."""

    before: str | None
    after: str | None
    adopted_unknown: int = 0
    """Rows of the earlier service whose outcome a look-up has to find out."""

    @property
    def changed(self) -> bool:
        """Whether anything was done."""
        return self.before != self.after


async def check(engine: AsyncEngine) -> SchemaState:
    """The state of the database's schema. Raises StoreUnavailable."""
    async with autocommitted(engine) as connection:
        return await _state(connection)


async def migrate(database: AsyncEngine | str, progress: Progress | None = None) -> MigrationReport:
    """Migrates the database at an engine's or a URL's address to this release: in one transaction, or not.

    Safe to call from many processes at once: one migrates, the others wait and find nothing to do.

    Raises:
        MigrationError: it cannot be migrated, and nothing was changed; the message says what to do.
        StoreUnavailable: the database does not answer.
    """
    return await _move(database, progress or _silent, "head")


async def downgrade(
    database: AsyncEngine | str, revision: str, progress: Progress | None = None
) -> MigrationReport:
    """Takes the database back to an older `revision` (`base`: none): additions go, users' data stays.

    Raises as `migrate` does.
    """
    return await _move(database, progress or _silent, revision)


async def _move(database: AsyncEngine | str, say: Progress, target: str) -> MigrationReport:
    async with _patient_engine(database) as engine:
        before = await check(engine)
        _check_known(before)
        if target == "head":
            await _check_encoding(engine)
        if target == "head" and not before.pending:
            return MigrationReport(before.current, before.current)
        say("Bringing the database to this release ...")
        async with transaction(engine) as connection, _explained():
            await _take_turn(connection, say)
            before = await _state(connection)
            _check_known(before)
            await connection.run_sync(_run_alembic, target)
            after = await _state(connection)
            unknown = await _adopted(connection) if before.current is None else 0
        if unknown:
            say(f"{unknown} executions of the earlier service have no outcome: they will be looked up.")
        return MigrationReport(before.current, after.current, unknown)


@asynccontextmanager
async def _patient_engine(database: AsyncEngine | str) -> AsyncIterator[AsyncEngine]:
    """A connection for one long transaction, without time-outs and prepared statements."""
    settings = StoreSettings(database) if isinstance(database, str) else settings_of(database)
    engine = create_engine(
        msgspec.structs.replace(settings, pool_size=1, statement_timeout_s=0, prepared_statements=False)
    )
    try:
        yield engine
    finally:
        await engine.dispose()


async def _take_turn(connection: AsyncConnection, say: Progress) -> None:
    """One process at a time, for the length of the transaction: PgBouncer may pool transactions."""
    await connection.execute(sa.text("SET LOCAL statement_timeout = 0"))
    await connection.execute(sa.text("SET LOCAL lock_timeout = 0"))
    key = {"key": MIGRATION_LOCK}
    if not await connection.scalar(sa.text("SELECT pg_try_advisory_xact_lock(:key)"), key):
        say("Another process is migrating the database: waiting for it ...")
        await connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), key)
    await connection.execute(sa.text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_S}s'"))


def _run_alembic(connection: sa.Connection, target: str) -> None:
    """Loads Alembic, which is slow to load and has nothing to do at most starts."""
    from trade_service.store.alembic_run import run_migrations

    run_migrations(connection, MIGRATIONS, target)


@lru_cache(maxsize=1)
def revisions() -> tuple[str, ...]:
    """All revisions that this release knows, the newest first: they are in the names of the migrations' files."""
    names = (path.name for path in (MIGRATIONS / "versions").glob("v*.py"))
    return tuple(sorted((name[1:].partition("_")[0] for name in names), reverse=True))


async def _state(connection: AsyncConnection) -> SchemaState:
    # Reading a table makes the server look at what others have committed; to_regclass alone would answer
    # from what it knew before it waited for them.
    exists = await connection.scalar(
        sa.text("SELECT EXISTS (SELECT FROM pg_class WHERE oid = to_regclass(:name))"),
        {"name": VERSION_TABLE},
    )
    current = (
        await connection.scalar(sa.text(f"SELECT max(version_num) FROM {VERSION_TABLE}")) if exists else None
    )
    known = revisions()
    return SchemaState(current, known[0], current is None or current in known)


async def _adopted(connection: AsyncConnection) -> int:
    found = await connection.scalar(
        sa.text("SELECT coalesce(sum(cardinality(execution_ids)), 0) FROM submission_attempt WHERE adopted")
    )
    return int(found)


async def _check_encoding(engine: AsyncEngine) -> None:
    async with autocommitted(engine) as connection:
        encoding = await connection.scalar(sa.text("SELECT current_setting('server_encoding')"))
    if encoding != _ENCODING:
        raise MigrationError(
            f"the database is encoded in {encoding}, which does not hold all text that clients send: nothing was "
            f"changed. Dump it, create one with ENCODING '{_ENCODING}' TEMPLATE template0, and load it there"
        )


_ENCODING = "UTF8"


def _check_known(state: SchemaState) -> None:
    if not state.known:
        raise MigrationError(
            f"the database is at revision {state.current}, which this release does not know (its own is "
            f"{state.needed}): a later release migrated it. Start that release, or a later one"
        )


@asynccontextmanager
async def _explained() -> AsyncIterator[None]:
    try:
        yield
    except DBAPIError as error:
        state = sqlstate(error) or ""
        if state not in _ADVICE and is_unavailable(error):
            raise
        advice = _ADVICE.get(state, "the database refused a step of the migration: nothing was changed")
        raise MigrationError(f"{advice} ({error.orig})") from error


_ADVICE = {
    "42501": "this user may not change the tables: nothing was changed. Connect as their owner",
    "55P03": (
        f"somebody else has held the tables for {LOCK_TIMEOUT_S} s: nothing was changed. Stop the earlier "
        "service and whatever else uses the database, then start again"
    ),
}


def _silent(_: str) -> None:
    """Nobody listens to the progress."""
