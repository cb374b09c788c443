"""Accepts TLS connections. A handshake counts as a connection, and may be closed to make room for another."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterable

import structlog

from trade_service.http_server.places import Places

_log = structlog.get_logger(__name__)

_PAUSE_S = 1.0
"""Before accepting again after an error that the next connection would meet too, such as no file left."""


class _Handshake:
    """A connection whose TLS handshake is not done."""

    def __init__(self, client: socket.socket, places: Places) -> None:
        self.client = client
        self._places = places
        self.task: asyncio.Task[None] | None = None

    def drop(self) -> None:
        """Ends the handshake, which closes the connection."""
        self._places.forget(self)
        if self.task is not None:
            self.task.cancel()


class TlsListener:
    """Accepts connections on listening sockets and hands each over when its handshake is done.

    asyncio's own servers do not count handshakes: each connection without one would hold a file for a minute.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        make_protocol: Callable[[], asyncio.Protocol],
        places: Places,
        connections: Callable[[], int],
        handshake_timeout_s: float,
    ) -> None:
        """`connections` counts those whose handshake is done."""
        self._context = context
        self._make_protocol = make_protocol
        self._places = places
        self._connections = connections
        self._handshake_timeout_s = handshake_timeout_s
        self._accepting: list[asyncio.Task[None]] = []
        self._handshakes: set[asyncio.Task[None]] = set()

    def start(self, sockets: Iterable[socket.socket], backlog: int) -> None:
        """Listens on bound sockets."""
        for one in sockets:
            one.listen(backlog)
            self._accepting.append(asyncio.create_task(self._accept(one)))

    def stop(self) -> list[asyncio.Task[None]]:
        """Accepts no more, and ends the handshakes in progress; returns the tasks that are still ending."""
        tasks = [*self._accepting, *self._handshakes]
        for task in tasks:
            task.cancel()
        return tasks

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                client, _ = await loop.sock_accept(listening)
            except ConnectionError:  # Its client has gone already.
                continue
            except OSError as error:
                _log.error("cannot_accept", error=error.strerror)
                await asyncio.sleep(_PAUSE_S)
                continue
            is_full = len(self._handshakes) + self._connections() >= self._places.max_connections
            if is_full and not self._places.make_room():
                client.close()
                continue
            handshake = _Handshake(client, self._places)
            handshake.task = task = asyncio.create_task(self._shake_hands(handshake))
            self._places.waiting[handshake] = None
            self._handshakes.add(task)
            task.add_done_callback(self._handshakes.discard)

    async def _shake_hands(self, handshake: _Handshake) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                self._make_protocol,
                handshake.client,
                ssl=self._context,
                ssl_handshake_timeout=self._handshake_timeout_s,
            )
        except OSError as error:
            reason = getattr(error, "reason", None) or error.strerror or type(error).__name__
            _log.info("tls_handshake_failed", reason=reason)
        finally:
            self._places.forget(handshake)
