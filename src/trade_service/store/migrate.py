"""Brings the database to the schema that this release needs, and reads which schema it has."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

import asyncpg
import msgspec

from trade_service.store.database import Database, Reads
from trade_service.store.failures import is_unavailable
from trade_service.store.migrations import VERSION_TABLE, MigrationError
from trade_service.store.statements import load
from trade_service.store.store_settings import StoreSettings

MIGRATIONS = Path(__file__).parent / "migrations"
LOCK_TIMEOUT_S = 15
"""How long a migration waits for tables that another session has locked."""
MIGRATION_LOCK = 0x7472_6164_655F_7376
"""Key of the lock by which one process migrates at a time. It ends with the transaction, so it also works behind
PgBouncer."""
ENCODING = "UTF8"

_SQL = load("migrate")
_ADVICE = {
    "42501": "this user may not change the tables: nothing was changed. Connect as their owner",
    "3F000": "the schema that the address names (schema, currentSchema or search_path) does not exist: create it",
    "55P03": (
        f"another session has held the tables for {LOCK_TIMEOUT_S} s: nothing was changed. Stop the legacy "
        "service and everything else that uses the database, then start again"
    ),
}
Progress = Callable[[str], None]


class SchemaState(msgspec.Struct, frozen=True):
    """The schema revision of a database, and the one that this release needs."""

    current: str | None
    """None if this service never migrated the database."""
    needed: str
    known: bool
    """False if a later release migrated the database."""

    @property
    def pending(self) -> bool:
        """Whether `migrate` has something to do."""
        return self.known and self.current != self.needed


class MigrationReport(msgspec.Struct, frozen=True):
    """The revision before and after a migration."""

    before: str | None
    after: str | None
    adopted_unknown: int = 0
    """Legacy executions whose outcome reconciliation has to find."""

    @property
    def changed(self) -> bool:
        """Whether anything was done."""
        return self.before != self.after


async def check(database: Reads) -> SchemaState:
    """The revision of the database's schema. Raises StoreUnavailable."""
    exists = await database.fetch_value(_SQL["has_version"], table=VERSION_TABLE)
    current = await database.fetch_value(_SQL["version"]) if exists else None
    known = revisions()
    return SchemaState(current, known[0], current is None or current in known)


async def migrate(
    database: Database | str, progress: Progress = lambda _: None, *, target: str = "head"
) -> MigrationReport:
    """Migrates a database, or the one at a URL, to this release: in one transaction, or not at all.

    An older revision as `target` (`base`: none) goes back to it: additions are removed, users' data stays. Safe to
    call from many processes at once: one migrates, the others wait and find nothing to do.

    Raises:
        MigrationError: it cannot be migrated, and nothing was changed; the message says what to do.
        StoreUnavailable: the database does not answer.
    """
    settings = StoreSettings(database) if isinstance(database, str) else database.settings
    # One long transaction, without time-outs and prepared statements.
    settings = msgspec.structs.replace(
        settings, pool_size=1, statement_timeout_s=0, prepared_statements=False
    )
    async with Database(settings) as patient:
        before = _known(await check(patient))
        if target == "head":
            await _check_encoding(patient)
            if not before.pending:
                return MigrationReport(before.current, before.current)
        progress("Bringing the database to this release ...")
        # Alembic and SQLAlchemy take half a second to import: only where there is something to migrate.
        from trade_service.store.migrations.alembic_run import run_migrations

        async with patient.transaction(scans=True) as session, _explained():
            await session.fetch(_SQL["no_timeouts"])
            if not await session.fetch_value(_SQL["try_lock"], key=MIGRATION_LOCK):
                progress("Another process is migrating the database: waiting for it ...")
                await session.fetch(_SQL["lock"], key=MIGRATION_LOCK)
            await session.fetch(_SQL["lock_timeout"], timeout=f"{LOCK_TIMEOUT_S}s")
            before = _known(await check(session))
            await run_migrations(session.connection, MIGRATIONS, target)
            after = await check(session)
            unknown = await session.fetch_value(_SQL["adopted"]) if before.current is None else 0
        if unknown:
            progress(f"{unknown} legacy executions have no known outcome: reconciliation will look for them.")
        return MigrationReport(before.current, after.current, unknown)


@cache
def revisions() -> tuple[str, ...]:
    """All revisions that this release knows, newest first, from the names of the migration files."""
    names = (path.name for path in (MIGRATIONS / "versions").glob("v*.py"))
    return tuple(sorted((name[1:].partition("_")[0] for name in names), reverse=True))


def _known(state: SchemaState) -> SchemaState:
    if state.known:
        return state
    raise MigrationError(
        f"the database is at revision {state.current}, which this release does not know (its own is "
        f"{state.needed}): a later release migrated it. Start that release, or a later one"
    )


async def _check_encoding(database: Database) -> None:
    encoding = await database.fetch_value(_SQL["encoding"])
    if encoding != ENCODING:
        raise MigrationError(
            f"the database is encoded in {encoding}, which does not hold all text that clients send: nothing was "
            f"changed. Dump it, create one with ENCODING '{ENCODING}' TEMPLATE template0, and load it there"
        )


@asynccontextmanager
async def _explained() -> AsyncIterator[None]:
    try:
        yield
    except asyncpg.PostgresError as error:
        state = error.sqlstate or ""
        if state not in _ADVICE and is_unavailable(error):
            raise
        advice = _ADVICE.get(state, "the database refused a step of the migration: nothing was changed")
        raise MigrationError(f"{advice} ({error})") from error
