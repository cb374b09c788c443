"""/api/v1/tradeOrders and /api/v2/tradeOrders."""

from collections.abc import Sequence
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from litestar import Controller, Response
from litestar.params import FromPath, JSONBody

from trade_service.domain.errors import DomainError
from trade_service.domain.orders import TradeOrder
from trade_service.trading.editors import MAX_ORDERS
from trade_service.trading.request_keys import Created
from trade_service.web.access import LISTING, READER, TRADER, delete, get, put
from trade_service.web.body_bounds import room_for
from trade_service.web.dependencies import Injected, Services
from trade_service.web.errors import ErrorBody, Problem, error_fields, logged_problem, request_id_of
from trade_service.web.export_forms import wanted_form
from trade_service.web.exports import Exports, presented_pages
from trade_service.web.idempotency import keyed_post
from trade_service.web.list_queries import (
    ORDER_ID_PARAMETER,
    PAGE,
    TOTAL_HEADERS,
    documented_list,
    read_list,
    read_order_filter,
    read_page,
    total_headers,
)
from trade_service.web.named_responses import (
    BatchCreateAnswer,
    BatchMoveAnswer,
    CreatedResult,
    MovedResult,
    Pagination,
    TradeOrderPage,
    TradeOrderV2,
)
from trade_service.web.openapi.schemas import Int32, items
from trade_service.web.parameters import id_of, read_flag, read_id, read_version
from trade_service.web.request_bodies import (
    BODY,
    BatchSubmit,
    LooseBulk,
    TradeOrderBulkPost,
    TradeOrderPost,
    TradeOrderPut,
    TradeOrderSubmit,
)
from trade_service.web.responses import (
    FAILURE,
    SUBMISSION_MESSAGE,
    SUBMISSION_STATE,
    ApiResponse,
    BatchAnswer,
    BatchSubmitAnswer,
    BulkAnswer,
    BulkResult,
    ExecutionAnswer,
    TradeOrderAnswer,
    batch_response,
    pending_headers,
    presented_rows,
)
from trade_service.web.routing import NO_SEND, VERSION, GenericController, HttpRequest, documented

MAX_RESULTS = 1000
"""A list that is too long is counted, not answered item by item."""

_COUNTER = msgspec.json.Decoder(LooseBulk)

ORDERS_ROOM = room_for(MAX_ORDERS, item_bytes=1_000, item_values=64)
"""An order with every member, the longest values and indentation takes 600 bytes. Clients send members beside."""

Answer = TypeVar("Answer", bound=BatchAnswer[Any])


class BulkRefusal(ErrorBody, frozen=True, rename="camel", kw_only=True):
    """Nothing was created: an error in the envelope of a batch."""

    status: str
    total_requested: int
    successful: int
    failed: int
    results: list[BulkResult]


def refuse_bulk(request: HttpRequest, error: Exception) -> Response[Any]:
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
    return ApiResponse(body, status=problem.status, headers=dict(problem.headers))


