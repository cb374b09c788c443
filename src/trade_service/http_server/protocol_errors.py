"""The answers to what is refused before a request exists."""

import secrets

import msgspec
import structlog

_log = structlog.get_logger(__name__)

REFUSALS = {
    400: ("Bad Request", "BAD_REQUEST"),
    408: ("Request Timeout", "HEAD_TOO_SLOW"),
    431: ("Request Header Fields Too Large", "HEAD_TOO_LARGE"),
    501: ("Not Implemented", "UNKNOWN_TRANSFER_CODING"),
    503: ("Service Unavailable", "OVERLOADED"),
}
"""Title and code of each."""


def refusal(status: int, message: str) -> bytes:
    """The whole response; logged here, since the application never sees it."""
    title, code = REFUSALS[status]
    request_id = secrets.token_hex(16)
    _log.info("request_refused", request_id=request_id, status=status, code=code)
    body = msgspec.json.encode(
        {
            "type": "about:blank",
            "title": title,
            "status": status,
            "detail": message,
            "error": message,
            "message": message,
            "details": {},
            "code": code,
            "requestId": request_id,
        }
    )
    retry = "retry-after: 1\r\n" if status == 503 else ""
    head = (
        f"HTTP/1.1 {status} {title}\r\ncontent-type: application/problem+json\r\n"
        f"content-length: {len(body)}\r\nx-request-id: {request_id}\r\n"
        f"{retry}cache-control: no-store\r\n"
        "x-content-type-options: nosniff\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + body
