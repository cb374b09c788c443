"""What handlers depend on: use cases, limits, and what the process knows of itself."""

from collections.abc import Mapping
from typing import Protocol, TypeAlias, TypeVar

import msgspec
from litestar.di import NamedDependency, Provide
from litestar.params import SkipValidation

from trade_service.blotter.order_limits import OrderLimits
from trade_service.domain.access import Role
from trade_service.trading.audit_log import AuditEntries
from trade_service.trading.audit_runs import AuditRuns
from trade_service.trading.blotter_submissions import BlotterSubmissions
from trade_service.trading.bulk_submissions import BulkSubmissions
from trade_service.trading.editors import Editors
from trade_service.trading.evidence import EvidenceReads
from trade_service.trading.execution_use_cases import ExecutionService
from trade_service.trading.failed_executions import FailureReads
from trade_service.trading.listing.service import ListService
from trade_service.trading.operating import OperatorService
from trade_service.trading.overview import Overview
from trade_service.trading.pausing import PauseService
from trade_service.trading.reference import ReferenceCache
from trade_service.trading.request_keys import IdempotentRequests
from trade_service.trading.trade_orders import TradeOrderService
from trade_service.web.access import Authenticator, OpenAccess
from trade_service.web.web_settings import ApiSettings, RateLimitSettings, ServerSettings


class Health(Protocol):
    """The state that probes report."""

    @property
    def stopping(self) -> bool:
        """Whether shutdown has begun: requests are still served, and no new ones should come."""

    @property
    def claims_wait_for(self) -> str:
        """Why no execution is being sent although all are accepted; empty while they are sent."""

    async def check_database(self) -> None:
        """Raises StoreUnavailable, with the reason, unless the database answers and is migrated."""


class Metrics(Protocol):
    """Metrics of requests, and the exposition of all metrics."""

    @property
    def content_type(self) -> str: ...

    def begun(self) -> None: ...

    def ended(self, method: str, template: str | None, status: int, seconds: float) -> None:
        """Records a response; `template` is None when no route matched."""

    async def text(self) -> bytes:
        """All metrics in Prometheus' text format."""

    async def names(self) -> list[str]: ...

    async def read(self, name: str, tags: Mapping[str, str]) -> dict[str, object] | None:
        """One metric over the series with these tags; None when there is none."""


class AdjustableLogLevel(Protocol):
    """The level of the process's log."""

    @property
    def effective(self) -> str:
        """The level in force: DEBUG, INFO, WARNING, ERROR or CRITICAL."""

    def change(self, level: str | None) -> None:
        """Sets the level; None restores the one in the settings."""


class StreamSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of event streams."""

    max_streams: int = 50
    poll_s: float = 0.5
    heartbeat_s: float = 15.0
    check_s: float = 1.0
    """How often a stream's key or token is checked again."""
    max_s: float = 900.0
    """Then a stream ends: its client reconnects and continues after the last event it has."""


class ExportSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of exports."""

    max_exports: int = 4
    max_s: float = 3_600.0
    check_s: float = 1.0
    """How often an export's key or token is checked again."""


class WebSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of the HTTP application."""

    server: ServerSettings = ServerSettings(cors_allow_origins=("*",))
    """Its `request_timeout_s` must exceed `wait_s`: else slow submissions answer 503 instead of 'pending'."""
    api: ApiSettings = ApiSettings()
    rate_limit: RateLimitSettings = RateLimitSettings()
    is_audited: bool = True
    """Whether changes are recorded in the audit log."""
    metrics_role: Role = Role.ANYONE
    """The role that reading metrics needs."""
    wait_s: float = 25.0
    """How long a submission waits for its outcome before it is answered as pending."""
    streams: StreamSettings = StreamSettings()
    exports: ExportSettings = ExportSettings()
    trade_types: tuple[str, ...] = ("BUY", "SELL")
    """Order types that the Execution Service accepts, for blotters."""
    order_limits: OrderLimits = OrderLimits()
    """Limits of the orders of a blotter."""
    probe_timeout_s: float = 2.0
    """How long readiness waits for the database."""


class WebServices(msgspec.Struct, frozen=True):
    """The use cases behind the routes, and the settings of the application."""

    orders: TradeOrderService
    executions: ExecutionService
    references: ReferenceCache
    health: Health
    bulk_submissions: BulkSubmissions
    editors: Editors
    operators: OperatorService
    pauses: PauseService
    lists: ListService
    keys: IdempotentRequests
    audit_log: AuditEntries
    overview: Overview
    failures: FailureReads
    evidence: EvidenceReads
    audits: AuditRuns
    blotters: BlotterSubmissions
    authenticator: Authenticator = OpenAccess()
    metrics: Metrics | None = None
    """None when nothing is measured."""
    log_level: AdjustableLogLevel | None = None
    """None where it cannot be changed."""
    settings: WebSettings = WebSettings()


T = TypeVar("T")
Injected: TypeAlias = NamedDependency[SkipValidation[T]]
"""A handler's parameter that is provided by name."""
Services: TypeAlias = Injected[WebServices]


class Constant(Provide):
    """A dependency that is the same for every request."""

    def __init__(self, value: object) -> None:
        super().__init__(lambda: value, sync_to_thread=False)
        self.value = value
