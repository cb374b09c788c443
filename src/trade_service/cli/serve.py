"""`trade-service serve`: serves the HTTP API until stopped."""

import asyncio
import signal
import sys
from functools import partial
from pathlib import Path

import rich_click as click

from trade_service.cli.ending_signals import HeldSignals
from trade_service.cli.running import (
    CommandError,
    announce_url,
    config_option,
    json_option,
    on_signal,
    run_until_stopped,
    say,
    settings_for,
)
from trade_service.settings.tree import Settings
from trade_service.workers.shares import exceeded, workers_of


@click.command()
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 takes a free one.")
@click.option("--workers", metavar="N|auto", help="Number of processes; auto: one per processor.")
@config_option
@json_option
@click.option("--worker", "channel", type=int, hidden=True, help="Serve as a worker of a supervisor.")
def serve(
    host: str | None, port: int | None, workers: str | None, *, as_json: bool, toml_path: Path | None,
    channel: int | None,
) -> int:  # fmt: skip
    """Serve the HTTP API until stopped.

    Ctrl-C or SIGTERM stops it: it reports not ready, finishes requests and batches in flight, and exits with
    code 0. SIGUSR1 switches the log level to DEBUG and back.

    With several workers, each is a process and a replica of its own; all serve one address and divide pools and
    limits. A worker that ends is replaced.
    """
    if hasattr(signal, "SIGUSR1"):
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # Its default action ends the process.
    if channel is not None:
        with HeldSignals():
            from trade_service.cli.serving import serve_as_worker
        return serve_as_worker(channel)
    overrides = {"server.host": host, "server.port": port, "server.workers": workers}
    settings = settings_for(toml_path, overrides, quiet=False)
    count = workers_of(settings)
    if count > 1:
        return _supervised(settings, count, as_json=as_json)
    with HeldSignals():
        from trade_service.cli.serving import serve_alone
    serve_alone(settings, as_json=as_json)
    return 0


def _supervised(settings: Settings, workers: int, *, as_json: bool) -> int:
    """Runs workers until stopped; returns the exit code. This process loads nothing that serves."""
    if sys.platform == "win32":
        raise CommandError("several workers need a system with Unix sockets: set server.workers to 1")
    with HeldSignals():
        from trade_service.workers.supervisor import Supervisor

    for line in exceeded(settings, workers):
        say(f"trade-service: warning: {line}")

    async def supervise(stopping: asyncio.Event) -> int:
        supervisor = Supervisor(settings, workers, say, partial(announce_url, as_json=as_json))
        on_signal(signal.SIGUSR1, supervisor.toggle_debug)
        return await supervisor.run(stopping)

    return run_until_stopped(supervise)
