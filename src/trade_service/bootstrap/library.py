"""The service as a library: `trade_service.open` runs it in the caller's own process."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from trade_service.bootstrap.container import Services
from trade_service.bootstrap.running import running_services
from trade_service.domain.access import MAX_NAME_CHARS, KnownBy, Requester
from trade_service.domain.orders import NewTradeOrder, Submission, TradeOrder
from trade_service.observability.logs import log_to_standard_library
from trade_service.settings.load import load_settings
from trade_service.submission.events import REQUESTER
from trade_service.submission.model import BulkSubmitResult
from trade_service.trading.model import ExecutionView, SubmittedOrder

T = TypeVar("T")

_log = logging.getLogger("trade_service")


class TradeService:
    """A running service: all that `trade-service serve` does, except HTTP. `trade_service.open` makes one.

    Methods may be called concurrently. Cancelling a call stops only the waiting: what is durable is sent. Every
    method raises StoreUnavailable if the database does not answer.
    """

    def __init__(self, services: Services, caller: str) -> None:
        self._services = services
        audited = services.settings.audit_log.enabled
        self._caller = Requester(caller[:MAX_NAME_CHARS], KnownBy.NONE, is_audited=audited)

    async def create_orders(self, orders: Sequence[NewTradeOrder]) -> list[TradeOrder]:
        """Creates 1 to 1000 trade orders, all or none, and returns them in the order given.

        Raises InvalidInput, TooMany, NotFound for an unknown blotter, AlreadyExists for a taken order id.
        """
        return await self._as_caller(self._services.orders.create_orders_bulk(orders))

    async def submit_orders(
        self, submissions: Sequence[Submission], *, send: bool = True, wait_s: float | None = None
    ) -> list[SubmittedOrder]:
        """Slices an execution from each of 1 to 100 trade orders, and sends them in as few calls as possible.

        Returns one answer for each submission, in the order given; an order that cannot be sliced does not affect
        the others. Without `send` the executions are only written, for `submit_executions`. What is not final
        within `wait_s` seconds (default and maximum: the setting `submission.wait_s`) is PENDING and goes on in
        the background. Raises InvalidInput, TooMany, Overloaded.
        """
        return await self._as_caller(self._services.orders.submit_orders(submissions, send, wait_s))

    async def submit_executions(
        self, execution_ids: Sequence[int], *, wait_s: float | None = None
    ) -> BulkSubmitResult:
        """Sends any number of executions in batches, and returns their results in the order given.

        Safe to repeat: an execution that was accepted before is not sent again. Waits for room in the queue
        instead of raising Overloaded. What is not final within `wait_s` seconds is PENDING and durable, and goes
        on in the background, here or in any other process on the database.

        Example:
            result = await service.submit_executions([1, 2, 3])
            for one in result.results:
                print(one.execution_id, one.status, one.message)
        """
        return await self._as_caller(self._services.executions.submit_executions(execution_ids, wait_s))

    async def get_order(self, trade_order_id: int) -> TradeOrder:
        """The trade order; raises NotFound."""
        return (await self._services.orders.get_order(trade_order_id))[0]

    async def get_execution(self, execution_id: int) -> ExecutionView:
        """The execution with all that it refers to; raises NotFound."""
        return await self._services.executions.get_execution(execution_id)

    async def _as_caller(self, call: Coroutine[Any, Any, T]) -> T:
        token = REQUESTER.set(self._caller)
        try:
            return await call
        finally:
            REQUESTER.reset(token)


@asynccontextmanager
async def open(
    settings: Mapping[str, object] | None = None,
    *,
    config: str | Path | None = None,
    environ: Mapping[str, str] | None = None,
    caller: str = "library",
    progress: Callable[[str], None] = _log.info,
) -> AsyncIterator[TradeService]:
    """Runs the service until the block ends, then finishes what is in flight and closes everything.

    Example:
        async with trade_service.open({"database.url": url}) as service:
            await service.submit_executions([1, 2, 3])

    Parameters:
        settings: values by dotted name, as docs/settings.md lists them; they win over the two below.
        config: the TOML file of settings.
        environ: the environment variables to read settings from; by default those of the process.
        caller: who asks for changes, as the audit log records it.
        progress: takes lines for people, such as that a database is being created; by default they are logged.

    Logs go to the standard library's loggers below `trade_service`, unless the program has configured structlog.

    Raises:
        SettingsError: a setting is invalid.
        StoreUnavailable: the database cannot be reached, or may lose committed data.
        OtherProgram: a program that must not run beside this service uses the database.
        MigrationError: the schema cannot be migrated.
        EmbeddedPostgresError: the embedded PostgreSQL cannot start.
        CannotStart: the database lacks reference data.
    """
    log_to_standard_library()
    variables = os.environ if environ is None else environ
    path = None if config is None else Path(config)
    loaded = await asyncio.to_thread(load_settings, variables, path, settings or {}, "argument")
    for warning in loaded.warnings:
        _log.warning("%s", warning)
    async with running_services(loaded.settings, progress) as services:
        yield TradeService(services, caller)
