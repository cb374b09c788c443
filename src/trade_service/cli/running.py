"""What the commands share: settings, the event loop, signals, options, questions and output."""

import asyncio
import errno
import getpass
import os
import shutil
import signal
import sys
import textwrap
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import rich_click as click
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from trade_service.cli.ending_signals import ENDING_SIGNALS, raise_ending, signals_handled
from trade_service.domain.access import MAX_NAME_CHARS, KnownBy, Requester
from trade_service.domain.fields import escaped_lines
from trade_service.masking import mask_url
from trade_service.observability.logs import configure_logs
from trade_service.section import FILE_SUFFIX, root_url
from trade_service.settings.load import load_settings
from trade_service.settings.sources import API_KEY_VARIABLE, SettingsError, read_secret_file
from trade_service.settings.tree import Settings
from trade_service.submission.events import REQUESTER

S = TypeVar("S")
T = TypeVar("T")

NOT_DONE = 1
FINDINGS = 1
WIDTH_WITHOUT_TERMINAL = 140
_UNBOUNDED = 10_000


def options(*decorators: Callable[..., Any]) -> Callable[..., Any]:
    """One decorator out of several, in the order of the help page."""

    def decorated(command: Callable[..., Any]) -> Callable[..., Any]:
        for decorate in reversed(decorators):
            command = decorate(command)
        return command

    return decorated


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


config_option = click.option(
    "--config", "toml_path", type=click.Path(path_type=Path), help="TOML file with settings."
)
yes_option = click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
unasked_json_option = click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print the result as JSON. It never asks: where the command would, give --yes.",
)
operator_options = options(
    click.option("--reason", default="", help="Reason (required; stored in the audit trail)."),
    click.option(
        "--operator", default=_user, help="Your name, stored in the audit trail.  [default: your user name]"
    ),
)


def require_answer(*, as_json: bool, yes: bool, dry_run: bool | None = None) -> None:
    """Raises UsageError if a command that prints JSON would ask; `dry_run` is None if it has no such option."""
    if as_json and not (yes or dry_run):
        raise click.UsageError(
            "--json needs --yes." if dry_run is None else "--json needs --yes or --dry-run."
        )


class CommandError(Exception):
    """A command cannot do what was asked; the message is one line that says what to do."""


