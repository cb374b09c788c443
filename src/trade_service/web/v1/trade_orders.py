"""/api/v1/tradeOrders: listed, created, read, changed, and submitted."""

from collections.abc import Sequence
from typing import Any

import msgspec
from litestar import Request, Response, Router, delete, get, put
from litestar.params import FromPath

from trade_service.domain.orders import Submission, TradeOrder
from trade_service.trading.model import SubmittedOrder
from trade_service.trading.request_keys import Created
from trade_service.web.access import READER, TRADER
from trade_service.web.dependencies import Routes, WebServices, WebSettings
from trade_service.web.idempotency import Idempotency
from trade_service.web.rendering import answer
from trade_service.web.request_parsing import JsonReader, read_flag, read_id, read_version, same_id
from trade_service.web.telling import NO_SEND, VERSION, tells
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
    ExecutionAnswer,
    TradeOrderAnswer,
    pending_headers,
)

_ORDER = JsonReader(TradeOrderPost)
_PUT = JsonReader(TradeOrderPut)
_SUBMIT = JsonReader(TradeOrderSubmit)
_BATCH = JsonReader(BatchSubmit)
_LIST = tells(parameters=(*PAGE, ORDER_ID_PARAMETER), headers=TOTAL_HEADERS)
_SINGLE = tells(
    body=_SUBMIT,
    parameters=(NO_SEND,),
    errors=(409, 502, 504),
    headers=(SUBMISSION_STATE, SUBMISSION_MESSAGE),
)
_MANY = tells(
    body=_BATCH,
    parameters=(NO_SEND,),
    answers={200: BatchSubmitAnswer, 207: BatchSubmitAnswer},
    headers=(SUBMISSION_STATE, SUBMISSION_MESSAGE),
)


