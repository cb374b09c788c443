"""OperatorService: inspect, resolve and requeue executions that did not end in acceptance."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

import msgspec

from trade_service.domain.errors import NotFound
from trade_service.domain.executions import QUANTITY_RETURNED, SubmissionState
from trade_service.domain.fields import Moment, check_count, is_possible_id
from trade_service.submission.clock import AlarmClock
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
    needs_person,
)
from trade_service.submission.model import AttemptId
from trade_service.submission.ports import Ledger
from trade_service.trading.requeueing import (
    MAX_REQUEUE,
    Requeue,
    Requeued,
    RequeueFilter,
    checked_filter,
)

MAX_LISTED = 1000
"""Limit of unknown outcomes, attempts and pieces of evidence in one result."""


class Found(msgspec.Struct, frozen=True, rename="camel"):
    """What an attempt, or reconciling it, established about an execution, except for a plain acceptance."""

    state: SubmissionState
    code: str
    message: str


class AttemptRecord(msgspec.Struct, frozen=True, rename="camel"):
    """One attempt as the journal has it."""

    attempt_id: AttemptId
    state: str
    """queued: a durable intent; sent: its call may be in progress; answered: recorded."""
    owner: str
    started_at: Moment
    closed_at: Moment | None
    kind: str | None
    code: str | None
    message: str | None
    http_status: int | None
    duration_ms: int | None
    look_ups: int


class AttemptHistory(AttemptRecord, frozen=True, rename="camel"):
    """One attempt, as far as it concerns one execution."""

    size: int
    """Executions in the attempt."""
    lease_until: Moment | None
    next_action_at: Moment | None
    """None: nothing is left to do for it."""
    floor_id: int
    floor_void: bool
    adopted: bool
    is_newest: bool
    """Whether it is the newest attempt that claimed the execution."""
    outcomes: tuple[Found, ...]


class Evidence(msgspec.Struct, frozen=True, rename="camel"):
    """A finding beside the attempts, or an operator's action."""

    found_at: Moment
    source: str
    """operator, answer, look_up, fill or books."""
    code: str
    attempt_id: AttemptId | None
    state_before: SubmissionState | None
    state: SubmissionState
    execution_service_id_before: int | None
    execution_service_id: int | None
    actor: str | None
    actor_known_by: str | None
    """How the actor's name is known: api-key, token, command, or none for a name that only the request gave."""
    message: str


class History(msgspec.Struct, frozen=True):
    """One execution with its attempts and evidence, each in chronological order."""

    case: ExecutionCase
    attempts: tuple[AttemptHistory, ...]
    evidence: tuple[Evidence, ...]


class UnknownPosition(NamedTuple):
    """The place of an unresolved execution: when its attempt began, and its id."""

    at: datetime
    execution_id: int


class Unknowns(msgspec.Struct, frozen=True):
    """Unresolved executions that no sender owns, oldest first."""

    cases: tuple[ExecutionCase, ...]
    total: int
    next: UnknownPosition | None = None
    """Where the next page begins; None at the end."""


class PastAttempt(msgspec.Struct, frozen=True):
    """An attempt as the log of an exhausted execution shows it."""

    attempt_id: AttemptId
    started_at: datetime
    kind: str | None
    code: str | None
    http_status: int | None
    findings: tuple[str, ...]
    """Codes of what was established about the execution, in order."""


class Backlog(msgspec.Struct, frozen=True):
    """Executions whose outcome is open, over all replicas."""

    executions: dict[SubmissionState, int]
    """How many are in each open state."""
    oldest_unknown_s: float
    """Age of the attempt that the oldest unknown execution belongs to; 0 when there is none."""
    retry_overdue_s: float
    """How long a due retry has been waiting; 0 when none is due."""
    pauses: int = 0
    """How many pauses of sending are in force."""


