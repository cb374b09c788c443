"""The trace that a request belongs to, as W3C's `traceparent` says; what is malformed is ignored."""

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
    """A trace, and the part in it that this request is."""

    trace_id: str
    span_id: str
    flags: str

    @property
    def header(self) -> bytes:
        """As it is answered."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}".encode()


def trace_of(headers: Iterable[tuple[bytes, bytes]]) -> Trace | None:
    """The trace that a request brought along; None without one, or with one that cannot be read."""
    found = [value for name, value in headers if name == TRACEPARENT]
    match = _SHAPE.fullmatch(found[0]) if len(found) == 1 else None
    if match is None or (match["version"] == b"00" and match["more"]):
        return None
    return Trace(match["trace"].decode(), secrets.token_hex(8), match["flags"].decode())
