"""Logs: structlog to standard error, JSON or readable."""

import logging
import sys
from collections.abc import Collection

import structlog

_log = structlog.get_logger(__name__)

_TRACEBACKS = structlog.processors.ExceptionRenderer(
    # Local variables are whole batches of somebody's orders.
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)


class LibraryFormatter(logging.Formatter):
    """What libraries log, which know nothing of our secrets and quote the addresses that fail."""

    def __init__(self, secrets: Collection[str]) -> None:
        super().__init__(logging.BASIC_FORMAT)
        self._secrets = sorted(secrets, key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        """The line and its traceback, without the secrets."""
        text = super().format(record)
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text


def configure_logs(level: str, style: str, secrets: Collection[str] = ()) -> None:
    """Sets up logging of the whole process.

    `level` is a name such as INFO; `style` is `json`, `console`, or `auto` for console on a terminal;
    `secrets` are texts that libraries may not log.
    """
    number = logging.getLevelNamesMapping()[level]
    as_json = style == "json" or (style == "auto" and not sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: list[structlog.typing.Processor] = (
        [_TRACEBACKS, structlog.processors.JSONRenderer()]
        if as_json
        else [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            )
        ]
    )
    structlog.configure(
        processors=[*shared, *renderer],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    of_libraries = logging.StreamHandler(sys.stderr)
    of_libraries.setFormatter(LibraryFormatter(secrets))
    logging.basicConfig(handlers=[of_libraries], level=max(number, logging.WARNING), force=True)


class LogLevel:
    """The level of the process, changed while it runs."""

    def __init__(self, configured: str) -> None:
        self.configured = configured
        """As the settings say."""
        self.effective = configured

    def change(self, level: str | None) -> None:
        """Sets it to a name such as DEBUG; None is what the settings say."""
        before, self.effective = self.effective, level or self.configured
        _log.warning("log_level_changed", before=before, after=self.effective)
        number = logging.getLevelNamesMapping()[self.effective]
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(number))

    def toggle_debug(self) -> None:
        """To DEBUG, and from there back to what the settings say."""
        self.change(None if self.effective == "DEBUG" else "DEBUG")
