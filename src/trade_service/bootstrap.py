"""The only wiring: settings in, a running service out."""

import asyncio
import os
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncEngine

from trade_service import __version__
from trade_service.domain.reference import STATUS_NEW, STATUS_SENT
from trade_service.execution_service.client import ClientSettings, ExecutionServiceClient
from trade_service.observability.submission_log import log_submission
from trade_service.settings import Settings
from trade_service.store.embedded import EmbeddedPostgres, default_data_dir
from trade_service.store.engine import StoreSettings, create_engine
from trade_service.store.execution_reads import PostgresExecutionReads
from trade_service.store.migrate import MigrationError, check, migrate
from trade_service.store.order_store import PostgresOrderStore
from trade_service.store.reference_store import PostgresReferenceReads
from trade_service.store.submission_store import PostgresSubmissionStore
from trade_service.submission.admission import Admission
from trade_service.submission.batch_processor import ExecutionBatchProcessor
from trade_service.submission.board import OutcomeBoard
from trade_service.submission.breaker import CircuitSettings
from trade_service.submission.clock import SystemClock
from trade_service.submission.coalescer import Coalescer
from trade_service.submission.events import EventBus
from trade_service.submission.failure_handler import TRANSIENT_WORDS, ExecutionFailureHandler, RetryPolicy
from trade_service.submission.ports import StoreUnavailable
from trade_service.submission.recovery import Recovery, RecoverySettings
from trade_service.submission.service import BulkExecutionSubmissionService, SubmissionSettings
from trade_service.submission.work_queue import WorkQueue
from trade_service.trading.executions import ExecutionService
from trade_service.trading.reference import ReferenceCache
from trade_service.trading.trade_orders import TradeOrderService

if TYPE_CHECKING:
    from litestar import Litestar

Progress = Callable[[str], None]

REFERENCE_TTL_S = 30.0
LAST_GRACE_S = 1.0
WINDOW_BATCHES = 4
"""A stream keeps this many batches for each sender under way: enough that none waits for work."""


class CannotStart(Exception):
    """The database lacks what the service cannot do without; the message says what."""


class Services:
    """Everything that runs, for whoever serves it."""

    def __init__(self, settings: Settings, engine: AsyncEngine, gateway: ExecutionServiceClient) -> None:
        self.settings = settings
        self.engine = engine
        self.gateway = gateway
        self.clock = SystemClock()
        self.owner = f"{socket.gethostname()[:40]}:{os.getpid()}:{secrets.token_hex(4)}"
        self.events = EventBus()
        self.board = OutcomeBoard()
        self.queue = WorkQueue(settings.batch.queue_limit)
        self.handler = ExecutionFailureHandler(retry_policy(settings))
        self.admission = Admission(
            self.clock, self.events, circuit_settings(settings), settings.batch.max_concurrent
        )
        self.references = ReferenceCache(PostgresReferenceReads(engine), REFERENCE_TTL_S, self.clock)
        self.submissions: BulkExecutionSubmissionService
        self.coalescer: Coalescer
        self.recovery: Recovery
        self.orders: TradeOrderService
        self.executions: ExecutionService
        self.stopping = False
        self._stop_began = 0.0

    def begin_stop(self) -> None:
        """Not ready from now on; the grace for all that is in flight begins."""
        if not self.stopping:
            self.stopping = True
            self._stop_began = self.clock.boottime()

    @property
    def grace_left_s(self) -> float:
        """What is left of the grace; the last step of a stop always gets a moment."""
        elapsed_s = self.clock.boottime() - self._stop_began
        return max(LAST_GRACE_S, self.settings.server.shutdown_grace_s - elapsed_s)

    async def check_database(self) -> None:
        """Raises StoreUnavailable, saying why, unless the database answers and has all its migrations."""
        if (await check(self.engine)).pending:
            raise StoreUnavailable(
                "the database lacks migrations of this release: run `trade-service db migrate`"
            )

    async def wire(self) -> None:
        """Builds what needs the database's reference data; raises StoreUnavailable and CannotStart."""
        settings = self.settings
        reference = await self.references.get()
        new, sent = reference.status_named(STATUS_NEW), reference.status_named(STATUS_SENT)
        if new is None or sent is None:
            raise CannotStart(
                f"the table execution_status lacks {STATUS_NEW} or {STATUS_SENT}, without which nothing can "
                "be submitted: insert the missing row"
            )
        store = PostgresSubmissionStore(
            self.engine, self.clock, self.owner, settings.settle_time_ms, new.id, sent.id
        )
        self._wire_submission(store)
        self.orders = TradeOrderService(
            PostgresOrderStore(self.engine, self.owner),
            self.references,
            self.submissions,
            self.queue,
            self.clock,
        )
        self.executions = ExecutionService(
            PostgresExecutionReads(self.engine, self.owner),
            self.references,
            self.submissions,
            self.queue,
            self.clock,
        )

    def _wire_submission(self, store: PostgresSubmissionStore) -> None:
        settings = self.settings
        batch_size = settings.batch.effective_size
        self.submissions = BulkExecutionSubmissionService(
            store,
            self.gateway,
            self.clock,
            ExecutionBatchProcessor(batch_size, settings.execution_service.trade_types),
            self.handler,
            self.queue,
            self.board,
            self.events,
            self.admission,
            submission_settings(settings, self.owner),
        )
        self.coalescer = Coalescer(
            self.queue,
            self.submissions.process_batch,
            self.admission,
            batch_size,
            settings.batch.max_concurrent,
            settings.batch.linger_ms / 1000,
            self.clock.sleep,
        )
        self.recovery = Recovery(
            store,
            self.gateway,
            self.clock,
            self.handler,
            self.queue,
            self.board,
            self.events,
            self.admission,
            recovery_settings(settings, self.owner),
        )
        self.submissions.on_open = self.recovery.due_in


