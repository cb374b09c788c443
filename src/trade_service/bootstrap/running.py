"""Starts and stops: the database, the operators' tools on it, and the whole service."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from trade_service import __version__
from trade_service.bootstrap.container import BACKLOG_ATTEMPTS, Services, status_ids
from trade_service.execution_service.client import ExecutionServiceClient
from trade_service.observability.extensions import installed_listeners
from trade_service.observability.metrics import (
    BacklogGauges,
    BulkExecutionMetrics,
    Readings,
    register_readings,
)
from trade_service.observability.submission_log import SubmissionLog
from trade_service.settings.tree import Settings
from trade_service.store.database import Database
from trade_service.store.downstream_store import PostgresDownstreamStore
from trade_service.store.embedded import EmbeddedPostgres, default_data_dir
from trade_service.store.migrate import check, migrate
from trade_service.store.migrations import MigrationError
from trade_service.store.operator_store import PostgresOperatorStore, PostgresRestoreStore
from trade_service.store.pause_store import PostgresPauseStore
from trade_service.store.promises import require_alone, require_promises
from trade_service.store.reference_store import PostgresReferenceReads
from trade_service.store.reports import PostgresBacklog, PostgresPastAttempts
from trade_service.submission.clock import SystemClock
from trade_service.submission.events import EventBus
from trade_service.trading.failed_executions import FailureCheck
from trade_service.trading.operating import OperatorService
from trade_service.trading.pausing import PauseService
from trade_service.trading.restoring import DatabaseRestorer

if TYPE_CHECKING:  # OpenTelemetry is imported only where the settings name an address.
    from trade_service.observability.tracing import Tracing

FIRST_READ_S = 3.0
"""How long start-up waits for the first read of the Execution Service's ledger; until then executions queue."""

EXPORT_S = 3.0
"""Time-out of an export including its retries; a shutdown waits for the last one."""

Progress = Callable[[str], None]
Loop = Callable[[], Coroutine[Any, Any, None]]


def data_dir(settings: Settings) -> Path:
    """The data folder of the embedded PostgreSQL."""
    return settings.database.data_path or default_data_dir()


@asynccontextmanager
async def open_database(settings: Settings, progress: Progress) -> AsyncIterator[Database]:
    """The configured database, else the embedded one, started if necessary."""
    section = settings.database
    async with AsyncExitStack() as stack:
        if section.url is None:
            server = await stack.enter_async_context(
                EmbeddedPostgres.running(data_dir(settings), progress=progress)
            )
            section = msgspec.structs.replace(section, url=server.dsn)
        yield await stack.enter_async_context(Database(section))


@asynccontextmanager
async def prepared_database(settings: Settings, progress: Progress) -> AsyncIterator[Database]:
    """A migrated database. Migrates the embedded one; raises MigrationError if a configured one is pending."""
    async with open_database(settings, progress) as database:
        if settings.database.url is not None and (await check(database)).pending:
            raise MigrationError(
                "the database is not set up for this release: run `trade-service db migrate`, or start the "
                "service, before reading from it"
            )
        await migrate(database, progress)
        yield database


@asynccontextmanager
async def operating(settings: Settings, progress: Progress) -> AsyncIterator[OperatorService]:
    """The operators' use cases, directly on the database, whether or not the service is running.

    Raises StoreUnavailable, EmbeddedPostgresError, MigrationError or CannotStart.
    """
    events, clock = EventBus(), SystemClock()
    events.subscribe(SubmissionLog(clock.monotonic))
    async with (
        prepared_database(settings, progress) as database,
        ExecutionServiceClient(settings.execution_service, clock) as ledger,
    ):
        await _check_promises(database, settings, progress)
        store = PostgresOperatorStore(
            database, clock, *status_ids(await PostgresReferenceReads(database).load())
        )
        yield OperatorService(store, ledger, events, settings.submission.look_up_max_pages)


@asynccontextmanager
async def pausing(settings: Settings, progress: Progress) -> AsyncIterator[PauseService]:
    """Pauses and resumes sending, whether or not the service is running; raises as `operating` does."""
    async with prepared_database(settings, progress) as database:
        yield PauseService(PostgresPauseStore(database))


@asynccontextmanager
async def restoring(settings: Settings, progress: Progress) -> AsyncIterator[DatabaseRestorer]:
    """Recovers a restored database, whether or not the service is running; raises as `operating` does."""
    clock = SystemClock()
    async with (
        prepared_database(settings, progress) as database,
        ExecutionServiceClient(settings.execution_service, clock) as ledger,
    ):
        yield DatabaseRestorer(
            PostgresRestoreStore(database, clock),
            PostgresDownstreamStore(database),
            ledger,
            settings.engine.settle_ms,
            settings.submission.look_up_max_pages,
        )


@asynccontextmanager
async def running_services(settings: Settings, progress: Progress) -> AsyncIterator[Services]:
    """The whole service at work.

    Starts the database, the clients, the services, their listeners and then the loops. Stops in reverse: first
    executions in flight get the grace period to finish, then loops end and connections close.

    Raises StoreUnavailable, UnsafeDatabase, OtherProgram, EmbeddedPostgresError, MigrationError or CannotStart.
    """
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        database = await enter(open_database(settings, progress))
        await _check_promises(database, settings, progress)
        await require_alone(database, settings.database.refused_programs)
        await _migrate(database, settings, progress)

        tracing = await enter(_exported_traces(settings))
        headers_of = None if tracing is None else tracing.headers_of
        gateway = await enter(ExecutionServiceClient(settings.execution_service, SystemClock(), headers_of))
        probes = await enter(database.narrowed())  # of its own, so that a busy pool does not fail readiness

        services = Services(settings, database, gateway, probes)
        services.tracing = tracing
        services.operators_database = await enter(database.narrowed())
        await services.wire()
        for part in (services.reference_services, services.names, services.totals):
            await enter(part)

        loops = [*_loops(services), _logged(services, stack), *_measured(services)]
        if tracing is not None:
            services.events.subscribe(tracing)
        services.listeners = await enter(installed_listeners(services.events))

        await services.ledger_watch.start(FIRST_READ_S)
        async with _at_work(services, loops):
            yield services


