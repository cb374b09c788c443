"""OperatorService: inspect, resolve and requeue executions that did not end in acceptance."""

from collections.abc import Callable, Sequence

import msgspec

from trade_service.domain.errors import InvalidInput, NotFound, TooMany
from trade_service.domain.executions import QUANTITY_RETURNED
from trade_service.submission.codes import AlarmCode
from trade_service.submission.downstream_scan import scan_downstream
from trade_service.submission.events import AlarmEvent, EventBus
from trade_service.submission.manual_resolution import (
    ExecutionCase,
    LedgerEvidence,
    Resolution,
    check_evidence,
    check_resolution,
    check_words,
    evidence_of_absence,
    evidence_of_row,
)
from trade_service.submission.ports import Ledger
from trade_service.trading.history import History, OperatorStore, Unknowns
from trade_service.trading.requeueing import (
    MAX_REQUEUE,
    Requeue,
    Requeued,
    RequeueFilter,
    checked_filter,
    plan_requeue,
)

MAX_LISTED = 1000
"""Limit of unknown outcomes, attempts and pieces of evidence in one result."""


class Looked(msgspec.Struct, frozen=True):
    """Our record and the downstream evidence that a resolution is checked against."""

    case: ExecutionCase
    evidence: LedgerEvidence


class OperatorService:
    """Shows, resolves and requeues executions. Every method may raise StoreUnavailable.

    Example:
        looked = await operators.look(resolution)  # reads our record and the downstream ledger
        before = await operators.resolve(resolution, looked)
    """

    def __init__(
        self, store: OperatorStore, ledger: Ledger, events: EventBus, look_up_max_pages: int
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._events = events
        self._look_up_max_pages = look_up_max_pages
        self.on_open: Callable[[int], None] = lambda _delay_ms: None
        """Called with a delay in milliseconds when this process's recovery has work to do."""

    async def unknowns(self, limit: int = MAX_LISTED) -> Unknowns:
        """Unresolved executions that no sender owns, oldest first."""
        return await self._store.unknowns(min(limit, MAX_LISTED))

    async def history(self, execution_id: int) -> History:
        """The attempts and evidence of an execution; raises NotFound."""
        return await self._store.history(execution_id, MAX_LISTED)

    async def look(self, resolution: Resolution) -> Looked:
        """Reads what our record and the downstream ledger say about a resolution. Changes nothing.

        Raises NotFound, InvalidInput, and EvidenceConflict or InFlight if our own record forbids it.
        """
        check_words(resolution.actor, resolution.reason)
        execution_id = resolution.execution_id
        case = (await self._store.cases([execution_id])).get(execution_id)
        if case is None:
            raise NotFound.of("execution", execution_id)
        check_resolution(case, resolution)
        if resolution.accepted_as is not None:
            row = await self._ledger.find(resolution.accepted_as)
            return Looked(case, evidence_of_row(case, resolution.accepted_as, row))
        seen = await scan_downstream(
            self._ledger, [execution_id], case.reconciled_above, self._look_up_max_pages
        )
        return Looked(case, evidence_of_absence(case, seen))

    async def resolve(
        self, resolution: Resolution, looked: Looked, *, override: bool = False
    ) -> ExecutionCase:
        """Resolves an execution manually after a `look`; returns its previous state.

        The downstream ledger must agree. Where it only makes the resolution unlikely, `override` overrides it.
        Raises what `look` raises.
        """
        check_evidence(looked.evidence, override=override)
        before = await self._store.resolve(resolution, looked.case)
        self.on_open(0)
        if before.state in QUANTITY_RETURNED:
            message = (
                f"execution {resolution.execution_id} was {before.state}, but {resolution.actor} reports that it "
                f"was accepted as {resolution.accepted_as}: its quantity was taken from its order again; check "
                "that for an overrun"
            )
            self._events.emit(AlarmEvent(AlarmCode.ACCEPTED_LATE, message, (resolution.execution_id,)))
        return before

    async def select(self, wanted: RequeueFilter) -> tuple[list[int], bool]:
        """The executions that a filter selects, and whether more match; raises InvalidInput."""
        found = await self._store.find_ended(checked_filter(wanted), MAX_REQUEUE + 1)
        return found[:MAX_REQUEUE], len(found) > MAX_REQUEUE

    async def requeue(self, execution_ids: Sequence[int], requeue: Requeue) -> list[Requeued]:
        """Submits executions again: each is reconciled from the floor of its first attempt, then sent.

        Each has its own result: one that did not end without acceptance, or whose order has no room, is reported
        and left unchanged. Raises InvalidInput and TooMany for the request as a whole.
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
