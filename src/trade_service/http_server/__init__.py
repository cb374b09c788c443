"""Serves an ASGI application with uvicorn, inside a process that handles its own signals and shutdown."""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import uvicorn
from uvicorn.lifespan.on import LifespanOn

from trade_service.http_server.connection_settings import ConnectionSettings
from trade_service.http_server.file_limit import TooFewFiles, affordable_connections
from trade_service.http_server.listener import Listener
from trade_service.http_server.places import Places
from trade_service.http_server.protocol import BoundedProtocol
from trade_service.http_server.shared_port import SharedPort
from trade_service.http_server.sockets import CannotListen, listening_sockets

__all__ = ["CannotListen", "ConnectionSettings", "serve_asgi"]

ASGIApplication = Callable[[Any, Any, Any], Awaitable[None]]

_TICK_S = 1.0
"""How often the server's Date header is renewed."""
_CLOSE_IDLE_S = 0.1
_DRAIN_S = 1.0
"""How long a process that leaves a shared port still serves a request on each open connection: the client may
already be sending it."""


def _nothing() -> None:
    return None


async def serve_asgi(
    app: ASGIApplication,
    host: str,
    port: int,
    *,
    stop: asyncio.Event,
    ready: Callable[[str], None] | None = None,
    stopping: Callable[[], None] = _nothing,
    lull_s: float = 0.0,
    grace_s: float = 20.0,
    connections: ConnectionSettings | None = None,
    max_header_bytes: int = 65_536,
    other_files: int = 128,
    tls: ssl.SSLContext | None = None,
    shared: SharedPort | None = None,
) -> None:
    """Serves `app` until `stop` is set, and returns once everything is closed.

    Calls `ready` with the URL once connections are accepted; port 0 chooses a free port. After `stop`, calls
    `stopping` (readiness off), serves new requests for another `lull_s`, each as the last of its connection, then
    accepts no more connections and gives requests `grace_s` to finish. Cancelling it drops every request and
    connection at once.
    `other_files` is how many files the process may need beside connections; with `tls`, HTTPS is served and
    nothing else. `shared` is a port that other processes serve too, instead of `host` and `port`. Raises
    CannotListen.
    """
    settings = connections or ConnectionSettings()
    logging.getLogger("uvicorn.error").addFilter(_is_failure)
    try:
        allowed = affordable_connections(settings.max_connections, other_files)
    except TooFewFiles as error:
        raise CannotListen(str(error)) from None
    protocol = BoundedProtocol.within(settings, max_header_bytes, allowed)
    sockets = await listening_sockets(host, port) if shared is None else list(shared.sockets)
    try:
        bound_port = sockets[0].getsockname()[1]
        scheme = "http" if tls is None else "https"
        url = f"{scheme}://[{host}]:{bound_port}" if ":" in host else f"{scheme}://{host}:{bound_port}"
        server = _Server(_config(app, protocol, grace_s), protocol.places, stop, stopping, lull_s)
        if tls is not None or shared is not None:
            server.accept_itself(protocol, tls, shared)
        server.on_started = lambda: ready(url) if ready is not None else None
        try:
            await server.serve(sockets)
        finally:
            server.abandon()
    finally:
        for one in sockets:
            one.close()


def _is_failure(record: logging.LogRecord) -> bool:
    """Whether a line of uvicorn is about more than a request that was cut off."""
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))


def _config(app: ASGIApplication, protocol: type[BoundedProtocol], grace_s: float) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=protocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # Believes FORWARDED_ALLOW_IPS; the application has a setting of its own.
        backlog=protocol.settings.backlog,
        timeout_keep_alive=protocol.settings.keep_alive_s,
        timeout_graceful_shutdown=max(1, round(grace_s)),
        reset_contextvars=True,
    )


class _Server(uvicorn.Server):
    """Stops on an event, not on signals, and wakes up once a second instead of ten times."""

    def __init__(
        self,
        config: uvicorn.Config,
        places: Places,
        stop: asyncio.Event,
        stopping: Callable[[], None],
        lull_s: float,
    ) -> None:
        super().__init__(config)
        self._places = places
        self._stop = stop
        self._stopping = stopping
        self._lull_s = lull_s
        self._listener: Listener | None = None
        self._is_port_shared = False
        self.on_started: Callable[[], None] = _nothing
        self.servers: list[asyncio.base_events.Server] = []

    def accept_itself(
        self, protocol: type[BoundedProtocol], context: ssl.SSLContext | None, shared: SharedPort | None
    ) -> None:
        """Accepts connections without the loop's server; called before serving. With `context`, serves HTTPS."""
        self._is_port_shared = shared is not None
        self._listener = Listener(
            context,
            lambda: protocol(self.config, self.server_state, self.lifespan.state),
            protocol.places,
            lambda: len(self.server_state.connections),
            protocol.settings.header_timeout_s,
            None if shared is None else shared.counts,
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Captures none."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Raises RuntimeError where uvicorn would exit the process."""
        try:
            await super().startup(sockets if self._listener is None else [])
        except SystemExit as error:
            raise RuntimeError("the application could not start: see the log lines above") from error
        if self._listener is not None and not self.should_exit:
            self._listener.start(sockets or [], self.config.backlog)
        if not self.should_exit:
            self.on_started()

    async def main_loop(self) -> None:
        """Returns when serving is to stop."""
        while not self._stop.is_set() and not await self.on_tick(0):
            if self._listener is not None:
                self._listener.publish()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TICK_S):
                    await self._stop.wait()
        self._stopping()
        self._places.is_draining = True
        for connection in self.server_state.connections:
            if isinstance(connection, BoundedProtocol):
                connection.end_after_answer()
        await asyncio.sleep(self._lull_s)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Also waits for the requests that it cancelled."""
        if self._listener is not None:
            await asyncio.gather(*self._listener.stop(), return_exceptions=True)
        if self._is_port_shared:
            await self._drain(sockets or [])
        async with asyncio.TaskGroup() as group:
            closing = group.create_task(self._close_idle())
            await super().shutdown(sockets)
            closing.cancel()
        remaining = list(self.server_state.tasks)
        if remaining:
            await asyncio.wait(remaining, timeout=_TICK_S)

    async def _drain(self, sockets: list[socket.socket]) -> None:
        for one in sockets:
            one.close()
        for _ in range(round(_DRAIN_S / _CLOSE_IDLE_S)):
            if self.server_state.connections:
                await asyncio.sleep(_CLOSE_IDLE_S)

    async def _close_idle(self) -> None:
        """Closes every connection after its current request.

        uvicorn does so once: a connection accepted at that moment would be served until the grace period ends, and
        then be cut off in the middle of a request.
        """
        while True:
            await asyncio.sleep(_CLOSE_IDLE_S)
            for connection in list(self.server_state.connections):
                connection.shutdown()

    def abandon(self) -> None:
        """Drops what an orderly shutdown has left: everything when serving was cancelled."""
        if self._listener is not None:
            self._listener.stop()
        for (
            server
        ) in self.servers:  # A socket that is closed before its server stays registered with the loop.
            server.close()
        for task in list(self.server_state.tasks):
            task.cancel()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        lifespan = getattr(self, "lifespan", None)
        if isinstance(lifespan, LifespanOn):
            # uvicorn keeps no reference to its task, which must not stay behind.
            lifespan.receive_queue.put_nowait({"type": "lifespan.shutdown"})
