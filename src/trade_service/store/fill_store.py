"""Fills that are fetched from the Execution Service's ledger, on PostgreSQL."""

from collections.abc import Sequence
from typing import Any

from trade_service.store.database import Database
from trade_service.store.statements import load
from trade_service.trading.fill_check import FetchedFill, HeldFill, RefusedFill

_SQL = load("fills")


class PostgresFillStore:
    """The port FillStore on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin_fill_check(self, every_s: float) -> int | None:
        offset: int | None = await self._database.fetch_value(_SQL["begin_check"], every_s=every_s)
        return offset

    async def end_fill_check(self, offset: int) -> None:
        await self._database.execute(_SQL["end_check"], offset=offset)

    async def held_fills(self, execution_ids: Sequence[int]) -> list[HeldFill]:
        rows = await self._database.fetch(_SQL["held"], ids=list(execution_ids))
        return [HeldFill(*row) for row in rows]

    async def store_fetched(self, fills: Sequence[FetchedFill]) -> list[int]:
        rows = await self._database.fetch(
            _SQL["store_fetched"],
            ids=[fill.execution_id for fill in fills],
            service_ids=[fill.execution_service_id for fill in fills],
            versions=[fill.version for fill in fills],
            status_ids=[fill.status_id for fill in fills],
            quantities=[fill.quantity_filled for fill in fills],
            messages=[fill.message for fill in fills],
        )
        return [row["execution_id"] for row in rows]

    async def new_refusals(self, fills: Sequence[RefusedFill]) -> list[int]:
        rows = await self._database.fetch(_SQL["new_refusals"], **_columns(fills))
        return [row["id"] for row in rows]

    async def note_refused(self, fills: Sequence[RefusedFill]) -> None:
        await self._database.execute(_SQL["note_refused"], **_columns(fills))


def _columns(fills: Sequence[RefusedFill]) -> dict[str, list[Any]]:
    return {
        "ids": [fill.execution_id for fill in fills],
        "service_ids": [fill.execution_service_id for fill in fills],
        "messages": [fill.message for fill in fills],
    }
