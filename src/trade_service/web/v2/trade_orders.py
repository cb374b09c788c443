"""/api/v2/tradeOrders: listed and read with names."""

from typing import Any

from litestar import Request, Response, Router, get
from litestar.params import FromPath

from trade_service.trading.listing.model import ORDER_FIELDS
from trade_service.web.access import READER
from trade_service.web.reading import read_id
from trade_service.web.rendering import answer
from trade_service.web.services import Routes, WebServices
from trade_service.web.v2.answers import TradeOrderPage, TradeOrderV2
from trade_service.web.v2.documented import OrderListOperation
from trade_service.web.v2.parameters import given_in, read_list_query


class TradeOrderListRoutes(Routes):
    """Trade orders with the names of portfolios and securities."""

    def __init__(self, services: WebServices) -> None:
        self._orders = services.orders
        self._lists = services.lists

    def router(self) -> Router:
        """The routes."""
        return Router(
            "/tradeOrders",
            route_handlers=[
                get("/", opt=READER, operation_class=OrderListOperation)(self.list_orders),
                get("/{trade_order_id:str}", opt=READER)(self.read),
            ],
            tags=["Trade orders v2"],
        )

    async def list_orders(self, request: Request[Any, Any, Any]) -> Response[TradeOrderPage]:
        """A page of trade orders, sorted and filtered over the whole result."""
        query = read_list_query(given_in(request), ORDER_FIELDS)
        return answer(TradeOrderPage.of(await self._lists.list_orders(query)))

    async def read(self, trade_order_id: FromPath[str]) -> Response[TradeOrderV2]:
        """Reads a trade order."""
        order, _ = await self._orders.get_order(read_id(trade_order_id, "id"))
        return answer(TradeOrderV2.of((await self._lists.named_orders([order]))[0]))
