"""How responses become bytes: exact decimals, one encoder."""

from typing import Any, TypeVar

import msgspec
from litestar import Response
from litestar.response.base import ASGIResponse
from litestar.types import Receive, Scope, Send

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
