"""What callers do and what befalls the processes of one world, in its time of troubles."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from decimal import Decimal

import msgspec

from tests.world.replica import Replica
from trade_service.domain.errors import DomainError, NotFound
from trade_service.domain.orders import Submission
from trade_service.submission.model import ExecutionSubmitResult, SubmitStatus
from trade_service.submission.ports import StoreUnavailable
from trade_service.trading.requeueing import Requeue, RequeueFilter

PIECE = Decimal(5)


class Told(msgspec.Struct):
    """What callers were told of each execution: it has to be true for ever after."""

    final: dict[int, SubmitStatus] = msgspec.field(default_factory=dict)
    promised: set[int] = msgspec.field(default_factory=set)
    """Told to be pending: it has to become final by itself."""
    contradictions: list[str] = msgspec.field(default_factory=list)
    requeued: Counter[int] = msgspec.field(default_factory=Counter)
    """How often an operator may have begun each execution anew: what was told before is not true for ever."""

    def note(self, result: ExecutionSubmitResult) -> None:
        """Takes an answer; two final ones that differ contradict each other unless evidence came later."""
        if not result.is_final:
            self.promised.add(result.execution_id)
            return
        if result.state is None or result.code == "STORE_UNAVAILABLE" or result.execution_id in self.requeued:
            return
        before = self.final.setdefault(result.execution_id, result.status)
        if before is SubmitStatus.SUCCESS and result.status is not SubmitStatus.SUCCESS:
            self.contradictions.append(f"execution {result.execution_id}: {before}, then {result.status}")
        self.final[result.execution_id] = result.status


async def submit_orders(replica: Replica, order_ids: Sequence[int], told: Told) -> None:
    """A client's POST tradeOrders/batch/submit."""
    submissions = [Submission(order_id, PIECE, 1) for order_id in order_ids]
    try:
        for answer in await replica.orders.submit_orders(submissions):
            if answer.result is not None:
                told.note(answer.result)
    except (StoreUnavailable, DomainError):
        return


async def submit_execution(replica: Replica, execution_id: int, told: Told) -> None:
    """A client's POST execution/{id}/submit."""
    try:
        told.note((await replica.executions.submit_execution(execution_id)).result)
    except (StoreUnavailable, DomainError):
        return


async def submit_many(replica: Replica, execution_ids: Sequence[int], told: Told) -> None:
    """A library caller with many ids, some of them twice."""
    try:
        for result in (await replica.executions.submit_executions(execution_ids)).results:
            told.note(result)
    except (StoreUnavailable, DomainError):
        return


async def requeue_all(replica: Replica, told: Told) -> None:
    """An operator begins anew with all that was given up."""
    try:
        ids, _ = await replica.operators.select(RequeueFilter())
        if ids:
            told.requeued.update(ids)
            await replica.operators.requeue(ids, Requeue("operator", "trying again"))
    except (StoreUnavailable, DomainError):
        return


async def report_fill(replica: Replica, execution_id: int, reported: Callable[[int], None]) -> None:
    """The Execution Service's PUT execution/{id}/fill: reads the version, and once more on a conflict."""
    for _ in range(2):
        try:
            view = await replica.executions.get_execution(execution_id)
            await replica.executions.fill(execution_id, "PART", Decimal(1), view.execution.version)
            reported(execution_id)
            return
        except NotFound:
            raise
        except (StoreUnavailable, DomainError):
            await asyncio.sleep(0.5)
