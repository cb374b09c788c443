"""What PostgreSQL has to promise, or nothing that is stored here proves anything: see docs/failures.md.

Durability and isolation of our own transactions are set by `engine`. What only the server's owner can set is
looked at here.
"""

import msgspec
from sqlalchemy import String, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncEngine

from trade_service.store.engine import WEAK_COMMITS, autocommitted
from trade_service.store.migrations import VERSION_TABLE
from trade_service.store.pool import renew
from trade_service.store.tables import metadata
from trade_service.submission.ports import StoreUnavailable

INSIST = "database.allow_data_loss"
_COMMITS = ("off", "local", "remote_write", "on", "remote_apply")
"""Values of synchronous_commit, the weakest first."""

PROMISES = text("""
WITH ours AS MATERIALIZED (
    SELECT to_regclass(t.name) AS oid FROM unnest(:tables) AS t(name)
)
SELECT current_setting('fsync') = 'on' AS fsync, current_setting('full_page_writes') = 'on' AS full_page_writes,
       pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on' AS read_only,
       current_setting('synchronous_commit') AS commits,
       (SELECT reset_val FROM pg_settings WHERE name = 'synchronous_commit') AS commits_by_default,
       current_setting('transaction_isolation') AS isolation,
       pg_backend_pid() AS pid,
       ARRAY(SELECT c.relname::text FROM pg_class c
             WHERE c.relkind IN ('r', 'p', 'S') AND c.relpersistence <> 'p'
               AND (c.oid IN (SELECT oid FROM ours)
                    OR c.oid IN (SELECT d.objid FROM pg_depend d
                                 WHERE d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
                                   AND d.refclassid = 'pg_class'::regclass
                                   AND d.refobjid IN (SELECT oid FROM ours)))
             ORDER BY 1) AS unlogged
""").bindparams(bindparam("tables", [*metadata.tables, VERSION_TABLE], ARRAY(String)))
"""An unlogged sequence gives the same ids again after a crash: those of our tables count too."""


class UnsafeDatabase(StoreUnavailable):
    """The database may forget what it committed, or let transactions see what they must not."""


class Promises(msgspec.Struct, frozen=True):
    """What a server promises."""

    broken: tuple[str, ...]
    """Why what is committed there may be lost, or may not be isolated."""
    doubtful: tuple[str, ...]
    """What may hurt on some machines."""
    read_only: bool
    """It takes no writes at present: a standby, or one that was told so."""
    stronger_by_default: bool
    """New connections would wait longer for their commits than those that are open."""


async def promises_of(engine: AsyncEngine) -> Promises:
    """Asks the server, by one statement. Raises StoreUnavailable."""
    async with autocommitted(engine) as connection:
        row = (await connection.execute(PROMISES)).one()
        driver = (await connection.get_raw_connection()).driver_connection
        # A pooler gives its clients numbers of its own.
        pooled = driver is None or driver.get_server_pid() != row.pid
    broken = []
    if not row.fsync:
        broken.append("fsync is off: a crash of its machine loses or spoils what it committed")
    if row.unlogged:
        broken.append(f"unlogged, and emptied by a crash: {', '.join(row.unlogged)}")
    # Set by `engine`, but for sessions that a pooler shares.
    if row.commits in WEAK_COMMITS:
        broken.append(f"synchronous_commit is {row.commits}{_ADVICE}")
    if row.isolation != "read committed":
        broken.append(f"transactions are {row.isolation} by default{_ADVICE}")
    return Promises(
        tuple(broken),
        () if row.full_page_writes else (_TORN_PAGES,),
        row.read_only,
        not pooled and _strength(row.commits_by_default) > _strength(row.commits),
    )


def _strength(commits: str) -> int:
    return _COMMITS.index(commits) if commits in _COMMITS else len(_COMMITS)


_ADVICE = (
    ", and a pooler shares its sessions: set database.prepared_statements = false, or change the user's default "
    "with ALTER ROLE"
)
_TORN_PAGES = "full_page_writes is off: a crash of its machine can spoil pages that are just being written"


async def require_promises(engine: AsyncEngine, allow_data_loss: bool) -> tuple[str, ...]:
    """What is to be warned of before anything is sent.

    Raises:
        UnsafeDatabase: the server may lose what it commits, and nobody insists on it.
        StoreUnavailable: it does not answer.
    """
    promises = await promises_of(engine)
    if promises.broken and not allow_data_loss:
        raise UnsafeDatabase(
            f"the database is not safe: {'; '.join(promises.broken)}. An execution could be sent twice. Mend it; "
            f"or set {INSIST} = true where losing and doubling does not matter, as in a test"
        )
    return promises.broken + promises.doubtful


async def check_writable(probe: AsyncEngine, work: AsyncEngine, allow_data_loss: bool) -> None:
    """Whether the server takes writes and still is as safe as at the start.

    A `probe` that finds itself on a read-only server leaves it: the next one may reach another. Where commits are
    to wait longer than they did when the connections of `work` were opened, those are opened anew.

    Raises StoreUnavailable, saying why.
    """
    promises = await promises_of(probe)
    if promises.read_only:
        renew(probe)
        raise StoreUnavailable("the database is read-only: a standby, or told to take no writes")
    if promises.broken and not allow_data_loss:
        raise UnsafeDatabase(f"the database is not safe any more: {'; '.join(promises.broken)}")
    if promises.stronger_by_default:
        renew(probe)
        renew(work)