async def _migrate(database: Database, settings: Settings, progress: Progress) -> None:
    if settings.database.migrate:
        await migrate(database, progress)
    elif (await check(database)).pending:
        raise MigrationError(
            "the database lacks migrations of this release, and database.migrate is false: run "
            "`trade-service db migrate`"
        )


async def _check_promises(database: Database, settings: Settings, progress: Progress) -> None:
    for warning in await require_promises(database, settings.database.allow_data_loss):
        progress(f"trade-service: warning: the database: {warning}")
    if database.pooler:
        progress(f"trade-service: the database: {database.pooler}")


def _loops(services: Services) -> list[Loop]:
    loops: list[Loop] = [
        services.sender.run,
        services.recovery.run,
        services.ledger_watch.run,
        *(sweep.run for sweep in services.sweeps()),
        FailureCheck(services.failures, services.clock).run,
        services.names.run,
        services.key_uses.run,
        services.heartbeat.run,
        services.audits.run,
    ]
    if services.settings.fills.check_every_s:
        loops.append(services.fill_check().run)
    return loops


def _logged(services: Services, stack: AsyncExitStack) -> Loop:
    """Subscribes the log of submissions, open until the very end; returns its loop."""
    log, clock = services.settings.log, services.clock
    histories = PostgresPastAttempts(services.database, services.settings.engine.give_up_after_ms)
    writes = SubmissionLog(clock.monotonic, log.failure_lines, log.failure_window_s, histories.tries_of)
    services.events.subscribe(writes, after_answers=True)
    stack.callback(writes.close)
    return lambda: writes.run(clock.sleep)


@asynccontextmanager
async def _exported_traces(settings: Settings) -> AsyncIterator["Tracing | None"]:
    """Exports traces until the context ends, and flushes them; None without an address."""
    url = settings.telemetry.effective_traces_url
    if url is None:
        yield None
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.util.re import parse_env_headers

    from trade_service.observability.tracing import Tracing, tracer_provider

    given = settings.telemetry.traces_headers or settings.telemetry.headers
    headers = None if given is None else parse_env_headers(given, liberal=True)
    provider = tracer_provider(OTLPSpanExporter(url, headers=headers, timeout=EXPORT_S), __version__)
    try:
        yield Tracing(provider)
    finally:
        await asyncio.to_thread(provider.shutdown)


def _measured(services: Services) -> list[Loop]:
    """Registers the metrics; returns the loops that update and push them."""
    registry, settings, sleep = services.registry, services.settings.telemetry, services.clock.sleep
    loops: list[Loop] = []
    if registry is None:
        return loops
    if services.settings.batch.metrics_enabled:
        services.events.subscribe(BulkExecutionMetrics(registry), after_answers=True)
        register_readings(registry, _readings(services))
        read = PostgresBacklog(services.database, BACKLOG_ATTEMPTS).read
        loops.append(BacklogGauges(registry, read, settings.backlog_every_s, sleep).run)
    if settings.effective_metrics_url is not None:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.util.re import parse_env_headers

        from trade_service.observability.otlp_metrics import OtlpPush

        given = settings.metrics_headers or settings.headers
        headers = None if given is None else parse_env_headers(given, liberal=True)
        exporter = OTLPMetricExporter(settings.effective_metrics_url, headers=headers, timeout=EXPORT_S)
        instance = services.owner if services.settings.server.workers > 1 else None
        every_s = settings.push_every_ms / 1000
        loops.append(OtlpPush(registry, exporter, __version__, every_s, sleep, instance).run)
    return loops


def _readings(services: Services) -> Readings:
    return {
        "trade_service_batches_in_flight": (
            "Batches between claim and record.",
            lambda: services.sender.in_flight,
        ),
        "trade_service_queue_executions": (
            "Fresh executions waiting for a sender in this process.",
            lambda: services.queue.fresh_count,
        ),
        "trade_service_queue_limit": (
            "Maximum number of waiting executions before callers are refused.",
            lambda: services.queue.limit,
        ),
        "trade_service_concurrency_limit": (
            "Current limit of batches in flight.",
            lambda: services.admission.concurrency.limit,
        ),
        "trade_service_waited_for_executions": (
            "Executions that callers of this process are waiting for.",
            lambda: len(services.waiters),
        ),
        "trade_service_listener_failures": (
            "Events that a listener failed to handle, since the start.",
            lambda: services.events.failures + sum(one.failures for one in services.listeners),
        ),
        "trade_service_listener_missed_events": (
            "Events dropped because the queue of an installed listener was full, since the start.",
            lambda: sum(one.missed for one in services.listeners),
        ),
    }


@asynccontextmanager
async def _at_work(services: Services, loops: Sequence[Loop]) -> AsyncIterator[None]:
    """Runs the loops; however the body ends, what is in flight gets its grace period."""
    failure: Exception | None = None
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(loop()) for loop in loops]
        try:
            yield
        except Exception as error:  # noqa: BLE001  # raised below, and not as part of a group
            failure = error
        finally:
            services.begin_stop()
            try:
                await services.sender.drain(services.grace_left_s)
            finally:
                for task in tasks:
                    task.cancel()
    if failure is not None:
        raise failure
