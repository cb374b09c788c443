"""What the HTTP application needs: use cases, limits, and what the process tells about itself."""

from collections.abc import Mapping
from typing import Protocol, Self

import msgspec

from trade_service.domain.access import Role
from trade_service.trading.bulk_submissions import BulkSubmissions
from trade_service.trading.editors import Editors
from trade_service.trading.executions import ExecutionService
from trade_service.trading.idempotency import IdempotentRequests
from trade_service.trading.listing.service import ListService
from trade_service.trading.operating import OperatorService
from trade_service.trading.reference import ReferenceCache
from trade_service.trading.trade_orders import TradeOrderService
from trade_service.web.access import Authenticator, Everybody
from trade_service.web.v2.stream_settings import StreamSettings


class Health(Protocol):
    """What the probes ask."""

    @property
    def stopping(self) -> bool:
        """Whether the service is on its way out: it still answers, and should get no new work."""
        ...

    @property
    def claims_wait_for(self) -> str:
        """Why no execution is sent at present although all are taken; empty while they are sent."""
        ...

    async def check_database(self) -> None:
        """Raises StoreUnavailable, saying why, unless the database answers and has all its migrations."""
        ...


class Metrics(Protocol):
    """What is measured of requests, and all that is measured."""

    @property
    def content_type(self) -> str:
        """Of `text`."""
        ...

    def begun(self) -> None:
        """A request came."""
        ...

    def ended(self, method: str, template: str | None, status: int, seconds: float) -> None:
        """It was answered; `template` is None when no route serves it."""
        ...

    def text(self) -> bytes:
        """All of it, in Prometheus' text format."""
        ...

    def names(self) -> list[str]:
        """The names of all metrics."""
        ...

    def read(self, name: str, tags: Mapping[str, str]) -> dict[str, object] | None:
        """One metric over the series with these tags; None when there is none."""
        ...


class LogLevel(Protocol):
    """The level of the process's log."""

    @property
    def effective(self) -> str:
        """The one in force: DEBUG, INFO, WARNING, ERROR or CRITICAL."""
        ...

    def change(self, level: str | None) -> None:
        """Sets it; None is what the settings say."""
        ...


class WebServices(msgspec.Struct, frozen=True):
    """The use cases that are served."""

    orders: TradeOrderService
    executions: ExecutionService
    references: ReferenceCache
    health: Health
    bulk_submissions: BulkSubmissions
    editors: Editors
    operators: OperatorService
    lists: ListService
    keys: IdempotentRequests
    authenticator: Authenticator = Everybody()
    metrics: Metrics | None = None
    """None when nothing is measured."""
    log_level: LogLevel | None = None
    """None where it cannot be changed."""


class WebSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of what is served."""

    max_body_bytes: int = 10_000_000
    request_timeout_s: float = 30.0
    """Has to exceed `wait_s`: else submissions that are merely slow answer 503 in place of 'pending'."""
    max_concurrent_requests: int = 2000
    requests_per_s: float = 0.0
    """Of one client; 0 for no limit."""
    request_burst: int = 200
    max_clients: int = 10_000
    metrics_role: Role = Role.ANYONE
    """Who may read metrics."""
    cors_allow_origins: tuple[str, ...] | None = ("*",)
    """None: pages of this machine."""
    wait_s: float = 25.0
    """How long a submission is waited for before it is answered as pending."""
    streams: StreamSettings = StreamSettings()
    probe_timeout_s: float = 2.0
    """How long readiness waits for the database."""


class Routes:
    """Base of what serves routes: Litestar copies its handlers deeply, and must not copy the services."""

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self
