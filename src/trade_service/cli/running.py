"""What the commands share: settings, the event loop, signals, messages to the user."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import rich_click as click

from trade_service.masking import mask_url
from trade_service.observability.logs import configure_logs
from trade_service.settings.load import load_settings
from trade_service.settings.tree import Settings

T = TypeVar("T")

TERMINATED = 143
config_option = click.option(
    "--config", "toml_path", type=click.Path(path_type=Path), help="TOML file with settings."
)


def options(*decorators: Callable[..., Any]) -> Callable[..., Any]:
    """One decorator out of several, in the order of the help page."""

    def decorated(command: Callable[..., Any]) -> Callable[..., Any]:
        for decorate in reversed(decorators):
            command = decorate(command)
        return command

    return decorated


class CommandError(Exception):
    """A command cannot do what was asked; the message is one line that says what to do."""


def say(line: str) -> None:
    """Prints a message for the user on standard error; standard output is for results."""
    click.echo(line, err=True)


def settings_for(
    toml_path: Path | None, overrides: Mapping[str, object] | None = None, *, quiet: bool = True
) -> Settings:
    """Loads the settings, configures logs and prints warnings.

    With `quiet` the default log level is ERROR: for commands that report progress themselves.
    """
    loaded = load_settings(os.environ, toml_path, overrides or {})
    settings = loaded.settings
    if quiet and loaded.origins["log.level"] == "default":
        settings = msgspec.structs.replace(settings, log=msgspec.structs.replace(settings.log, level="ERROR"))
    configure_logs(settings.log.level, settings.log.format, settings.secrets(os.environ))
    for warning in loaded.warnings:
        say(f"trade-service: warning: {warning}")
    return settings


def described(settings: Settings) -> str:
    """The database that the settings name, without secrets."""
    from trade_service.bootstrap.running import data_dir  # loads half of the service

    url = settings.database.url
    return f"embedded PostgreSQL in {data_dir(settings)}" if url is None else mask_url(url)


def run_until_done(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Runs a coroutine to its end. Ctrl-C and SIGTERM cancel it, so that it hands over its work and cleans up.

    Raises:
        KeyboardInterrupt: After Ctrl-C.
        SystemExit: With code 143 after SIGTERM.
    """
    terminated = False

    async def guarded() -> T:
        task = asyncio.current_task()

        def stop() -> None:
            nonlocal terminated
            terminated = True
            if task is not None:
                task.cancel()

        on_signal(signal.SIGTERM, stop)
        return await main()

    try:
        return _run(guarded())
    except asyncio.CancelledError:
        if not terminated:
            raise
        say("trade-service: stopped by SIGTERM")
        sys.exit(TERMINATED)


def run_until_stopped(main: Callable[[asyncio.Event], Coroutine[Any, Any, T]]) -> T:
    """Runs a coroutine until its event is set, by Ctrl-C or SIGTERM. A second signal cancels it."""

    async def guarded() -> T:
        stopping = asyncio.Event()
        task = asyncio.current_task()

        def stop() -> None:
            if stopping.is_set() and task is not None:
                task.cancel()
            stopping.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            on_signal(number, stop)
        return await main(stopping)

    return _run(guarded())


def on_signal(number: signal.Signals, action: Callable[[], None]) -> None:
    """Calls `action` on the loop at a signal; on platforms without such handlers Ctrl-C cancels as usual."""
    with contextlib.suppress(NotImplementedError):
        asyncio.get_running_loop().add_signal_handler(number, action)


def _run(coroutine: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(coroutine)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop where it exists: it halves the cost of the loop."""
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop
