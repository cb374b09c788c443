"""How answers become bytes: exact decimals, one encoder."""

from typing import Any, TypeVar

import msgspec
from litestar import Response
from litestar.enums import MediaType

PROBLEM_JSON = "application/problem+json"

T = TypeVar("T")

_ENCODER = msgspec.json.Encoder(decimal_format="number", enc_hook=str)


def encoded(content: object) -> bytes:
    """JSON with decimals as numbers, digit for digit."""
    return _ENCODER.encode(content)


class JsonResponse(Response[T]):
    """A JSON answer, encoded by `encoded`."""

    def render(self, content: Any, media_type: str, enc_hook: Any = None) -> bytes:  # noqa: ARG002
        """The bytes of `content`."""
        return encoded(content)


class RawResponse(Response[bytes]):
    """An answer that is encoded already."""

    def render(self, content: Any, media_type: str, enc_hook: Any = None) -> bytes:  # noqa: ARG002
        """`content` itself."""
        body: bytes = content
        return body


def answer(content: T, status: int = 200, headers: dict[str, str] | None = None) -> Response[T]:
    """A JSON answer."""
    return JsonResponse(content, status_code=status, headers=headers, media_type=MediaType.JSON)
