"""`trade-service serve`: serves the HTTP API until stopped."""

import asyncio
import gc
import signal
import ssl
from pathlib import Path

import rich_click as click

from trade_service.bootstrap.container import Services
from trade_service.bootstrap.running import running_services
from trade_service.bootstrap.web import auth_mode, web_app
from trade_service.cli.running import (
    announce,
    config_option,
    described,
    on_signal,
    run_until_stopped,
    say,
    settings_for,
)
from trade_service.http_server import serve_asgi
from trade_service.masking import mask_url
from trade_service.settings.tree import Settings
from trade_service.tls import TlsFiles, server_context

SPARE_FILES = 64
"""For the loop, logs, exports of metrics, and whatever libraries open for a moment."""
LULL_S = 3.0
"""On addresses that others reach: the time between not ready and not listening, for load balancers to notice."""


@click.command()
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 takes a free one.")
@config_option
def serve(host: str | None, port: int | None, toml_path: Path | None) -> None:
    """Serve the HTTP API until stopped.

    Ctrl-C or SIGTERM stops it: it reports not ready, finishes requests and batches in flight, and exits with
    code 0. SIGUSR1 switches the log level to DEBUG and back.
    """
    if hasattr(signal, "SIGUSR1"):
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # Its default action ends the process.
    settings = settings_for(toml_path, {"server.host": host, "server.port": port}, quiet=False)
    _warn_of_reach(settings)
    gc.disable()  # What a start creates stays for good: looking for garbage would find nothing.
    run_until_stopped(lambda stopping: _serve(settings, stopping))


def _warn_of_reach(settings: Settings) -> None:
    server = settings.server
    if server.is_loopback:
        return
    reach = f"trade-service: warning: other machines can reach {server.host}"
    if auth_mode(settings) == "none":
        say(f"{reach}, and auth.mode is none: anybody who reaches it may trade")
    elif server.tls_certificate is None and not server.trusted_proxies:
        say(
            f"{reach}, and it serves plain HTTP: keys and tokens can be read on the network and used to trade. "
            "Set server.tls_certificate and server.tls_key, or let only a proxy that serves HTTPS reach it, "
            "named in server.trusted_proxies"
        )


async def _serve(settings: Settings, stopping: asyncio.Event) -> None:
    async with running_services(settings, say) as services, web_app(services) as app:
        if hasattr(signal, "SIGUSR1"):
            on_signal(signal.SIGUSR1, services.log_level.toggle_debug)
        await serve_asgi(
            app,
            settings.server.host,
            settings.server.port,
            stop=stopping,
            ready=lambda url: _say_ready(settings, url),
            stopping=lambda: _say_stopping(services),
            lull_s=0.0 if settings.server.is_loopback else LULL_S,
            grace_s=settings.server.shutdown_grace_s,
            connections=settings.connections,
            max_header_bytes=settings.server.max_header_bytes,
            other_files=_other_files(settings),
            tls=_tls(settings),
        )


def _tls(settings: Settings) -> ssl.SSLContext | None:
    server = settings.server
    files = TlsFiles("server", server.tls_client_ca, server.tls_certificate, server.tls_key)
    return server_context(files) if any(files[1:]) else None


def _other_files(settings: Settings) -> int:
    """How many files the process may have open beside its clients' connections."""
    calls = settings.execution_service.max_connections + 2 * settings.names.max_connections
    return settings.database.pool_size + calls + SPARE_FILES


def _say_ready(settings: Settings, url: str) -> None:
    gc.freeze()
    gc.enable()
    downstream = mask_url(settings.execution_service.base_url)
    announce(
        f"Serving on {url}; database: {described(settings)}; Execution Service: {downstream}; "
        f"authentication: {auth_mode(settings)}; Ctrl-C stops it"
    )


def _say_stopping(services: Services) -> None:
    services.begin_stop()
    say("Stopping: finishing what is in flight ...")
