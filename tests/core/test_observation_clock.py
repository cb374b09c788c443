"""Absence counts only once an attempt was watched for long enough by the observer's own clock, whatever the
database's clock says meanwhile."""

import itertools
from decimal import Decimal

import pytest

from tests.support.attempts import closing, new_attempt
from tests.support.gateway import FakeGateway
from tests.world.store import MemoryStore
from tests.world.store_books import Books
from tests.world.store_downstream import MemoryDownstreamStore
from trade_service.domain.executions import SubmissionState
from trade_service.submission.admission import Admission, DownstreamGate
from trade_service.submission.clock import AlarmClock
from trade_service.submission.engine_settings import (
    CircuitSettings,
    EngineSettings,
    ExecutionBatchSettings,
    SubmissionSettings,
)
from trade_service.submission.events import EventBus
from trade_service.submission.failure_handler import ExecutionFailureHandler
from trade_service.submission.recovery import Recovery
from trade_service.submission.service import CLAIMABLE_FRESH
from trade_service.submission.waiters import Waiters
from trade_service.submission.work_queue import WorkQueue

LEASE_S, SETTLE_S = 60.0, 30.0
JUMP_S = 600.0


class Hands:
    """Two clocks that a test sets: the observer's and the database's."""

    def __init__(self) -> None:
        self.own_s = 100.0
        self.ahead_s = 5_000.0
        self._numbers = itertools.count(1)

    def monotonic(self) -> float:
        return self.own_s

    def database_s(self) -> float:
        return self.own_s + self.ahead_s

    def random(self) -> float:
        return 0.0

    def new_attempt_id(self) -> str:
        return f"00000000-0000-7000-8000-{next(self._numbers):012d}"

    async def sleep(self, seconds: float) -> None:
        self.own_s += seconds


SETTINGS = EngineSettings(
    batch=ExecutionBatchSettings(size=10),
    submission=SubmissionSettings(recovery_hold_ms=0, recovery_grace_ms=0, look_up_max_pages=10),
)


class Scene:
    """An execution whose call is in flight from a process that may have ended, and an observer."""

    def __init__(self) -> None:
        self.hands = Hands()
        self.books = Books(self.hands.database_s)
        order_id = self.books.add_order(Decimal(10), "S1")
        self.execution_id = self.books.add_execution(order_id, Decimal(10))
        self.store = MemoryStore(self.books, "owner", self.hands.new_attempt_id, 0)
        self.attempt = new_attempt(lease_ms=round(LEASE_S * 1000), settle_ms=round(SETTLE_S * 1000))
        self.observer = self.new_observer()

    def new_observer(self) -> Recovery:
        events, gateway, downstream = EventBus(), FakeGateway(), MemoryDownstreamStore(self.books)
        return Recovery(
            self.store,
            gateway,
            self.hands,
            ExecutionFailureHandler(SETTINGS),
            WorkQueue(10),
            Waiters(),
            events,
            Admission(self.hands, events, CircuitSettings(slow_call_ms=1000), 1),
            DownstreamGate(events),
            downstream,
            AlarmClock(self.hands),
            "observer",
            SETTINGS,
        )

    async def claim(self) -> None:
        await self.store.claim(self.attempt, [self.execution_id], CLAIMABLE_FRESH)

    async def state_after(self, seconds: float, observer: Recovery | None = None) -> SubmissionState | None:
        """The state of the execution after the observer looked again."""
        self.hands.own_s += seconds
        one = observer or self.observer
        await one.step()
        await one.reconciliation.once()
        return self.books.executions[self.execution_id].state


@pytest.fixture
def scene() -> Scene:
    return Scene()


async def test_a_clock_that_jumps_ahead_shortens_no_lease(scene: Scene) -> None:
    await scene.claim()
    assert await scene.state_after(1.0) is SubmissionState.CLAIMED
    scene.hands.ahead_s += JUMP_S
    assert await scene.state_after(1.0) is SubmissionState.UNKNOWN
    assert await scene.state_after(SETTLE_S + 5.0) is SubmissionState.UNKNOWN
    # From the first sight of it, one second after the claim, to the end of what could still be committed.
    assert await scene.state_after(LEASE_S - 6.1) is SubmissionState.UNKNOWN
    assert await scene.state_after(0.2) is SubmissionState.RETRY


async def test_who_sees_it_only_after_the_jump_watches_from_then_on(scene: Scene) -> None:
    await scene.claim()
    scene.hands.ahead_s += JUMP_S
    late = scene.new_observer()
    assert await scene.state_after(0.0, late) is SubmissionState.UNKNOWN
    assert await scene.state_after(LEASE_S + SETTLE_S - 0.1, late) is SubmissionState.UNKNOWN
    assert await scene.state_after(0.2, late) is SubmissionState.RETRY


async def test_without_a_jump_nothing_takes_longer_than_lease_and_settle_time(scene: Scene) -> None:
    await scene.claim()
    assert await scene.state_after(0.0) is SubmissionState.CLAIMED
    assert await scene.state_after(LEASE_S + 0.1) is SubmissionState.UNKNOWN
    assert await scene.state_after(SETTLE_S - 0.2) is SubmissionState.UNKNOWN
    assert await scene.state_after(0.2) is SubmissionState.RETRY


async def test_an_owner_that_records_after_all_is_watched_anew(scene: Scene) -> None:
    await scene.claim()
    await scene.state_after(0.0)
    scene.hands.ahead_s += JUMP_S
    assert await scene.state_after(1.0) is SubmissionState.UNKNOWN
    scene.hands.own_s += LEASE_S - 2.0
    told = closing(scene.attempt.attempt_id, {scene.execution_id: "unknown"}, next_action_in_ms=0)
    await scene.store.record(told)
    scene.hands.ahead_s += JUMP_S
    assert await scene.state_after(0.0) is SubmissionState.UNKNOWN
    assert await scene.state_after(SETTLE_S - 0.1) is SubmissionState.UNKNOWN
    assert await scene.state_after(0.2) is SubmissionState.RETRY
