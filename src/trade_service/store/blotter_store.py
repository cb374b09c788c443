"""PostgreSQL as the store of blotters that were submitted whole."""

import asyncio
from collections.abc import Callable, Sequence

import msgspec

from trade_service.domain.orders import MAX_SUBMISSIONS
from trade_service.domain.reference import ReferenceData
from trade_service.store.bulk_store import begin_bulk
from trade_service.store.database import Database
from trade_service.store.execution_reads import to_order
from trade_service.store.known_orders import executions_of
from trade_service.store.order_store import place_lines, stale_references
from trade_service.store.request_key_store import keyed_transaction
from trade_service.store.statements import load
from trade_service.submission.model import AttemptId
from trade_service.submission.ports import SubmissionStore
from trade_service.trading.blotter_submissions import KeptBlotter
from trade_service.trading.bulk_submissions import BulkSubmissionId
from trade_service.trading.model import BlotterLine, PlacedLine
from trade_service.trading.request_keys import Created

_SQL = load("blotters")
_ORDERS = load("orders")
_DECODER = msgspec.msgpack.Decoder(KeptBlotter)


class _NothingToWrite(Exception):
    """Rolls a transaction back."""


class PostgresBlotterStore:
    """The port BlotterStore on PostgreSQL."""

    def __init__(self, database: Database, submissions: SubmissionStore, owner: str) -> None:
        self._database = database
        self._submissions = submissions
        self._owner = owner

    async def submit(
        self,
        submission_id: BulkSubmissionId,
        lines: Sequence[BlotterLine],
        attempt_ids: Sequence[AttemptId],
        reference: ReferenceData,
        keep: Callable[[Sequence[PlacedLine]], KeptBlotter | None],
    ) -> KeptBlotter | None:
        await self._adopt(lines)
        try:
            with stale_references():
                async with keyed_transaction(self._database) as (session, making):
                    first = -(-len(lines) // MAX_SUBMISSIONS)
                    placed = await place_lines(
                        session, lines, attempt_ids[:first], reference, self._owner, in_bulk=True
                    )
                    kept = await asyncio.to_thread(keep, placed)
                    if kept is None:
                        raise _NothingToWrite
                    # Executions of an earlier run that were never sent are queued here.
                    ids = kept.execution_ids
                    await begin_bulk(session, submission_id, ids, attempt_ids[first:], self._owner)
                    rows = await asyncio.to_thread(msgspec.msgpack.encode, kept)
                    await session.execute(_SQL["keep"], id=submission_id, rows=rows)
                    making.created = Created(name=submission_id)
        except _NothingToWrite:
            return None
        return kept

    async def read(self, submission_id: BulkSubmissionId) -> KeptBlotter | None:
        rows = await self._database.fetch_value(_SQL["read"], id=submission_id)
        return None if rows is None else await asyncio.to_thread(_DECODER.decode, rows)

    async def _adopt(self, lines: Sequence[BlotterLine]) -> None:
        """Adoption commits first, in its own transaction: it is right whatever happens afterwards."""
        order_ids = [line.order.order_id for line in lines]
        known = map(to_order, await self._database.fetch(_ORDERS["known_orders"], order_ids=order_ids))
        held = await executions_of(self._database, known)
        ids = [one for executions in held.values() for one in executions.ids]
        if ids:
            await self._submissions.adopt(ids)
