"""What operators see of executions: the journal of each, what is unresolved, and how much is open."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from trade_service.domain.executions import SubmissionState
from trade_service.domain.instants import Moment
from trade_service.submission.manual_resolution import ExecutionCase, Resolution
from trade_service.submission.model import AttemptId
from trade_service.trading.requeueing import Plan, Requeue, Requeued, RequeueFilter


class Found(msgspec.Struct, frozen=True, rename="camel"):
    """What an attempt, or reconciling it, established about an execution, except for a plain acceptance."""

    state: SubmissionState
    code: str
    message: str


class AttemptHistory(msgspec.Struct, frozen=True, rename="camel"):
    """One attempt, as far as it concerns one execution."""

    attempt_id: AttemptId
    state: str
    """queued: a durable intent; sent: its call may be in progress; answered: recorded."""
    owner: str
    size: int
    """Executions in the attempt."""
    started_at: Moment
    lease_until: Moment | None
    closed_at: Moment | None
    next_action_at: Moment | None
    """None: nothing is left to do for it."""
    floor_id: int
    floor_void: bool
    adopted: bool
    look_ups: int
    kind: str | None
    code: str | None
    message: str | None
    http_status: int | None
    duration_ms: int | None
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
    message: str


class History(msgspec.Struct, frozen=True):
    """One execution with its attempts and evidence, each in chronological order."""

    case: ExecutionCase
    attempts: tuple[AttemptHistory, ...]
    evidence: tuple[Evidence, ...]


class Unknowns(msgspec.Struct, frozen=True):
    """Unresolved executions that no sender owns, oldest first."""

    cases: tuple[ExecutionCase, ...]
    total: int


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


class OperatorStore(Protocol):
    """What operators read and change. Every method may raise StoreUnavailable."""

    async def cases(self, execution_ids: Sequence[int]) -> dict[int, ExecutionCase]:
        """The existing ones, by id, in their current state."""
        ...

    async def unknowns(self, limit: int) -> Unknowns:
        """Unresolved executions that no sender owns, oldest first."""
        ...

    async def history(self, execution_id: int, limit: int) -> History:
        """The execution with at most `limit` attempts and pieces of evidence; raises NotFound."""
        ...

    async def resolve(self, resolution: Resolution, seen: ExecutionCase) -> ExecutionCase:
        """Settles one execution as `check_resolution` and `outcome_state` decide for its locked row.

        State, quantity and evidence change in one transaction, by the rules of recorded reconciliation. Returns
        the execution as it was. Raises NotFound, EvidenceConflict (also for an id that another execution has) and
        InFlight (also when `seen` is no longer its newest attempt).
        """
        ...

    async def find_ended(self, wanted: RequeueFilter, limit: int) -> list[int]:
        """Ids of matching executions that ended without acceptance, ascending."""
        ...

    async def requeue(self, execution_ids: Sequence[int], requeue: Requeue, plan: Plan) -> list[Requeued]:
        """Requeues executions in one transaction: each is reconciled from its first attempt's floor, then sent.

        Locks executions and orders, calls `plan`, takes the quantities again and makes the executions `unknown`
        under new journal entries with fresh budgets. A dry run writes nothing. Returns one result for each id,
        in id order, those that do not exist last.
        """
        ...
