"""The application on a real socket, over fakes; `live` runs it over the real use cases."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import msgspec
from litestar import Litestar

from trade_service.domain.executions import Execution, SubmissionState
from trade_service.domain.orders import NewTradeOrder, Submission, TradeOrder
from trade_service.domain.reference import (
    Blotter,
    Destination,
    ExecutionStatus,
    ReferenceData,
    TradeType,
)
from trade_service.http_server import serve_asgi
from trade_service.submission.model import (
    PENDING_MESSAGE,
    ExecutionSubmitResult,
    SubmitResult,
    SubmitStatus,
)
from trade_service.trading.editors import Editors
from trade_service.trading.model import ExecutionView, SubmittedOrder
from trade_service.trading.operating import OperatorService
from trade_service.trading.request_keys import (
    Created,
    KeptAnswer,
    KeyClaim,
    KeyedRequest,
    KeyStatus,
    StillRunning,
)
from trade_service.web.app import create_app
from trade_service.web.dependencies import WebServices, WebSettings

DEADLINE_S = 30.0
MOMENT = datetime(2026, 1, 30, 15, 30, tzinfo=UTC)
EQUITY = Blotter(2, "EQ", "Equity", 1)
REFERENCE = ReferenceData(
    blotters={2: EQUITY},
    trade_types={1: TradeType(1, "BUY", "Buy", 1)},
    destinations={1: Destination(1, "ML", "Merrill Lynch", 1)},
    statuses={1: ExecutionStatus(1, "NEW", "New", 1), 2: ExecutionStatus(2, "SENT", "Sent", 1)},
)
ORDER = TradeOrder(
    id=7,
    order_id=70,
    portfolio_id="P1",
    order_type="BUY",
    security_id="S1",
    quantity=Decimal("1234567890.12345678"),
    quantity_sent=Decimal("0E-8"),
    limit_price=Decimal("9.50000000"),
    trade_timestamp=MOMENT,
    blotter_id=2,
    submitted=False,
    version=1,
)
EXECUTION = Execution(
    id=9,
    execution_timestamp=MOMENT,
    execution_status_id=1,
    blotter_id=2,
    trade_type_id=1,
    trade_order_id=7,
    destination_id=1,
    quantity_ordered=Decimal("50.00000000"),
    quantity_placed=Decimal("0E-8"),
    quantity_filled=Decimal("0.12345678"),
    limit_price=None,
    execution_service_id=None,
    version=1,
    submission_state=SubmissionState.UNKNOWN,
)
VIEW = ExecutionView(
    execution=EXECUTION,
    status=REFERENCE.statuses[1],
    blotter=EQUITY,
    trade_type=REFERENCE.trade_types[1],
    destination=REFERENCE.destinations[1],
    order=ORDER,
    order_blotter=EQUITY,
)


_NO_EDITORS = cast(Editors, SimpleNamespace(orders=None, executions=None, references=None))
"""Row editing is only tested on the real service."""
_NO_OPERATORS = cast(OperatorService, None)
"""Operators' use cases are only tested on the real service."""


def pending(state: SubmissionState = SubmissionState.UNKNOWN) -> ExecutionSubmitResult:
    """A result that is still open."""
    return ExecutionSubmitResult(9, SubmitStatus.PENDING, state, "PENDING", PENDING_MESSAGE)


