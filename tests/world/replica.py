"""One simulated process: the real engine and use cases on the world's clock, network and database."""

import asyncio
from collections.abc import Coroutine
from contextvars import copy_context
from typing import Any

from tests.world.loop import PROCESS, Process, WorldLoop
from tests.world.network import FaultyStore, WorldClock, WorldGateway
from tests.world.weather import Timing
from trade_service.execution_service import wire
from trade_service.submission.admission import Admission, DirectSubmission, DownstreamGate
from trade_service.submission.batch_processor import ExecutionBatchProcessor
from trade_service.submission.clock import AlarmClock
from trade_service.submission.engine_settings import (
    CircuitSettings,
    EngineSettings,
    ExecutionBatchSettings,
    ExecutionServiceSettings,
    RetrySettings,
    SubmissionSettings,
)
from trade_service.submission.events import EventBus
from trade_service.submission.failure_handler import ExecutionFailureHandler
from trade_service.submission.ledger_watch import LedgerWatch
from trade_service.submission.ports import StoreUnavailable
from trade_service.submission.recovery import Recovery
from trade_service.submission.service import BulkExecutionSubmissionService
from trade_service.submission.waiters import Waiters
from trade_service.submission.work_queue import Intake, Senders, WorkQueue
from trade_service.trading.execution_use_cases import ExecutionService
from trade_service.trading.fill_check import FillCheck
from trade_service.trading.operating import OperatorService
from trade_service.trading.pausing import PauseService
from trade_service.trading.reference import ReferenceCache
from trade_service.trading.trade_orders import TradeOrderService
from trade_service.trading.trading_settings import FillSettings

GRACE_S = 2.0
LOOK_UP_MAX_PAGES = 50
FILL_CHECK = FillSettings(check_every_s=7.0, check_pages=3)


class Replica:
    """A process of the service, until it stops, is killed, or the world ends."""

    def __init__(
        self,
        name: str,
        loop: WorldLoop,
        clock: WorldClock,
        gateway: WorldGateway,
        store: FaultyStore,
        operator_store: FaultyStore,
        downstream_store: FaultyStore,
        fill_store: FaultyStore,
        pause_store: FaultyStore,
        timing: Timing,
        *,
        batch_size: int,
        max_attempts: int,
        direct: bool,
    ) -> None:
        self.process = Process(name)
        self.gateway, self.clock = gateway, clock
        self.settle_ms = round(timing.settle_s * 1000)
        self._loop, self._context = loop, copy_context()
        self._context.run(PROCESS.set, self.process)
        self._stopping = self._started = False
        self.events, waiters, queue = (events := EventBus()), Waiters(), WorkQueue(500)
        settings = engine_settings(timing, batch_size, max_attempts)
        handler = ExecutionFailureHandler(settings, look_up_delay_ms=300)
        processor = ExecutionBatchProcessor(batch_size, encode=wire.encode_batch)
        admission = Admission(clock, events, settings.circuit, settings.batch.max_concurrent)
        gate = DownstreamGate(events)
        self._watch = LedgerWatch(gate, downstream_store, gateway, clock, events, settings)
        recovery_due = AlarmClock(clock)
        intake = Intake(store, clock, processor, queue, waiters, gate, settings)
        parts = (handler, queue, waiters, events, admission, gate)
        self.service = BulkExecutionSubmissionService(
            store, gateway, clock, processor, *parts, intake, recovery_due, name, settings
        )
        self._senders = Senders(
            queue, self.service.process_batch, admission, gate.wait_open, batch_size, 2, 0.0, clock.sleep
        )
        self._recovery = Recovery(
            store, gateway, clock, *parts, downstream_store, recovery_due, name, settings
        )
        self.operators = OperatorService(operator_store, gateway, events, LOOK_UP_MAX_PAGES, recovery_due)
        self.pauses = PauseService(pause_store, recovery_due)
        cache = ReferenceCache(store, 30.0, clock)
        sending = DirectSubmission(self.service.process_new, self._senders, waiters, admission, gate)
        self.orders = TradeOrderService(store, cache, intake, clock, sending if direct else None)
        self.executions = ExecutionService(store, cache, self.service, intake, events, clock)
        self._fill_check = FillCheck(fill_store, gateway, cache, events, clock.sleep, FILL_CHECK)
        self.spawn(self._main())

    @property
    def lives(self) -> bool:
        """Whether it runs and is not stopping."""
        return not (self.process.dead or self._stopping)

    @property
    def serves(self) -> bool:
        """Whether callers reach it."""
        return self._started and self.lives

    def spawn(self, coroutine: Coroutine[Any, Any, object]) -> "asyncio.Task[Any]":
        """Runs a coroutine in this process."""
        return self._loop.create_task(coroutine, context=self._context.copy())

    def stop(self) -> None:
        """Stops the process gracefully, as on SIGTERM."""
        self._stopping = True
        self.spawn(self._stop())

    async def _main(self) -> None:
        while True:
            try:
                await self._watch.start(3.0)
                break
            except StoreUnavailable:
                await asyncio.sleep(1)
        self._started = True
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch.run())
            group.create_task(self._senders.run())
            group.create_task(self._recovery.run())
            group.create_task(self._fill_check.run())

    async def _stop(self) -> None:
        await self._senders.drain(GRACE_S)
        self._loop.kill(self.process)


def engine_settings(timing: Timing, batch_size: int, max_attempts: int) -> EngineSettings:
    """Short times, and a circuit that opens and closes several times while faults last."""
    connect_ms, settle_s = round(timing.connect_s * 1000), timing.answered_settle_s
    call_ms = round((timing.connect_s + timing.total_s) * 1000)
    return EngineSettings(
        execution_service=ExecutionServiceSettings(
            base_url="ledger",
            connect_timeout_ms=connect_ms,
            total_timeout_ms=call_ms - connect_ms,
            answered_settle_ms=None if settle_s is None else round(settle_s * 1000),
        ),
        batch=ExecutionBatchSettings(size=batch_size, max_concurrent=2),
        retry=RetrySettings(
            max_attempts=max_attempts,
            initial_delay_ms=200,
            max_delay_ms=3000,
            give_up_after_s=timing.give_up_s,
        ),
        circuit=CircuitSettings(
            slow_call_ms=round(timing.total_s * 500),
            window_calls=2 * timing.circuit_calls,
            minimum_calls=timing.circuit_calls,
            open_ms=500,
            open_max_ms=5000,
            retry_after_max_ms=10_000,
        ),
        submission=SubmissionSettings(
            wait_s=timing.wait_s,
            settle_time_ms=round(timing.settle_s * 1000),
            lease_margin_ms=round(timing.lease_s * 1000) - call_ms,
            look_up_max_pages=LOOK_UP_MAX_PAGES,
            recovery_poll_ms=round(timing.poll_s * 1000),
            recovery_batch_limit=20,
            recovery_hold_ms=3000,
            recovery_grace_ms=2000,
            look_up_max_delay_ms=5000,
        ),
    )
