"""/api/v2/executions: listed, read and changed, with names."""

from litestar import Response

from trade_service.trading.listing.model import EXECUTION_FIELDS
from trade_service.trading.model import ExecutionView
from trade_service.web.access import READER
from trade_service.web.dependencies import HttpRequest, Services
from trade_service.web.execution_editing import ExecutionEditing
from trade_service.web.rendering import answer
from trade_service.web.route_docs import documented
from trade_service.web.routing import get
from trade_service.web.v2.parameters import given_in, list_parameters, read_list_query
from trade_service.web.v2.responses import ExecutionPage, ExecutionV2


class NamedExecutionController(ExecutionEditing[ExecutionV2]):
    """Executions with the names of their portfolios and securities."""

    tags = ("Executions v2",)

    async def present(self, services: Services, view: ExecutionView) -> ExecutionV2:
        """Decimals as numbers, with names."""
        return ExecutionV2.of((await services.lists.named_executions([view]))[0])

    @get("/executions", opt=READER | documented(parameters=list_parameters(EXECUTION_FIELDS)))
    async def list_executions(self, request: HttpRequest, services: Services) -> Response[ExecutionPage]:
        """A page of executions, sorted and filtered over the whole result."""
        query = read_list_query(given_in(request), EXECUTION_FIELDS)
        return answer(ExecutionPage.of(await services.lists.list_executions(query)))
