"""OperatorService: what people see of executions that did not end well, and do about them."""

from collections.abc import Callable, Sequence

import msgspec

from trade_service.domain.errors import InvalidInput, NotFound, TooMany
from trade_service.domain.executions import QUANTITY_RETURNED
from trade_service.submission.by_hand import (
    Case,
    Resolution,
    Sighting,
    check_resolution,
    check_sighting,
    check_words,
    sight_of_absence,
    sight_of_row,
)
from trade_service.submission.codes import AlarmCode
from trade_service.submission.events import AlarmEvent, EventBus
from trade_service.submission.look_up import look_up
from trade_service.submission.ports import Ledger
from trade_service.trading.history import History, Unknowns
from trade_service.trading.operator_ports import OperatorStore
from trade_service.trading.requeueing import (
    MAX_REQUEUE,
    Requeue,
    Requeued,
    RequeueFilter,
    checked_filter,
    plan_requeue,
)

MAX_LISTED = 1000
"""Unknown outcomes, attempts or pieces of evidence that are shown at once."""


class Looked(msgspec.Struct, frozen=True):
    """What both books say to a resolution before it is done."""

    case: Case
    sighting: Sighting


class OperatorService:
    """Shows, resolves and requeues. Every method may raise StoreUnavailable."""

    def __init__(self, store: OperatorStore, books: Ledger, events: EventBus, look_up_max_pages: int) -> None:
        self._store = store
        self._books = books
        self._events = events
        self._look_up_max_pages = look_up_max_pages
        self.on_open: Callable[[int], None] = lambda _delay_ms: None
        """Told when recovery of this process has something to do, and in how many milliseconds."""

    async def unknowns(self, limit: int = MAX_LISTED) -> Unknowns:
        """Executions whose outcome is open and that nobody is sending, the oldest first."""
        return await self._store.unknowns(min(limit, MAX_LISTED))

    async def history(self, execution_id: int) -> History:
        """How an execution came to be what it is; raises NotFound."""
        return await self._store.history(execution_id, MAX_LISTED)

    async def look(self, resolution: Resolution) -> Looked:
        """What both books say to a resolution now. Changes nothing.

        Raises NotFound, InvalidInput, EvidenceConflict and InFlight for what our own books forbid.
        """
        check_words(resolution.actor, resolution.reason)
        execution_id = resolution.execution_id
        case = (await self._store.cases([execution_id])).get(execution_id)
        if case is None:
            raise NotFound.of("execution", execution_id)
        check_resolution(case, resolution)
        if resolution.accepted_as is not None:
            row = await self._books.find(resolution.accepted_as)
            return Looked(case, sight_of_row(case, resolution.accepted_as, row))
        seen = await look_up(self._books, [execution_id], case.floor, self._look_up_max_pages)
        return Looked(case, sight_of_absence(case, seen))

    async def resolve(self, resolution: Resolution, looked: Looked, *, insist: bool = False) -> Case:
        """Settles an execution by hand, after a `look`; returns what it was.

        Nothing is settled against the Execution Service's books, unless they merely speak against it and
        the operator insists. Raises what `look` raises.
        """
        check_sighting(looked.sighting, insist=insist)
        before = await self._store.resolve(resolution, looked.case)
        self.on_open(0)
        if before.state in QUANTITY_RETURNED:
            message = (
                f"execution {resolution.execution_id} was {before.state} and turned out to be accepted as "
                f"{resolution.accepted_as}, says {resolution.actor}: its order's quantity was taken again, check "
                "it for an overrun"
            )
            self._events.emit(AlarmEvent(AlarmCode.ACCEPTED_LATE, message, (resolution.execution_id,)))
        return before

    async def select(self, wanted: RequeueFilter) -> tuple[list[int], bool]:
        """The executions that a requeue by filter takes, and whether more match; raises InvalidInput."""
        found = await self._store.find_ended(checked_filter(wanted), MAX_REQUEUE + 1)
        return found[:MAX_REQUEUE], len(found) > MAX_REQUEUE

    async def requeue(self, execution_ids: Sequence[int], requeue: Requeue) -> list[Requeued]:
        """Has executions submitted again: each is looked up from the floor of its first attempt, then sent.

        Each for itself: one that did not end without acceptance, or whose order has no room, is told and left
        as it is. Raises InvalidInput and TooMany for the request as a whole.
        """
        check_words(requeue.actor, requeue.reason)
        if not execution_ids:
            raise InvalidInput.of("executionIds", None, f"must be 1 to {MAX_REQUEUE}")
        if len(execution_ids) > MAX_REQUEUE:
            message = (
                f"executionIds: must be at most {MAX_REQUEUE}; got {len(execution_ids)}, nothing was done"
            )
            raise TooMany(message, field="executionIds", value=len(execution_ids), limit=MAX_REQUEUE)
        results = await self._store.requeue(execution_ids, requeue, plan_requeue)
        if not requeue.dry_run:
            self.on_open(0)
        return results
