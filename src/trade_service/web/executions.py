"""/api/v1/executions, /api/v1/execution/{id}/submit and /api/v2/executions."""

from typing import Generic, TypeVar

from litestar import Response
from litestar.params import FromPath, JSONBody

from trade_service.submission.model import SubmitStatus
from trade_service.trading.model import ExecutionView, NotAccepted
from trade_service.trading.request_keys import Created
from trade_service.web.access import CALLBACK, LISTING, READER, TRADER, delete, get, put
from trade_service.web.dependencies import Injected, Services
from trade_service.web.errors import HttpCode, RequestRefused, status_of_result
from trade_service.web.export_forms import wanted_form
from trade_service.web.exports import Exports, presented_pages
from trade_service.web.idempotency import keyed_post
from trade_service.web.list_queries import (
    PAGE,
    TOTAL_HEADERS,
    documented_list,
    read_list,
    read_page,
    total_headers,
)
from trade_service.web.named_responses import ExecutionPage, ExecutionV2, Pagination
from trade_service.web.parameters import id_of, read_id, read_version
from trade_service.web.request_bodies import ExecutionPost, ExecutionPut, FillPut, exact
from trade_service.web.responses import (
    SUBMISSION_MESSAGE,
    SUBMISSION_STATE,
    ApiResponse,
    ExecutionAnswer,
    pending_headers,
    presented_rows,
)
from trade_service.web.routing import VERSION, GenericController, HttpRequest, documented

Answer = TypeVar("Answer")


class ExecutionEditing(GenericController, Generic[Answer]):
    """The routes of one execution; a subclass presents it."""

    async def present(self, services: Services, view: ExecutionView) -> Answer:
        raise NotImplementedError

    @get("/executions/{execution_id:str}", opt=READER | CALLBACK)
    async def read(self, services: Services, execution_id: FromPath[str]) -> Response[Answer]:
        """Reads an execution."""
        view = await services.executions.get_execution(read_id(execution_id))
        return ApiResponse(await self.present(services, view))

    @keyed_post("/executions", opt=TRADER | documented(errors=(404, 409)))
    async def create(
        self, services: Services, data: JSONBody[ExecutionPost], created: Created | None
    ) -> Response[Answer]:
        """Creates an execution of a trade order, whose quantity it takes, without sending it."""
        if created is None:
            view = await services.editors.executions.create_execution(data.to_domain())
        else:
            (execution_id,) = created.known_ids
            view = await services.executions.get_execution(execution_id)
        return ApiResponse(await self.present(services, view), 201)

    @put("/executions/{execution_id:str}", opt=TRADER | documented(errors=(409,)))
    async def update(
        self, services: Services, execution_id: FromPath[str], data: JSONBody[ExecutionPut]
    ) -> Response[Answer]:
        """Changes an execution; what was sent of it stays."""
        identity = id_of(execution_id, data.id)
        view = await services.editors.executions.update_execution(identity, data.version, data.to_domain())
        return ApiResponse(await self.present(services, view))

    @delete("/executions/{execution_id:str}", opt=TRADER | documented(parameters=(VERSION,), errors=(409,)))
    async def delete(self, request: HttpRequest, services: Services, execution_id: FromPath[str]) -> None:
        """Deletes an execution that was not sent; its order gets the quantity back."""
        await services.editors.executions.delete_execution(read_id(execution_id), read_version(request))


class ExecutionController(ExecutionEditing[ExecutionAnswer]):
    """Executions are listed, read, changed, filled and sent."""

    tags = ("Executions",)

    async def present(self, _services: Services, view: ExecutionView) -> ExecutionAnswer:
        """Decimals as strings, without names."""
        return ExecutionAnswer.of(view)

    @get("/executions", opt=LISTING | documented(parameters=PAGE, headers=TOTAL_HEADERS))
    async def list_executions(
        self, request: HttpRequest, services: Services
    ) -> Response[list[ExecutionAnswer]]:
        """A page of executions by id, 1000 at the most; X-Total-Count has the number of all."""
        page = await services.lists.plain_executions(read_page(request))
        found = await presented_rows(page.items, ExecutionAnswer.of)
        return ApiResponse(found, headers=total_headers(page.total))

    @put("/executions/{execution_id:str}/fill", opt=TRADER | CALLBACK | documented(errors=(409,)))
    async def fill(
        self, services: Services, execution_id: FromPath[str], data: JSONBody[FillPut]
    ) -> Response[ExecutionAnswer]:
        """Takes a fill report of the Execution Service."""
        identity = read_id(execution_id)
        filled = exact(data.quantity_filled, "quantityFilled")
        view = await services.executions.fill(identity, data.execution_status, filled, data.version)
        return ApiResponse(ExecutionAnswer.of(view))

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
        return ApiResponse(ExecutionAnswer.of(view), headers=pending_headers([outcome.result]))


def _refusal(error: NotAccepted) -> Exception:
    """Clients of this call know 400, 404 and 500: a downstream's failure of any kind is 500."""
    downstream = status_of_result(error.result) >= 500 and error.result.code != HttpCode.STORE_UNAVAILABLE
    return RequestRefused(500, error.code, error.message) if downstream else error


class NamedExecutionController(ExecutionEditing[ExecutionV2]):
    """Executions with the names of their portfolios and securities."""

    tags = ("Executions v2",)

    async def present(self, services: Services, view: ExecutionView) -> ExecutionV2:
        """Decimals as numbers, with names."""
        return ExecutionV2.of((await services.lists.named_executions([view]))[0])

    @get("/executions", opt=LISTING | documented_list("executions"))
    async def list_executions(
        self, request: HttpRequest, services: Services, exports: Injected[Exports]
    ) -> Response[ExecutionPage]:
        """A page of executions, sorted and filtered over the whole result; as CSV or NDJSON all of them."""
        query, headers = read_list(request, "executions", services.settings.api)
        if (form := wanted_form(request)) is not None:
            pages = presented_pages(services.lists.execution_pages(query), ExecutionV2.of)
            return await exports.respond(request, form, ExecutionV2, "executions", pages)
        page = await services.lists.list_executions(query)
        body = ExecutionPage(await presented_rows(page.items, ExecutionV2.of), Pagination.of(page))
        return ApiResponse(body, headers=headers)
