"""Reference data: read in one statement, changed in one transaction per change."""

from collections.abc import Iterable, Mapping
from typing import TypeVar

import asyncpg

from trade_service.domain.errors import NotFound, VersionConflict
from trade_service.domain.reference import (
    Blotter,
    Destination,
    ExecutionStatus,
    Reference,
    ReferenceData,
    ReferenceKind,
    ReferenceValues,
    TradeType,
    in_use,
    needs_unused,
    refuse_taken,
)
from trade_service.store.audit_log_store import changed_fields, record
from trade_service.store.database import Database, Session
from trade_service.store.request_key_store import keyed_transaction
from trade_service.store.statements import load
from trade_service.trading.audit_log import Action, ObjectKind
from trade_service.trading.request_keys import Created

SQL = load("reference")

_OBJECTS = {
    "blotter": ObjectKind.BLOTTER,
    "trade type": ObjectKind.TRADE_TYPE,
    "destination": ObjectKind.DESTINATION,
    "execution status": ObjectKind.EXECUTION_STATUS,
}

Kind = TypeVar("Kind", Blotter, TradeType, Destination, ExecutionStatus)


class PostgresReferenceReads:
    """The port ReferenceReads on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.seen_revision = database.seen_revision

    async def load(self) -> ReferenceData:
        seen = self.seen_revision
        before = seen.newest
        rows = await self._database.fetch(SQL["load"])
        revision: int = next(row["version"] for row in rows if row["kind"] == "revision")
        if revision < before:  # An earlier state of the database was restored.
            seen.newest = revision
        return ReferenceData(
            revision=revision,
            blotters=_of_kind(rows, "blotter", Blotter),
            trade_types=_of_kind(rows, "trade_type", TradeType),
            destinations=_of_kind(rows, "destination", Destination),
            statuses=_of_kind(rows, "execution_status", ExecutionStatus),
        )


def _of_kind(rows: Iterable[asyncpg.Record], kind: str, build: type[Kind]) -> dict[int, Kind]:
    return {row["id"]: build(*row[1:]) for row in rows if row["kind"] == kind}


class PostgresReferenceChanges:
    """The port ReferenceChanges on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, kind: ReferenceKind, values: ReferenceValues) -> Reference:
        async with keyed_transaction(self._database) as (session, making):
            refuse_taken(kind, values, await _rows_in_turn(session, kind))
            statement = SQL[f"insert_{_table(kind)}"]
            (row,) = await session.fetch(statement, abbreviation=values.abbreviation, text=values.text)
            created = kind.shape(*row)
            await _record(session, Action.CREATE, kind, created, {})
            making.created = Created((created.id,))
        return created

    async def update(
        self, kind: ReferenceKind, identity: int, version: int, values: ReferenceValues
    ) -> Reference:
        async with self._database.transaction(scans=True) as session:
            old = await _check_change(session, kind, identity, version, values)
            (row,) = await session.fetch(
                SQL[f"update_{_table(kind)}"],
                id=identity,
                abbreviation=values.abbreviation,
                text=values.text,
            )
            updated = kind.shape(*row)
            await _record(session, Action.UPDATE, kind, updated, changed_fields(old, updated))
            return updated

    async def delete(self, kind: ReferenceKind, identity: int, version: int) -> None:
        async with self._database.transaction(scans=True) as session:
            old = await _check_change(session, kind, identity, version, None)
            await session.execute(SQL[f"delete_{_table(kind)}"], id=identity)
            await _record(session, Action.DELETE, kind, old, changed_fields(old))


async def _record(
    session: Session, action: Action, kind: ReferenceKind, row: Reference, details: Mapping[str, object]
) -> None:
    await record(
        session, action, _OBJECTS[kind.thing], [row.id], name=row.abbreviation, details=details or None
    )


def _table(kind: ReferenceKind) -> str:
    return kind.thing.replace(" ", "_")


async def _rows_in_turn(session: Session, kind: ReferenceKind) -> list[Reference]:
    """All rows of the kind, by id, locked against other changes until the transaction ends."""
    await session.fetch(SQL[f"take_turn_{_table(kind)}"])
    return [kind.shape(*row) for row in await session.fetch(SQL[f"rows_{_table(kind)}"])]


async def _check_change(
    session: Session, kind: ReferenceKind, identity: int, version: int, values: ReferenceValues | None
) -> Reference:
    """The row; raises unless it may be changed into `values` (None: deleted).

    If a row that points to it would forbid that, none does, and none can before this transaction ends.
    """
    rows = await _rows_in_turn(session, kind)
    old = next((row for row in rows if row.id == identity), None)
    if old is None:
        raise NotFound.of(kind.thing, identity)
    if old.version != version:
        raise VersionConflict.of(kind.thing, identity, version, old.version)
    if not needs_unused(kind, old, values, rows):
        return old
    await session.fetch(SQL[f"lock_out_{_table(kind)}"], id=old.id)
    row = await session.fetch_row(SQL[f"users_{_table(kind)}"], id=old.id)
    for user, user_id in () if row is None else row.items():
        if user_id is not None:
            raise in_use(kind, old, user.replace("_", " "), user_id, deleted=values is None)
    return old
