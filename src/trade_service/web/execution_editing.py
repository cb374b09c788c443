"""Executions read, created, changed and deleted one by one: what the versions of the API share."""

from typing import Generic, TypeVar

from litestar import Response
from litestar.params import FromPath, JSONBody

from trade_service.trading.model import ExecutionView
from trade_service.trading.request_keys import Created
from trade_service.web.access import READER, TRADER
from trade_service.web.dependencies import HttpRequest, Services
from trade_service.web.idempotency import keyed_post
from trade_service.web.rendering import answer
from trade_service.web.request_parsing import id_of, read_id, read_version
from trade_service.web.route_docs import VERSION, documented
from trade_service.web.routing import GenericController, delete, get, put
from trade_service.web.v1.requests import ExecutionPost, ExecutionPut

Answer = TypeVar("Answer")


class ExecutionEditing(GenericController, Generic[Answer]):
    """The routes of one execution; a subclass presents it."""

    async def present(self, services: Services, view: ExecutionView) -> Answer:
        """The execution as clients of this version read it."""
        raise NotImplementedError

    @get("/executions/{execution_id:str}", opt=READER)
    async def read(self, services: Services, execution_id: FromPath[str]) -> Response[Answer]:
        """Reads an execution."""
        view = await services.executions.get_execution(read_id(execution_id))
        return answer(await self.present(services, view))

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
        return answer(await self.present(services, view), 201)

    @put("/executions/{execution_id:str}", opt=TRADER | documented(errors=(409,)))
    async def update(
        self, services: Services, execution_id: FromPath[str], data: JSONBody[ExecutionPut]
    ) -> Response[Answer]:
        """Changes an execution; what was sent of it stays."""
        identity = id_of(execution_id, data.id)
        view = await services.editors.executions.update_execution(identity, data.version, data.to_domain())
        return answer(await self.present(services, view))

    @delete("/executions/{execution_id:str}", opt=TRADER | documented(parameters=(VERSION,), errors=(409,)))
    async def delete(self, request: HttpRequest, services: Services, execution_id: FromPath[str]) -> None:
        """Deletes an execution that was not sent; its order gets the quantity back."""
        await services.editors.executions.delete_execution(read_id(execution_id), read_version(request))
