"""Which request a submission was asked for by: carried along into its batch, for traces and for log lines."""

from collections.abc import Iterable
from contextvars import ContextVar
from typing import NamedTuple

ORIGIN: ContextVar[str | None] = ContextVar("origin", default=None)
"""A W3C traceparent, None where nobody traces. It is read when work is queued, as the two others are."""
REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The id that the request is answered with; None where it came by no request."""
SUBMISSION_ID: ContextVar[str | None] = ContextVar("submission_id", default=None)
"""The bulk submission that it belongs to; None where it belongs to none."""
MAX_ORIGINS = 16
"""Requests that a batch names at most."""


class Origin(NamedTuple):
    """What is known of who asked."""

    trace: str | None = None
    request_id: str | None = None
    submission_id: str | None = None

    @classmethod
    def now(cls) -> "Origin":
        """Of whoever runs."""
        return cls(ORIGIN.get(), REQUEST_ID.get(), SUBMISSION_ID.get())


class Origins(NamedTuple):
    """The distinct ones of all that a batch was collected from, of each kind MAX_ORIGINS at most."""

    traces: tuple[str, ...] = ()
    request_ids: tuple[str, ...] = ()
    submission_ids: tuple[str, ...] = ()

    @classmethod
    def of(cls, origins: Iterable[Origin]) -> "Origins":
        """Theirs."""
        columns = zip(*origins, strict=True)
        return cls(*(tuple(dict.fromkeys(filter(None, column)))[:MAX_ORIGINS] for column in columns))
