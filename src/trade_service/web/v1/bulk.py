"""POST /api/v1/tradeOrders/bulk: all or none, and one envelope for either."""

from collections.abc import Sequence
from typing import Any

import msgspec
from litestar import Request, Response, Router

from trade_service.domain.errors import DomainError
from trade_service.domain.orders import TradeOrder
from trade_service.trading.request_keys import Created
from trade_service.web.access import TRADER
from trade_service.web.dependencies import Routes, WebServices
from trade_service.web.errors import ErrorBody, Problem, error_fields, logged_problem, request_id_of
from trade_service.web.idempotency import Idempotency
from trade_service.web.rendering import RawResponse, answer, encoded
from trade_service.web.request_parsing import JsonReader, body_of
from trade_service.web.telling import tells
from trade_service.web.v1.requests import LooseBulk, TradeOrderBulkPost
from trade_service.web.v1.responses import BulkAnswer, BulkResult, TradeOrderAnswer

MAX_RESULTS = 1000
"""A list that is too long is counted, not answered item by item."""

_BULK = JsonReader(TradeOrderBulkPost)
BULK_BODY = "bulk_body"
"""Where the body of a bulk is kept for its refusal."""
_COUNTER = msgspec.json.Decoder(LooseBulk)


class BulkRefusal(ErrorBody, frozen=True, rename="camel", kw_only=True):
    """Nothing was created: an error in the envelope of a bulk."""

    status: str
    total_requested: int
    successful: int
    failed: int
    results: list[BulkResult]


class BulkRoutes(Routes):
    """Many trade orders at once."""

    def __init__(self, services: WebServices) -> None:
        self._orders = services.orders
        self._references = services.references
        self._keyed = Idempotency(services.keys)

    def router(self) -> Router:
        """The routes."""
        return Router(
            "/tradeOrders/bulk",
            route_handlers=[
                self._keyed.post(
                    "/",
                    self.create,
                    self.created,
                    opt=TRADER | tells(body=_BULK, refusal=BulkRefusal, errors=(404, 409)),
                    exception_handlers={Exception: refuse_bulk},
                )
            ],
            tags=["Trade orders"],
        )

    async def create(self, request: Request[Any, Any, Any]) -> Response[BulkAnswer]:
        """Creates 1 to 1000 trade orders, all or none."""
        body = request.scope["state"][BULK_BODY] = await body_of(request)
        orders = _BULK.decode(body).to_domain()
        return await self._answer(await self._orders.create_orders_bulk(orders))

    async def created(self, _request: Request[Any, Any, Any], created: Created) -> Response[BulkAnswer]:
        """The orders that an earlier request created."""
        return await self._answer(await self._orders.get_orders(created.known_ids))

    async def _answer(self, created: Sequence[TradeOrder]) -> Response[BulkAnswer]:
        wanted = {order.blotter_id for order in created} - {None}
        blotters = (await self._references.get(lambda data: wanted <= data.blotters.keys())).blotters
        answers = [TradeOrderAnswer.of(order, blotters.get(order.blotter_id or 0)) for order in created]
        return answer(BulkAnswer.of(answers), 201)


def refuse_bulk(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """The envelope of a bulk of which nothing was created: the order service reads it at 400 and 500."""
    problem = logged_problem(request, error)
    if isinstance(error, DomainError) and problem.status < 500:
        problem = msgspec.structs.replace(problem, status=400)
    total = _count(request)
    body = BulkRefusal(
        **error_fields(problem, request_id_of(request)),
        status="FAILURE",
        total_requested=total,
        successful=0,
        failed=total,
        results=_failures(problem, total),
    )
    return RawResponse(
        encoded(body),
        status_code=problem.status,
        media_type="application/json",
        headers=dict(problem.headers),
    )


def _failures(problem: Problem, total: int) -> list[BulkResult]:
    if total > MAX_RESULTS:
        return []
    guilty = problem.details.get("index")
    of_others = f"not created, since {problem.message}"
    return [
        BulkResult(index, "FAILURE", problem.message if guilty in (index, None) else of_others, None)
        for index in range(total)
    ]


def _count(request: Request[Any, Any, Any]) -> int:
    """How many orders were sent; 0 when that cannot be read."""
    try:
        return len(_COUNTER.decode(request.scope["state"].get(BULK_BODY, b"{}")).trade_orders)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return 0
