from trade_service.bootstrap.container import CannotStart as CannotStart
from trade_service.bootstrap.library import TradeService as TradeService
from trade_service.bootstrap.library import open as open
from trade_service.domain.errors import AlreadyExists as AlreadyExists
from trade_service.domain.errors import DomainError as DomainError
from trade_service.domain.errors import InvalidInput as InvalidInput
from trade_service.domain.errors import NotFound as NotFound
from trade_service.domain.errors import Overloaded as Overloaded
from trade_service.domain.errors import TooMany as TooMany
from trade_service.domain.orders import NewTradeOrder as NewTradeOrder
from trade_service.domain.orders import Submission as Submission
from trade_service.domain.orders import TradeOrder as TradeOrder
from trade_service.settings.sources import SettingsError as SettingsError
from trade_service.store.embedded_folder import EmbeddedPostgresError as EmbeddedPostgresError
from trade_service.store.migrations import MigrationError as MigrationError
from trade_service.store.promises import OtherProgram as OtherProgram
from trade_service.submission.model import BulkSubmitResult as BulkSubmitResult
from trade_service.submission.model import ExecutionSubmitResult as ExecutionSubmitResult
from trade_service.submission.model import SubmitStatus as SubmitStatus
from trade_service.submission.ports import StoreUnavailable as StoreUnavailable
from trade_service.trading.model import ExecutionView as ExecutionView
from trade_service.trading.model import SubmittedOrder as SubmittedOrder

__version__: str
