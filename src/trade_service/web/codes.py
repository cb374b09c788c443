"""Codes of requests that are refused whatever they ask for; the code table in the docs lists them all."""

from enum import StrEnum


class HttpCode(StrEnum):
    """Faults of the request itself, or of the service."""

    BAD_REQUEST = "BAD_REQUEST"
    """The request is malformed."""
    NO_SUCH_ADDRESS = "NO_SUCH_ADDRESS"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    BODY_TOO_LARGE = "BODY_TOO_LARGE"
    BODY_TOO_SLOW = "BODY_TOO_SLOW"
    UNSUPPORTED_MEDIA_TYPE = "UNSUPPORTED_MEDIA_TYPE"
    NOT_AUTHENTICATED = "NOT_AUTHENTICATED"
    NOT_PERMITTED = "NOT_PERMITTED"
    ORIGIN_NOT_ALLOWED = "ORIGIN_NOT_ALLOWED"
    """A page of a foreign origin asks for a change."""
    CREDENTIALS_NOT_CHECKABLE = "CREDENTIALS_NOT_CHECKABLE"
    """The source that keys or tokens are checked against is unavailable."""
    TOO_MANY_REQUESTS = "TOO_MANY_REQUESTS"
    CLIENT_GONE = "CLIENT_GONE"
    OVERLOADED = "OVERLOADED"
    """The limit on concurrent requests or on waiting executions is reached."""
    REQUEST_TIMEOUT = "REQUEST_TIMEOUT"
    STORE_UNAVAILABLE = "STORE_UNAVAILABLE"
    INTERNAL_ERROR = "INTERNAL_ERROR"
    IDEMPOTENCY_KEY_REUSED = "IDEMPOTENCY_KEY_REUSED"
    """Another request used the key before."""
    IDEMPOTENCY_KEY_RUNNING = "IDEMPOTENCY_KEY_RUNNING"
    """The first request with the key, or a repeat, is still running."""
