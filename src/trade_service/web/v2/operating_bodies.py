"""Bodies that operators send and read."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated

import msgspec

from trade_service.domain.errors import InvalidInput
from trade_service.domain.executions import QUANTITY_RETURNED, SubmissionState
from trade_service.domain.instants import Moment
from trade_service.domain.invisible import visible
from trade_service.domain.money import plain
from trade_service.submission.by_hand import Case, Sighting, waits_for
from trade_service.trading.history import AttemptHistory, Evidence, History
from trade_service.trading.requeueing import MAX_REQUEUE, Requeued, RequeueFilter
from trade_service.web.integers import Int32
from trade_service.web.telling import one_of
from trade_service.web.v1.requests import OptionalInstant, instant_or_none

ACCEPTED, NOT_ACCEPTED = "ACCEPTED", "NOT_ACCEPTED"


class ResolvePost(msgspec.Struct, rename="camel"):
    """What somebody knows of an unknown outcome."""

    outcome: Annotated[str, one_of(ACCEPTED, NOT_ACCEPTED)]
    reason: str
    execution_service_id: Int32 | None = None
    operator: str = ""
    """Who says so, where the service does not know who asks."""
    force: bool = False
    dry_run: bool = False

    def accepted_as(self) -> int | None:
        """The id that is told, None for not accepted; raises InvalidInput when the two contradict each other."""
        if self.outcome not in (ACCEPTED, NOT_ACCEPTED):
            raise InvalidInput.of("outcome", self.outcome, f"must be {ACCEPTED} or {NOT_ACCEPTED}")
        if (self.outcome == ACCEPTED) != (self.execution_service_id is not None):
            rule = "must be given with ACCEPTED, and not with NOT_ACCEPTED"
            raise InvalidInput.of("executionServiceId", self.execution_service_id, rule)
        return self.execution_service_id


class FilterPost(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """Which executions are meant. A name that is none of these is refused: it would widen what is sent."""

    states: list[str] = []
    codes: list[str] = []
    order_ids: list[Int32] = []
    destinations: list[str] = []
    since: OptionalInstant = None
    until: OptionalInstant = None

    def to_domain(self) -> RequeueFilter:
        """The filter; raises InvalidInput for a state or a timestamp that is none."""
        known = {state.value: state for state in SubmissionState}
        for state in self.states:
            if state not in known:
                raise InvalidInput.of("states", state, f"must be {' or '.join(sorted(QUANTITY_RETURNED))}")
        return RequeueFilter(
            states=[known[state] for state in self.states] or sorted(QUANTITY_RETURNED),
            codes=self.codes,
            since=instant_or_none(self.since, "since"),
            until=instant_or_none(self.until, "until"),
            order_ids=self.order_ids,
            destinations=[visible(one, "destinations") for one in self.destinations],
        )


class RequeuePost(msgspec.Struct, rename="camel"):
    """What is to be submitted again: ids, or a filter; exactly one of the two."""

    reason: str
    execution_ids: list[Int32] | None = None
    filter: FilterPost | None = None
    operator: str = ""
    dry_run: bool = False

    def wanted(self) -> RequeueFilter | None:
        """The filter, None where ids are given; raises InvalidInput unless it is one of the two."""
        if (self.execution_ids is None) == (self.filter is None):
            rule = f"must be 1 to {MAX_REQUEUE} ids, or left out for a filter"
            raise InvalidInput.of("executionIds", self.execution_ids, rule)
        return None if self.filter is None else self.filter.to_domain()


class LookUpAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """What the Execution Service's books said."""

    sight: str
    message: str


class ResolveAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """What was resolved, or would be."""

    execution_id: int
    resolved: bool
    state_before: str
    state: str
    execution_service_id: int | None
    look_up: LookUpAnswer
    message: str

    @classmethod
    def of(
        cls, before: Case, state: SubmissionState, accepted_as: int | None, sighting: Sighting, *, done: bool
    ) -> "ResolveAnswer":
        """The execution before and after."""
        told = f"execution {before.execution_id} {'is' if done else 'would be'} settled as {state}"
        look_up = LookUpAnswer(sighting.sight, sighting.message)
        return cls(before.execution_id, done, before.state, state, accepted_as, look_up, told)


class RequeueResult(msgspec.Struct, frozen=True, rename="camel"):
    """What became of one execution, or would."""

    execution_id: int
    status: str
    """REQUEUED or REFUSED."""
    code: str
    message: str
    state: str | None
    ended_code: str | None
    ended_message: str | None
    order_id: int | None
    quantity: Decimal | None
    order_available: Decimal | None

    @classmethod
    def of(cls, one: Requeued) -> "RequeueResult":
        """The result as operators read it."""
        ended, error = one.ended, one.error
        message = (
            "its quantity is taken again; it is looked up, then sent" if error is None else error.message
        )
        return cls(
            one.execution_id,
            "REQUEUED" if error is None else "REFUSED",
            "OK" if error is None else error.code,
            message,
            None if ended is None else ended.state,
            None if ended is None else ended.code,
            None if ended is None else ended.message,
            None if ended is None else ended.order_id,
            None if ended is None else plain(ended.quantity),
            None if one.room is None else plain(one.room),
        )


class RequeueAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """What became of all of them, or would."""

    status: str
    message: str
    dry_run: bool
    total_requested: int
    successful: int
    failed: int
    more: bool
    """Whether more match the filter than one requeue takes."""
    results: list[RequeueResult]

    @classmethod
    def of(cls, requeued: Sequence[Requeued], *, dry_run: bool, more: bool) -> "RequeueAnswer":
        """Sums up as a batch of submissions does."""
        results = [RequeueResult.of(one) for one in requeued]
        good = sum(one.status == "REQUEUED" for one in results)
        failed = len(results) - good
        status = "SUCCESS" if not failed else "PARTIAL" if good else "FAILURE"
        verb = "can be requeued" if dry_run else "requeued"
        message = f"{good} of {len(results)} {verb}"
        return cls(status, message, dry_run, len(results), good, failed, more, results)


class AttemptsAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """How an execution came to be what it is; each list in the order of time."""

    execution_id: int
    state: str
    execution_service_id: int | None
    waits_for: str | None
    """What an open one waits for, in words."""
    open_since: Moment | None
    attempts: tuple[AttemptHistory, ...]
    evidence: tuple[Evidence, ...]

    @classmethod
    def of(cls, history: History, *, is_open: bool) -> "AttemptsAnswer":
        """The history as it is read."""
        case = history.case
        return cls(
            case.execution_id,
            case.state,
            case.execution_service_id,
            waits_for(case) if is_open else None,
            case.attempt_began if is_open else None,
            history.attempts,
            history.evidence,
        )
