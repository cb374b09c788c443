"""/api/v1/executions and /api/v1/execution/{id}/submit."""

from litestar import Response
from litestar.params import FromPath, JSONBody

from trade_service.submission.model import SubmitStatus
from trade_service.trading.model import ExecutionView, NotAccepted
from trade_service.trading.request_keys import Created
from trade_service.web.access import READER, TRADER
from trade_service.web.codes import HttpCode
from trade_service.web.dependencies import HttpRequest, Services
from trade_service.web.errors import RequestRefused, status_of_result
from trade_service.web.execution_editing import ExecutionEditing
from trade_service.web.idempotency import keyed_post
from trade_service.web.rendering import answer
from trade_service.web.request_parsing import read_id
from trade_service.web.route_docs import documented
from trade_service.web.routing import get, put
from trade_service.web.v1.paging import PAGE, TOTAL_HEADERS, read_page, total_headers
from trade_service.web.v1.requests import FillPut, exact
from trade_service.web.v1.responses import (
    SUBMISSION_MESSAGE,
    SUBMISSION_STATE,
    ExecutionAnswer,
    pending_headers,
)


class ExecutionController(ExecutionEditing[ExecutionAnswer]):
    """Executions are listed, read, changed, filled and sent."""

    tags = ("Executions",)

    async def present(self, _services: Services, view: ExecutionView) -> ExecutionAnswer:
        """Decimals as strings, without names."""
        return ExecutionAnswer.of(view)

    @get("/executions", opt=READER | documented(parameters=PAGE, headers=TOTAL_HEADERS))
    async def list_executions(
        self, request: HttpRequest, services: Services
    ) -> Response[list[ExecutionAnswer]]:
        """A page of executions by id, 1000 at the most; X-Total-Count has the number of all."""
        page = await services.lists.plain_executions(read_page(request))
        return answer([ExecutionAnswer.of(view) for view in page.items], headers=total_headers(page.total))

    @put("/executions/{execution_id:str}/fill", opt=TRADER | documented(errors=(409,)))
    async def fill(
        self, services: Services, execution_id: FromPath[str], data: JSONBody[FillPut]
    ) -> Response[ExecutionAnswer]:
        """Takes a fill report of the Execution Service."""
        identity = read_id(execution_id)
        filled = exact(data.quantity_filled, "quantityFilled")
        view = await services.executions.fill(identity, data.execution_status, filled, data.version)
        return answer(ExecutionAnswer.of(view))

    @keyed_post(
        "/execution/{execution_id:str}/submit",
        opt=TRADER | documented(headers=(SUBMISSION_STATE, SUBMISSION_MESSAGE)),
        status_code=200,
    )
    async def submit(
        self,
        services: Services,
        execution_id: FromPath[str],
        created: Created | None,  # noqa: ARG002  # submitting an execution again never sends it twice
    ) -> Response[ExecutionAnswer]:
        """Sends one execution. One that was accepted before is answered as it is."""
        identity = read_id(execution_id)
        outcome = await services.executions.submit_execution(identity, services.settings.wait_s)
        if outcome.status in (SubmitStatus.FAILED, SubmitStatus.RETRY_EXHAUSTED):
            raise _refusal(NotAccepted(outcome.result))
        view = await services.executions.get_execution(identity)
        return answer(ExecutionAnswer.of(view), headers=pending_headers([outcome.result]))


def _refusal(error: NotAccepted) -> Exception:
    """Clients of this call know 400, 404 and 500: a downstream's failure of any kind is 500."""
    downstream = status_of_result(error.result) >= 500 and error.result.code != HttpCode.STORE_UNAVAILABLE
    return RequestRefused(500, error.code, error.message) if downstream else error
