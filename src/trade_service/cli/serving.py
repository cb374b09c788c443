"""Serving in this process: alone, or as one of the workers of a supervisor."""

import asyncio
import gc
import os
import signal
import socket
import ssl
from collections.abc import Callable
from functools import partial

from trade_service.bootstrap.container import Services
from trade_service.bootstrap.running import running_services
from trade_service.bootstrap.web import auth_mode, web_app
from trade_service.cli.running import NOT_DONE, announce_url, described, on_signal, run_until_stopped, say
from trade_service.http_server import serve_asgi
from trade_service.http_server.shared_port import ConnectionCounts, SharedPort
from trade_service.masking import mask_url
from trade_service.observability.logs import configure_logs
from trade_service.settings.tree import Settings
from trade_service.tls import TlsFiles, server_context
from trade_service.workers.link import SupervisorLink

SPARE_FILES = 64
"""For the loop, logs, metrics exports, and files that libraries open briefly."""
LULL_S = 3.0
"""Time between not ready and not listening, on addresses that other machines reach: load balancers notice."""


def serve_alone(settings: Settings, *, as_json: bool) -> None:
    """Serves until a signal stops it."""
    warn_of_reach(settings)
    gc.disable()  # Objects made at start-up live on: collecting garbage would find nothing.

    def say_stopping(services: Services) -> None:
        services.begin_stop()
        say("Stopping: finishing what is in flight ...")

    async def serve(stop: asyncio.Event) -> None:
        async with running_services(settings, say) as services:
            await serve_services(services, stop, partial(announce_url, as_json=as_json), say_stopping)

    run_until_stopped(serve)


def serve_as_worker(channel: int) -> int:
    """Serves until its supervisor or a signal stops it; returns the exit code. `channel` is a file descriptor."""
    os.set_inheritable(channel, False)  # noqa: FBT003  # it takes no keyword
    gc.disable()

    async def serve(stop: asyncio.Event) -> None:
        task = asyncio.current_task()
        assert task is not None

        def end(at_once: bool) -> None:
            stop.set()
            if at_once:
                task.cancel()

        async with SupervisorLink.opened(socket.socket(fileno=channel), end) as link:
            await _work(link, stop)

    try:
        run_until_stopped(serve)
    except asyncio.CancelledError:
        return NOT_DONE
    return 0


async def _work(link: SupervisorLink, stop: asyncio.Event) -> None:
    begin, settings = link.begin, link.begin.settings
    log = settings.log
    configure_logs(log.level, log.format, settings.secrets(), worker=begin.place)
    listening = [socket.socket(fileno=number) for number in begin.listening]
    for one in listening:
        one.set_inheritable(False)
    port = SharedPort(listening, ConnectionCounts(begin.counts, begin.place - 1, settings.server.workers))
    os.close(begin.counts)
    if begin.is_first:
        warn_of_reach(settings)
    async with running_services(settings, say if begin.is_first else lambda _: None) as services:
        services.log_level = link.log_level
        services.exposition = link.exposition
        link.registry = services.registry
        await serve_services(services, stop, link.ready, Services.begin_stop, port)


def warn_of_reach(settings: Settings) -> None:
    """Warns if other machines reach the address without authentication or HTTPS; raises CannotStart."""
    server = settings.server
    if server.is_loopback:
        return
    reach = f"trade-service: warning: other machines can reach {server.host}"
    if auth_mode(settings) == "none":
        say(f"{reach}, and auth.mode is none: anyone who reaches it may trade")
    elif server.tls_certificate is None and not server.trusted_proxies:
        say(
            f"{reach}, and it serves plain HTTP: keys and tokens can be read on the network and used to trade. "
            "Set server.tls_certificate and server.tls_key, or let only an HTTPS proxy reach it, "
            "and name that in server.trusted_proxies"
        )


async def serve_services(
    services: Services,
    stop: asyncio.Event,
    ready: Callable[[str], None],
    stopping: Callable[[Services], None],
    shared: SharedPort | None = None,
) -> None:
    """Serves the API and the console of running services until `stop` is set.

    `ready` gets the line that describes the service, `stopping` is called when it begins to stop.
    """
    settings = services.settings
    async with web_app(services) as app:
        if hasattr(signal, "SIGUSR1"):
            on_signal(signal.SIGUSR1, services.log_level.toggle_debug)
        await serve_asgi(
            app,
            settings.server.host,
            settings.server.port,
            stop=stop,
            ready=lambda url: ready(_begun(settings, url)),
            stopping=lambda: stopping(services),
            lull_s=0.0 if settings.server.is_loopback else LULL_S,
            grace_s=settings.server.shutdown_grace_s,
            connections=settings.connections,
            max_header_bytes=settings.server.max_header_bytes,
            other_files=_other_files(settings),
            tls=_tls(settings),
            shared=shared,
        )


def _tls(settings: Settings) -> ssl.SSLContext | None:
    server = settings.server
    files = TlsFiles("server", server.tls_client_ca, server.tls_certificate, server.tls_key)
    return server_context(files) if any(files[1:]) else None


def _other_files(settings: Settings) -> int:
    """The number of files that the process may open beside its clients' connections."""
    calls = settings.execution_service.max_connections + 2 * settings.names.max_connections
    return settings.database.pool_size + calls + SPARE_FILES


def _begun(settings: Settings, url: str) -> str:
    """Ends start-up; returns the line that describes the service."""
    gc.freeze()
    gc.enable()
    workers, base_path = settings.server.workers, settings.server.base_path
    return (
        f"Serving on {url}; console: {url}{base_path or ''}/console/; database: {described(settings)}; "
        f"Execution Service: {mask_url(settings.execution_service.base_url)}; "
        f"authentication: {auth_mode(settings)}; "
        f"{f'base path: {base_path}; ' if base_path else ''}"
        f"{f'{workers} workers; ' if workers > 1 else ''}Ctrl-C stops it"
    )
