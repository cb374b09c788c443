"""How responses become bytes, and the envelope of batches."""

import asyncio
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Annotated, Any, Generic, Self, TypeAlias, TypeVar

import msgspec
from litestar import Request, Response
from litestar.types import Receive, Scope, Send

from trade_service.domain.fields import plain
from trade_service.web.openapi.schemas import one_of
from trade_service.web.routing import JSON

PROBLEM_JSON = "application/problem+json"
SUCCESS, PARTIAL, FAILURE = "SUCCESS", "PARTIAL", "FAILURE"
ResultStatus = Annotated[str, one_of(SUCCESS, FAILURE)]
BatchStatus = Annotated[str, one_of(SUCCESS, PARTIAL, FAILURE)]

HttpRequest: TypeAlias = Request[Any, Any, Any]

T = TypeVar("T")
Row = TypeVar("Row")
Shown = TypeVar("Shown")
Shape = TypeVar("Shape", bound=msgspec.Struct)
Order = TypeVar("Order")
Result = TypeVar("Result")

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
        headers += [
            (b"content-type", f"{self.media_type}{charset}".encode()),
            (b"content-length", b"%d" % len(self.body)),
        ]
        await send({"type": "http.response.start", "status": self.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": False})


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
