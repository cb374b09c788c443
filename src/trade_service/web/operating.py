"""/api/v2/executions: histories of executions, and what operators do about those that did not end well."""

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any

import msgspec
from litestar import Controller, Response
from litestar.params import FromPath, JSONBody
from msgspec import UNSET, UnsetType

from trade_service.domain.errors import InvalidInput, NotRequeueable
from trade_service.domain.executions import OPEN, QUANTITY_RETURNED, SubmissionState
from trade_service.domain.fields import ZERO, Moment, plain, visible
from trade_service.submission.manual_resolution import (
    Resolution,
    outcome_state,
    waits_for,
)
from trade_service.trading.operating import (
    AttemptHistory,
    Evidence,
    History,
)
from trade_service.trading.requeueing import (
    MAX_FOLLOWED,
    MAX_REQUEUE,
    Requeue,
    Requeued,
    RequeueFilter,
    note_on_earlier_epoch,
)
from trade_service.web.access import OPERATOR, READER, get, post, principal_of
from trade_service.web.dependencies import Services
from trade_service.web.openapi.schemas import Int32, one_of
from trade_service.web.parameters import read_id
from trade_service.web.request_bodies import Instant, instant
from trade_service.web.responses import FAILURE, ApiResponse, batch_response, counted, presented
from trade_service.web.routing import HttpRequest, documented, location
from trade_service.web.submissions import IDS_ROOM, PREFER, ProgressAnswer, prefers_background

ACCEPTED, NOT_ACCEPTED = "ACCEPTED", "NOT_ACCEPTED"
REQUEUED, REFUSED = "REQUEUED", "REFUSED"


