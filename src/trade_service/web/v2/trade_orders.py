"""/api/v2/tradeOrders: listed and read with names, created and moved in batches."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from litestar import Controller, Response
from litestar.params import FromPath, JSONBody

from trade_service.domain.orders import TradeOrder
from trade_service.trading.editors import MAX_ORDERS
from trade_service.trading.listing.model import ORDER_FIELDS
from trade_service.web.access import READER, TRADER
from trade_service.web.dependencies import HttpRequest, Services
from trade_service.web.integers import Int32
from trade_service.web.order_batches import OrderBatchController
from trade_service.web.rendering import answer
from trade_service.web.request_parsing import read_id
from trade_service.web.route_docs import documented, items
from trade_service.web.routing import get, put
from trade_service.web.v2.parameters import given_in, list_parameters, read_list_query
from trade_service.web.v2.responses import (
    BatchCreateAnswer,
    BatchMoveAnswer,
    CreatedResult,
    MovedResult,
    TradeOrderPage,
    TradeOrderV2,
)

_MOVES = documented(answers={200: BatchMoveAnswer, 207: BatchMoveAnswer}, errors=(404, 409))


class BatchMove(msgspec.Struct, rename="camel"):
    """Trade orders, and the blotter to move them to."""

    trade_order_ids: Annotated[list[Int32], items(MAX_ORDERS)]
    blotter_abbreviation: str


class NamedOrderController(Controller):
    """Trade orders with the names of portfolios and securities."""

    path = "/tradeOrders"
    tags = ("Trade orders v2",)

    @get("/", opt=READER | documented(parameters=list_parameters(ORDER_FIELDS)))
    async def list_orders(self, request: HttpRequest, services: Services) -> Response[TradeOrderPage]:
        """A page of trade orders, sorted and filtered over the whole result."""
        query = read_list_query(given_in(request), ORDER_FIELDS)
        return answer(TradeOrderPage.of(await services.lists.list_orders(query)))

    @get("/{trade_order_id:str}", opt=READER)
    async def read(self, services: Services, trade_order_id: FromPath[str]) -> Response[TradeOrderV2]:
        """Reads a trade order."""
        order, _ = await services.orders.get_order(read_id(trade_order_id))
        return answer(TradeOrderV2.of((await services.lists.named_orders([order]))[0]))

    @put("/batch/move", opt=TRADER | _MOVES)
    async def move_batch(self, services: Services, data: JSONBody[BatchMove]) -> Response[BatchMoveAnswer]:
        """Moves up to 1000 trade orders to another blotter, each for itself; what was sent of them stays.

        200 when all or none could be moved, 207 otherwise.
        """
        moved = await services.editors.orders.move_orders(data.trade_order_ids, data.blotter_abbreviation)
        named = await services.lists.named_orders([order for order in moved if order is not None])
        by_id = {one.order.id: one for one in named}
        results = [
            MovedResult.of(index, identity, by_id.get(identity))
            for index, identity in enumerate(data.trade_order_ids)
        ]
        body = BatchMoveAnswer.of(results, "trade orders moved")
        return answer(body, body.http_status)


class NamedBatchController(OrderBatchController[BatchCreateAnswer]):
    """Trade orders in batches, with names."""

    path = "/tradeOrders/batch/create"
    tags = ("Trade orders v2",)

    async def present(self, services: Services, orders: Sequence[TradeOrder]) -> BatchCreateAnswer:
        """The orders with the names of their portfolios and securities."""
        named = await services.lists.named_orders(orders)
        results = CreatedResult.created([TradeOrderV2.of(one) for one in named])
        return BatchCreateAnswer.of(results, "trade orders created")
