"""How responses become bytes, the envelope of batches, and the bodies of v1."""

import asyncio
import zlib
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Annotated, Any, Generic, Self, TypeVar

import msgspec
from litestar import Response
from litestar.types import Receive, Scope, Send

from trade_service.domain.fields import Moment, plain, with_two_decimals
from trade_service.domain.orders import TradeOrder
from trade_service.domain.reference import Blotter, Destination, ExecutionStatus, TradeType
from trade_service.submission.model import PENDING_MESSAGE, ExecutionSubmitResult, SubmitStatus
from trade_service.trading.model import ExecutionView, SubmittedOrder
from trade_service.web.openapi.schemas import one_of
from trade_service.web.routing import JSON

PROBLEM_JSON = "application/problem+json"
SUBMISSION_STATE = "X-Submission-State"
SUBMISSION_MESSAGE = "X-Submission-Message"
SUCCESS, PARTIAL, FAILURE = "SUCCESS", "PARTIAL", "FAILURE"
ResultStatus = Annotated[str, one_of(SUCCESS, FAILURE)]
BatchStatus = Annotated[str, one_of(SUCCESS, PARTIAL, FAILURE)]
_PENDING = SubmitStatus.PENDING

ExactText = Annotated[str, msgspec.Meta(pattern=r"^-?[0-9]+\.[0-9]{2,8}$")]
"""A decimal in the executions of v1."""

T = TypeVar("T")
Row = TypeVar("Row")
Shown = TypeVar("Shown")
Shape = TypeVar("Shape", bound=msgspec.Struct)
Order = TypeVar("Order")
Result = TypeVar("Result")

COMPRESSED_FROM_BYTES = 1_024
COMPRESSED_IN_THREAD_BYTES = 65_536
"""Longer bodies would delay other requests on the loop; zlib releases the interpreter lock in a thread."""
AS_GZIP = 31
"""The `wbits` of zlib for a stream in gzip's format."""
_FASTEST = 1
_ZERO_QUALITY = frozenset({b"q=0", b"q=0.0", b"q=0.00", b"q=0.000"})

_ENCODER = msgspec.json.Encoder(decimal_format="number", enc_hook=str)


def encoded(content: object) -> bytes:
    """JSON with decimals as numbers, digit for digit."""
    return _ENCODER.encode(content)


class ApiResponse(Response[T]):
    """A response encoded as `encoded` does it; bytes are sent as they are.

    It has no cookies and no background task. What Litestar prepares for those costs more than a small handler.
    """

    def __init__(
        self, content: T, status: int = 200, headers: dict[str, str] | None = None, media_type: str = JSON
    ) -> None:
        self.body = content if isinstance(content, bytes) else _ENCODER.encode(content)
        self.status_code: int = status
        self.headers = headers or {}
        self.media_type: str = media_type

    def to_asgi_response(self, *_: Any, **__: Any) -> Any:
        """The response is an ASGI application itself."""
        return self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        charset = "; charset=utf-8" if self.media_type.startswith("text/") else ""
        headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in self.headers.items()]
        headers.append((b"content-type", f"{self.media_type}{charset}".encode()))
        body = self.body
        if len(body) > COMPRESSED_FROM_BYTES:
            headers.append((b"vary", b"Accept-Encoding"))
            if takes_gzip(scope["headers"]):
                headers.append((b"content-encoding", b"gzip"))
                if len(body) > COMPRESSED_IN_THREAD_BYTES:
                    body = await asyncio.to_thread(zlib.compress, body, _FASTEST, AS_GZIP)
                else:
                    body = zlib.compress(body, _FASTEST, AS_GZIP)
        headers.append((b"content-length", b"%d" % len(body)))
        await send({"type": "http.response.start", "status": self.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})