class OrderBatchController(GenericController, Generic[Answer]):
    """Creates batches of orders; the versions of the API present them in their own way."""

    async def present(self, services: Services, orders: Sequence[TradeOrder]) -> Answer:
        raise NotImplementedError

    @keyed_post(
        "/",
        opt=TRADER | documented(refusal=BulkRefusal, errors=(404, 409)) | ORDERS_ROOM,
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
        return ApiResponse(await self.present(services, orders), 201)


def _failures(problem: Problem, total: int) -> list[BulkResult]:
    if total > MAX_RESULTS:
        return []
    guilty = problem.details.get("index")
    of_others = f"not created, since {problem.message}"
    return [
        BulkResult(index, FAILURE, problem.message if guilty in (index, None) else of_others, None)
        for index in range(total)
    ]


def _count(request: HttpRequest) -> int:
    """How many orders were sent; 0 when the body cannot be read."""
    try:
        return len(_COUNTER.decode(request.scope["state"].get(BODY, b"{}")).trade_orders)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return 0


_PENDING_HEADERS = (SUBMISSION_STATE, SUBMISSION_MESSAGE)
_SINGLE = documented(parameters=(NO_SEND,), errors=(409, 502, 504), headers=_PENDING_HEADERS)
_MANY = documented(
    parameters=(NO_SEND,),
    answers={200: BatchSubmitAnswer, 207: BatchSubmitAnswer},
    headers=_PENDING_HEADERS,
)


def _is_to_be_sent(request: HttpRequest) -> bool:
    """Whether the query leaves out `noExecuteSubmit`. Most have none, and parsing it costs each request."""
    return not request.scope["query_string"] or not read_flag(request, NO_SEND.name)


class TradeOrderController(Controller):
    """Trade orders one by one, and their submission in batches."""

    path = "/tradeOrders"
    tags = ("Trade orders",)

    @get("/", opt=LISTING | documented(parameters=(*PAGE, ORDER_ID_PARAMETER), headers=TOTAL_HEADERS))
    async def list_orders(self, request: HttpRequest, services: Services) -> Response[list[TradeOrderAnswer]]:
        """A page of trade orders by id, 1000 at the most; X-Total-Count has the number of all."""
        query = msgspec.structs.replace(read_page(request), filters=read_order_filter(request))
        page = await services.lists.plain_orders(query)
        orders = await presented_rows(page.items, lambda item: TradeOrderAnswer.of(*item))
        return ApiResponse(orders, headers=total_headers(page.total))

    @keyed_post("/", opt=TRADER | documented(errors=(404, 409)))
    async def create(
        self, services: Services, data: JSONBody[TradeOrderPost], created: Created | None
    ) -> Response[TradeOrderAnswer]:
        """Creates a trade order."""
        if created is None:
            orders = [await services.orders.create_order(data.to_domain())]
        else:
            orders = await services.orders.get_orders(created.known_ids)
        (body,) = await _with_blotters(services, orders)
        return ApiResponse(body, 201)

    @get("/{trade_order_id:str}", opt=READER)
    async def read(self, services: Services, trade_order_id: FromPath[str]) -> Response[TradeOrderAnswer]:
        """Reads a trade order."""
        order, blotter = await services.orders.get_order(read_id(trade_order_id))
        return ApiResponse(TradeOrderAnswer.of(order, blotter))

    @put("/{trade_order_id:str}", opt=TRADER | documented(errors=(409,)))
    async def update(
        self, services: Services, trade_order_id: FromPath[str], data: JSONBody[TradeOrderPut]
    ) -> Response[TradeOrderAnswer]:
        """Changes a trade order; what was sent of it stays."""
        identity = id_of(trade_order_id, data.id)
        order, blotter = await services.editors.orders.update_order(identity, data.version, data.to_domain())
        return ApiResponse(TradeOrderAnswer.of(order, blotter))

    @delete("/{trade_order_id:str}", opt=TRADER | documented(parameters=(VERSION,), errors=(409,)))
    async def delete(self, request: HttpRequest, services: Services, trade_order_id: FromPath[str]) -> None:
        """Deletes a trade order that has no executions."""
        await services.editors.orders.delete_order(read_id(trade_order_id), read_version(request))

    @keyed_post("/{trade_order_id:str}/submit", opt=TRADER | _SINGLE)
    async def submit(
        self,
        request: HttpRequest,
        services: Services,
        trade_order_id: FromPath[str],
        data: JSONBody[TradeOrderSubmit],
        created: Created | None,
    ) -> Response[ExecutionAnswer]:
        """Slices an execution from a trade order and sends it.

        With `noExecuteSubmit=true` it is only written. An execution without an outcome after the time that the
        server waits is answered as it is, and the header X-Submission-State says so.
        """
        orders, wait_s = services.orders, services.settings.wait_s
        send = _is_to_be_sent(request)
        submission = data.to_domain(read_id(trade_order_id))
        if created is None:
            submitted = await orders.submit_order(submission, send, wait_s)
        else:
            (submitted,) = await orders.resume_orders([submission], created, send, wait_s)
        if submitted.view is None:
            raise submitted.error or AssertionError("a submission has neither a view nor an error")
        return ApiResponse(ExecutionAnswer.of(submitted.view), 201, pending_headers([submitted.result]))

    @keyed_post("/batch/submit", opt=TRADER | _MANY, status_code=200)
    async def submit_batch(
        self, request: HttpRequest, services: Services, data: JSONBody[BatchSubmit], created: Created | None
    ) -> Response[BatchSubmitAnswer]:
        """Slices an execution from each of up to 100 trade orders and sends them, each for itself.

        200 when all or none succeeded, 207 otherwise; what is pending counts as success, and the header
        X-Submission-State says so.
        """
        orders, wait_s = services.orders, services.settings.wait_s
        send = _is_to_be_sent(request)
        submissions = data.to_domain()
        if created is None:
            submitted = await orders.submit_orders(submissions, send, wait_s)
        else:
            submitted = await orders.resume_orders(submissions, created, send, wait_s)
        body = BatchSubmitAnswer.summary(submitted)
        return batch_response(body, body.status, pending_headers(one.result for one in submitted))


class BulkController(OrderBatchController[BulkAnswer]):
    """Trade orders in bulk."""

    path = "/tradeOrders/bulk"
    tags = ("Trade orders",)

    async def present(self, services: Services, orders: Sequence[TradeOrder]) -> BulkAnswer:
        results = BulkResult.created(await _with_blotters(services, orders))
        return BulkAnswer.of(results, "trade orders created")


async def _with_blotters(services: Services, orders: Sequence[TradeOrder]) -> list[TradeOrderAnswer]:
    wanted = {order.blotter_id for order in orders} - {None}
    if not wanted:
        return [TradeOrderAnswer.of(order, None) for order in orders]
    blotters = (await services.references.current(lambda data: wanted <= data.blotters.keys())).blotters
    return [TradeOrderAnswer.of(order, blotters.get(order.blotter_id or 0)) for order in orders]


_MOVES = documented(answers={200: BatchMoveAnswer, 207: BatchMoveAnswer}, errors=(404, 409))


class BatchMove(msgspec.Struct, rename="camel"):
    """Trade orders, and the blotter to move them to."""

    trade_order_ids: Annotated[list[Int32], items(MAX_ORDERS)]
    blotter_abbreviation: str


class NamedOrderController(Controller):
    """Trade orders with the names of portfolios and securities."""

    path = "/tradeOrders"
    tags = ("Trade orders v2",)

    @get("/", opt=LISTING | documented_list("orders"))
    async def list_orders(
        self, request: HttpRequest, services: Services, exports: Injected[Exports]
    ) -> Response[TradeOrderPage]:
        """A page of trade orders, sorted and filtered over the whole result; as CSV or NDJSON all of them."""
        query, headers = read_list(request, "orders", services.settings.api)
        if (form := wanted_form(request)) is not None:
            pages = presented_pages(services.lists.order_pages(query), TradeOrderV2.of)
            return await exports.respond(request, form, TradeOrderV2, "trade-orders", pages)
        page = await services.lists.list_orders(query)
        body = TradeOrderPage(await presented_rows(page.items, TradeOrderV2.of), Pagination.of(page))
        return ApiResponse(body, headers=headers)

    @get("/{trade_order_id:str}", opt=READER)
    async def read(self, services: Services, trade_order_id: FromPath[str]) -> Response[TradeOrderV2]:
        """Reads a trade order."""
        order, _ = await services.orders.get_order(read_id(trade_order_id))
        return ApiResponse(TradeOrderV2.of((await services.lists.named_orders([order]))[0]))

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
        return batch_response(body, body.status)


class NamedBatchController(OrderBatchController[BatchCreateAnswer]):
    """Trade orders in batches, with names."""

    path = "/tradeOrders/batch/create"
    tags = ("Trade orders v2",)

    async def present(self, services: Services, orders: Sequence[TradeOrder]) -> BatchCreateAnswer:
        named = await services.lists.named_orders(orders)
        results = CreatedResult.created([TradeOrderV2.of(one) for one in named])
        return BatchCreateAnswer.of(results, "trade orders created")
