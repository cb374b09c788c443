"""TradeOrderService: trade orders come in, executions are cut from them and sent."""

from collections.abc import Mapping, Sequence

import msgspec
import structlog

from trade_service.domain.errors import AlreadyExists, DomainError, InvalidInput, NotFound, TooMany
from trade_service.domain.executions import SubmissionState
from trade_service.domain.orders import NewTradeOrder, Submission, TradeOrder, checked_order
from trade_service.domain.reference import STATUS_SENT, Blotter, ReferenceData
from trade_service.submission.model import AttemptId, ExecutionSubmitResult, SubmitStatus
from trade_service.submission.ports import Clock, StoreUnavailable
from trade_service.submission.service import BulkExecutionSubmissionService
from trade_service.submission.work_queue import Work, WorkQueue
from trade_service.trading.cutting import check_quantity, check_submissions, cutter, line_errors
from trade_service.trading.model import (
    BlotterLine,
    NotAccepted,
    PlacedLine,
    StoredExecution,
    SubmittedOrder,
)
from trade_service.trading.ports import OrderStore
from trade_service.trading.reference import ReferenceCache
from trade_service.trading.request_keys import Created
from trade_service.trading.views import views_of

MAX_ORDERS = 1000
_DEFINITELY_NOT = (SubmitStatus.FAILED, SubmitStatus.RETRY_EXHAUSTED)
LINES_IN_A_TRANSACTION = 100
"""As many as go out in one batch: its claim then consumes the ticket."""

_log = structlog.get_logger(__name__)


