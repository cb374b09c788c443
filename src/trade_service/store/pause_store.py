"""PostgreSQL as the store of pauses."""

from collections.abc import Mapping, Sequence

from trade_service.store.audit_log_store import record
from trade_service.store.database import Database, Session
from trade_service.store.statements import load
from trade_service.trading.audit_log import Action, ObjectKind
from trade_service.trading.pausing import ALL_DESTINATIONS, Pause, PauseOrder, UnsentCounts

_SQL = load("pauses")


class PostgresPauseStore:
    """The port PauseStore on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def pauses(self) -> tuple[Pause, ...]:
        return tuple(Pause(*row) for row in await self._database.fetch(_SQL["list"]))

    async def destination_ids(self, abbreviation: str) -> Sequence[int]:
        rows = await self._database.fetch(_SQL["destinations"], abbreviation=abbreviation)
        return [destination_id for (destination_id,) in rows]

    async def waiting(self, attempts: int) -> Mapping[int, UnsentCounts]:
        rows = await self._database.fetch(_SQL["waiting"], attempts=attempts)
        return {destination_id: UnsentCounts(*counts) for destination_id, *counts in rows}

    async def pause(self, destination_ids: Sequence[int], order: PauseOrder) -> bool:
        async with self._database.transaction() as session:
            added = await session.fetch(
                _SQL["pause"], destination_ids=destination_ids, reason=order.reason, actor=order.actor
            )
            if added:
                await _record(session, Action.PAUSE, destination_ids, order)
        return bool(added)

    async def resume(self, destination_ids: Sequence[int], order: PauseOrder) -> bool:
        # A transaction of several statements, so that each one reads what earlier holders of the locks wrote.
        async with self._database.transaction() as session:
            ids = [row["id"] for row in await session.fetch(_SQL["lock"], destination_ids=destination_ids)]
            if ids:
                await session.execute(_SQL["stop_budgets"], destination_ids=destination_ids)
                await session.execute(_SQL["resume"], ids=ids)
                await session.execute(_SQL["wake"])
                await _record(session, Action.RESUME, destination_ids, order)
        return bool(ids)


async def _record(
    session: Session, action: Action, destination_ids: Sequence[int], order: PauseOrder
) -> None:
    ids = [one for one in destination_ids if one != ALL_DESTINATIONS]
    details = {"operator": order.actor, "reason": order.reason}
    await record(session, action, ObjectKind.SENDING, ids, name=order.destination, details=details)
