"""/api/v2/executions: listed, read, and written by hand, with names."""

from typing import Any

from litestar import Request, Response, Router, delete, get, put
from litestar.params import FromPath

from trade_service.trading.listing.model import EXECUTION_FIELDS
from trade_service.trading.model import ExecutionView
from trade_service.trading.request_keys import Created
from trade_service.web.access import READER, TRADER
from trade_service.web.dependencies import Routes, WebServices
from trade_service.web.idempotency import Idempotency
from trade_service.web.rendering import answer
from trade_service.web.request_parsing import JsonReader, read_id, read_version, same_id
from trade_service.web.telling import VERSION, tells
from trade_service.web.v1.requests import ExecutionPost, ExecutionPut
from trade_service.web.v2.documented import list_parameters
from trade_service.web.v2.parameters import given_in, read_list_query
from trade_service.web.v2.responses import ExecutionPage, ExecutionV2

_POST = JsonReader(ExecutionPost)
_PUT = JsonReader(ExecutionPut)


class ExecutionListRoutes(Routes):
    """Executions with the names of their portfolios and securities."""

    def __init__(self, services: WebServices) -> None:
        self._executions = services.executions
        self._editor = services.editors.executions
        self._lists = services.lists
        self._keyed = Idempotency(services.keys)

    def router(self) -> Router:
        """The routes."""
        return Router(
            "/executions",
            route_handlers=[
                get("/", opt=READER | tells(parameters=list_parameters(EXECUTION_FIELDS)))(
                    self.list_executions
                ),
                get("/{execution_id:str}", opt=READER)(self.read),
                self._keyed.post(
                    "/", self.create, self.created, opt=TRADER | tells(body=_POST, errors=(404, 409))
                ),
                put("/{execution_id:str}", opt=TRADER | tells(body=_PUT, errors=(409,)))(self.update),
                delete("/{execution_id:str}", opt=TRADER | tells(parameters=(VERSION,), errors=(409,)))(
                    self.delete
                ),
            ],
            tags=["Executions v2"],
        )

    async def list_executions(self, request: Request[Any, Any, Any]) -> Response[ExecutionPage]:
        """A page of executions, sorted and filtered over the whole result."""
        query = read_list_query(given_in(request), EXECUTION_FIELDS)
        return answer(ExecutionPage.of(await self._lists.list_executions(query)))

    async def read(self, execution_id: FromPath[str]) -> Response[ExecutionV2]:
        """Reads an execution."""
        view = await self._executions.get_execution(read_id(execution_id, "id"))
        return answer(await self._named(view))

    async def create(self, request: Request[Any, Any, Any]) -> Response[ExecutionV2]:
        """Creates an execution of a trade order, whose quantity it takes, without sending it."""
        view = await self._editor.create_execution((await _POST.read(request)).to_domain())
        return answer(await self._named(view), 201)

    async def created(self, _request: Request[Any, Any, Any], created: Created) -> Response[ExecutionV2]:
        """The execution that an earlier request created."""
        (execution_id,) = created.known_ids
        return answer(await self._named(await self._executions.get_execution(execution_id)), 201)

    async def update(
        self, request: Request[Any, Any, Any], execution_id: FromPath[str]
    ) -> Response[ExecutionV2]:
        """Changes an execution; what was sent of it stands."""
        identity = read_id(execution_id, "id")
        wanted = await _PUT.read(request)
        same_id(identity, wanted.id)
        view = await self._editor.update_execution(identity, wanted.version, wanted.to_domain())
        return answer(await self._named(view))

    async def delete(self, request: Request[Any, Any, Any], execution_id: FromPath[str]) -> None:
        """Deletes an execution that was not sent; its order gets the quantity back."""
        await self._editor.delete_execution(read_id(execution_id, "id"), read_version(request))

    async def _named(self, view: ExecutionView) -> ExecutionV2:
        return ExecutionV2.of((await self._lists.named_executions([view]))[0])
