"""What all replicas know of the Execution Service's ledger: one row of PostgreSQL, and fills fetched from it."""

from collections.abc import Sequence
from typing import Any

from trade_service.domain.fields import MAX_FOLLOWED_ID
from trade_service.store.database import Database
from trade_service.store.statements import load
from trade_service.submission.downstream import DownstreamState, Sign, Suspicion
from trade_service.trading.fill_check import FetchedFill, HeldFill, RefusedFill

_SQL = load("downstream")


class PostgresDownstreamStore:
    """The port DownstreamStore on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self) -> DownstreamState:
        (row,) = await self._database.fetch(_SQL["read"])
        suspicion = None if row["suspected_sign"] is None else Suspicion(Sign(row[7]), *row[8:12])
        fields: list[Any] = [*row[:7], suspicion, *row[12:]]
        return DownstreamState(*fields)

    async def raise_high_water(self, epoch: int, service_id: int, execution_id: int) -> bool:
        raised = await self._database.execute(
            _SQL["raise_high_water"], epoch=epoch, service_id=service_id, execution_id=execution_id
        )
        return bool(raised)

    async def suspect(self, epoch: int, suspicion: Suspicion) -> bool:
        marked = await self._database.execute(
            _SQL["suspect"],
            epoch=epoch,
            sign=suspicion.sign.value,
            reason=suspicion.reason,
            service_id=suspicion.service_id,
            execution_id=suspicion.execution_id,
        )
        return bool(marked)

    async def dismiss(self, epoch: int, suspicion: Suspicion) -> None:
        await self._database.execute(_SQL["dismiss"], epoch=epoch, reason=suspicion.reason)

    async def begin_epoch(
        self, after: int, base_url: str, service_id: int, execution_id: int | None
    ) -> tuple[int, ...] | None:
        ((epoch, unknown),) = await self._database.fetch(
            _SQL["begin_epoch"],
            after=after,
            base_url=base_url,
            service_id=service_id,
            execution_id=execution_id,
        )
        return None if epoch is None else tuple(unknown)

    async def note_ledger(self, epoch: int, base_url: str, service_id: int, execution_id: int | None) -> None:
        await self._database.execute(
            _SQL["note_ledger"],
            epoch=epoch,
            base_url=base_url,
            service_id=service_id,
            execution_id=execution_id,
        )

    async def leave_gap(self, size: int) -> None:
        await self._database.execute(_SQL["leave_gap"], size=size, max_id=MAX_FOLLOWED_ID)

    async def held_as_unsent(self, execution_ids: Sequence[int]) -> tuple[int, ...]:
        rows = await self._database.fetch(_SQL["held_as_unsent"], ids=list(execution_ids))
        return tuple(row["id"] for row in rows)

    async def block(self, reason: str) -> None:
        await self._database.execute(_SQL["block"], reason=reason)

    async def advance_sequence(self, beyond: int, since_s: float, reason: str) -> bool:
        ((blocks, _),) = await self._database.fetch(
            _SQL["advance"], beyond=beyond, since_s=since_s, reason=reason
        )
        return bool(blocks)


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
