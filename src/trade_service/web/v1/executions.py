"""/api/v1/executions and /api/v1/execution/{id}/submit."""

from typing import Any

from litestar import Request, Response, Router, delete, get, put
from litestar.params import FromPath

from trade_service.submission.model import SubmitStatus
from trade_service.trading.model import NotAccepted
from trade_service.trading.request_keys import Created
from trade_service.web.access import READER, TRADER
from trade_service.web.codes import HttpCode
from trade_service.web.dependencies import Routes, WebServices, WebSettings
from trade_service.web.errors import RequestRefused, status_of_result
from trade_service.web.idempotency import Idempotency
from trade_service.web.rendering import answer
from trade_service.web.request_parsing import JsonReader, read_id, read_version, same_id
from trade_service.web.telling import VERSION, tells
from trade_service.web.v1.paging import PAGE, TOTAL_HEADERS, read_page, total_headers
from trade_service.web.v1.requests import ExecutionPost, ExecutionPut, FillPut, exact
from trade_service.web.v1.responses import (
    SUBMISSION_MESSAGE,
    SUBMISSION_STATE,
    ExecutionAnswer,
    pending_headers,
)

_POST = JsonReader(ExecutionPost)
_PUT = JsonReader(ExecutionPut)
_FILL = JsonReader(FillPut)


class ExecutionRoutes(Routes):
    """Executions are listed, read, written by hand, filled and sent."""

    def __init__(self, services: WebServices, settings: WebSettings) -> None:
        self._executions = services.executions
        self._lists = services.lists
        self._editor = services.editors.executions
        self._wait_s = settings.wait_s
        self._keyed = Idempotency(services.keys)

    def router(self) -> Router:
        """The routes."""
        return Router(
            "/",
            route_handlers=[
                get("/executions/{execution_id:str}", opt=READER)(self.read),
                get("/executions", opt=READER | tells(parameters=PAGE, headers=TOTAL_HEADERS))(
                    self.list_executions
                ),
                self._keyed.post(
                    "/executions",
                    self.create,
                    self.created,
                    opt=TRADER | tells(body=_POST, errors=(404, 409)),
                ),
                put("/executions/{execution_id:str}", opt=TRADER | tells(body=_PUT, errors=(409,)))(
                    self.update
                ),
                delete(
                    "/executions/{execution_id:str}",
                    opt=TRADER | tells(parameters=(VERSION,), errors=(409,)),
                )(self.delete),
                put("/executions/{execution_id:str}/fill", opt=TRADER | tells(body=_FILL, errors=(409,)))(
                    self.fill
                ),
                self._keyed.post(
                    "/execution/{execution_id:str}/submit",
                    self.submit,
                    self.submitted,
                    opt=TRADER | tells(headers=(SUBMISSION_STATE, SUBMISSION_MESSAGE)),
                    status_code=200,
                ),
            ],
            tags=["Executions"],
        )

    async def list_executions(self, request: Request[Any, Any, Any]) -> Response[list[ExecutionAnswer]]:
        """A page of executions by id, 1000 at the most; the header X-Total-Count tells how many there are."""
        page = await self._lists.plain_executions(read_page(request))
        executions = [ExecutionAnswer.of(view) for view in page.items]
        return answer(executions, headers=total_headers(page.total))

    async def read(self, execution_id: FromPath[str]) -> Response[ExecutionAnswer]:
        """Reads an execution."""
        view = await self._executions.get_execution(read_id(execution_id, "id"))
        return answer(ExecutionAnswer.of(view))

    async def create(self, request: Request[Any, Any, Any]) -> Response[ExecutionAnswer]:
        """Creates an execution of a trade order, whose quantity it takes, without sending it."""
        view = await self._editor.create_execution((await _POST.read(request)).to_domain())
        return answer(ExecutionAnswer.of(view), 201)

    async def created(self, _request: Request[Any, Any, Any], created: Created) -> Response[ExecutionAnswer]:
        """The execution that an earlier request created."""
        (execution_id,) = created.known_ids
        return answer(ExecutionAnswer.of(await self._executions.get_execution(execution_id)), 201)

    async def update(
        self, request: Request[Any, Any, Any], execution_id: FromPath[str]
    ) -> Response[ExecutionAnswer]:
        """Changes an execution; what was sent of it stands."""
        identity = read_id(execution_id, "id")
        wanted = await _PUT.read(request)
        same_id(identity, wanted.id)
        view = await self._editor.update_execution(identity, wanted.version, wanted.to_domain())
        return answer(ExecutionAnswer.of(view))

    async def delete(self, request: Request[Any, Any, Any], execution_id: FromPath[str]) -> None:
        """Deletes an execution that was not sent; its order gets the quantity back."""
        await self._editor.delete_execution(read_id(execution_id, "id"), read_version(request))

    async def fill(
        self, request: Request[Any, Any, Any], execution_id: FromPath[str]
    ) -> Response[ExecutionAnswer]:
        """Takes a fill report of the Execution Service."""
        identity = read_id(execution_id, "id")
        report = await _FILL.read(request)
        filled = exact(report.quantity_filled, "quantityFilled")
        view = await self._executions.fill(identity, report.execution_status, filled, report.version)
        return answer(ExecutionAnswer.of(view))

    async def submit(
        self,
        request: Request[Any, Any, Any],  # noqa: ARG002  # read by the route, for its key
        execution_id: FromPath[str],
    ) -> Response[ExecutionAnswer]:
        """Sends one execution. What was accepted before is answered as it is."""
        identity = read_id(execution_id, "id")
        outcome = await self._executions.submit_execution(identity, self._wait_s)
        if outcome.status in (SubmitStatus.FAILED, SubmitStatus.RETRY_EXHAUSTED):
            raise _refusal(NotAccepted(outcome.result))
        view = await self._executions.get_execution(identity)
        return answer(ExecutionAnswer.of(view), headers=pending_headers([outcome.result]))

    async def submitted(
        self, request: Request[Any, Any, Any], _created: Created, execution_id: FromPath[str]
    ) -> Response[ExecutionAnswer]:
        """The same: to ask once more for an execution to be sent never sends it twice."""
        return await self.submit(request, execution_id)


def _refusal(error: NotAccepted) -> Exception:
    """Clients of this call know 400, 404 and 500: a downstream's failure is 500, whatever kind it was."""
    downstream = status_of_result(error.result) >= 500 and error.result.code != HttpCode.STORE_UNAVAILABLE
    return RequestRefused(500, error.code, error.message) if downstream else error
