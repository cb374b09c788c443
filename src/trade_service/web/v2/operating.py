"""/api/v2/executions: histories of executions, and what operators do about those that did not end well."""

from litestar import Controller, Response
from litestar.params import FromPath, JSONBody

from trade_service.domain.errors import NotRequeueable
from trade_service.domain.executions import OPEN
from trade_service.domain.invisible import visible
from trade_service.submission.manual_resolution import Resolution, outcome_state
from trade_service.trading.requeueing import Requeue
from trade_service.web.access import OPERATOR, READER, principal_of
from trade_service.web.batches import FAILURE, PARTIAL
from trade_service.web.dependencies import HttpRequest, Services
from trade_service.web.rendering import answer
from trade_service.web.request_parsing import read_id
from trade_service.web.route_docs import documented
from trade_service.web.routing import get, post
from trade_service.web.v2.operating_bodies import (
    AttemptsAnswer,
    RequeueAnswer,
    RequeuePost,
    ResolveAnswer,
    ResolvePost,
)

_REQUEUES = documented(answers={200: RequeueAnswer, 207: RequeueAnswer}, errors=(404, 409))


class OperatorController(Controller):
    """Histories, resolutions and requeues."""

    path = "/executions"
    tags = ("Operators",)

    @get("/{execution_id:str}/attempts", opt=READER)
    async def attempts(self, services: Services, execution_id: FromPath[str]) -> Response[AttemptsAnswer]:
        """The history of an execution: attempts with their outcomes, and the evidence that was recorded."""
        history = await services.operators.history(read_id(execution_id))
        return answer(AttemptsAnswer.of(history, is_open=history.case.state in OPEN))

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
        return answer(ResolveAnswer.of(before, state, resolution.accepted_as, looked.evidence, done=done))

    @post("/requeue", status_code=200, opt=OPERATOR | _REQUEUES)
    async def requeue(
        self, request: HttpRequest, services: Services, data: JSONBody[RequeuePost]
    ) -> Response[RequeueAnswer]:
        """Submits rejected or exhausted executions again, by ids or by a filter.

        200 when all were requeued, 207 when some were, 409 when none was; with `dryRun` 200 and what would happen.
        """
        wanted, more, operators = data.wanted(), False, services.operators
        actor = principal_of(request.scope) or visible(data.operator, "operator")
        requeue = Requeue(actor, data.reason, data.dry_run)
        ids = data.execution_ids or []
        if wanted is not None:
            ids, more = await operators.select(wanted)
        matches_nothing = wanted is not None and not ids
        results = [] if matches_nothing else await operators.requeue(ids, requeue)
        summary = RequeueAnswer.of(results, dry_run=data.dry_run, more=more)
        if summary.status == FAILURE and not data.dry_run:
            first = summary.results[0].message
            message = f"none of {summary.total_requested} executions was requeued: {first}"
            raise NotRequeueable(message, results=summary.results)
        return answer(summary, 207 if summary.status == PARTIAL and not data.dry_run else 200)
