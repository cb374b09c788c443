"""Checks what PostgreSQL must promise for stored rows to prove anything: see docs/failures.md.

`database` sets the durability and isolation of our own transactions. What only the owner of the server can set is
checked here.
"""

from collections.abc import Sequence

import asyncpg
import msgspec

from trade_service.store.connecting import WEAK_COMMITS
from trade_service.store.database import Database, Reads
from trade_service.store.migrations import VERSION_TABLE
from trade_service.store.statements import load
from trade_service.submission.ports import StoreUnavailable

INSIST = "database.allow_data_loss"
_COMMITS = ("off", "local", "remote_write", "on", "remote_apply")
"""Values of synchronous_commit, the weakest first."""

_SQL = load("promises")
OUR_TABLES = (
    *("blotter", "trade_type", "destination", "execution_status", "trade_order", "execution"),
    *("submission_attempt", "submission_evidence", "bulk_submission", "downstream", "submission_pause"),
    "submitted_blotter",
    *("idempotency_key", "api_key", "portfolio_name", "security_name", "adopted_index", VERSION_TABLE),
)


class UnsafeDatabase(StoreUnavailable):
    """The database may lose committed data, or does not isolate transactions as needed."""


class OtherProgram(Exception):
    """A program that must not run beside this service uses the database; the message says what to do."""


class Promises(msgspec.Struct, frozen=True):
    """What a server promises."""

    broken: tuple[str, ...]
    """Why committed data may be lost, or transactions may not be isolated."""
    doubtful: tuple[str, ...]
    """Risks on some machines."""
    read_only: bool
    """A standby, or configured as read-only."""
    stronger_by_default: bool
    """The commits of new connections would wait longer than those of open ones."""


async def promises_of(database: Database) -> Promises:
    """Asks the server, with one statement. Raises StoreUnavailable."""
    async with database.session() as session:
        (row,) = await session.fetch(_SQL["promises"], tables=OUR_TABLES)
        # A pooler gives its clients process ids of its own.
        pooled = session.connection.get_server_pid() != row["pid"]
    return Promises(
        _broken(row),
        () if row["full_page_writes"] else (_TORN_PAGES,),
        row["read_only"],
        not pooled and _strength(row["commits_by_default"]) > _strength(row["commits"]),
    )


def _broken(row: asyncpg.Record) -> tuple[str, ...]:
    broken = []
    if not row["fsync"]:
        broken.append("fsync is off: a crash of its machine loses or corrupts committed data")
    if row["unlogged"]:
        broken.append(f"unlogged, and emptied by a crash: {', '.join(row['unlogged'])}")
    # `database` sets the next two, but not for sessions that a pooler shares.
    if row["commits"] in WEAK_COMMITS:
        broken.append(f"synchronous_commit is {row['commits']}{_ADVICE}")
    if row["isolation"] != "read committed":
        broken.append(f"transactions are {row['isolation']} by default{_ADVICE}")
    return tuple(broken)


def _strength(commits: str) -> int:
    return _COMMITS.index(commits) if commits in _COMMITS else len(_COMMITS)


_ADVICE = (
    ", and a pooler shares its sessions: do not set database.prepared_statements, or change the user's default "
    "with ALTER ROLE"
)
_TORN_PAGES = "full_page_writes is off: a crash of its machine can corrupt pages that are being written"


async def require_promises(database: Database, allow_data_loss: bool) -> tuple[str, ...]:
    """Checks the server before anything is sent; returns what to warn of.

    Raises:
        UnsafeDatabase: the server may lose what it commits, and `allow_data_loss` is not set.
        StoreUnavailable: it does not answer.
    """
    promises = await promises_of(database)
    if promises.broken and not allow_data_loss:
        raise UnsafeDatabase(
            f"the database is not safe: {'; '.join(promises.broken)}. An execution could be sent twice. Fix it, "
            f"or set {INSIST} = true where lost and duplicate executions do not matter, as in a test"
        )
    return promises.broken + promises.doubtful


async def require_alone(database: Reads, programs: Sequence[str]) -> None:
    """Checks that none of `programs`, by their `application_name`, has a session in the database.

    Raises:
        OtherProgram: one has, such as the legacy service, which knows no leases and would send executions again.
        StoreUnavailable: the server does not answer.
    """
    if not programs:
        return
    found = await database.fetch(_SQL["refused_sessions"], programs=list(programs))
    if found:
        sessions = ", ".join(f"{row['application_name']!r} ({row['sessions']} sessions)" for row in found)
        raise OtherProgram(
            f"another program uses the database: {sessions}. If it is the legacy service, stop all of it first: "
            "beside it, executions could be sent twice. If it is another program, take its name out of "
            "database.refused_programs"
        )


async def check_writable(probe: Database, work: Database, allow_data_loss: bool) -> None:
    """Checks that the server takes writes and is still as safe as at the start. Raises StoreUnavailable.

    If `probe` reaches a read-only server, it reconnects the next time and may reach another. If commits should
    now wait longer than when the connections of `work` were opened, those are renewed.
    """
    promises = await promises_of(probe)
    if promises.read_only:
        probe.renew()
        raise StoreUnavailable("the database is read-only: a standby, or set to read-only")
    if promises.broken and not allow_data_loss:
        raise UnsafeDatabase(f"the database is no longer safe: {'; '.join(promises.broken)}")
    if promises.stronger_by_default:
        probe.renew()
        work.renew()
