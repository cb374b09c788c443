"""/api/v2/tradeOrders: listed and read with names, created and moved in batches."""

from collections.abc import Sequence
from typing import Any

from litestar import Request, Response, Router, get, put
from litestar.params import FromPath

from trade_service.domain.orders import TradeOrder
from trade_service.trading.listing.model import ORDER_FIELDS
from trade_service.trading.request_keys import Created
from trade_service.web.access import READER, TRADER
from trade_service.web.dependencies import Routes, WebServices
from trade_service.web.idempotency import Idempotency
from trade_service.web.rendering import answer
from trade_service.web.request_parsing import JsonReader, body_of, read_id
from trade_service.web.telling import tells
from trade_service.web.v1.bulk import BULK_BODY, BulkRefusal, refuse_bulk
from trade_service.web.v1.requests import TradeOrderBulkPost
from trade_service.web.v2.batches import BatchCreateAnswer, BatchMove, BatchMoveAnswer
from trade_service.web.v2.documented import list_parameters
from trade_service.web.v2.parameters import given_in, read_list_query
from trade_service.web.v2.responses import TradeOrderPage, TradeOrderV2

_BULK = JsonReader(TradeOrderBulkPost)
_MOVE = JsonReader(BatchMove)
_MOVES = tells(body=_MOVE, answers={200: BatchMoveAnswer, 207: BatchMoveAnswer}, errors=(404, 409))


class TradeOrderListRoutes(Routes):
    """Trade orders with the names of portfolios and securities."""

    def __init__(self, services: WebServices) -> None:
        self._orders = services.orders
        self._editor = services.editors.orders
        self._lists = services.lists
        self._keyed = Idempotency(services.keys)

    def router(self) -> Router:
        """The routes."""
        return Router(
            "/tradeOrders",
            route_handlers=[
                get("/", opt=READER | tells(parameters=list_parameters(ORDER_FIELDS)))(self.list_orders),
                get("/{trade_order_id:str}", opt=READER)(self.read),
                self._keyed.post(
                    "/batch/create",
                    self.create_batch,
                    self.created_batch,
                    opt=TRADER | tells(body=_BULK, refusal=BulkRefusal, errors=(404, 409)),
                    exception_handlers={Exception: refuse_bulk},
                ),
                put("/batch/move", opt=TRADER | _MOVES)(self.move_batch),
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

    async def create_batch(self, request: Request[Any, Any, Any]) -> Response[BatchCreateAnswer]:
        """Creates 1 to 1000 trade orders, all or none."""
        body = request.scope["state"][BULK_BODY] = await body_of(request)
        return await self._created(await self._orders.create_orders_bulk(_BULK.decode(body).to_domain()))

    async def created_batch(
        self, _request: Request[Any, Any, Any], created: Created
    ) -> Response[BatchCreateAnswer]:
        """The orders that an earlier request created."""
        return await self._created(await self._orders.get_orders(created.known_ids))

    async def _created(self, orders: Sequence[TradeOrder]) -> Response[BatchCreateAnswer]:
        return answer(BatchCreateAnswer.of(await self._lists.named_orders(orders)), 201)

    async def move_batch(self, request: Request[Any, Any, Any]) -> Response[BatchMoveAnswer]:
        """Puts up to 1000 trade orders into another blotter, each for itself; what was sent of them stands.

        200 when all or none could be moved, 207 else.
        """
        wanted = await _MOVE.read(request)
        moved = await self._editor.move_orders(wanted.trade_order_ids, wanted.blotter_abbreviation)
        named = await self._lists.named_orders([order for order in moved if order is not None])
        body = BatchMoveAnswer.of(wanted.trade_order_ids, {one.order.id: one for one in named})
        return answer(body, 207 if body.status == "PARTIAL" else 200)