def checked_url(_: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """A click callback: an address that paths are appended to."""
    try:
        return None if value is None else root_url(value)
    except ValueError as error:
        raise click.BadParameter(f"must be {error}", param_hint=parameter.opts[0]) from None


def _given_key(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    """The key: of the option, else of the variable, else of the file that another variable names."""
    path = os.environ.get(f"{API_KEY_VARIABLE}{FILE_SUFFIX}", "").strip()
    in_variable = os.environ.get(API_KEY_VARIABLE) or None
    if value is not None or not path:
        return in_variable if value is None else value
    if in_variable is not None:
        raise SettingsError(
            f"{API_KEY_VARIABLE} and {API_KEY_VARIABLE}{FILE_SUFFIX} are both set: set only one"
        )
    return read_secret_file(path, f"{API_KEY_VARIABLE}{FILE_SUFFIX}")


def key_option(text: str) -> Callable[..., Any]:
    """The option `--key`, of commands that call a running service."""
    variables = f"{API_KEY_VARIABLE}, or the file that {API_KEY_VARIABLE}{FILE_SUFFIX} names"
    return click.option("--key", callback=_given_key, help=f"{text}  [default: {variables}]")


def say(line: str) -> None:
    """Prints a message for the user on standard error; standard output is for results."""
    click.echo(wrapped(escaped_lines(line)), err=True)


def wrapped(line: str) -> str:
    """A line of standard error: on a terminal it breaks between words, elsewhere it stays whole for programs."""
    if not sys.stderr.isatty():
        return line
    width = shutil.get_terminal_size().columns
    return textwrap.fill(line, width, break_long_words=False, break_on_hyphens=False)


def say_result(line: str) -> None:
    """Prints a line of a result on standard output."""
    click.echo(escaped_lines(line))


def print_json(value: object, indent: int = 2) -> None:
    """Prints a result for programs; with `indent` -1 on one line."""
    click.echo(
        escaped_lines(msgspec.json.format(msgspec.json.encode(value), indent=indent).decode()).encode()
    )


def console_for(*, as_json: bool) -> Console:
    """Standard output for people; where a program gets JSON, they get nothing."""
    return Console(quiet=True) if as_json else result_console()


class _ResultConsole(Console):
    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        """Escapes what a terminal would obey, wherever it came from."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=escaped_lines(segment.text))

    def print(self, *objects: Any, soft_wrap: bool | None = None, **options: Any) -> None:
        """Prints as rich does, but breaks even `soft_wrap` lines between words on a terminal."""
        super().print(*objects, soft_wrap=bool(soft_wrap) and not self.is_terminal, **options)

    def on_broken_pipe(self) -> None:
        """Ends the command with the exit code of a broken pipe, which rich does not do."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


def result_console(width: int = WIDTH_WITHOUT_TERMINAL) -> Console:
    """Standard output; without a terminal, `width` columns wide, so that lines stay whole for programs."""
    console = _ResultConsole(highlight=False)
    return console if console.is_terminal else _ResultConsole(width=width, highlight=False)


def announce(line: str, facts: Mapping[str, object] | None = None) -> None:
    """Prints on standard output that a service is ready: `line`, or for programs `facts` as a line of JSON.

    A failure to write stops nothing.
    """
    try:
        click.echo(line if facts is None else msgspec.json.encode(facts))
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def announce_url(line: str, *, as_json: bool) -> None:
    """Announces a service whose line begins with `Serving on URL;`."""
    announce(line, {"url": line.split()[2].rstrip(";"), "message": line} if as_json else None)


class _ResultTable(Table):
    """A table that becomes a block of lines for each row where the terminal is too narrow for its words."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        needed = self.__rich_measure__(console, options.update(max_width=_UNBOUNDED)).minimum
        if needed <= options.max_width:
            yield from super().__rich_console__(console, options)
            return
        if self.title:
            yield Text(str(self.title), style="italic")
        names = [str(column.header) for column in self.columns]
        cells = zip(*(column.cells for column in self.columns), strict=True)
        for row, values in zip(self.rows, cells, strict=True):
            for name, value in zip(names, values, strict=True):
                text = value if isinstance(value, Text) else Text.from_markup(str(value))
                yield Text(f"{name}: " if name else "", style=row.style or "").append_text(text)
            yield Text()


def result_table(title: str | None, *columns: str) -> Table:
    """A table without borders. A column whose name ends in ">" is aligned right; the others wrap."""
    table = _ResultTable(title=title, title_justify="left", show_edge=False, pad_edge=False)
    for name in columns:
        right = name.endswith(">")
        table.add_column(
            name.removesuffix(">"),
            justify="right" if right else "left",
            overflow="ellipsis" if right else "fold",
        )
    return table


def confirmed(question: str, *, yes: bool) -> bool:
    """Whether to go on: asks, unless `yes`. Raises CommandError without a terminal."""
    if yes:
        return True
    if not sys.stdin.isatty():
        raise CommandError("there is no terminal to ask on: check the output above, then give --yes")
    return click.confirm(question)


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
    configure_logs(settings.log.level, settings.log.format, settings.secrets())
    for warning in loaded.warnings:
        say(f"trade-service: warning: {warning}")
    return settings


def described(settings: Settings) -> str:
    """The database that the settings name, without secrets."""
    from trade_service.bootstrap.running import data_dir  # loads half of the service

    url = settings.database.url
    return f"embedded PostgreSQL in {data_dir(settings)}" if url is None else mask_url(url)


def run_on(
    opened: Callable[[Settings, Callable[[str], None]], AbstractAsyncContextManager[S]],
    toml_path: Path | None,
    work: Callable[[S], Awaitable[T]],
) -> T:
    """Loads the settings, opens a part of the service for them, and runs the work on it."""
    settings = settings_for(toml_path)

    async def run() -> T:
        async with opened(settings, say) as part:
            return await work(part)

    return run_as_user(settings, run)


def run_as_user(settings: Settings, main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """As `run_until_done`; the audit log names the operating system's user for what it changes."""
    caller = Requester(_user()[:MAX_NAME_CHARS], KnownBy.COMMAND, is_audited=settings.audit_log.enabled)
    token = REQUESTER.set(caller)
    try:
        return run_until_done(main)
    finally:
        REQUESTER.reset(token)


def run_until_done(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Runs a coroutine to its end. Ctrl-C, SIGTERM and SIGHUP cancel it, so that it hands over its work.

    A second signal cancels again and does nothing harsher: no step of the loop is left half done.

    Raises:
        KeyboardInterrupt: After Ctrl-C.
        SystemExit: With code 143 after SIGTERM, 129 after SIGHUP.
    """
    ended_by: list[signal.Signals] = []
    running: list[Callable[[], None]] = []

    def stop(number: signal.Signals) -> None:
        ended_by.append(number)
        for cancel in running:
            cancel()

    async def guarded() -> T:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None

        def cancel() -> None:
            task.cancel()
            loop.call_soon_threadsafe(lambda: None)  # Wakes a loop that waits for sockets.

        running.append(cancel)
        try:
            if ended_by:
                raise asyncio.CancelledError
            return await main()
        finally:
            running.clear()

    with signals_handled(stop):
        try:
            result = _run(guarded())
        except asyncio.CancelledError:
            if not ended_by:
                raise
    if ended_by:
        raise_ending(ended_by[0])
    return result


def run_until_stopped(main: Callable[[asyncio.Event], Coroutine[Any, Any, T]]) -> T:
    """Runs a coroutine until its event is set, by Ctrl-C, SIGTERM or SIGHUP. A second signal cancels it."""
    early: list[signal.Signals] = []  # What arrives before the loop handles signals.

    async def guarded() -> T:
        stopping = asyncio.Event()
        task = asyncio.current_task()

        def stop() -> None:
            if stopping.is_set() and task is not None:
                task.cancel()
            stopping.set()

        for number in ENDING_SIGNALS:
            on_signal(number, stop)
        if early:
            stop()
        return await main(stopping)

    with signals_handled(early.append):
        return _run(guarded())


def on_signal(number: signal.Signals, action: Callable[[], None]) -> None:
    """Calls `action` on the loop at a signal. A SIGHUP that is ignored stays ignored: `nohup` wants it so."""
    if number.name == "SIGHUP" and signal.getsignal(number) is signal.SIG_IGN:
        return
    loop = asyncio.get_running_loop()
    try:
        loop.add_signal_handler(number, action)
    except NotImplementedError:  # Windows.
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(action))


def _run(coroutine: Coroutine[Any, Any, T]) -> T:
    """On uvloop where it exists: it halves the cost of the loop."""
    if sys.platform == "win32":
        return asyncio.run(coroutine)
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(coroutine)
