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


_AWAY = {
    "08": "connection; PgBouncer speaks so too",
    "28": "login refused",
    "3D": "no such database",
    "40": "rolled back: deadlock, serialisation",
    "53": "out of disk, memory or connections",
    "57": "stopped, starting, cancelled, timed out",
    "58": "system: input and output",
    "72": "snapshot too old",
    "F0": "the server's own configuration",
    "XX": "internal error, such as a row or a catalogue entry that changed under the statement",
}
# Warnings, statements and arguments that are wrong, and violated constraints, which the stores translate (23).
# "26", the name of a statement: `connecting` decides first whether a pooler came between.
_DEFECTS = (
    *(
        "01",
        "02",
        "03",
        "09",
        "0A",
        "0B",
        "0F",
        "0L",
        "0P",
        "0Z",
        "10",
        "20",
        "21",
        "22",
        "23",
        "24",
        "25",
        "26",
    ),
    *("27", "2B", "2D", "2F", "34", "38", "39", "3B", "3F", "42", "44", "54", "55", "HV", "P0"),
)
SQLSTATE_CLASSES = dict.fromkeys(_AWAY, Meaning.AWAY) | dict.fromkeys(_DEFECTS, Meaning.DEFECT)
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
