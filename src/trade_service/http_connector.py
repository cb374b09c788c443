"""Connections of our HTTP clients, with a bound on what precedes an answer's body."""

from functools import partial
from typing import Any, cast

import aiohttp
from aiohttp.client_exceptions import ClientPayloadError
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import RawResponseMessage
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.streams import StreamReader

MAX_HEAD_BYTES = 65_536
"""All that may precede the body of an answer, with interim answers."""
MAX_INTERIM = 16
"""Interim answers (1xx) that may precede an answer."""
_PIECE_BYTES = 4_096
"""Bytes parsed at once before the body, so that the bounds hold within one read of 256 KiB too."""
_SWITCHING = 101


class BoundedConnector(aiohttp.TCPConnector):
    """A TCPConnector whose connections end with a ClientResponseError when an answer's head exceeds the bounds."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._factory = cast("partial[ResponseHandler]", partial(_BoundedHandler, loop=self._loop))


class _BoundedHandler(ResponseHandler):
    """Counts what precedes the body, and drops interim answers: for each, aiohttp would take one step of a loop
    that never waits while more have arrived."""

    _awaits_head = False
    _head_bytes = 0
    _interim = 0

    def set_response_params(self, **params: Any) -> None:
        """Called at the start of every request."""
        self._awaits_head, self._head_bytes, self._interim = True, 0, 0
        super().set_response_params(**params)

    def data_received(self, data: bytes) -> None:
        """Raises nothing: the request ends with the error."""
        start = 0
        while self._awaits_head and start < len(data):
            piece = data[start : start + _PIECE_BYTES]
            start += len(piece)
            super().data_received(piece)
            if self._exception is not None:
                return
            if self._awaits_head:
                self._head_bytes += len(piece)
                if self._head_bytes > MAX_HEAD_BYTES or self._interim > MAX_INTERIM:
                    self._refuse()
                    return
        if start < len(data) or not data:
            super().data_received(data[start:])
            if self._exception is not None and self._payload is not None and not self._payload.is_eof():
                self._payload.set_exception(ClientPayloadError("the rest of the answer is not valid HTTP"))

    def feed_data(self, data: tuple[RawResponseMessage, StreamReader], size: int = 0) -> None:
        """Takes one answer."""
        if self._awaits_head and 100 <= data[0].code < 200 and data[0].code != _SWITCHING:
            self._interim += 1
            return
        self._awaits_head = False
        super().feed_data(data, size)

    def _refuse(self) -> None:
        rule = f"more than {MAX_HEAD_BYTES} bytes or {MAX_INTERIM} interim answers (1xx) before the answer"
        self.set_exception(HttpProcessingError(code=400, message=rule))
        if self.transport is not None:
            self.transport.abort()
