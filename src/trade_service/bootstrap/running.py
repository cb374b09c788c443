"""A database opened, the whole service at work on it, drained and closed at the end."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from trade_service.bootstrap.metrics import measure
from trade_service.bootstrap.services import Services, status_ids
from trade_service.bootstrap.telemetry import exported_traces, pushed_metrics
from trade_service.execution_service.client import ExecutionServiceClient
from trade_service.observability.extensions import installed_listeners
from trade_service.observability.submission_log import SubmissionLog
from trade_service.settings.model import Settings
from trade_service.store.attempt_reads import PostgresGivenUp
from trade_service.store.database import Database
from trade_service.store.downstream_store import PostgresDownstreamStore
from trade_service.store.embedded import EmbeddedPostgres, default_data_dir
from trade_service.store.migrate import MigrationError, check, migrate
from trade_service.store.operator_store import PostgresOperatorStore
from trade_service.store.promises import require_promises
from trade_service.store.reference_store import PostgresReferenceReads
from trade_service.store.restore_store import PostgresRestoreStore
from trade_service.submission.clock import SystemClock
from trade_service.submission.events import EventBus
from trade_service.trading.operating import OperatorService
from trade_service.trading.restoring import DatabaseRestorer

if TYPE_CHECKING:
    from trade_service.observability.tracing import Tracing

FIRST_READ_S = 3.0
"""How long a start waits for the Execution Service's ledger; what comes in before it is read is queued."""

Progress = Callable[[str], None]
Loop = Callable[[], Coroutine[Any, Any, None]]


def data_dir(settings: Settings) -> Path:
    """Where the embedded PostgreSQL keeps its data."""
    return settings.database.data_path or default_data_dir()


@asynccontextmanager
async def open_database(settings: Settings, progress: Progress) -> AsyncIterator[Database]:
    """A pool on the database of the settings: the one named, else the embedded one, started if need be."""
    section = settings.database
    async with AsyncExitStack() as stack:
        url = section.url
        if url is None:
            server = await stack.enter_async_context(
                EmbeddedPostgres.running(data_dir(settings), progress=progress)
            )
            url = server.dsn
        yield await stack.enter_async_context(Database(msgspec.structs.replace(section, url=url)))


@asynccontextmanager
async def prepared_database(settings: Settings, progress: Progress) -> AsyncIterator[Database]:
    """A database to read from: ours is set up if need be, one of the user's has to be set up already.

    Raises MigrationError when it is not.
    """
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
    """What operators do, straight on the database, whether or not the service runs beside it.

    Raises StoreUnavailable, EmbeddedPostgresError, MigrationError or CannotStart when it cannot start.
    """
    events, clock = EventBus(), SystemClock()
    events.subscribe(SubmissionLog(clock.boottime))
    async with (
        prepared_database(settings, progress) as database,
        ExecutionServiceClient(settings.execution_service, clock) as books,
    ):
        await _check_promises(database, settings, progress)
        store = PostgresOperatorStore(
            database, clock, *status_ids(await PostgresReferenceReads(database).load())
        )
        yield OperatorService(store, books, events, settings.submission.look_up_max_pages)


@asynccontextmanager
async def restoring(settings: Settings, progress: Progress) -> AsyncIterator[DatabaseRestorer]:
    """What recovers a restored database, whether or not the service runs beside it; raises as `operating` does."""
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
    """The whole service at work: migrated database, senders, recovery; drained and closed at the end.

    Raises StoreUnavailable, UnsafeDatabase, EmbeddedPostgresError or MigrationError when it cannot start.
    """
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings, progress))
        await _check_promises(database, settings, progress)
        await migrate(database, progress)
        tracing = await stack.enter_async_context(exported_traces(settings))
        gateway = await stack.enter_async_context(_client(settings, tracing))
        # A busy pool is no reason to be called not ready.
        probes = await stack.enter_async_context(database.narrowed())
        services = Services(settings, database, gateway, probes)
        services.tracing = tracing
        await services.wire()
        for part in (services.reference_services, services.names, services.totals):
            await stack.enter_async_context(part)
        log = _logged(services, stack)
        background: list[Loop] = [services.names.run, log]
        if settings.fills.check_every_s:
            background.append(services.fill_check().run)
        if services.registry is not None:
            if settings.batch.metrics_enabled:
                background.append(measure(services, services.registry).run)
            push = pushed_metrics(settings, services.registry)
            if push is not None:
                background.append(push.run)
        if tracing is not None:
            services.events.subscribe(tracing.batches)
        services.listeners = await stack.enter_async_context(installed_listeners(services.events))
        await services.gate.start(FIRST_READ_S)
        async with _at_work(services, background):
            yield services


async def _check_promises(database: Database, settings: Settings, progress: Progress) -> None:
    for warning in await require_promises(database, settings.database.allow_data_loss):
        progress(f"trade-service: warning: the database: {warning}")


def _logged(services: Services, stack: AsyncExitStack) -> Loop:
    """Everything that happens is logged, until the very end; what is returned has to be run."""
    log, clock = services.settings.log, services.clock
    histories = PostgresGivenUp(services.database, round(services.settings.retry.give_up_after_s * 1000))
    writes = SubmissionLog(clock.boottime, log.failure_lines, log.failure_window_s, histories.tries_of)
    services.events.subscribe(writes)
    stack.callback(writes.close)
    return lambda: writes.run(clock.sleep)


def _client(settings: Settings, tracing: "Tracing | None") -> ExecutionServiceClient:
    if tracing is None:
        return ExecutionServiceClient(settings.execution_service, SystemClock())
    return ExecutionServiceClient(settings.execution_service, SystemClock(), tracing.batches.headers_of)


@asynccontextmanager
async def _at_work(services: Services, background: Sequence[Loop]) -> AsyncIterator[None]:
    """Senders, recovery and `background` run; however the body ends, what is in flight gets its grace."""
    failure: Exception | None = None
    async with asyncio.TaskGroup() as group:
        loops: list[Loop] = [
            services.sender.run,
            services.recovery.run,
            services.gate.run,
            *(sweep.run for sweep in services.sweeps()),
            *background,
        ]
        tasks = [group.create_task(loop()) for loop in loops]
        try:
            yield
        except Exception as error:  # noqa: BLE001  # raised again below, and not inside a group
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
