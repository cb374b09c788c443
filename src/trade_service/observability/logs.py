"""Logging: structlog to standard error, as JSON or readable lines."""

import contextlib
import logging
import sys
from collections.abc import Collection
from functools import partial
from io import StringIO
from threading import Lock
from typing import Any, TextIO

import msgspec
import structlog
from structlog.typing import EventDict, ExcInfo

from trade_service.domain.fields import escaped, escaped_lines

_log = structlog.get_logger(__name__)

_TRACEBACKS = structlog.processors.ExceptionRenderer(
    # Local variables may hold whole batches of orders.
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)


MAX_TEXT_CHARS = 1_000
"""Characters of each text of a log line, such as the path of a request."""


def _cut(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Cuts long texts, with a mark that has their length."""
    for key, value in event.items():
        if type(value) is str and len(value) > MAX_TEXT_CHARS:
            event[key] = f"{value[:MAX_TEXT_CHARS]}… ({len(value)} characters)"
    return event


def _from_worker(worker: int, _logger: object, _method: str, event: EventDict) -> EventDict:
    """Names the worker that logs, unless the event names the worker it is about."""
    event.setdefault("worker", worker)
    return event


def _escape(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Escapes what a terminal would obey; JSON and the repr of other types do so anyway."""
    for key, value in event.items():
        if type(value) is str:
            event[key] = escaped(value)
    return event


def _traceback(target: TextIO, error: ExcInfo) -> None:
    text = StringIO()
    structlog.dev.plain_traceback(text, error)
    target.write(escaped_lines(text.getvalue()))


_ENCODER = msgspec.json.Encoder(enc_hook=repr)
_RENDERED = structlog.processors.JSONRenderer()


def _as_json(logger: object, method: str, event: EventDict) -> str | bytes:
    """Renders a line; what is not printable ASCII is escaped, since a terminal may obey some of it."""
    with contextlib.suppress(ArithmeticError, TypeError, ValueError):
        line = msgspec.json.format(_ENCODER.encode(event), indent=0).decode()
        if line.isascii() and line.isprintable():
            return line
    return _RENDERED(logger, method, event)


class _StandardError:
    """Writes each line at once and in one piece to the current standard error, which a progress bar replaces by a
    stream that writes above the bar."""

    _lock = Lock()

    def msg(self, line: str) -> None:
        with self._lock:
            sys.stderr.write(f"{line}\n")

    debug = info = warning = error = critical = msg


_STANDARD_ERROR: Any = _StandardError()


class LibraryFormatter(logging.Formatter):
    """Formats what libraries log without our secrets: they quote the addresses that fail."""

    def __init__(self, secrets: Collection[str]) -> None:
        super().__init__(logging.BASIC_FORMAT)
        self._secrets = sorted(secrets, key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        """The line and its traceback with secrets masked."""
        text = super().format(record)
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return escaped_lines(text)


def configure_logs(level: str, style: str, secrets: Collection[str] = (), worker: int | None = None) -> None:
    """Configures logging for the process.

    `level` is a name such as INFO; `style` is `json`, `console`, or `auto` (console on a terminal, else JSON);
    `secrets` are texts that library log lines must not show; `worker` is in each of the service's own lines.
    """
    number = logging.getLevelNamesMapping()[level]
    as_json = style == "json" or (style == "auto" and not sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _cut,
    ]
    if worker is not None:
        shared.append(partial(_from_worker, worker))
    renderer: list[structlog.typing.Processor] = (
        [_TRACEBACKS, _as_json]
        if as_json
        else [
            _escape,
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=_traceback),
        ]
    )
    structlog.configure(
        processors=[*shared, *renderer],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *_: _STANDARD_ERROR,
        cache_logger_on_first_use=False,
    )
    library_handler = logging.StreamHandler(sys.stderr)
    library_handler.setFormatter(LibraryFormatter(secrets))
    logging.basicConfig(handlers=[library_handler], level=max(number, logging.WARNING), force=True)


def log_to_standard_library() -> None:
    """Sends events to the loggers of the standard library, unless the program has configured structlog itself."""
    if structlog.is_configured():
        return
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            _cut,
            _escape,
            structlog.processors.ExceptionRenderer(),
            structlog.processors.KeyValueRenderer(key_order=["event"]),
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


class LogLevel:
    """The process's log level, which can be changed while it runs."""

    def __init__(self, configured: str) -> None:
        self.configured = configured
        """From the settings."""
        self.effective = configured

    def change(self, level: str | None) -> None:
        """Sets a level such as DEBUG; None returns to the configured one."""
        before, self.effective = self.effective, level or self.configured
        _log.warning("log_level_changed", before=before, after=self.effective)
        number = logging.getLevelNamesMapping()[self.effective]
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(number))

    def toggle_debug(self) -> None:
        """Switches between DEBUG and the configured level."""
        self.change(None if self.effective == "DEBUG" else "DEBUG")
