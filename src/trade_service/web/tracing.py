"""The trace that a request belongs to, from W3C's `traceparent`; a malformed one is ignored."""

import re
import secrets
from collections.abc import Iterable
from typing import NamedTuple

TRACEPARENT = b"traceparent"
_SHAPE = re.compile(
    rb"(?P<version>(?!ff)[0-9a-f]{2})-(?P<trace>(?!0{32})[0-9a-f]{32})-(?P<parent>(?!0{16})[0-9a-f]{16})"
    rb"-(?P<flags>[0-9a-f]{2})(?P<more>-.*)?"
)


class Trace(NamedTuple):
    """A trace, and the span of this request in it."""

    trace_id: str
    span_id: str
    flags: str

    @property
    def header(self) -> bytes:
        """The header of the response."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}".encode()


def trace_of(headers: Iterable[tuple[bytes, bytes]]) -> Trace | None:
    """The trace in a request's headers; None without one, or for one that cannot be read."""
    found = [value for name, value in headers if name == TRACEPARENT]
    match = _SHAPE.fullmatch(found[0]) if len(found) == 1 else None
    if match is None or (match["version"] == b"00" and match["more"]):
        return None
    return Trace(match["trace"].decode(), secrets.token_hex(8), match["flags"].decode())
