"""The failures that are expected, and the line to print for each."""

from trade_service.bench.results import ResultsError
from trade_service.bench.subprocesses import BenchError
from trade_service.bootstrap.container import CannotStart
from trade_service.cli.running import CommandError
from trade_service.domain.errors import DomainError
from trade_service.http_server import CannotListen
from trade_service.settings.sources import SettingsError
from trade_service.store.embedded import EmbeddedPostgresError
from trade_service.store.migrations import MigrationError
from trade_service.store.promises import UnsafeDatabase
from trade_service.submission.ports import StoreUnavailable
from trade_service.trading.restoring import LedgerUnreadable


def cause_of(error: BaseException) -> BaseException:
    """The first failure inside exception groups, which tasks raise."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def expected_message(error: BaseException) -> str | None:
    """The message for an expected failure; None for a defect."""
    cause = cause_of(error)
    match cause:
        case CommandError() | CannotStart() | CannotListen() | SettingsError():
            return str(cause)
        case EmbeddedPostgresError() | MigrationError() | BenchError() | ResultsError():
            return str(cause)
        case UnsafeDatabase() | LedgerUnreadable():
            return str(cause)
        case DomainError():
            return cause.message
        case StoreUnavailable():
            return f"{cause}: check that the database runs, and its address with `trade-service config`"
        case OSError() if cause.filename is not None or cause.errno is not None:
            where = "" if cause.filename is None else f"{cause.filename}: "
            return f"{where}{cause.strerror or cause}"
    return None
