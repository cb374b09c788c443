"""What an error of the driver or the server means: is the database unavailable, or is it a defect?

If the same statement may succeed later, the store is unavailable, and callers retry or leave the work to recovery.
Everything else is a defect of ours, of the schema or of the data, shown with its traceback.
"""

from enum import StrEnum

import asyncpg

READ_ONLY = "25006"
"""The server refuses to write: after a failover a connection may lead to one that is a standby now."""


class Meaning(StrEnum):
    """What an error of the database means."""

    AWAY = "away"
    """The database is away, full, stopping or read-only, refuses the login, or undid the statement."""
    DEFECT = "defect"
    """The same statement will fail again."""


SQLSTATE_CLASSES: dict[str, Meaning] = {
    "01": Meaning.DEFECT,  # warning
    "02": Meaning.DEFECT,  # no data
    "03": Meaning.DEFECT,  # statement not yet complete
    "08": Meaning.AWAY,  # connection; PgBouncer speaks so too
    "09": Meaning.DEFECT,  # triggered action
    "0A": Meaning.DEFECT,  # feature not supported
    "0B": Meaning.DEFECT,  # invalid transaction initiation
    "0F": Meaning.DEFECT,  # locator
    "0L": Meaning.DEFECT,  # grantor
    "0P": Meaning.DEFECT,  # role
    "0Z": Meaning.DEFECT,  # diagnostics
    "10": Meaning.DEFECT,  # XQuery
    "20": Meaning.DEFECT,  # case not found
    "21": Meaning.DEFECT,  # cardinality
    "22": Meaning.DEFECT,  # data; asyncpg speaks so of an argument that does not fit
    "23": Meaning.DEFECT,  # integrity; order_store and row_changes translate it
    "24": Meaning.DEFECT,  # cursor state
    "25": Meaning.DEFECT,  # transaction state
    "26": Meaning.DEFECT,  # statement name: a pooler between us, and prepared statements not switched off
    "27": Meaning.DEFECT,  # triggered data change
    "28": Meaning.AWAY,  # login refused
    "2B": Meaning.DEFECT,  # dependent privileges
    "2D": Meaning.DEFECT,  # transaction termination
    "2F": Meaning.DEFECT,  # SQL routine
    "34": Meaning.DEFECT,  # cursor name
    "38": Meaning.DEFECT,  # external routine
    "39": Meaning.DEFECT,  # external routine invocation
    "3B": Meaning.DEFECT,  # savepoint
    "3D": Meaning.AWAY,  # no such database
    "3F": Meaning.DEFECT,  # no such schema
    "40": Meaning.AWAY,  # rolled back: deadlock, serialisation
    "42": Meaning.DEFECT,  # syntax, access rights, missing tables
    "44": Meaning.DEFECT,  # check option
    "53": Meaning.AWAY,  # out of disk, memory or connections
    "54": Meaning.DEFECT,  # program limit
    "55": Meaning.DEFECT,  # object not in prerequisite state
    "57": Meaning.AWAY,  # stopped, starting, cancelled, timed out
    "58": Meaning.AWAY,  # system: input and output
    "72": Meaning.AWAY,  # snapshot too old
    "F0": Meaning.AWAY,  # the server's own configuration
    "HV": Meaning.DEFECT,  # foreign data
    "P0": Meaning.DEFECT,  # PL/pgSQL: a user's trigger refused
    "XX": Meaning.AWAY,  # internal error, such as a row or a catalogue entry that changed under the statement
}
"""By the first two characters of the SQLSTATE."""

SQLSTATES: dict[str, Meaning] = {
    READ_ONLY: Meaning.AWAY,
    "25P03": Meaning.AWAY,  # idle in a transaction for too long: disconnected
    "25P04": Meaning.AWAY,  # transaction time-out: disconnected
    "55006": Meaning.AWAY,  # object in use
    "55P03": Meaning.AWAY,  # lock not available
    "XX001": Meaning.DEFECT,  # data corrupted: never mistaken for an outage
    "XX002": Meaning.DEFECT,  # index corrupted
}
"""States that mean something else than their class."""

DRIVER_ERRORS: dict[type[BaseException], Meaning] = {
    # The server's, without a SQLSTATE of their own.
    asyncpg.PostgresError: Meaning.DEFECT,
    asyncpg.FatalPostgresError: Meaning.AWAY,
    asyncpg.UnknownPostgresError: Meaning.DEFECT,
    # A plan from before a migration: the driver forgets it, and the statement succeeds the next time.
    asyncpg.InvalidCachedStatementError: Meaning.AWAY,
    # The driver's: its connection is closed, busy or no longer reliable.
    asyncpg.InterfaceError: Meaning.AWAY,
    asyncpg.InternalClientError: Meaning.AWAY,
    asyncpg.ProtocolError: Meaning.AWAY,
    asyncpg.OutdatedSchemaCacheError: Meaning.AWAY,
    asyncpg.TargetServerAttributeNotMatched: Meaning.AWAY,
    # The address of the database cannot be read or used, like a refused login.
    asyncpg.ClientConfigurationError: Meaning.AWAY,
    # The driver or the server does not support what we ask for.
    asyncpg.UnsupportedClientFeatureError: Meaning.DEFECT,
    asyncpg.UnsupportedServerFeatureError: Meaning.DEFECT,
}
"""Errors of the driver that no SQLSTATE decides."""

DRIVER_ROOTS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""Every error of the driver is one of these."""


def meaning_of(error: BaseException) -> Meaning:
    """What an error of asyncpg means; unknown ones are defects."""
    decided = DRIVER_ERRORS.get(type(error))
    if decided is Meaning.AWAY:
        return decided
    state = getattr(error, "sqlstate", None)
    if isinstance(state, str):
        return SQLSTATES.get(state) or SQLSTATE_CLASSES.get(state[:2], Meaning.DEFECT)
    return decided or Meaning.DEFECT


def is_unavailable(error: BaseException) -> bool:
    """Whether the database is away, or may run the same statement later."""
    return meaning_of(error) is Meaning.AWAY