class TradeOrderService:
    """Creates trade orders and submits them."""

    def __init__(
        self,
        store: OrderStore,
        references: ReferenceCache,
        submissions: BulkExecutionSubmissionService,
        queue: WorkQueue,
        clock: Clock,
    ) -> None:
        self._store = store
        self._references = references
        self._submissions = submissions
        self._queue = queue
        self._clock = clock

    async def create_order(self, new: NewTradeOrder) -> TradeOrder:
        """Creates one trade order.

        Raises InvalidInput, NotFound for an unknown blotter, AlreadyExists for a taken order id.
        """
        try:
            return (await self._create([checked_order(new)]))[0]
        except (NotFound, AlreadyExists) as error:
            raise error.alone() from None

    async def create_orders_bulk(self, orders: Sequence[NewTradeOrder]) -> list[TradeOrder]:
        """Creates 1 to 1000 trade orders, all or none, and returns them in their order.

        Raises what `create_order` raises, with the index of the order in message and details, and TooMany.
        """
        if len(orders) > MAX_ORDERS:
            message = f"tradeOrders: must be at most {MAX_ORDERS}; got {len(orders)}, nothing was created"
            raise TooMany(message, field="tradeOrders", value=len(orders), limit=MAX_ORDERS)
        if not orders:
            raise InvalidInput.of("tradeOrders", None, f"must be 1 to {MAX_ORDERS}")
        checked = []
        for index, order in enumerate(orders):
            try:
                checked.append(checked_order(order))
            except InvalidInput as error:
                raise error.at(index, "tradeOrders") from None
        try:
            return await self._create(checked)
        except (NotFound, AlreadyExists) as error:
            raise error.at(_index_of(error), "tradeOrders") from None

    async def get_order(self, trade_order_id: int) -> tuple[TradeOrder, Blotter | None]:
        """The order and its blotter; raises NotFound."""
        order = await self._store.get(trade_order_id)
        blotter_id = order.blotter_id
        if blotter_id is None:
            return order, None
        reference = await self._references.get()
        if blotter_id not in reference.blotters:
            reference = await self._references.reload()
        return order, reference.blotters.get(blotter_id)

    async def get_orders(self, trade_order_ids: Sequence[int]) -> list[TradeOrder]:
        """The orders in the order of their ids as given; raises NotFound for the first that is gone."""
        found = await self._store.orders(trade_order_ids)
        for trade_order_id in trade_order_ids:
            if trade_order_id not in found:
                raise NotFound.of("trade order", trade_order_id)
        return [found[trade_order_id] for trade_order_id in trade_order_ids]

    async def submit_order(
        self, submission: Submission, send: bool = True, wait_s: float | None = None
    ) -> SubmittedOrder:
        """Cuts an execution from one trade order and sends it; see `submit_orders`.

        Raises InvalidInput for an impossible quantity.
        """
        check_quantity(submission)
        return (await self._submit([submission], send, wait_s))[0]

    async def submit_orders(
        self, submissions: Sequence[Submission], send: bool = True, wait_s: float | None = None
    ) -> list[SubmittedOrder]:
        """Cuts an execution from each of 1 to 100 trade orders, sends them, and tells what came of each.

        Answers in the order of `submissions`; an order that cannot be cut, or whose execution is definitely
        not accepted, leaves the others alone. What is not final within `wait_s` (default: the settings')
        is answered as stored, with a PENDING result, and goes on in the background. Without `send` the
        executions are only written. Raises TooMany and InvalidInput for what refuses the batch as a whole
        (`check_submissions`), Overloaded when too much waits already, StoreUnavailable.
        """
        check_submissions(submissions)
        return await self._submit(submissions, send, wait_s)

    async def resume_orders(
        self, submissions: Sequence[Submission], created: Created, send: bool, wait_s: float | None = None
    ) -> list[SubmittedOrder]:
        """What `submit_orders` answers, for submissions that an earlier request made `created` of.

        Cuts nothing. What was queued and not yet sent is sent, as that request would have, and what is open is
        waited for. Raises Overloaded, StoreUnavailable.
        """
        ids = created.known_ids
        stored = await self._store.executions(ids)
        refusals = created.refusals or (None,) * len(created.ids)
        cut = [
            DomainError(refusal or "")
            if execution_id is None
            else stored.get(execution_id) or NotFound.of("execution", execution_id)
            for execution_id, refusal in zip(created.ids, refusals, strict=True)
        ]
        if not send:
            return await self._answers(submissions, cut, {})
        self._queue.require_room(len(ids))
        watch, fresh = self._submissions.watch(ids)
        self._queue.offer(Work(tuple(fresh)))
        return await self._answers(submissions, cut, await self._submissions.results_of(watch, wait_s))

    async def place_blotter(self, lines: Sequence[BlotterLine]) -> list[PlacedLine]:
        """Writes the orders of blotter lines and a queued execution for all of each; sends nothing itself.

        Safe to repeat after any interruption: an order that is there already is taken up, and what is left
        of it is cut. Answers in the order of `lines`; a line that breaks a rule leaves the others alone.
        """
        placed: list[PlacedLine] = []
        for start in range(0, len(lines), LINES_IN_A_TRANSACTION):
            placed += await self._place(lines[start : start + LINES_IN_A_TRANSACTION])
        return placed

    async def _create(self, orders: Sequence[NewTradeOrder]) -> list[TradeOrder]:
        blotter_ids = [order.blotter_id for order in orders]

        async def create(reference: ReferenceData) -> list[TradeOrder]:
            for index, blotter_id in enumerate(blotter_ids):
                if blotter_id is not None and blotter_id not in reference.blotters:
                    message = f"blotterId: blotter {blotter_id} does not exist"
                    raise NotFound(message, thing="blotter", id=blotter_id, field="blotterId", index=index)
            return await self._store.create(orders)

        return await self._references.used_by(create, lambda r: {*blotter_ids} - {None} <= r.blotters.keys())

    async def _submit(
        self, submissions: Sequence[Submission], send: bool, wait_s: float | None
    ) -> list[SubmittedOrder]:
        if not send:
            return await self._answers(submissions, await self._cut(submissions, None), {})
        with self._queue.room_for(len(submissions)):
            cut = await self._cut(submissions, self._clock.new_attempt_id())
            # No await from here until the work is taken: what is written is sent, come what may. Should
            # the process die now, its ticket tells recovery.
            ids = [one.execution.id for one in cut if isinstance(one, StoredExecution)]
            watch, fresh = self._submissions.watch(ids)
            self._queue.accept(Work(tuple(fresh)))
        return await self._answers(submissions, cut, await self._submissions.results_of(watch, wait_s))

    async def _cut(
        self, submissions: Sequence[Submission], ticket_id: AttemptId | None
    ) -> list[StoredExecution | DomainError]:
        destinations = {submission.destination_id for submission in submissions}
        return await self._references.used_by(
            lambda reference: self._store.submit(submissions, ticket_id, cutter(reference)),
            lambda reference: destinations <= reference.destinations.keys(),
        )

    async def _answers(
        self,
        submissions: Sequence[Submission],
        cut: Sequence[StoredExecution | DomainError],
        results: Mapping[int, ExecutionSubmitResult],
    ) -> list[SubmittedOrder]:
        """One answer for each submission, from what was written and recorded: nothing is read again
        but what others settled."""
        written = [one for one in cut if isinstance(one, StoredExecution)]
        results = {i: result.settled_meanwhile() for i, result in results.items()}
        refused = {i: NotAccepted(r) for i, r in results.items() if r.status in _DEFINITELY_NOT}
        standing = [one for one in written if one.execution.id not in refused]
        told = await self._as_told(standing, results)
        views = {view.execution.id: view for view in await views_of(self._references, told)}
        answers = []
        for index, (submission, one) in enumerate(zip(submissions, cut, strict=True)):
            answer = SubmittedOrder(submission.trade_order_id, index)
            if isinstance(one, DomainError):
                answer = msgspec.structs.replace(answer, error=one)
            else:
                execution_id = one.execution.id
                answer = msgspec.structs.replace(
                    answer,
                    error=refused.get(execution_id),
                    view=views.get(execution_id),
                    result=results.get(execution_id),
                )
            answers.append(answer)
        return answers

    async def _as_told(
        self, written: Sequence[StoredExecution], results: Mapping[int, ExecutionSubmitResult]
    ) -> list[StoredExecution]:
        """Executions as they are after their results."""
        sent = (await self._references.get()).status_named(STATUS_SENT)
        told = {one.execution.id: _told(one, results.get(one.execution.id)) for one in written}
        elsewhere = [
            execution_id
            for execution_id in told
            if (result := results.get(execution_id)) is not None
            and result.status is SubmitStatus.SUCCESS
            and (sent is None or result.status_id != sent.id)
        ]
        if elsewhere:
            try:
                told |= await self._store.executions(elsewhere)
            except StoreUnavailable as error:
                _log.warning("answered_without_reading_again", executions=len(elsewhere), error=str(error))
        return list(told.values())

    async def _place(self, lines: Sequence[BlotterLine]) -> list[PlacedLine]:
        destinations = {line.destination_id for line in lines}
        blotters = {line.order.blotter_id for line in lines} - {None}

        async def place(reference: ReferenceData) -> list[PlacedLine]:
            errors = line_errors(lines, reference)
            good = [
                msgspec.structs.replace(line, order=checked_order(line.order))
                for index, line in enumerate(lines)
                if index not in errors
            ]
            ticket_id = self._clock.new_attempt_id()
            placed = iter(await self._store.place(good, ticket_id, cutter(reference)) if good else ())
            return [
                PlacedLine(line.line, line.order.order_id, error=errors[index])
                if index in errors
                else next(placed)
                for index, line in enumerate(lines)
            ]

        return await self._references.used_by(
            place, lambda r: destinations <= r.destinations.keys() and blotters <= r.blotters.keys()
        )


def _told(stored: StoredExecution, result: ExecutionSubmitResult | None) -> StoredExecution:
    if result is None:
        return stored
    execution = stored.execution
    if result.status is SubmitStatus.SUCCESS:
        execution = msgspec.structs.replace(
            execution,
            execution_status_id=result.status_id or execution.execution_status_id,
            version=result.version or execution.version,
            execution_service_id=result.execution_service_id,
            quantity_placed=execution.quantity_ordered,
            submission_state=SubmissionState.ACCEPTED,
        )
    elif result.state is not None:
        execution = msgspec.structs.replace(execution, submission_state=result.state)
    return msgspec.structs.replace(stored, execution=execution)


def _index_of(error: DomainError) -> int:
    index = error.details["index"]
    assert isinstance(index, int)
    return index
