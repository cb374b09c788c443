"""Brings the database to the schema that this release needs, and reads which schema it has."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from functools import cache
from pathlib import Path

import asyncpg
import msgspec

from trade_service.store.database import Database, Reads, Session
from trade_service.store.failures import is_unavailable
from trade_service.store.migrations import VERSION_TABLE, MigrationError
from trade_service.store.promises import require_alone
from trade_service.store.statements import load
from trade_service.store.store_settings import StoreSettings

MIGRATIONS = Path(__file__).parent / "migrations"
LOCK_TIMEOUT_S = 15
"""How long a migration waits for tables that another session has locked."""
LOCK_TRY_MS = 500
"""How long a migration that goes back waits for all tables at a time: less than `deadlock_timeout` (default 1 s),
after which PostgreSQL would end a statement of the service instead."""
LOCK_PAUSE_S = 0.1
"""Time between such tries, in which waiting statements go on."""
MIGRATION_LOCK = 0x7472_6164_655F_7376
"""Key of the lock by which one process migrates at a time. It ends with the transaction, so it also works behind
PgBouncer."""
ENCODING = "UTF8"
HEAD, BASE = "head", "base"
"""The revision of this release, and that of a database which this service has never migrated."""

_SQL = load("migrate")
_ADVICE = {
    "42501": "this user may not change the tables: nothing was changed. Connect as their owner",
    "3F000": "the schema that the address names (schema, currentSchema or search_path) does not exist: create it",
    "55P03": (
        f"another session has held the tables for {LOCK_TIMEOUT_S} s: nothing was changed. Stop the legacy "
        "service and everything else that uses the database, then start again"
    ),
    "40P01": "a statement of another session stood in the way: nothing was changed. Start again",
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
    current = (
        await database.fetch_value(_SQL["version"]) if await has_table(database, VERSION_TABLE) else None
    )
    known = revisions()
    return SchemaState(current, known[0], current is None or current in known)


async def has_table(database: Reads, name: str) -> bool:
    """Whether the database has a table of that name. Raises StoreUnavailable."""
    return bool(await database.fetch_value(_SQL["has_table"], table=name))


class MigrationPreview(msgspec.Struct, frozen=True):
    """What a migration did before it was rolled back."""

    report: MigrationReport
    statements: tuple[str, ...]
    """The SQL in order, without what only reads; values are marked by $1, $2 ..."""
    locks: Mapping[str, str]
    """The tables that existed before, each with the strongest lock that was held on it to the end."""
    took_ms: int


async def migrate(
    database: Database | str, progress: Progress = lambda _: None, *, target: str = HEAD
) -> MigrationReport:
    """Migrates a database, or the one at a URL, to this release: in one transaction, or not at all.

    Another revision as `target` (`base`: none) goes forward or back to it: going back removes what later revisions
    added, and users' data stays. Safe to call from many processes at once: one migrates, the others wait and find
    nothing to do.

    Raises:
        MigrationError: it cannot be migrated, and nothing was changed; the message says what to do.
        OtherProgram: this service never migrated it, and a program in `refused_programs` uses it.
        StoreUnavailable: the database does not answer.
    """
    async with _patient(database) as patient:
        before = _known(await check(patient))
        if target == HEAD:
            await _check_encoding(patient)
            if not before.pending:
                return MigrationReport(before.current, before.current)
        progress("Bringing the database to this release ...")
        async with patient.transaction(scans=True) as session, _explained():
            report = await _migrated(session, patient.settings, progress, target)
        if report.adopted_unknown:
            unknown = f"{report.adopted_unknown} legacy executions have no known outcome"
            progress(f"{unknown}: reconciliation will look for them.")
        return report


async def preview(database: Database, progress: Progress, *, target: str = HEAD) -> MigrationPreview:
    """Migrates as `migrate` does, and rolls back: the same checks and locks for as long. Raises as it does."""
    statements: list[str] = []
    found: list[MigrationPreview] = []
    async with _patient(database) as patient:
        await _check_encoding(patient)
        with suppress(_RolledBack):
            async with patient.transaction(scans=True) as session, _explained():
                began = time.monotonic()
                tables = await session.fetch_value(_SQL["tables"])
                report = await _migrated(session, patient.settings, progress, target, statements.append)
                locks = await session.fetch(_SQL["locks"], tables=tables)
                found.append(
                    MigrationPreview(
                        report,
                        tuple(statements),
                        {row["name"]: row["mode"] for row in locks},
                        round((time.monotonic() - began) * 1000),
                    )
                )
                raise _RolledBack
    return found[0]


class _RolledBack(Exception):
    """Ends the transaction of a preview."""


@asynccontextmanager
async def _patient(database: Database | str) -> AsyncIterator[Database]:
    """The database for one long transaction, without time-outs and prepared statements."""
    settings = StoreSettings(database) if isinstance(database, str) else database.settings
    async with Database(
        msgspec.structs.replace(settings, pool_size=1, statement_timeout_s=0, prepared_statements=False)
    ) as patient:
        yield patient


async def _migrated(
    session: Session,
    settings: StoreSettings,
    progress: Progress,
    target: str,
    record: Callable[[str], None] = lambda _: None,
) -> MigrationReport:
    # Alembic and SQLAlchemy take half a second to import: only where there is something to migrate.
    from trade_service.store.migrations.alembic_run import run_migrations

    await session.fetch(_SQL["no_timeouts"])
    if not await session.fetch_value(_SQL["try_lock"], key=MIGRATION_LOCK):
        progress("Another process is migrating the database: waiting for it ...")
        await session.fetch(_SQL["lock"], key=MIGRATION_LOCK)
    before = _known(await check(session))
    if before.current is None:
        await require_alone(session, settings.refused_programs)
    forward = target == HEAD or (target != BASE and target > (before.current or ""))
    if not forward and before.current is not None:
        await _lock_tables(session)
    await session.fetch(_SQL["lock_timeout"], timeout=f"{LOCK_TIMEOUT_S}s")
    await run_migrations(session.connection, MIGRATIONS, target, forward, record)
    after = await check(session)
    unknown = await session.fetch_value(_SQL["adopted"]) if before.current is None and after.current else 0
    return MigrationReport(before.current, after.current, unknown)


async def _lock_tables(session: Session) -> None:
    """Locks all tables before the first is changed.

    What goes back drops tables and keys that refer to others, one lock after the other; statements of running
    replicas lock the same tables in another order, and would deadlock with it.
    """
    until = time.monotonic() + LOCK_TIMEOUT_S
    await session.fetch(_SQL["before_locks"])
    while True:
        await session.fetch(_SQL["statement_timeout"], timeout=f"{LOCK_TRY_MS}ms")
        try:
            await session.fetch(_SQL["lock_tables"])
        except asyncpg.QueryCanceledError as error:
            if time.monotonic() > until:
                raise MigrationError(f"{_ADVICE['55P03']} ({error})") from error
            await session.fetch(_SQL["without_locks"])
            await asyncio.sleep(LOCK_PAUSE_S)
        else:
            await session.fetch(_SQL["no_timeouts"])
            return


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
