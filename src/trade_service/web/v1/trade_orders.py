"""/api/v1/tradeOrders: listed, created, read, changed, and submitted."""

from collections.abc import Sequence

import msgspec
from litestar import Controller, Response
from litestar.params import FromPath, JSONBody

from trade_service.domain.orders import TradeOrder
from trade_service.trading.request_keys import Created
from trade_service.web.access import READER, TRADER
from trade_service.web.dependencies import HttpRequest, Services
from trade_service.web.idempotency import keyed_post
from trade_service.web.order_batches import OrderBatchController
from trade_service.web.rendering import answer
from trade_service.web.request_parsing import id_of, read_flag, read_id, read_version
from trade_service.web.route_docs import NO_SEND, VERSION, documented
from trade_service.web.routing import delete, get, put
from trade_service.web.v1.paging import (
    ORDER_ID_PARAMETER,
    PAGE,
    TOTAL_HEADERS,
    read_order_filter,
    read_page,
    total_headers,
)
from trade_service.web.v1.requests import BatchSubmit, TradeOrderPost, TradeOrderPut, TradeOrderSubmit
from trade_service.web.v1.responses import (
    SUBMISSION_MESSAGE,
    SUBMISSION_STATE,
    BatchSubmitAnswer,
    BulkAnswer,
    BulkResult,
    ExecutionAnswer,
    TradeOrderAnswer,
    pending_headers,
)

_PENDING_HEADERS = (SUBMISSION_STATE, SUBMISSION_MESSAGE)
_SINGLE = documented(parameters=(NO_SEND,), errors=(409, 502, 504), headers=_PENDING_HEADERS)
_MANY = documented(
    parameters=(NO_SEND,),
    answers={200: BatchSubmitAnswer, 207: BatchSubmitAnswer},
    headers=_PENDING_HEADERS,
)


class TradeOrderController(Controller):
    """Trade orders one by one, and their submission in batches."""

    path = "/tradeOrders"
    tags = ("Trade orders",)

    @get("/", opt=READER | documented(parameters=(*PAGE, ORDER_ID_PARAMETER), headers=TOTAL_HEADERS))
    async def list_orders(self, request: HttpRequest, services: Services) -> Response[list[TradeOrderAnswer]]:
        """A page of trade orders by id, 1000 at the most; X-Total-Count has the number of all."""
        query = msgspec.structs.replace(read_page(request), filters=read_order_filter(request))
        page = await services.lists.plain_orders(query)
        orders = [TradeOrderAnswer.of(order, blotter) for order, blotter in page.items]
        return answer(orders, headers=total_headers(page.total))

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
        return answer(body, 201)

    @get("/{trade_order_id:str}", opt=READER)
    async def read(self, services: Services, trade_order_id: FromPath[str]) -> Response[TradeOrderAnswer]:
        """Reads a trade order."""
        order, blotter = await services.orders.get_order(read_id(trade_order_id))
        return answer(TradeOrderAnswer.of(order, blotter))

    @put("/{trade_order_id:str}", opt=TRADER | documented(errors=(409,)))
    async def update(
        self, services: Services, trade_order_id: FromPath[str], data: JSONBody[TradeOrderPut]
    ) -> Response[TradeOrderAnswer]:
        """Changes a trade order; what was sent of it stays."""
        identity = id_of(trade_order_id, data.id)
        order, blotter = await services.editors.orders.update_order(identity, data.version, data.to_domain())
        return answer(TradeOrderAnswer.of(order, blotter))

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
        send = not read_flag(request, NO_SEND.name)
        submission = data.to_domain(read_id(trade_order_id))
        if created is None:
            submitted = await orders.submit_order(submission, send, wait_s)
        else:
            (submitted,) = await orders.resume_orders([submission], created, send, wait_s)
        if submitted.view is None:
            raise submitted.error or AssertionError("a submission has neither a view nor an error")
        return answer(ExecutionAnswer.of(submitted.view), 201, pending_headers([submitted.result]))

    @keyed_post("/batch/submit", opt=TRADER | _MANY, status_code=200)
    async def submit_batch(
        self, request: HttpRequest, services: Services, data: JSONBody[BatchSubmit], created: Created | None
    ) -> Response[BatchSubmitAnswer]:
        """Slices an execution from each of up to 100 trade orders and sends them, each for itself.

        200 when all or none succeeded, 207 otherwise; what is pending counts as success, and the header
        X-Submission-State says so.
        """
        orders, wait_s = services.orders, services.settings.wait_s
        send = not read_flag(request, NO_SEND.name)
        submissions = data.to_domain()
        if created is None:
            submitted = await orders.submit_orders(submissions, send, wait_s)
        else:
            submitted = await orders.resume_orders(submissions, created, send, wait_s)
        body = BatchSubmitAnswer.summary(submitted)
        return answer(body, body.http_status, pending_headers(one.result for one in submitted))


class BulkController(OrderBatchController[BulkAnswer]):
    """Trade orders in bulk."""

    path = "/tradeOrders/bulk"
    tags = ("Trade orders",)

    async def present(self, services: Services, orders: Sequence[TradeOrder]) -> BulkAnswer:
        """The orders with their blotters."""
        results = BulkResult.created(await _with_blotters(services, orders))
        return BulkAnswer.of(results, "trade orders created")


async def _with_blotters(services: Services, orders: Sequence[TradeOrder]) -> list[TradeOrderAnswer]:
    wanted = {order.blotter_id for order in orders} - {None}
    if not wanted:
        return [TradeOrderAnswer.of(order, None) for order in orders]
    blotters = (await services.references.get(lambda data: wanted <= data.blotters.keys())).blotters
    return [TradeOrderAnswer.of(order, blotters.get(order.blotter_id or 0)) for order in orders]
