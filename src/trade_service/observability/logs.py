"""Logs: structlog to standard error, JSON or readable."""

import logging
import sys

import structlog

_log = structlog.get_logger(__name__)

_TRACEBACKS = structlog.processors.ExceptionRenderer(
    # Local variables are whole batches of somebody's orders.
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)


def configure_logs(level: str, style: str) -> None:
    """Sets up logging of the whole process.

    `level` is a name such as INFO; `style` is `json`, `console`, or `auto` for console on a terminal.
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
    logging.basicConfig(stream=sys.stderr, level=max(number, logging.WARNING), force=True)


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
