"""Reference data: read in one statement, changed in one transaction per change."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import asyncpg

from trade_service.domain.errors import NotFound, VersionConflict
from trade_service.domain.reference import (
    BLOTTER,
    DESTINATION,
    EXECUTION_STATUS,
    TRADE_TYPE,
    Blotter,
    Destination,
    ExecutionStatus,
    Reference,
    ReferenceData,
    ReferenceKind,
    ReferenceValues,
    TradeType,
    in_use,
)
from trade_service.store.database import Database, Session
from trade_service.store.request_key_store import keyed_transaction
from trade_service.store.statements import load
from trade_service.trading.request_keys import Created

SQL = load("reference")
_TABLES = {
    BLOTTER.thing: "blotter",
    TRADE_TYPE.thing: "trade_type",
    DESTINATION.thing: "destination",
    EXECUTION_STATUS.thing: "execution_status",
}

Kind = TypeVar("Kind", Blotter, TradeType, Destination, ExecutionStatus)


class PostgresReferenceReads:
    """The port ReferenceReads on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self) -> ReferenceData:
        rows = await self._database.fetch(SQL["load"])
        return ReferenceData(
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

    async def create(
        self, kind: ReferenceKind, values: ReferenceValues, decide: Callable[[Sequence[Reference]], None]
    ) -> Reference:
        async with keyed_transaction(self._database) as (session, making):
            decide(await _rows_in_turn(session, kind))
            statement = SQL[f"insert_{_table(kind)}"]
            (row,) = await session.fetch(statement, abbreviation=values.abbreviation, text=values.text)
            created = kind.shape(*row)
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
        async with self._database.transaction(scans=True) as session:
            rows = await _rows_in_turn(session, kind)
            old = _find(kind, rows, identity, version)
            if decide(old, rows):
                await _refuse_used(session, kind, old, deleted=False)
            (row,) = await session.fetch(
                SQL[f"update_{_table(kind)}"],
                id=identity,
                abbreviation=values.abbreviation,
                text=values.text,
            )
            return kind.shape(*row)

    async def delete(
        self,
        kind: ReferenceKind,
        identity: int,
        version: int,
        decide: Callable[[Reference, Sequence[Reference]], bool],
    ) -> None:
        async with self._database.transaction(scans=True) as session:
            rows = await _rows_in_turn(session, kind)
            old = _find(kind, rows, identity, version)
            if decide(old, rows):
                await _refuse_used(session, kind, old, deleted=True)
            await session.execute(SQL[f"delete_{_table(kind)}"], id=identity)


def _table(kind: ReferenceKind) -> str:
    return _TABLES[kind.thing]


async def _rows_in_turn(session: Session, kind: ReferenceKind) -> list[Reference]:
    """All rows of the kind, by id, once no other change of them is running."""
    await session.fetch(SQL[f"take_turn_{_table(kind)}"])
    return [kind.shape(*row) for row in await session.fetch(SQL[f"rows_{_table(kind)}"])]


def _find(kind: ReferenceKind, rows: Sequence[Reference], identity: int, version: int) -> Reference:
    row = next((row for row in rows if row.id == identity), None)
    if row is None:
        raise NotFound.of(kind.thing, identity)
    if row.version != version:
        raise VersionConflict.of(kind.thing, identity, version, row.version)
    return row


async def _refuse_used(session: Session, kind: ReferenceKind, old: Reference, *, deleted: bool) -> None:
    """Raises InUse when a row points to `old`; otherwise none can before this transaction ends."""
    await session.fetch(SQL[f"lock_out_{_table(kind)}"], id=old.id)
    row = await session.fetch_row(SQL[f"users_{_table(kind)}"], id=old.id)
    for user, user_id in () if row is None else row.items():
        if user_id is not None:
            raise in_use(kind, old, user.replace("_", " "), user_id, deleted)
