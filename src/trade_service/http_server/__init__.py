"""An ASGI application served by uvicorn inside a process that keeps its own signals and its own end."""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import uvicorn

from trade_service.http_server.protocol import BoundedProtocol, ServerLimits
from trade_service.http_server.sockets import CannotListen, listening_sockets

__all__ = ["CannotListen", "ServerLimits", "serve_asgi"]

ASGIApplication = Callable[[Any, Any, Any], Awaitable[None]]

_TICK_S = 1.0
"""How often the server's Date header is renewed."""
_SEE_OFF_S = 0.1


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
    limits: ServerLimits | None = None,
) -> None:
    """Serves `app` until `stop` is set, and returns once everything is closed.

    `ready` is told the URL when connections are accepted; with port 0 it names the port that was free.
    After `stop`: `stopping` is called (readiness off), `lull_s` pass in which new requests are still
    served, then no connection is accepted any more and requests have `grace_s` to end. Cancelling it drops
    every request and connection at once. Raises CannotListen.
    """
    bounds = limits or ServerLimits()
    sockets = await listening_sockets(host, port)
    try:
        bound_port = sockets[0].getsockname()[1]
        url = f"http://[{host}]:{bound_port}" if ":" in host else f"http://{host}:{bound_port}"
        server = _Server(_config(app, bounds, grace_s), stop, stopping, lull_s)
        server.on_started = lambda: ready(url) if ready is not None else None
        try:
            await server.serve(sockets)
        finally:
            server.abandon()
    finally:
        for one in sockets:
            one.close()


def _config(app: ASGIApplication, limits: ServerLimits, grace_s: float) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=BoundedProtocol.within(limits),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=limits.backlog,
        timeout_keep_alive=limits.keep_alive_s,
        timeout_graceful_shutdown=max(1, round(grace_s)),
        reset_contextvars=True,
    )


class _Server(uvicorn.Server):
    """Stops by an event, not by signals, and wakes up once a second in place of ten times."""

    def __init__(
        self, config: uvicorn.Config, stop: asyncio.Event, stopping: Callable[[], None], lull_s: float
    ) -> None:
        super().__init__(config)
        self._stop = stop
        self._stopping = stopping
        self._lull_s = lull_s
        self.on_started: Callable[[], None] = _nothing

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Captures none."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, but a failure is an exception, not the end of the process."""
        try:
            await super().startup(sockets)
        except SystemExit as error:
            raise RuntimeError("the application could not start: see the log lines above") from error
        if not self.should_exit:
            self.on_started()

    async def main_loop(self) -> None:
        """Returns when it is time to stop."""
        while not self._stop.is_set() and not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TICK_S):
                    await self._stop.wait()
        self._stopping()
        await asyncio.sleep(self._lull_s)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, and waits for the requests that it cancelled."""
        async with asyncio.TaskGroup() as group:
            seeing_off = group.create_task(self._see_off())
            await super().shutdown(sockets)
            seeing_off.cancel()
        left = list(self.server_state.tasks)
        if left:
            await asyncio.wait(left, timeout=_TICK_S)

    async def _see_off(self) -> None:
        """Ends every connection after the request that it is at.

        uvicorn does so once: a connection accepted at that very moment would be served until the grace is
        over, and then be cut in mid-request.
        """
        while True:
            await asyncio.sleep(_SEE_OFF_S)
            for connection in list(self.server_state.connections):
                connection.shutdown()

    def abandon(self) -> None:
        """Lets go of whatever an orderly end has left: all of it when serving was cancelled."""
        for task in list(self.server_state.tasks):
            task.cancel()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
