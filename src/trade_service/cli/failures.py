"""The failures that are expected, and the line to print for each."""

from trade_service.bench.results import ResultsError
from trade_service.bench.subprocesses import BenchError
from trade_service.bootstrap.container import CannotStart
from trade_service.cli.output_files import OutputLost
from trade_service.cli.running import CommandError
from trade_service.domain.access import CredentialsNotCheckable
from trade_service.domain.errors import DomainError
from trade_service.http_server import CannotListen
from trade_service.settings.sources import SettingsError
from trade_service.store.embedded_folder import EmbeddedPostgresError
from trade_service.store.migrations import MigrationError
from trade_service.store.promises import OtherProgram, UnsafeDatabase
from trade_service.submission.ports import StoreUnavailable
from trade_service.tls import TlsUnusable
from trade_service.trading.restoring import LedgerUnreadable

_SELF_EXPLANATORY = (
    BenchError, CannotListen, CannotStart, CommandError, CredentialsNotCheckable, EmbeddedPostgresError,
    LedgerUnreadable, MigrationError, OtherProgram, ResultsError, SettingsError, TlsUnusable, UnsafeDatabase,
)  # fmt: skip
_NO_HOME = "there is no home directory to keep data in"


def is_lost_output(error: BaseException) -> bool:
    """Whether the command began, and then could not write a file of results."""
    return isinstance(_first(error), OutputLost)


def expected_message(error: BaseException) -> str | None:
    """The message for an expected failure; None for a defect. Of a group, which tasks raise, the first counts."""
    error = _first(error)
    if isinstance(error, _SELF_EXPLANATORY):
        return str(error)
    if isinstance(error, DomainError):
        return error.message
    if isinstance(error, StoreUnavailable):
        return f"{error}: check that the database runs, and its address with `trade-service config`"
    if isinstance(error, RuntimeError) and "home directory" in str(error):  # pathlib's and platformdirs'
        return f"{_NO_HOME}: set HOME, DATABASE_URL or the folder (TRADE_SERVICE_DATABASE_DATA_DIR, --books)"
    if isinstance(error, OSError) and (error.filename is not None or error.errno is not None):
        where = "" if error.filename is None else f"{error.filename}: "
        return f"{where}{error.strerror or error}"
    return None


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