def retry_policy(settings: Settings) -> RetryPolicy:
    """The retry rules of the settings."""
    retry = settings.retry
    return RetryPolicy(
        max_attempts=retry.max_attempts,
        initial_delay_ms=retry.initial_delay_ms,
        multiplier=retry.multiplier,
        max_delay_ms=retry.max_delay_ms,
        retry_failed_individually=settings.batch.retry_failed_individually,
        look_up_max_delay_ms=settings.submission.look_up_max_delay_ms,
        transient_words=TRANSIENT_WORDS + settings.execution_service.transient_message_patterns,
    )


def circuit_settings(settings: Settings) -> CircuitSettings:
    """When the Execution Service is not called for a while."""
    circuit = settings.circuit
    return CircuitSettings(
        enabled=circuit.enabled,
        window_calls=circuit.window_calls,
        minimum_calls=circuit.minimum_calls,
        failure_rate_pct=circuit.failure_rate_pct,
        slow_call_ms=settings.slow_call_ms,
        slow_rate_pct=circuit.slow_rate_pct,
        open_ms=circuit.open_ms,
        open_max_ms=circuit.open_max_ms,
        half_open_probes=circuit.half_open_probes,
        retry_after_max_ms=circuit.retry_after_max_ms,
    )


def submission_settings(settings: Settings, owner: str) -> SubmissionSettings:
    """The times of an attempt: the lease outlasts connecting, the whole call and a margin."""
    downstream = settings.execution_service
    call_ms = downstream.connect_timeout_ms + downstream.effective_total_timeout_ms
    return SubmissionSettings(
        owner=owner,
        lease_ms=call_ms + settings.submission.lease_margin_ms,
        call_ms=call_ms,
        settle_ms=settings.settle_time_ms,
        give_up_after_ms=round(settings.retry.give_up_after_s * 1000),
        wait_s=settings.submission.wait_s,
        window=WINDOW_BATCHES * settings.batch.max_concurrent * settings.batch.effective_size,
    )


def recovery_settings(settings: Settings, owner: str) -> RecoverySettings:
    """The pacing of recovery."""
    return RecoverySettings(
        owner=owner,
        batch_size=settings.batch.effective_size,
        poll_s=settings.submission.recovery_poll_ms / 1000,
        take_limit=settings.submission.recovery_batch_limit,
        hold_ms=settings.submission.recovery_hold_ms,
        observer_grace_ms=settings.submission.recovery_grace_ms,
        look_up_max_pages=settings.submission.look_up_max_pages,
    )