class FakeUseCases:
    """Fakes all use cases: records calls, and answers or fails as a test says."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.failure: Exception | None = None
        self.submitted: Callable[[Submission, int], SubmittedOrder] = lambda s, i: SubmittedOrder(
            s.trade_order_id, i, view=VIEW
        )
        self.outcome = SubmitResult(SubmitStatus.PENDING, None, pending())
        self.stopping = False
        self.gate = asyncio.Event()
        """While clear, calls wait."""
        self.gate.set()
        self.entered = asyncio.Event()

    async def _called(self, *call: object) -> None:
        self.calls.append(call)
        self.entered.set()
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure

    async def create_order(self, new: NewTradeOrder) -> TradeOrder:
        await self._called("create_order", new)
        return ORDER

    async def create_orders_bulk(self, orders: Sequence[NewTradeOrder]) -> list[TradeOrder]:
        await self._called("create_orders_bulk", list(orders))
        return [ORDER for _ in orders]

    async def get_order(self, trade_order_id: int) -> tuple[TradeOrder, Blotter | None]:
        await self._called("get_order", trade_order_id)
        return ORDER, EQUITY

    async def get_orders(self, trade_order_ids: Sequence[int]) -> list[TradeOrder]:
        await self._called("get_orders", list(trade_order_ids))
        return [ORDER for _ in trade_order_ids]

    async def resume_orders(
        self, submissions: Sequence[Submission], created: Created, send: bool, wait_s: float | None = None
    ) -> list[SubmittedOrder]:
        await self._called("resume_orders", list(submissions), created, send, wait_s)
        return [self.submitted(one, index) for index, one in enumerate(submissions)]

    async def key_status(self, request: KeyedRequest) -> KeyStatus:
        await self._called("key_status", request)
        return StillRunning(0)

    async def keep(self, claim: KeyClaim, answer: KeptAnswer) -> None:
        await self._called("keep", claim, answer)

    async def let_go(self, claim: KeyClaim) -> None:
        await self._called("let_go", claim)

    async def note(self, *entry: object) -> None:
        await self._called("note", *entry)

    async def submit_order(
        self, submission: Submission, send: bool = True, wait_s: float | None = None
    ) -> SubmittedOrder:
        await self._called("submit_order", submission, send, wait_s)
        return self.submitted(submission, 0)

    async def submit_orders(
        self, submissions: Sequence[Submission], send: bool = True, wait_s: float | None = None
    ) -> list[SubmittedOrder]:
        await self._called("submit_orders", list(submissions), send, wait_s)
        return [self.submitted(one, index) for index, one in enumerate(submissions)]

    async def submit_execution(self, execution_id: int, wait_s: float | None = None) -> SubmitResult:
        await self._called("submit_execution", execution_id, wait_s)
        return self.outcome

    async def get_execution(self, execution_id: int) -> ExecutionView:
        await self._called("get_execution", execution_id)
        return VIEW

    async def fill(
        self, execution_id: int, status_abbreviation: str, quantity_filled: Decimal, version: int
    ) -> ExecutionView:
        await self._called("fill", execution_id, status_abbreviation, quantity_filled, version)
        return VIEW

    async def current(self, needed: Callable[[ReferenceData], bool]) -> ReferenceData:
        return REFERENCE

    claims_wait_for = ""

    async def check_database(self) -> None:
        await self._called("check_database")

    def services(self) -> WebServices:
        """The fakes as WebServices."""
        fakes = cast(Any, self)
        return WebServices(
            orders=fakes,
            executions=fakes,
            references=fakes,
            health=self,
            bulk_submissions=fakes,
            editors=_NO_EDITORS,
            operators=_NO_OPERATORS,
            pauses=fakes,
            lists=fakes,
            keys=fakes,
            audit_log=fakes,
            overview=fakes,
            failures=fakes,
            evidence=fakes,
            audits=fakes,
            blotters=fakes,
        )


class Answer(msgspec.Struct):
    """A complete answer."""

    status: int
    headers: dict[str, str]
    """Names in lower case."""
    raw: bytes

    @property
    def body(self) -> Any:
        """The JSON with exact numbers."""
        return msgspec.json.decode(self.raw, type=Any) if self.raw else None


class Client:
    """A client of the application over a socket."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.session = session
        self.url = url

    async def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        raw: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Sends `body` as JSON, or `raw` as it is."""
        data = raw if raw is not None else None if body is None else msgspec.json.encode(body)
        sent = {"Content-Type": "application/json"} | (headers or {})
        async with self.session.request(method, self.url + path, data=data, headers=sent) as response:
            names = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status, names, await response.read())

    async def get(self, path: str, **options: Any) -> Answer:
        return await self.call("GET", path, **options)

    async def post(self, path: str, body: object = None, **options: Any) -> Answer:
        return await self.call("POST", path, body, **options)

    async def put(self, path: str, body: object = None, **options: Any) -> Answer:
        return await self.call("PUT", path, body, **options)


@asynccontextmanager
async def served(
    services: WebServices, settings: WebSettings | None = None, **options: Any
) -> AsyncIterator[Client]:
    """A client of the application over these use cases; the options are those of `serve_asgi`."""
    async with listening(
        create_app(msgspec.structs.replace(services, settings=settings or WebSettings())), **options
    ) as client:
        yield client


@asynccontextmanager
async def listening(app: Litestar, **options: Any) -> AsyncIterator[Client]:
    """A client of `app`, which listens on a free port; the options are those of `serve_asgi`."""
    stop = asyncio.Event()
    url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    async with asyncio.TaskGroup() as group:
        group.create_task(
            serve_asgi(app, "127.0.0.1", 0, stop=stop, ready=url.set_result, **{"grace_s": 1.0, **options})
        )
        timeout = aiohttp.ClientTimeout(total=DEADLINE_S)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            try:
                yield Client(session, await asyncio.wait_for(url, DEADLINE_S))
            finally:
                stop.set()


@asynccontextmanager
async def connected(client: Client) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A bare connection to the server."""
    host, _, port = client.url.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