def takes_gzip(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether Accept-Encoding names gzip (RFC 9110, section 12.5.3)."""
    for name, value in headers:
        if name == b"accept-encoding":
            for part in value.lower().split(b","):
                coding, _, quality = part.partition(b";")
                if coding.strip() == b"gzip":
                    return quality.replace(b" ", b"") not in _ZERO_QUALITY
    return False


def presented(shape: type[Shape], source: object, **given: object) -> Shape:
    """`source` in the shape of a response: its fields of the same names, decimals plain, and those `given`."""
    for name in shape.__struct_fields__ - given.keys():
        value = getattr(source, name)
        given[name] = plain(value) if isinstance(value, Decimal) else value
    return shape(**given)


PIECE = 50
STEPS = 4


async def presented_rows(rows: Sequence[Row], present: Callable[[Row], Shown]) -> list[Shown]:
    """Presents the rows of a long list piece by piece, and lets other requests take several steps in between."""
    found: list[Shown] = []
    for start in range(0, len(rows), PIECE):
        found += map(present, rows[start : start + PIECE])
        for _ in range(STEPS):
            await asyncio.sleep(0)
    return found


def counted(results: Sequence[Any], failure: str = FAILURE) -> tuple[str, int, int, int]:
    """The status of a batch, and how many results it has, successful ones, and failed ones.

    Those with the status `failure` failed; a batch of none is a success.
    """
    failed = sum(result.status == failure for result in results)
    successful = len(results) - failed
    return SUCCESS if not failed else PARTIAL if successful else FAILURE, len(results), successful, failed


class BatchAnswer(msgspec.Struct, Generic[Result], frozen=True, rename="camel"):
    """Counts, and the results in request order."""

    status: BatchStatus
    message: str
    total_requested: int
    successful: int
    failed: int
    results: Sequence[Result]

    @classmethod
    def of(cls, results: Sequence[Result], done: str) -> Self:
        """The envelope; its message reads `2 of 3` and then what was `done`."""
        status, total, successful, failed = counted(results)
        return cls(status, f"{successful} of {total} {done}", total, successful, failed, results)


def batch_response(body: T, status: str, headers: dict[str, str] | None = None) -> ApiResponse[T]:
    """The response to a batch: 200 when all or none succeeded, 207 otherwise."""
    return ApiResponse(body, 207 if status == PARTIAL else 200, headers)


class OrderResult(msgspec.Struct, Generic[Order], frozen=True, rename="camel"):
    """One trade order of a batch that creates orders."""

    request_index: int
    status: ResultStatus
    message: str
    trade_order: Order | None

    @classmethod
    def created(cls, orders: Sequence[Order]) -> list[Self]:
        """The results of a batch that created all of its orders."""
        return [cls(index, SUCCESS, "trade order created", order) for index, order in enumerate(orders)]


class TradeOrderAnswer(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """A trade order; its decimals are JSON numbers."""

    id: int
    order_id: int
    portfolio_id: str
    order_type: str
    security_id: str
    quantity: Decimal
    quantity_sent: Decimal
    limit_price: Decimal | None
    trade_timestamp: Moment
    blotter: Blotter | None
    submitted: bool
    version: int

    @classmethod
    def of(cls, order: TradeOrder, blotter: Blotter | None) -> "TradeOrderAnswer":
        return cls(
            id=order.id,
            order_id=order.order_id,
            portfolio_id=order.portfolio_id,
            order_type=order.order_type,
            security_id=order.security_id,
            quantity=plain(order.quantity),
            quantity_sent=plain(order.quantity_sent),
            limit_price=None if order.limit_price is None else plain(order.limit_price),
            trade_timestamp=order.trade_timestamp,
            blotter=blotter,
            submitted=order.submitted,
            version=order.version,
        )


class ExecutionAnswer(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """An execution; its four decimals are strings with at least two decimals."""

    id: int
    execution_timestamp: Moment
    execution_status: ExecutionStatus
    blotter: Blotter | None
    trade_type: TradeType | None
    trade_order: TradeOrderAnswer
    destination: Destination
    quantity_ordered: ExactText
    quantity_placed: ExactText
    quantity_filled: ExactText
    limit_price: ExactText | None
    execution_service_id: int | None
    version: int

    @classmethod
    def of(cls, view: ExecutionView) -> "ExecutionAnswer":
        execution = view.execution
        price = execution.limit_price
        return cls(
            id=execution.id,
            execution_timestamp=execution.execution_timestamp,
            execution_status=view.status,
            blotter=view.blotter,
            trade_type=view.trade_type,
            trade_order=TradeOrderAnswer.of(view.order, view.order_blotter),
            destination=view.destination,
            quantity_ordered=with_two_decimals(execution.quantity_ordered),
            quantity_placed=with_two_decimals(execution.quantity_placed),
            quantity_filled=with_two_decimals(execution.quantity_filled),
            limit_price=None if price is None else with_two_decimals(price),
            execution_service_id=execution.execution_service_id,
            version=execution.version,
        )


class BulkResult(OrderResult[TradeOrderAnswer], frozen=True):
    """One trade order of a bulk."""


class BulkAnswer(BatchAnswer[BulkResult], frozen=True):
    """All trade orders of a bulk were created."""


class SubmitResultAnswer(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """The outcome of one submission of a batch."""

    trade_order_id: int
    status: ResultStatus
    message: str
    execution: ExecutionAnswer | None
    request_index: int

    @classmethod
    def of(cls, submitted: SubmittedOrder) -> "SubmitResultAnswer":
        """Presents a result; a pending one is no failure."""
        view, error = submitted.view, submitted.error
        if error is not None:
            message, status = error.message, FAILURE
        elif submitted.result is None:
            message, status = "execution created, not sent", SUCCESS
        else:
            message, status = "trade order submitted", SUCCESS
            if submitted.result.status is _PENDING:
                message = submitted.result.message
        execution = None if view is None else ExecutionAnswer.of(view)
        return cls(submitted.trade_order_id, status, message, execution, submitted.request_index)


class BatchSubmitAnswer(BatchAnswer[SubmitResultAnswer], frozen=True):
    """The outcomes of a batch of submissions."""

    @classmethod
    def summary(cls, submitted: Sequence[SubmittedOrder]) -> Self:
        results = [SubmitResultAnswer.of(one) for one in submitted]
        status, total, successful, failed = counted(results)
        message = f"{successful} successful, {failed} failed of {total}"
        if pending := sum(one.result is not None and one.result.status is _PENDING for one in submitted):
            message += f"; {pending} of the successful {PENDING_MESSAGE}"
        return cls(status, message, total, successful, failed, results)


def pending_headers(results: Iterable[ExecutionSubmitResult | None]) -> dict[str, str]:
    """Headers for what v1 bodies have no field for; empty when nothing is pending."""
    pending = [one for one in results if one is not None and one.status is _PENDING]
    if not pending:
        return {}
    states = sorted({str(one.state or "queued") for one in pending})
    messages = {one.message for one in pending}
    message = messages.pop() if len(messages) == 1 else PENDING_MESSAGE
    # It may quote the Execution Service, and a header takes printable ASCII only.
    message = "".join(one if " " <= one <= "~" else "?" for one in message)
    return {SUBMISSION_STATE: ",".join(states), SUBMISSION_MESSAGE: message}
