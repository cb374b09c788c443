"""A scripted ledger, its watch, and a clock that does not wait."""

from collections.abc import Callable
from decimal import Decimal

import msgspec

from tests.support.gateway import FakeGateway
from tests.world.store_books import Books
from tests.world.store_downstream import MemoryDownstreamStore
from trade_service.submission.admission import DownstreamGate
from trade_service.submission.downstream import DownstreamState
from trade_service.submission.engine_settings import (
    EngineSettings,
    ExecutionServiceSettings,
    SubmissionSettings,
)
from trade_service.submission.events import AlarmEvent, EventBus, SubmissionEvent
from trade_service.submission.ledger_watch import LedgerWatch
from trade_service.submission.messages import ExecutionRequest, Listing


class FastClock:
    """A clock that jumps ahead instead of waiting."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def random(self) -> float:
        return 0.0

    def new_attempt_id(self) -> str:
        return "00000000-0000-7000-8000-000000000001"

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


class Ledger(FakeGateway):
    """A ledger that may be unavailable or omit the length of its listing."""

    away = False
    says_nothing_of_pages = False
    meanwhile: Callable[[], None] | None = None
    """Runs while a page is read."""

    async def list_newest(self, offset: int, limit: int) -> Listing:
        if self.meanwhile is not None:
            self.meanwhile()
        if self.away:
            return Listing(None, "X", "connection refused")
        listing = await super().list_newest(offset, limit)
        if self.says_nothing_of_pages and listing.page is not None:
            return Listing(msgspec.structs.replace(listing.page, pagination=None))
        return listing


class Scene:
    def __init__(self, base_url: str = "http://one", *, same_ledger: bool = False) -> None:
        self.clock = FastClock()
        self.books = Books(lambda: 1_000_000.0 + self.clock.now)
        self.store = MemoryDownstreamStore(self.books)
        self.ledger = Ledger()
        self.ledger.first_id = 1
        self.alarms: list[AlarmEvent] = []
        self.watch = self.new_watch(base_url, same_ledger=same_ledger)

    def new_watch(self, base_url: str = "http://one", *, same_ledger: bool = False) -> LedgerWatch:
        events = EventBus()
        events.subscribe(self._hear)
        downstream = ExecutionServiceSettings(base_url=base_url, same_ledger=same_ledger)
        settings = EngineSettings(
            execution_service=downstream, submission=SubmissionSettings(look_up_max_pages=1000)
        )
        gate = DownstreamGate(events)
        return LedgerWatch(gate, self.store, self.ledger, self.clock, events, settings)

    @property
    def gate(self) -> DownstreamGate:
        return self.watch.gate

    def _hear(self, event: SubmissionEvent) -> None:
        if isinstance(event, AlarmEvent):
            self.alarms.append(event)

    def put(self, *execution_ids: int) -> None:
        for execution_id in execution_ids:
            self.ledger.accept(ExecutionRequest("NEW", "BUY", "ML", "S1", Decimal(10), None, execution_id, 1))

    def own(self, count: int = 1) -> list[int]:
        order_id = self.books.add_order(Decimal(10 * count), "S1")
        return [self.books.add_execution(order_id, Decimal(10)) for _ in range(count)]

    @property
    def codes(self) -> list[str]:
        return [alarm.code for alarm in self.alarms]

    async def attend(self, watch: LedgerWatch | None = None) -> None:
        """Runs the watch's due work, including its pauses."""
        one = watch or self.watch
        for _ in range(20):
            pause_s = await one._attend()
            if pause_s is None or (one.gate.is_open and pause_s):
                return
            self.clock.now += pause_s


class CountingStore(MemoryDownstreamStore):
    reads = 0

    async def read(self) -> DownstreamState:
        self.reads += 1
        return await super().read()
