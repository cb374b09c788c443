"""Callers' requests and processes' mishaps in one world."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from decimal import Decimal

import msgspec

from tests.world.replica import Replica
from tests.world.store_books import Books
from tests.world.store_downstream import MemoryDownstreamStore, MemoryRestoreStore
from tests.world.store_rows import Change
from tests.world.weather import Weather
from trade_service.domain.errors import DomainError, FillOfUnsent, InvalidInput, NotFound, VersionConflict
from trade_service.domain.executions import Fill, SubmissionState
from trade_service.domain.orders import Submission
from trade_service.submission.model import ExecutionSubmitResult, SubmitStatus
from trade_service.submission.ports import StoreUnavailable
from trade_service.trading.requeueing import Requeue, RequeueFilter
from trade_service.trading.restoring import DatabaseRestorer, LedgerUnreadable

PIECE = Decimal(5)


class Told(msgspec.Struct):
    """Answers to callers about each execution, which must stay true."""

    final: dict[int, SubmitStatus] = msgspec.field(default_factory=dict)
    promised: set[int] = msgspec.field(default_factory=set)
    """Reported as pending: they must become final."""
    unasked: set[int] = msgspec.field(default_factory=set)
    """Never submitted according to a restored database."""
    asked: Counter[int] = msgspec.field(default_factory=Counter)
    """Maximum number of executions by trade order: requested less refused ones."""
    contradictions: list[str] = msgspec.field(default_factory=list)
    requeued: Counter[int] = msgspec.field(default_factory=Counter)
    """How often an operator may have requeued each execution: earlier answers need not stay true."""

    def note(self, result: ExecutionSubmitResult) -> None:
        """Records an answer; two different final ones are a contradiction unless evidence came later."""
        if not result.is_final:
            self.promised.add(result.execution_id)
            return
        if result.state is None or result.code == "STORE_UNAVAILABLE" or result.execution_id in self.requeued:
            return
        before = self.final.setdefault(result.execution_id, result.status)
        if before is SubmitStatus.SUCCESS and result.status is not SubmitStatus.SUCCESS:
            self.contradictions.append(f"execution {result.execution_id}: {before}, then {result.status}")
        self.final[result.execution_id] = result.status


async def submit_orders(
    replica: Replica, order_ids: Sequence[int], told: Told, destination_id: Callable[[int], int]
) -> None:
    """As POST tradeOrders/batch/submit, each order to its destination."""
    submissions = [Submission(order_id, PIECE, destination_id(order_id)) for order_id in order_ids]
    told.asked.update(order_ids)
    try:
        for answer in await replica.orders.submit_orders(submissions):
            if answer.result is not None:
                told.note(answer.result)
            elif answer.error is not None:
                told.asked[answer.trade_order_id] -= 1
    except DomainError:
        told.asked.subtract(order_ids)
    except StoreUnavailable:
        return


async def submit_execution(replica: Replica, execution_id: int, told: Told) -> None:
    """As POST execution/{id}/submit."""
    try:
        told.note((await replica.executions.submit_execution(execution_id)).result)
    except (StoreUnavailable, DomainError):
        return


async def submit_many(replica: Replica, execution_ids: Sequence[int], told: Told) -> None:
    """Submits many ids, some of them twice, through the library."""
    try:
        for result in (await replica.executions.submit_executions(execution_ids)).results:
            told.note(result)
    except (StoreUnavailable, DomainError):
        return


async def requeue_all(replica: Replica, told: Told) -> None:
    """Requeues all exhausted executions, as an operator."""
    try:
        ids, _ = await replica.operators.select(RequeueFilter())
        if ids:
            told.requeued.update(ids)
            await replica.operators.requeue(ids, Requeue("operator", "trying again"))
    except (StoreUnavailable, DomainError):
        return


async def recover_database(replica: Replica, books: Books, told: Told) -> None:
    """As `trade-service recover`."""
    stores = MemoryRestoreStore(books, replica.clock.new_attempt_id), MemoryDownstreamStore(books)
    restorer = DatabaseRestorer(*stores, replica.gateway, replica.settle_ms, 1000)
    try:
        plan = await restorer.look()
        await restorer.recover(plan, "operator", "restored a backup")
    except (StoreUnavailable, DomainError, LedgerUnreadable):
        return
    told.requeued.update(list(books.executions))
    # What was never submitted goes back to `none`, even if a caller asked for it at that very moment.
    told.unasked |= {i for i, changes in books.history.items() if _was_unasked(changes)}


def _was_unasked(changes: Sequence[Change]) -> bool:
    last = changes[-1]
    return last.before is SubmissionState.NONE and last.after is SubmissionState.UNKNOWN


async def report_fill(
    replica: Replica, execution_id: int, fill: Fill, weather: Weather, reported: Callable[[int], None]
) -> None:
    """The Execution Service's PUT execution/{id}/fill: reads the version, and once more on a 409.

    After anything else, such as a 503 or silence, it stops.
    """
    for _ in range(2):
        if weather.happens(weather.rates.report_lost):
            return
        try:
            view = await replica.executions.get_execution(execution_id)
            version = view.execution.version
            await replica.executions.fill(execution_id, fill.status, fill.quantity, version)
            reported(execution_id)
            return
        except NotFound:
            return  # A restored database may not have it any more; no other loses an execution.
        except (VersionConflict, FillOfUnsent):
            await asyncio.sleep(0.5)
        except (StoreUnavailable, InvalidInput):
            return
