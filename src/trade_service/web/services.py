"""What the web needs from the use cases, and its own limits."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Protocol, Self

import msgspec

from trade_service.domain.access import Role
from trade_service.domain.orders import NewTradeOrder, Submission, TradeOrder
from trade_service.domain.reference import Blotter, ReferenceData
from trade_service.submission.model import SubmitResult
from trade_service.trading.bulk_submissions import BulkSubmissions
from trade_service.trading.editors import Editors
from trade_service.trading.idempotency import Standing
from trade_service.trading.listing.service import ListService
from trade_service.trading.model import ExecutionView, SubmittedOrder
from trade_service.trading.operating import OperatorService
from trade_service.trading.request_keys import Created, KeptAnswer, KeyClaim, KeyedRequest
from trade_service.web.access import Authenticator, Everybody
from trade_service.web.v2.stream_settings import StreamSettings


class TradeOrders(Protocol):
    """The use cases of trade orders; `TradeOrderService` says what each raises."""

    async def create_order(self, new: NewTradeOrder) -> TradeOrder:
        """Creates one trade order."""
        ...

    async def create_orders_bulk(self, orders: Sequence[NewTradeOrder]) -> list[TradeOrder]:
        """Creates all of them or none."""
        ...

    async def get_order(self, trade_order_id: int) -> tuple[TradeOrder, Blotter | None]:
        """The order and its blotter."""
        ...

    async def get_orders(self, trade_order_ids: Sequence[int]) -> list[TradeOrder]:
        """The orders in the order of their ids as given."""
        ...

    async def submit_order(
        self, submission: Submission, send: bool = True, wait_s: float | None = None
    ) -> SubmittedOrder:
        """Cuts an execution from one trade order and sends it."""
        ...

    async def submit_orders(
        self, submissions: Sequence[Submission], send: bool = True, wait_s: float | None = None
    ) -> list[SubmittedOrder]:
        """The same for many, each for itself."""
        ...

    async def resume_orders(
        self, submissions: Sequence[Submission], created: Created, send: bool, wait_s: float | None = None
    ) -> list[SubmittedOrder]:
        """What `submit_orders` answers, for submissions that were cut before."""
        ...


class Executions(Protocol):
    """The use cases of executions; `ExecutionService` says what each raises."""

    async def submit_execution(self, execution_id: int, wait_s: float | None = None) -> SubmitResult:
        """Sends one execution."""
        ...

    async def get_execution(self, execution_id: int) -> ExecutionView:
        """The execution with all that it points to."""
        ...

    async def fill(
        self, execution_id: int, status_abbreviation: str, quantity_filled: Decimal, version: int
    ) -> ExecutionView:
        """Stores a fill report."""
        ...


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


class References(Protocol):
    """Reference data, kept in memory."""

    async def get(self, is_enough: Callable[[ReferenceData], bool] = ...) -> ReferenceData:
        """All of it; read anew when it lacks what is `needed`."""
        ...


class RequestKeys(Protocol):
    """The use cases of keys; `IdempotentRequests` says what each raises."""

    async def standing(self, request: KeyedRequest) -> Standing:
        """What is to become of a request."""
        ...

    async def keep(self, claim: KeyClaim, answer: KeptAnswer) -> None:
        """Keeps the final answer for repeats."""
        ...

    async def let_go(self, claim: KeyClaim) -> None:
        """Ends the claim without a final answer."""
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

    orders: TradeOrders
    executions: Executions
    references: References
    health: Health
    bulk_submissions: BulkSubmissions
    editors: Editors
    operators: OperatorService
    lists: ListService
    keys: RequestKeys
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
