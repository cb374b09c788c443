"""Reference data, changed: one transaction a change, in turn with all other changes of the same kind."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Integer, String, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from trade_service.domain.errors import NotFound, VersionConflict
from trade_service.domain.reference_changes import (
    BLOTTER,
    DESTINATION,
    EXECUTION_STATUS,
    TRADE_TYPE,
    Reference,
    ReferenceKind,
    ReferenceValues,
    in_use,
)
from trade_service.store.database import Database
from trade_service.store.engine import whole_tables
from trade_service.store.legacy_keys import legacy_keyed_transaction
from trade_service.trading.request_keys import Created

_TABLES = {
    BLOTTER.thing: ("blotter", "name"),
    TRADE_TYPE.thing: ("trade_type", "description"),
    DESTINATION.thing: ("destination", "description"),
    EXECUTION_STATUS.thing: ("execution_status", "description"),
}
_ID = bindparam("id", type_=Integer)
_VALUES = (bindparam("abbreviation", type_=String), bindparam("text", type_=String))

# No statement of a submission waits for this lock: foreign keys ask for less.
_TAKE_TURNS = {
    thing: text(f"SELECT id FROM {table} ORDER BY id FOR NO KEY UPDATE")
    for thing, (table, _) in _TABLES.items()
}
_ROWS = {
    thing: text(f"SELECT id, abbreviation, {column}, version FROM {table} ORDER BY id")
    for thing, (table, column) in _TABLES.items()
}
# While it is held nothing new can point to the row.
_LOCK_OUT = {
    thing: text(f"SELECT id FROM {table} WHERE id = :id FOR UPDATE").bindparams(_ID)
    for thing, (table, _) in _TABLES.items()
}
_INSERT = {
    thing: text(
        f"INSERT INTO {table} (abbreviation, {column}) VALUES (:abbreviation, :text) "
        f"RETURNING id, abbreviation, {column}, version"
    ).bindparams(*_VALUES)
    for thing, (table, column) in _TABLES.items()
}
_UPDATE = {
    thing: text(
        f"UPDATE {table} SET abbreviation = :abbreviation, {column} = :text, version = version + 1 "
        f"WHERE id = :id RETURNING id, abbreviation, {column}, version"
    ).bindparams(_ID, *_VALUES)
    for thing, (table, column) in _TABLES.items()
}
_DELETE = {
    thing: text(f"DELETE FROM {table} WHERE id = :id").bindparams(_ID)
    for thing, (table, _) in _TABLES.items()
}
# No index serves these, see docs/decisions/0004: what points to nothing costs a look through all rows.
BLOTTER_USERS = text("""
SELECT (SELECT id FROM trade_order WHERE blotter_id = :id LIMIT 1) AS trade_order,
       (SELECT id FROM execution WHERE blotter_id = :id LIMIT 1) AS execution
""").bindparams(_ID)
TRADE_TYPE_USERS = text("SELECT id AS execution FROM execution WHERE trade_type_id = :id LIMIT 1").bindparams(
    _ID
)
DESTINATION_USERS = text(
    "SELECT id AS execution FROM execution WHERE destination_id = :id LIMIT 1"
).bindparams(_ID)
STATUS_USERS = text(
    "SELECT id AS execution FROM execution WHERE execution_status_id = :id LIMIT 1"
).bindparams(_ID)
_USERS = {
    BLOTTER.thing: BLOTTER_USERS,
    TRADE_TYPE.thing: TRADE_TYPE_USERS,
    DESTINATION.thing: DESTINATION_USERS,
    EXECUTION_STATUS.thing: STATUS_USERS,
}


class PostgresReferenceChanges:
    """The port ReferenceChanges on PostgreSQL; see there for what each method promises."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self, kind: ReferenceKind, values: ReferenceValues, decide: Callable[[Sequence[Reference]], None]
    ) -> Reference:
        """See ReferenceChanges."""
        async with legacy_keyed_transaction(self._database) as (connection, making):
            decide(await _in_turn(connection, kind))
            given = {"abbreviation": values.abbreviation, "text": values.text}
            created = kind.shape(*(await connection.execute(_INSERT[kind.thing], given)).one())
            making.created = Created((created.id,))
        return created

    async def update(
        self,
        kind: ReferenceKind,
        identity: int,
        version: int,
        values: ReferenceValues,
        decide: Callable[[Reference, Sequence[Reference]], bool],
    ) -> Reference:
        """See ReferenceChanges."""
        async with whole_tables(self._database) as connection:
            rows = await _in_turn(connection, kind)
            old = _find(kind, rows, identity, version)
            if decide(old, rows):
                await _refuse_used(connection, kind, old, deleted=False)
            given = {"id": identity, "abbreviation": values.abbreviation, "text": values.text}
            return kind.shape(*(await connection.execute(_UPDATE[kind.thing], given)).one())

    async def delete(
        self,
        kind: ReferenceKind,
        identity: int,
        version: int,
        decide: Callable[[Reference, Sequence[Reference]], bool],
    ) -> None:
        """See ReferenceChanges."""
        async with whole_tables(self._database) as connection:
            rows = await _in_turn(connection, kind)
            old = _find(kind, rows, identity, version)
            if decide(old, rows):
                await _refuse_used(connection, kind, old, deleted=True)
            await connection.execute(_DELETE[kind.thing], {"id": identity})


async def _in_turn(connection: AsyncConnection, kind: ReferenceKind) -> list[Reference]:
    """All rows of the kind, by id, once no other change of them is under way."""
    await connection.execute(_TAKE_TURNS[kind.thing])
    return [kind.shape(*row) for row in await connection.execute(_ROWS[kind.thing])]


def _find(kind: ReferenceKind, rows: Sequence[Reference], identity: int, version: int) -> Reference:
    row = next((row for row in rows if row.id == identity), None)
    if row is None:
        raise NotFound.of(kind.thing, identity)
    if row.version != version:
        raise VersionConflict.of(kind.thing, identity, version, row.version)
    return row


async def _refuse_used(
    connection: AsyncConnection, kind: ReferenceKind, old: Reference, *, deleted: bool
) -> None:
    """Raises InUse when a row points to `old`; afterwards none can before this transaction ends."""
    await connection.execute(_LOCK_OUT[kind.thing], {"id": old.id})
    row: Any = (await connection.execute(_USERS[kind.thing], {"id": old.id})).mappings().one_or_none() or {}
    for user, user_id in row.items():
        if user_id is not None:
            raise in_use(kind, old, user.replace("_", " "), user_id, deleted)