class OperatorStore(Protocol):
    """What operators read and change. Every method may raise StoreUnavailable."""

    async def cases(self, execution_ids: Sequence[int]) -> dict[int, ExecutionCase]:
        """The existing ones, by id, in their current state."""

    async def unknowns(
        self, limit: int, after: UnknownPosition | None = None, *, for_person: bool = False
    ) -> Unknowns:
        """Unresolved executions that no sender owns, oldest first, from the one behind `after`.

        `for_person`: only those that only a person can settle.
        """

    async def history(self, execution_id: int, limit: int) -> History:
        """The execution with at most `limit` attempts and pieces of evidence; raises NotFound."""

    async def resolve(self, resolution: Resolution, seen: ExecutionCase) -> ExecutionCase:
        """Settles one execution as `check_resolution` and `outcome_state` decide for its locked row.

        State, quantity and evidence change in one transaction, by the rules of recorded reconciliation. Returns
        the execution as it was. Raises NotFound, EvidenceConflict (also for an id that another execution has) and
        InFlight (also when `seen` is no longer its newest attempt).
        """

    async def find_failed(self, wanted: RequeueFilter, limit: int) -> list[int]:
        """Ids of failed executions that a filter selects, ascending."""

    async def executions_of_order(self, order_id: int, limit: int) -> list[int]:
        """Ids of the executions of the order with this order id, ascending."""

    async def requeue(self, execution_ids: Sequence[int], requeue: Requeue) -> list[Requeued]:
        """Requeues executions in one transaction: each is reconciled from its first low-water id, then sent.

        Locks executions and orders, decides by `plan_requeue`, takes the quantities again and makes the executions
        `unknown` under new journal entries with fresh budgets. A dry run writes nothing. Returns one result for
        each id, in id order, those that do not exist last.
        """


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
        self,
        store: OperatorStore,
        ledger: Ledger,
        events: EventBus,
        look_up_max_pages: int,
        recovery_due: AlarmClock | None = None,
    ) -> None:
        """`recovery_due` wakes this process's recovery, if it runs one."""
        self._store = store
        self._ledger = ledger
        self._events = events
        self._look_up_max_pages = look_up_max_pages
        self._recovery_due = recovery_due

    async def unknowns(
        self, limit: int = MAX_LISTED, after: UnknownPosition | None = None, *, for_person: bool = False
    ) -> Unknowns:
        """Unresolved executions that no sender owns, oldest first, from the one behind `after`.

        `for_person`: only those that only a person can settle.
        """
        return await self._store.unknowns(min(limit, MAX_LISTED), after, for_person=for_person)

    async def needing_person(self, execution_ids: Sequence[int]) -> list[ExecutionCase]:
        """Those that only a person can settle."""
        cases = await self._store.cases(execution_ids)
        return [case for case in cases.values() if needs_person(case)]

    async def executions_of_order(self, order_id: int) -> list[int]:
        """Ids of the executions of the order with this order id, ascending."""
        if not is_possible_id(order_id):
            return []
        return await self._store.executions_of_order(order_id, MAX_LISTED)

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
        self._wake_recovery()
        if before.state in QUANTITY_RETURNED:
            message = (
                f"execution {resolution.execution_id} was {before.state}, but {resolution.actor} reports that it "
                f"was accepted as {resolution.accepted_as}: its quantity was taken from its order again; check "
                "that for an overrun"
            )
            self._events.emit(AlarmEvent(AlarmCode.ACCEPTED_LATE, message, (resolution.execution_id,)))
        return before

    async def select(self, wanted: RequeueFilter, most: int = MAX_REQUEUE) -> tuple[list[int], bool]:
        """Up to `most` executions that a filter selects, and whether more match; raises InvalidInput."""
        found = await self._store.find_failed(checked_filter(wanted), most + 1)
        return found[:most], len(found) > most

    async def requeue(self, execution_ids: Sequence[int], requeue: Requeue) -> list[Requeued]:
        """Submits executions again: each is reconciled from the low-water id of its first attempt, then sent.

        Each has its own result: one that did not end without acceptance, or whose order has no room, is reported
        and left unchanged. Raises InvalidInput and TooMany for the request as a whole.
        """
        check_words(requeue.actor, requeue.reason)
        check_count(len(execution_ids), "executionIds", requeue.most, "done")
        results = await self._store.requeue(execution_ids, requeue)
        if not requeue.dry_run:
            self._wake_recovery()
        return results

    def _wake_recovery(self) -> None:
        if self._recovery_due is not None:
            self._recovery_due.set_in(0)
