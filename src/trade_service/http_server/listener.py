"""Accepts connections one by one. A TLS handshake counts as one, and may be closed to make room for another."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterable

import structlog

from trade_service.http_server.places import Places
from trade_service.http_server.shared_port import ConnectionCounts

_log = structlog.get_logger(__name__)

_PAUSE_S = 1.0
"""Pause after an error that the next connection would meet too, such as too many open files."""
_YIELD_S = 0.001
"""Pause while another process has fewer connections: time enough for it to accept the next one."""


class _NewConnection:
    """A connection that has no protocol yet: its TLS handshake is not done."""

    def __init__(self, client: socket.socket, places: Places) -> None:
        self.client = client
        self._places = places
        self.task: asyncio.Task[None] | None = None

    def drop(self) -> None:
        """Ends the handshake, which closes the connection."""
        self._places.forget(self)
        if self.task is not None:
            self.task.cancel()


class Listener:
    """Accepts connections on listening sockets and hands each over when its handshake is done, if there is one.

    asyncio's own servers do not count handshakes: each connection without one would hold a file for a minute. They
    also accept all that wait at once, and leave none to other processes that accept on the same sockets.
    """

    def __init__(
        self,
        context: ssl.SSLContext | None,
        make_protocol: Callable[[], asyncio.Protocol],
        places: Places,
        connections: Callable[[], int],
        handshake_timeout_s: float,
        counts: ConnectionCounts | None = None,
    ) -> None:
        """`connections` counts those that were handed over; without a `context` there are no handshakes.

        With `counts`, other processes accept connections too, and those with the fewest come first.
        """
        self._context = context
        self._make_protocol = make_protocol
        self._places = places
        self._connections = connections
        self._handshake_timeout_s = None if context is None else handshake_timeout_s
        self._counts = counts
        self._accepting: list[asyncio.Task[None]] = []
        self._beginning: set[asyncio.Task[None]] = set()

    def start(self, sockets: Iterable[socket.socket], backlog: int) -> None:
        """Listens on bound sockets."""
        for one in sockets:
            one.listen(backlog)
            self._accepting.append(asyncio.create_task(self._accept(one)))

    def stop(self) -> list[asyncio.Task[None]]:
        """Accepts no more, and ends the handshakes in progress; returns the tasks that are still ending."""
        handshakes = () if self._context is None else self._beginning
        for task in (*self._accepting, *handshakes):
            task.cancel()
        return [*self._accepting, *self._beginning]

    @property
    def _count(self) -> int:
        return len(self._beginning) + self._connections()

    def publish(self) -> None:
        """Shows other processes how many connections there are."""
        if self._counts is not None:
            self._counts.publish(self._count)

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                client, _ = await loop.sock_accept(listening)
            except ConnectionError:  # The client has already gone.
                continue
            except OSError as error:
                _log.error("cannot_accept", error=error.strerror)
                await asyncio.sleep(_PAUSE_S)
                continue
            if self._count >= self._places.max_connections and not self._places.make_room():
                client.close()
                continue
            connection = _NewConnection(client, self._places)
            connection.task = task = asyncio.create_task(self._begin(connection))
            self._places.waiting[connection] = None
            self._beginning.add(task)
            task.add_done_callback(self._beginning.discard)
            self.publish()
            if self._counts is not None and self._counts.is_ahead:
                await asyncio.sleep(_YIELD_S)

    async def _begin(self, connection: _NewConnection) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                self._make_protocol,
                connection.client,
                ssl=self._context,
                ssl_handshake_timeout=self._handshake_timeout_s,
            )
        except OSError as error:
            reason = getattr(error, "reason", None) or error.strerror or type(error).__name__
            _log.info("tls_handshake_failed", reason=reason)
        finally:
            self._places.forget(connection)
