"""Trade orders created many at once, all or none; one envelope for success and failure."""

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import msgspec
from litestar import Request, Response
from litestar.params import JSONBody

from trade_service.domain.errors import DomainError
from trade_service.domain.orders import TradeOrder
from trade_service.trading.request_keys import Created
from trade_service.web.access import TRADER
from trade_service.web.batches import FAILURE, BatchAnswer
from trade_service.web.dependencies import Services
from trade_service.web.dto import BODY
from trade_service.web.errors import ErrorBody, Problem, error_fields, logged_problem, request_id_of
from trade_service.web.idempotency import keyed_post
from trade_service.web.rendering import ApiResponse, answer
from trade_service.web.route_docs import documented
from trade_service.web.routing import GenericController
from trade_service.web.v1.requests import LooseBulk, TradeOrderBulkPost
from trade_service.web.v1.responses import BulkResult

MAX_RESULTS = 1000
"""A list that is too long is counted, not answered item by item."""

_COUNTER = msgspec.json.Decoder(LooseBulk)

Answer = TypeVar("Answer", bound=BatchAnswer[Any])


class BulkRefusal(ErrorBody, frozen=True, rename="camel", kw_only=True):
    """Nothing was created: an error in the envelope of a batch."""

    status: str
    total_requested: int
    successful: int
    failed: int
    results: list[BulkResult]


def refuse_bulk(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """The envelope of a batch that created nothing. The order service expects it with 400 and 500."""
    problem = logged_problem(request, error)
    if isinstance(error, DomainError) and problem.status < 500:
        problem = msgspec.structs.replace(problem, status=400)
    total = _count(request)
    body = BulkRefusal(
        **error_fields(problem, request_id_of(request)),
        status=FAILURE,
        total_requested=total,
        successful=0,
        failed=total,
        results=_failures(problem, total),
    )
    return ApiResponse(body, status_code=problem.status, headers=dict(problem.headers))


class OrderBatchController(GenericController, Generic[Answer]):
    """Creates batches of orders; the versions of the API present them in their own way."""

    async def present(self, services: Services, orders: Sequence[TradeOrder]) -> Answer:
        """The response for orders that were all created."""
        raise NotImplementedError

    @keyed_post(
        "/",
        opt=TRADER | documented(refusal=BulkRefusal, errors=(404, 409)),
        exception_handlers={Exception: refuse_bulk},
    )
    async def create(
        self, services: Services, data: JSONBody[TradeOrderBulkPost], created: Created | None
    ) -> Response[Answer]:
        """Creates 1 to 1000 trade orders, all or none."""
        if created is None:
            orders = await services.orders.create_orders_bulk(data.to_domain())
        else:
            orders = await services.orders.get_orders(created.known_ids)
        return answer(await self.present(services, orders), 201)


def _failures(problem: Problem, total: int) -> list[BulkResult]:
    if total > MAX_RESULTS:
        return []
    guilty = problem.details.get("index")
    of_others = f"not created, since {problem.message}"
    return [
        BulkResult(index, FAILURE, problem.message if guilty in (index, None) else of_others, None)
        for index in range(total)
    ]


def _count(request: Request[Any, Any, Any]) -> int:
    """How many orders were sent; 0 when the body cannot be read."""
    try:
        return len(_COUNTER.decode(request.scope["state"].get(BODY, b"{}")).trade_orders)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return 0