def client_settings(settings: Settings) -> ClientSettings:
    """How the Execution Service is called."""
    downstream = settings.execution_service
    return ClientSettings(
        base_url=downstream.base_url,
        connect_timeout_s=downstream.connect_timeout_ms / 1000,
        read_timeout_s=downstream.read_timeout_ms / 1000,
        total_timeout_s=downstream.effective_total_timeout_ms / 1000,
        max_connections=downstream.max_connections,
        max_response_bytes=downstream.max_response_bytes,
        user_agent=f"trade-service/{__version__}",
    )


def web_app(services: Services) -> "Litestar":
    """The HTTP application over running services."""
    from trade_service.web.app import create_app
    from trade_service.web.services import WebServices, WebSettings

    server = services.settings.server
    return create_app(
        WebServices(services.orders, services.executions, services.references, services),
        WebSettings(
            max_body_bytes=server.max_body_bytes,
            request_timeout_s=server.request_timeout_s,
            max_concurrent_requests=server.max_concurrent_requests,
            cors_allow_origins=server.cors_allow_origins,
            wait_s=services.settings.submission.wait_s,
        ),
    )


def data_dir(settings: Settings) -> Path:
    """Where the embedded PostgreSQL keeps its data."""
    return settings.database.data_path or default_data_dir()


@asynccontextmanager
async def open_database(settings: Settings, progress: Progress) -> AsyncIterator[AsyncEngine]:
    """A pool on the database of the settings: the one named, else the embedded one, started if need be."""
    database = settings.database
    async with AsyncExitStack() as stack:
        url = database.url
        if url is None:
            server = await stack.enter_async_context(
                EmbeddedPostgres.running(data_dir(settings), progress=progress)
            )
            url = server.dsn
        engine = create_engine(
            StoreSettings(
                url=url,
                pool_size=database.pool_size,
                pool_timeout_s=database.pool_timeout_s,
                connect_timeout_s=database.connect_timeout_s,
                statement_timeout_s=database.statement_timeout_s,
                prepared_statements=database.prepared_statements,
            )
        )
        stack.push_async_callback(engine.dispose)
        yield engine


@asynccontextmanager
async def prepared_database(settings: Settings, progress: Progress) -> AsyncIterator[AsyncEngine]:
    """A database to read from: ours is set up if need be, one of the user's has to be set up already.

    Raises MigrationError when it is not.
    """
    async with open_database(settings, progress) as engine:
        if settings.database.url is not None and (await check(engine)).pending:
            raise MigrationError(
                "the database is not set up for this release: run `trade-service db migrate`, or start the "
                "service, before reading from it"
            )
        await migrate(engine, progress)
        yield engine


@asynccontextmanager
async def running_services(settings: Settings, progress: Progress) -> AsyncIterator[Services]:
    """The whole service at work: migrated database, senders, recovery; drained and closed at the end.

    Raises StoreUnavailable, EmbeddedPostgresError or MigrationError when it cannot start.
    """
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(open_database(settings, progress))
        await migrate(engine, progress)
        gateway = await stack.enter_async_context(
            ExecutionServiceClient(client_settings(settings), SystemClock())
        )
        services = Services(settings, engine, gateway)
        await services.wire()
        services.events.subscribe(log_submission)
        await services.submissions.start()
        async with _at_work(services):
            yield services


@asynccontextmanager
async def _at_work(services: Services) -> AsyncIterator[None]:
    """Senders and recovery run; however the body ends, what is in flight gets its grace to finish."""
    failure: Exception | None = None
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(services.coalescer.run()), group.create_task(services.recovery.run())]
        try:
            yield
        except Exception as error:  # noqa: BLE001  # raised again below, and not inside a group
            failure = error
        finally:
            services.begin_stop()
            try:
                await services.coalescer.drain(services.grace_left_s)
            finally:
                for task in tasks:
                    task.cancel()
    if failure is not None:
        raise failure
