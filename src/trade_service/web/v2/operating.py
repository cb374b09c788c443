"""/api/v2/executions: what operators see of those that did not end well, and do about them."""

from typing import Any

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath

from trade_service.domain.errors import NotRequeueable
from trade_service.domain.executions import OPEN
from trade_service.domain.invisible import visible
from trade_service.submission.by_hand import Resolution, outcome_state
from trade_service.trading.requeueing import Requeue
from trade_service.web.access import OPERATOR, READER, principal_of
from trade_service.web.dependencies import Routes, WebServices
from trade_service.web.rendering import answer
from trade_service.web.request_parsing import JsonReader, read_id
from trade_service.web.telling import tells
from trade_service.web.v2.operating_bodies import (
    AttemptsAnswer,
    RequeueAnswer,
    RequeuePost,
    ResolveAnswer,
    ResolvePost,
)

_RESOLVE = JsonReader(ResolvePost)
_REQUEUE = JsonReader(RequeuePost)
_RESOLVES = tells(body=_RESOLVE, errors=(409,))
_REQUEUES = tells(body=_REQUEUE, answers={200: RequeueAnswer, 207: RequeueAnswer}, errors=(404, 409))


class OperatingRoutes(Routes):
    """Histories, resolutions and requeues."""

    def __init__(self, services: WebServices) -> None:
        self._operators = services.operators

    def router(self) -> Router:
        """The routes."""
        return Router(
            "/executions",
            route_handlers=[
                get("/{execution_id:str}/attempts", opt=READER)(self.attempts),
                post("/{execution_id:str}/resolve", status_code=200, opt=OPERATOR | _RESOLVES)(self.resolve),
                post("/requeue", status_code=200, opt=OPERATOR | _REQUEUES)(self.requeue),
            ],
            tags=["Operators"],
        )

    async def attempts(self, execution_id: FromPath[str]) -> Response[AttemptsAnswer]:
        """How an execution came to be what it is: attempts with their outcomes, and evidence beside them."""
        history = await self._operators.history(read_id(execution_id, "id"))
        return answer(AttemptsAnswer.of(history, is_open=history.case.state in OPEN))

    async def resolve(
        self, request: Request[Any, Any, Any], execution_id: FromPath[str]
    ) -> Response[ResolveAnswer]:
        """Settles an unknown outcome by hand, after a look into the Execution Service's books.

        409 for what contradicts either book. With `dryRun` nothing is changed, and told what the look saw.
        """
        identity = read_id(execution_id, "id")
        told = await _RESOLVE.read(request)
        actor = principal_of(request.scope) or visible(told.operator, "operator")
        resolution = Resolution(identity, told.accepted_as(), actor, told.reason)
        looked = await self._operators.look(resolution)
        before = looked.case
        if not told.dry_run:
            before = await self._operators.resolve(resolution, looked, insist=told.force)
        state, done = outcome_state(before, resolution), not told.dry_run
        return answer(ResolveAnswer.of(before, state, resolution.accepted_as, looked.sighting, done=done))

    async def requeue(self, request: Request[Any, Any, Any]) -> Response[RequeueAnswer]:
        """Has executions submitted again that were rejected or given up, by ids or by a filter.

        200 when all were, 207 when some were, 409 when none was; with `dryRun` 200 and what would be done.
        """
        told = await _REQUEUE.read(request)
        wanted, more = told.wanted(), False
        actor = principal_of(request.scope) or visible(told.operator, "operator")
        requeue = Requeue(actor, told.reason, told.dry_run)
        ids = told.execution_ids or []
        if wanted is not None:
            ids, more = await self._operators.select(wanted)
        matches_nothing = wanted is not None and not ids
        results = [] if matches_nothing else await self._operators.requeue(ids, requeue)
        summary = RequeueAnswer.of(results, dry_run=told.dry_run, more=more)
        if summary.status == "FAILURE" and not told.dry_run:
            first = summary.results[0].message
            message = f"none of {summary.total_requested} executions was requeued: {first}"
            raise NotRequeueable(message, results=summary.results)
        partial = summary.status == "PARTIAL" and not told.dry_run
        return answer(summary, 207 if partial else 200)
