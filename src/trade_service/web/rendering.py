"""How responses become bytes, and the envelope of batches."""

from collections.abc import Sequence
from typing import Annotated, Any, Generic, NamedTuple, Protocol, Self, TypeVar

import msgspec
from litestar import Response
from litestar.response.base import ASGIResponse
from litestar.types import Receive, Scope, Send

from trade_service.web.routing import one_of

PROBLEM_JSON = "application/problem+json"

T = TypeVar("T")

_ENCODER = msgspec.json.Encoder(decimal_format="number", enc_hook=str)


def encoded(content: object) -> bytes:
    """JSON with decimals as numbers, digit for digit."""
    return _ENCODER.encode(content)


class ApiResponse(Response[T]):
    """A response encoded by `encoded`; bytes are sent as they are.

    It has no cookies and no background task. What Litestar prepares for those costs more than a small handler.
    """

    def __init__(
        self,
        content: T,
        *,
        status_code: int = 200,
        headers: dict[str, str] | None = None,
        media_type: str = "application/json",
    ) -> None:
        self.content = content
        self.background = None
        self.cookies = []
        self.encoding = "utf-8"
        self.headers = headers or {}
        self.media_type = media_type
        self.status_code = status_code
        self.response_type_encoders = {}

    def render(self, content: Any, *_: Any, **__: Any) -> bytes:
        """The bytes of `content`."""
        return content if isinstance(content, bytes) else encoded(content)

    def to_asgi_response(self, *_: Any, **__: Any) -> ASGIResponse:
        """What is sent."""
        media_type = str(self.media_type)
        body = self.render(self.content, media_type)
        if media_type.startswith("text/"):
            media_type += "; charset=utf-8"
        headers = [
            (name.lower().encode(), str(value).encode("latin-1")) for name, value in self.headers.items()
        ]
        headers += [(b"content-type", media_type.encode()), (b"content-length", b"%d" % len(body))]
        return _Sent(self.status_code or 200, headers, body)


class _Sent(ASGIResponse):
    """A whole response, as two messages."""

    __slots__ = ("_body", "_raw_headers", "_status")

    def __init__(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        self._status = status
        self._raw_headers = headers
        self._body = body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        await send({"type": "http.response.start", "status": self._status, "headers": self._raw_headers})
        await send({"type": "http.response.body", "body": self._body, "more_body": False})


def answer(content: T, status: int = 200, headers: dict[str, str] | None = None) -> ApiResponse[T]:
    """A JSON response."""
    return ApiResponse(content, status_code=status, headers=headers)


SUCCESS, PARTIAL, FAILURE = "SUCCESS", "PARTIAL", "FAILURE"
ResultStatus = Annotated[str, one_of(SUCCESS, FAILURE)]
BatchStatus = Annotated[str, one_of(SUCCESS, PARTIAL, FAILURE)]

Order = TypeVar("Order")


class HasStatus(Protocol):
    """A result of a batch."""

    @property
    def status(self) -> str:
        """Says whether it succeeded."""
        ...


Result = TypeVar("Result", bound=HasStatus)


class BatchCounts(NamedTuple):
    """How a batch went."""

    status: str
    total: int
    successful: int
    failed: int

    @classmethod
    def of(cls, results: Sequence[HasStatus], failure: str = FAILURE) -> Self:
        """Counts results, of which those with the status `failure` failed; a batch of none is a success."""
        failed = sum(result.status == failure for result in results)
        successful = len(results) - failed
        status = SUCCESS if not failed else PARTIAL if successful else FAILURE
        return cls(status, len(results), successful, failed)


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
        tally = BatchCounts.of(results)
        message = f"{tally.successful} of {tally.total} {done}"
        return cls(tally.status, message, tally.total, tally.successful, tally.failed, results)

    @property
    def http_status(self) -> int:
        """200 when all or none succeeded, 207 otherwise."""
        return 207 if self.status == PARTIAL else 200


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