class TradeOrderRoutes(Routes):
    """Trade orders one by one, and their submission in batches."""

    def __init__(self, services: WebServices, settings: WebSettings) -> None:
        self._orders = services.orders
        self._lists = services.lists
        self._editor = services.editors.orders
        self._references = services.references
        self._wait_s = settings.wait_s
        self._keyed = Idempotency(services.keys)

    def router(self) -> Router:
        """The routes."""
        keyed = self._keyed
        return Router(
            "/tradeOrders",
            route_handlers=[
                get("/", opt=READER | _LIST)(self.list_orders),
                keyed.post(
                    "/", self.create, self.created, opt=TRADER | tells(body=_ORDER, errors=(404, 409))
                ),
                get("/{trade_order_id:str}", opt=READER)(self.read),
                put("/{trade_order_id:str}", opt=TRADER | tells(body=_PUT, errors=(409,)))(self.update),
                delete("/{trade_order_id:str}", opt=TRADER | tells(parameters=(VERSION,), errors=(409,)))(
                    self.delete
                ),
                keyed.post("/{trade_order_id:str}/submit", self.submit, self.submitted, opt=TRADER | _SINGLE),
                keyed.post(
                    "/batch/submit",
                    self.submit_batch,
                    self.submitted_batch,
                    opt=TRADER | _MANY,
                    status_code=200,
                ),
            ],
            tags=["Trade orders"],
        )

    async def list_orders(self, request: Request[Any, Any, Any]) -> Response[list[TradeOrderAnswer]]:
        """A page of trade orders by id, 1000 at the most; the header X-Total-Count tells how many there are."""
        query = msgspec.structs.replace(read_page(request), filters=read_order_filter(request))
        page = await self._lists.plain_orders(query)
        orders = [TradeOrderAnswer.of(order, blotter) for order, blotter in page.items]
        return answer(orders, headers=total_headers(page.total))

    async def create(self, request: Request[Any, Any, Any]) -> Response[TradeOrderAnswer]:
        """Creates a trade order."""
        new = (await _ORDER.read(request)).to_domain()
        return await self._answer(await self._orders.create_order(new))

    async def created(self, _request: Request[Any, Any, Any], created: Created) -> Response[TradeOrderAnswer]:
        """The order that an earlier request created."""
        (order,) = await self._orders.get_orders(created.known_ids)
        return await self._answer(order)

    async def _answer(self, order: TradeOrder) -> Response[TradeOrderAnswer]:
        blotter_id = order.blotter_id
        if blotter_id is None:
            return answer(TradeOrderAnswer.of(order, None), 201)
        reference = await self._references.get(lambda data: blotter_id in data.blotters)
        return answer(TradeOrderAnswer.of(order, reference.blotters.get(blotter_id)), 201)

    async def read(self, trade_order_id: FromPath[str]) -> Response[TradeOrderAnswer]:
        """Reads a trade order."""
        order, blotter = await self._orders.get_order(read_id(trade_order_id, "id"))
        return answer(TradeOrderAnswer.of(order, blotter))

    async def update(
        self, request: Request[Any, Any, Any], trade_order_id: FromPath[str]
    ) -> Response[TradeOrderAnswer]:
        """Changes a trade order; what was sent of it stands."""
        identity = read_id(trade_order_id, "id")
        wanted = await _PUT.read(request)
        same_id(identity, wanted.id)
        order, blotter = await self._editor.update_order(identity, wanted.version, wanted.to_domain())
        return answer(TradeOrderAnswer.of(order, blotter))

    async def delete(self, request: Request[Any, Any, Any], trade_order_id: FromPath[str]) -> None:
        """Deletes a trade order that has no executions."""
        await self._editor.delete_order(read_id(trade_order_id, "id"), read_version(request))

    async def submit(
        self, request: Request[Any, Any, Any], trade_order_id: FromPath[str]
    ) -> Response[ExecutionAnswer]:
        """Cuts an execution from a trade order and sends it.

        With `noExecuteSubmit=true` it is only written. An outcome that stays open for as long as the server
        waits is answered with the execution as it is, and told in the header X-Submission-State.
        """
        submission, send = await _single(request, trade_order_id)
        return _submitted(await self._orders.submit_order(submission, send, self._wait_s))

    async def submitted(
        self, request: Request[Any, Any, Any], created: Created, trade_order_id: FromPath[str]
    ) -> Response[ExecutionAnswer]:
        """What came of the execution that an earlier request cut."""
        submission, send = await _single(request, trade_order_id)
        (submitted,) = await self._orders.resume_orders([submission], created, send, self._wait_s)
        return _submitted(submitted)

    async def submit_batch(self, request: Request[Any, Any, Any]) -> Response[BatchSubmitAnswer]:
        """Cuts an execution from each of up to 100 trade orders and sends them, each for itself.

        200 when all or none succeeded, 207 else; what is still open counts as success and is told in the
        header X-Submission-State.
        """
        send = not read_flag(request, NO_SEND.name)
        submissions = (await _BATCH.read(request)).to_domain()
        return _submitted_batch(await self._orders.submit_orders(submissions, send, self._wait_s))

    async def submitted_batch(
        self, request: Request[Any, Any, Any], created: Created
    ) -> Response[BatchSubmitAnswer]:
        """What came of the executions that an earlier request cut."""
        send = not read_flag(request, NO_SEND.name)
        submissions = (await _BATCH.read(request)).to_domain()
        return _submitted_batch(await self._orders.resume_orders(submissions, created, send, self._wait_s))


async def _single(request: Request[Any, Any, Any], trade_order_id: str) -> tuple[Submission, bool]:
    """A submission of one order, and whether it is to be sent."""
    identity = read_id(trade_order_id, "id")
    send = not read_flag(request, NO_SEND.name)
    return (await _SUBMIT.read(request)).to_domain(identity), send


def _submitted(submitted: SubmittedOrder) -> Response[ExecutionAnswer]:
    if submitted.view is None:
        raise submitted.error or AssertionError("a submission came to neither a view nor an error")
    return answer(ExecutionAnswer.of(submitted.view), 201, pending_headers([submitted.result]))


def _submitted_batch(submitted: Sequence[SubmittedOrder]) -> Response[BatchSubmitAnswer]:
    body = BatchSubmitAnswer.of(submitted)
    status = 207 if body.status == "PARTIAL" else 200
    return answer(body, status, pending_headers(one.result for one in submitted))