class ResolvePost(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """A manual resolution of an unknown outcome. Unknown names are refused: a misspelled `dryRun` would act."""

    outcome: Annotated[str, one_of(ACCEPTED, NOT_ACCEPTED)]
    reason: str
    execution_service_id: Int32 | None = None
    operator: str = ""
    """Who resolves it, where the service does not authenticate callers."""
    force: bool = False
    dry_run: bool = False

    def accepted_as(self) -> int | None:
        """The id in the Execution Service, None for not accepted; raises InvalidInput for a contradiction."""
        if self.outcome not in (ACCEPTED, NOT_ACCEPTED):
            raise InvalidInput.of("outcome", self.outcome, f"must be {ACCEPTED} or {NOT_ACCEPTED}")
        if (self.outcome == ACCEPTED) != (self.execution_service_id is not None):
            rule = "must be given with ACCEPTED, and not with NOT_ACCEPTED"
            raise InvalidInput.of("executionServiceId", self.execution_service_id, rule)
        return self.execution_service_id


_MOMENTS = {"since": "since", "until": "until", "failed_since": "from", "failed_until": "to"}


class FilterPost(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """Selects executions. Unknown names and null are refused: ignored, they would widen what is sent."""

    states: list[str] | UnsetType = UNSET
    codes: list[str] | UnsetType = UNSET
    order_ids: list[Int32] | UnsetType = UNSET
    destinations: list[str] | UnsetType = UNSET
    since: Instant = UNSET
    until: Instant = UNSET
    """Of the start of their newest attempt."""
    messages: list[str] | UnsetType = UNSET
    """Of a group of failures or of executions; other UUIDs and long numbers in them match too."""
    failed_since: Instant = msgspec.field(name="from", default=UNSET)
    failed_until: Instant = msgspec.field(name="to", default=UNSET)
    """Of the time at which they failed."""

    def to_domain(self) -> RequeueFilter:
        """The filter; raises InvalidInput for no condition, an unknown state and an invalid timestamp."""
        given = {
            name: value for name in self.__struct_fields__ if (value := getattr(self, name)) is not UNSET
        }
        if not given:
            raise InvalidInput.of("filter", None, "must have at least one condition")
        for state in given.get("states", ()):
            if state not in set(SubmissionState):
                raise InvalidInput.of("states", state, f"must be {' or '.join(sorted(QUANTITY_RETURNED))}")
        if "states" in given:
            given["states"] = [SubmissionState(state) for state in given["states"]]
        for name, field in _MOMENTS.items():
            if name in given:
                given[name] = instant(given[name], field)
        return RequeueFilter(**given)


class RequeuePost(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """Executions to submit again: ids or a filter, exactly one of the two. Unknown names are refused."""

    reason: str
    execution_ids: list[Int32] | None = None
    filter: FilterPost | None = None
    operator: str = ""
    dry_run: bool = False

    def wanted(self) -> RequeueFilter | None:
        """The filter, None where ids are given; raises InvalidInput unless exactly one of the two is given."""
        if (self.execution_ids is None) == (self.filter is None):
            rule = f"must be 1 to {MAX_FOLLOWED} ids, or left out for a filter"
            raise InvalidInput.of("executionIds", self.execution_ids, rule)
        return None if self.filter is None else self.filter.to_domain()


class LookUpAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """What the Execution Service's ledger says."""

    sight: str
    message: str


class ResolveAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """The resolution that was made, or that a dry run would make."""

    execution_id: int
    resolved: bool
    state_before: str
    state: str
    execution_service_id: int | None
    look_up: LookUpAnswer
    message: str


class RequeueResult(msgspec.Struct, frozen=True, rename="camel"):
    """The outcome for one execution, or what a dry run expects."""

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
        ended = one.ended
        status, code = REQUEUED, "OK"
        message = "its quantity is taken again; it is looked up, then sent"
        if one.may_need_person:
            message = (
                "its quantity is taken again; it is looked up, and if it is not found, it stays unknown until "
                "someone resolves it: it was sent before the ledger was reset or moved"
            )
        if one.error is not None:
            status, code, message = REFUSED, one.error.code, one.error.message
        return cls(
            one.execution_id,
            status,
            code,
            message,
            None if ended is None else ended.state,
            None if ended is None else ended.code,
            None if ended is None else ended.message,
            None if ended is None else ended.order_id,
            None if ended is None else plain(ended.quantity),
            None if one.room is None else plain(one.room),
        )


class RequeueAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """The outcomes for all executions, or what a dry run expects."""

    status: str
    message: str
    dry_run: bool
    total_requested: int
    successful: int
    failed: int
    more: bool
    """Whether more match the filter than one requeue takes."""
    results: list[RequeueResult]
    """The first 1,000."""
    quantity: Decimal
    """The sum over the successful ones."""
    refusals: dict[str, int]
    """How many were refused, by code."""
    of_earlier_epoch: int
    """How many of the successful ones were sent before the ledger was reset or moved.

    What it does not hold of these stays unknown until someone resolves it."""

    @classmethod
    def of(cls, requeued: Sequence[Requeued], *, dry_run: bool, more: bool) -> "RequeueAnswer":
        results = [RequeueResult.of(one) for one in requeued]
        status, total, good, failed = counted(results, REFUSED)
        message = f"{good} of {total} {'can be requeued' if dry_run else 'requeued'}"
        if note := note_on_earlier_epoch(requeued):
            message = f"{message}; {note}"
        quantity = sum((one.quantity or ZERO for one in results if one.status == REQUEUED), ZERO)
        refusals = Counter(one.code for one in results if one.status == REFUSED)
        return cls(
            status,
            message,
            dry_run,
            total,
            good,
            failed,
            more,
            results[:MAX_REQUEUE],
            plain(quantity),
            dict(refusals),
            sum(one.may_need_person for one in requeued),
        )


class RequeueStarted(ProgressAnswer, frozen=True):
    """The progress of what was requeued, as a bulk submission has it."""

    refused: int
    """Those that were left unchanged."""
    refusals: dict[str, int]
    """The same by code."""
    more: bool
    """Whether more match the filter than one requeue takes."""


class AttemptsAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """The history of an execution; each list in order of time."""

    execution_id: int
    state: str
    execution_service_id: int | None
    waits_for: str | None
    """What an open execution waits for, in words."""
    open_since: Moment | None
    attempts: tuple[AttemptHistory, ...]
    evidence: tuple[Evidence, ...]

    @classmethod
    def of(cls, history: History, *, is_open: bool) -> "AttemptsAnswer":
        case = history.case
        return presented(
            cls,
            case,
            waits_for=waits_for(case) if is_open else None,
            open_since=case.attempt_began if is_open else None,
            attempts=history.attempts,
            evidence=history.evidence,
        )


_REQUEUES = documented(
    parameters=(PREFER,),
    answers={200: RequeueAnswer, 207: RequeueAnswer, 202: RequeueStarted},
    errors=(404, 409),
    headers=("Location", "Preference-Applied"),
)


class OperatorController(Controller):
    """Histories, resolutions and requeues."""

    path = "/executions"
    tags = ("Operators",)

    @get("/{execution_id:str}/attempts", opt=READER)
    async def attempts(self, services: Services, execution_id: FromPath[str]) -> Response[AttemptsAnswer]:
        """The history of an execution: attempts with their outcomes, and the evidence that was recorded."""
        history = await services.operators.history(read_id(execution_id))
        return ApiResponse(AttemptsAnswer.of(history, is_open=history.case.state in OPEN))

    @post("/{execution_id:str}/resolve", status_code=200, opt=OPERATOR | documented(errors=(409,)))
    async def resolve(
        self,
        request: HttpRequest,
        services: Services,
        execution_id: FromPath[str],
        data: JSONBody[ResolvePost],
    ) -> Response[ResolveAnswer]:
        """Resolves an unknown outcome manually, after checking the Execution Service's ledger.

        409 for what contradicts the ledger or the recorded state. With `dryRun` nothing changes, and the response
        says what the check found.
        """
        identity, operators = read_id(execution_id), services.operators
        actor = principal_of(request.scope) or visible(data.operator, "operator")
        resolution = Resolution(identity, data.accepted_as(), actor, data.reason)
        looked = await operators.look(resolution)
        before = looked.case
        if not data.dry_run:
            before = await operators.resolve(resolution, looked, override=data.force)
        state, done = outcome_state(before, resolution), not data.dry_run
        look_up = LookUpAnswer(looked.evidence.finding, looked.evidence.message)
        message = f"execution {identity} {'is' if done else 'would be'} settled as {state}"
        accepted_as = resolution.accepted_as
        return ApiResponse(ResolveAnswer(identity, done, before.state, state, accepted_as, look_up, message))

    @post("/requeue", status_code=200, opt=OPERATOR | _REQUEUES | IDS_ROOM)
    async def requeue(
        self, request: HttpRequest, services: Services, data: JSONBody[RequeuePost]
    ) -> Response[Any]:
        """Submits rejected or exhausted executions again, up to 1,000 by ids or by a filter.

        200 when all were requeued, 207 when some were, 409 when none was; with `dryRun` 200 and what would happen.
        With `Prefer: respond-async` up to 10,000, and 202: Location has the address of their progress.
        """
        wanted, more, operators = data.wanted(), False, services.operators
        actor = principal_of(request.scope) or visible(data.operator, "operator")
        followed = prefers_background(request)
        most = MAX_FOLLOWED if followed else MAX_REQUEUE
        submission_id = services.bulk_submissions.new_id() if followed and not data.dry_run else None
        requeue = Requeue(actor, data.reason, data.dry_run, submission_id, most)
        ids = data.execution_ids or []
        if wanted is not None:
            ids, more = await operators.select(wanted, most)
        matches_nothing = wanted is not None and not ids
        results = [] if matches_nothing else await operators.requeue(ids, requeue)
        summary = RequeueAnswer.of(results, dry_run=data.dry_run, more=more)
        if summary.status == FAILURE and not data.dry_run:
            first = summary.results[0].message
            message = f"none of {summary.total_requested} executions was requeued: {first}"
            raise NotRequeueable(message, results=summary.results)
        if submission_id is None or matches_nothing:
            return ApiResponse(summary) if data.dry_run else batch_response(summary, summary.status)
        progress = await services.bulk_submissions.progress(submission_id)
        started = RequeueStarted.of(progress, refused=summary.failed, refusals=summary.refusals, more=more)
        headers = {
            "Location": location(request, f"/api/v2/submissions/{submission_id}"),
            "Preference-Applied": "respond-async",
        }
        return ApiResponse(started, 202, headers)
