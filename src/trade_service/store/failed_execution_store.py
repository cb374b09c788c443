"""Failed executions in PostgreSQL."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from trade_service.domain.executions import SubmissionState
from trade_service.store.database import Database, Session
from trade_service.store.statements import load
from trade_service.trading.failed_executions import (
    CheckedPiece,
    FailedExecution,
    FailureFilter,
    FailureGroup,
    FailurePosition,
)

_SQL = load("failed_executions")
LOOKED_AT = 20_000
"""Rows that one statement looks at."""


class PostgresFailures:
    """The ports FailureReads and FailureCheckStore on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def groups(self, wanted: FailureFilter, limit: int) -> tuple[Sequence[FailureGroup], bool]:
        rows = await self._database.scan(_SQL["groups"], limit=limit + 1, **msgspec.structs.asdict(wanted))
        found = [FailureGroup(SubmissionState(state), *fields) for state, *fields in rows[:limit]]
        return found, len(rows) > limit

    async def count(self, wanted: FailureFilter) -> int:
        values = msgspec.structs.asdict(wanted)
        statement = _SQL["count_of_reason"] if _names_reason(values) else _SQL["count"]
        ((count,),) = await self._database.scan(statement, **values)
        return int(count)

    async def page(
        self, wanted: FailureFilter, before: FailurePosition | None, limit: int
    ) -> tuple[Sequence[FailedExecution], FailurePosition | None]:
        values = msgspec.structs.asdict(wanted)
        async with self._database.session() as session:
            places = await _places(session, values, before or (wanted.until, 0), limit + 1)
            rows = await session.fetch(_SQL["rows"], ids=places[:limit], **values)
        found = [FailedExecution(*row) for row in rows]
        if len(places) <= limit or not found:
            return found, None
        return found, FailurePosition(found[-1].failed_at, found[-1].execution_id)

    async def check(self, limit: int) -> CheckedPiece | None:
        row = await self._database.fetch_row(_SQL["check"], limit=limit)
        return None if row is None else CheckedPiece(*row)


def _names_reason(wanted: Mapping[str, Any]) -> bool:
    return None not in (wanted["state"], wanted["code"], wanted["message"])


async def _places(
    session: Session, wanted: dict[str, Any], before: tuple[datetime | None, int], limit: int
) -> list[int]:
    """The first ids behind a place, the latest first; where few rows match, it looks on in bounded steps."""
    values = wanted | {"before_at": before[0], "before_id": before[1]}
    if _names_reason(wanted):
        return [i for (i,) in await session.fetch(_SQL["places_of_reason"], limit=limit, **values)]
    ids: list[int] = []
    while True:
        rows = await session.fetch(_SQL["places"], looked_at=LOOKED_AT, limit=limit - len(ids), **values)
        ids += [i for (i,) in rows]
        if len(ids) == limit:
            return ids
        last = await session.fetch_row(_SQL["last_looked_at"], looked_at=LOOKED_AT, **values)
        if last is None:
            return ids
        values |= {"before_at": last["failed_at"], "before_id": last["execution_id"]}
