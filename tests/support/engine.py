"""The whole engine on a real database and an Execution Service simulator, with short times."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal

import msgspec

from trade_service.execution_service import wire
from trade_service.execution_service.client import ExecutionServiceClient
from trade_service.store.database import Database
from trade_service.store.downstream_store import PostgresDownstreamStore
from trade_service.store.statements import Statement
from trade_service.store.submission_store import PostgresSubmissionStore
from trade_service.submission.admission import Admission, DownstreamGate
from trade_service.submission.batch_processor import ExecutionBatchProcessor
from trade_service.submission.clock import AlarmClock, SystemClock
from trade_service.submission.engine_settings import (
    CircuitSettings,
    EngineSettings,
    ExecutionBatchSettings,
    ExecutionServiceSettings,
    RetrySettings,
    SubmissionSettings,
)
from trade_service.submission.events import BatchSubmissionEvent, EventBus, Listener, SubmissionEvent
from trade_service.submission.failure_handler import ExecutionFailureHandler
from trade_service.submission.ledger_watch import LedgerWatch
from trade_service.submission.ports import ExecutionGateway
from trade_service.submission.recovery import Recovery
from trade_service.submission.service import BulkExecutionSubmissionService
from trade_service.submission.waiters import Waiters
from trade_service.submission.work_queue import Intake, Senders, WorkQueue

SETTLE_MS = 300
CALL_MS = 400
LEASE_MARGIN_MS = 1_000
"""How long a busy machine may take from a claim to its call."""
NO_CIRCUIT = CircuitSettings(enabled=False, slow_call_ms=60_000)
"""Most tests script failures and need every call."""


class Engine(msgspec.Struct):
    """A running engine."""

    database: Database
    service: BulkExecutionSubmissionService
    queue: WorkQueue
    waiters: Waiters
    intake: Intake
    bus: EventBus
    events: list[SubmissionEvent]
    admission: Admission

    @property
    def batches(self) -> list[BatchSubmissionEvent]:
        """Batches sent, in order."""
        return [event for event in self.events if isinstance(event, BatchSubmissionEvent)]


def client_settings(base_url: str) -> ExecutionServiceSettings:
    """Time-outs that a test can wait for."""
    return ExecutionServiceSettings(
        base_url=base_url,
        connect_timeout_ms=CALL_MS,
        read_timeout_ms=CALL_MS,
        total_timeout_ms=CALL_MS,
        max_connections=16,
        max_response_bytes=1_000_000,
    )


def engine_settings(
    batch: ExecutionBatchSettings, max_attempts: int, wait_s: float, give_up_after_s: float
) -> EngineSettings:
    """Delays that a test can wait for."""
    return EngineSettings(
        execution_service=ExecutionServiceSettings(
            base_url="http://ledger", connect_timeout_ms=CALL_MS, total_timeout_ms=CALL_MS
        ),
        batch=batch,
        retry=RetrySettings(
            max_attempts=max_attempts,
            initial_delay_ms=20,
            max_delay_ms=100,
            give_up_after_s=give_up_after_s,
        ),
        submission=SubmissionSettings(
            wait_s=wait_s,
            settle_time_ms=SETTLE_MS,
            lease_margin_ms=LEASE_MARGIN_MS,
            look_up_max_pages=1000,
            recovery_poll_ms=200,
            recovery_hold_ms=1000,
            recovery_grace_ms=500,
        ),
    )


@asynccontextmanager
async def running_engine(
    database: Database,
    gateway: ExecutionGateway,
    *,
    owner: str = "test",
    batch_size: int = 100,
    max_concurrent: int = 4,
    max_attempts: int = 5,
    wait_s: float = 20.0,
    give_up_after_ms: int = 60_000,
    queue_limit: int = 20_000,
    circuit: CircuitSettings = NO_CIRCUIT,
    listeners: Sequence[Listener] = (),
) -> AsyncIterator[Engine]:
    """An engine with senders and recovery running, on an open gateway; without a circuit unless given one."""
    clock, events, waiters, queue = SystemClock(), EventBus(), Waiters(), WorkQueue(queue_limit)
    store = PostgresSubmissionStore(database, clock, owner, SETTLE_MS, 1, 2)
    settings = engine_settings(
        ExecutionBatchSettings(size=batch_size, max_concurrent=max_concurrent),
        max_attempts,
        wait_s,
        give_up_after_ms / 1000,
    )
    admission = Admission(clock, events, circuit, max_concurrent)
    handler = ExecutionFailureHandler(settings, look_up_delay_ms=50)
    processor = ExecutionBatchProcessor(batch_size, encode=wire.encode_batch)
    downstream = PostgresDownstreamStore(database)
    gate = DownstreamGate(events)
    watch = LedgerWatch(gate, downstream, gateway, clock, events, settings)
    recovery_due = AlarmClock(clock)
    intake = Intake(store, clock, processor, queue, waiters, gate, settings)
    parts = (handler, queue, waiters, events, admission, gate)
    service = BulkExecutionSubmissionService(
        store, gateway, clock, processor, *parts, intake, recovery_due, owner, settings
    )
    sender = Senders(
        queue, service.process_batch, admission, gate.wait_open, batch_size, max_concurrent, 0, clock.sleep
    )
    recovery = Recovery(store, gateway, clock, *parts, downstream, recovery_due, owner, settings)
    seen: list[SubmissionEvent] = []
    for listener in (seen.append, *listeners):
        events.subscribe(listener)
    await watch.start(5.0)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(run()) for run in (watch.run, sender.run, recovery.run)]
        try:
            yield Engine(database, service, queue, waiters, intake, events, seen, admission)
        finally:
            for task in tasks:
                task.cancel()


@asynccontextmanager
async def engine_on(database: Database, base_url: str, **options: object) -> AsyncIterator[Engine]:
    """An engine whose gateway is the real client on `base_url`."""
    async with ExecutionServiceClient(client_settings(base_url), SystemClock()) as client:
        async with running_engine(database, client, **options) as engine:  # type: ignore[arg-type]
            yield engine


async def executions_in(database: Database, count: int, quantity: Decimal = Decimal(10)) -> list[int]:
    """Creates `count` executions of separate orders, never submitted; returns their ids."""
    orders = await database.fetch(_INSERT_ORDERS, count=count, quantity=quantity)
    rows = await database.fetch(_INSERT_EXECUTIONS, orders=[row[0] for row in orders], quantity=quantity)
    return sorted(row[0] for row in rows)


_INSERT_ORDERS = Statement.parsed("""
INSERT INTO trade_order (order_id, portfolio_id, order_type, security_id, quantity, quantity_sent, submitted)
SELECT (SELECT coalesce(max(order_id), 0) FROM trade_order) + i, 'P', 'BUY', 'S' || i, :quantity::numeric,
       :quantity, true
FROM generate_series(1, :count::int) i
RETURNING id
""")
_INSERT_EXECUTIONS = Statement.parsed("""
INSERT INTO execution
    (execution_status_id, trade_type_id, trade_order_id, destination_id, quantity_ordered, quantity_placed,
     submission_state)
SELECT 1, 1, o, 1, :quantity::numeric, 0, 'none' FROM unnest(:orders::int[]) o
RETURNING id
""")
_STATES = Statement.parsed("SELECT submission_state, count(*) FROM execution GROUP BY 1")


async def until(condition: Callable[[], bool], timeout_s: float = 15.0) -> None:
    """Waits until `condition` holds; fails after `timeout_s`."""
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.005)


async def states_of(database: Database) -> dict[str, int]:
    """Counts of executions by submission state."""
    return {row[0]: row[1] for row in await database.fetch(_STATES)}
