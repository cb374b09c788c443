"""The codes of requests that are refused whatever they ask for; the code table lists them with the others."""

from enum import StrEnum


class HttpCode(StrEnum):
    """What is wrong with a request itself, or with the service."""

    BAD_REQUEST = "BAD_REQUEST"
    """What came is no request that the service understands."""
    NO_SUCH_ADDRESS = "NO_SUCH_ADDRESS"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    BODY_TOO_LARGE = "BODY_TOO_LARGE"
    BODY_TOO_SLOW = "BODY_TOO_SLOW"
    UNSUPPORTED_MEDIA_TYPE = "UNSUPPORTED_MEDIA_TYPE"
    NOT_AUTHENTICATED = "NOT_AUTHENTICATED"
    NOT_PERMITTED = "NOT_PERMITTED"
    ORIGIN_NOT_ALLOWED = "ORIGIN_NOT_ALLOWED"
    """A web page from elsewhere asks for a change."""
    CREDENTIALS_NOT_CHECKABLE = "CREDENTIALS_NOT_CHECKABLE"
    """What keys or tokens are checked against cannot be reached."""
    TOO_MANY_REQUESTS = "TOO_MANY_REQUESTS"
    CLIENT_GONE = "CLIENT_GONE"
    OVERLOADED = "OVERLOADED"
    """As many requests as may be are being served, or as many executions as may wait are waiting."""
    REQUEST_TIMEOUT = "REQUEST_TIMEOUT"
    STORE_UNAVAILABLE = "STORE_UNAVAILABLE"
    INTERNAL_ERROR = "INTERNAL_ERROR"
    IDEMPOTENCY_KEY_REUSED = "IDEMPOTENCY_KEY_REUSED"
    """The key came before with another request."""
    IDEMPOTENCY_KEY_RUNNING = "IDEMPOTENCY_KEY_RUNNING"
    """The first request with the key, or a repeat of it, is being served."""
