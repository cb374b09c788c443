"""Which request a submission was asked for by: carried along, so that traces can follow it into its batch."""

from contextvars import ContextVar

ORIGIN: ContextVar[str | None] = ContextVar("origin", default=None)
"""A W3C traceparent, None where nobody traces. It is read when work is queued."""
