"""TradeOrderService: creates trade orders, and slices executions from them that are sent."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import msgspec
import structlog

from trade_service.domain.errors import AlreadyExists, DomainError, InvalidInput, NotFound
from trade_service.domain.executions import SubmissionState
from trade_service.domain.fields import check_count, checked_decimal, positive
from trade_service.domain.orders import (
    NewTradeOrder,
    Submission,
    TradeOrder,
    check_submissions,
    checked_order,
    unknown_destination,
)
from trade_service.domain.reference import STATUS_SENT, Blotter, ReferenceData
from trade_service.submission.admission import DirectSubmission
from trade_service.submission.model import AttemptId, Claim, ExecutionSubmitResult, NewAttempt, SubmitStatus
from trade_service.submission.ports import Clock, StoreUnavailable
from trade_service.submission.waiters import Waiter, settled_meanwhile
from trade_service.submission.work_queue import Intake
from trade_service.trading.model import (
    BlotterLine,
    NotAccepted,
    PlacedLine,
    StoredExecution,
    SubmittedOrder,
)
from trade_service.trading.ports import OrderStore, StaleReference
from trade_service.trading.reference import ReferenceCache, views_of, written_by
from trade_service.trading.request_keys import KEY_CLAIM, Created
from trade_service.trading.single_submissions import SingleSubmissions

MAX_ORDERS = 1000
Slices: TypeAlias = list[StoredExecution | DomainError]
"""What each submission became."""
_DEFINITELY_NOT = (SubmitStatus.FAILED, SubmitStatus.RETRY_EXHAUSTED)
LINES_IN_A_TRANSACTION = 100
"""As many as one batch sends: its claim then consumes the queued attempt."""
PATIENCE_S = 2.0
"""How long a whole batch waits for a free sender before it is queued, which makes it durable."""

_log = structlog.get_logger(__name__)


class TradeOrderService:
    """Creates trade orders and submits them.

    Example:
        order = await orders.create_order(NewTradeOrder(...))
        answer = await orders.submit_order(Submission(order.id, order.quantity, destination_id))
    """

    def __init__(
        self,
        store: OrderStore,
        references: ReferenceCache,
        intake: Intake,
        clock: Clock,
        direct: DirectSubmission | None = None,
    ) -> None:
        """With `direct`, submissions skip the queue where they can."""
        self._store = store
        self._references = references
        self._intake = intake
        self._clock = clock
        self._direct = direct
        self._singles = None if direct is None else SingleSubmissions(store, references, direct)

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
        check_count(len(orders), "tradeOrders", MAX_ORDERS, "created")
        checked = []
        for index, order in enumerate(orders):
            try:
                checked.append(checked_order(order))
            except InvalidInput as error:
                raise error.at(index, "tradeOrders") from None
        try:
            return await self._create(checked)
        except (NotFound, AlreadyExists) as error:
            refused = error.details["index"]
            assert isinstance(refused, int)
            raise error.at(refused, "tradeOrders") from None

    async def get_order(self, trade_order_id: int) -> tuple[TradeOrder, Blotter | None]:
        """The order and its blotter; raises NotFound."""
        order = await self._store.get(trade_order_id)
        blotter_id = order.blotter_id
        if blotter_id is None:
            return order, None
        reference = await self._references.current(lambda data: blotter_id in data.blotters)
        return order, reference.blotters.get(blotter_id)

    async def get_orders(self, trade_order_ids: Sequence[int]) -> list[TradeOrder]:
        """The orders in the order of their ids as given; raises NotFound for the first that is gone."""
        found = await self._store.orders(trade_order_ids)
        try:
            return [found[trade_order_id] for trade_order_id in trade_order_ids]
        except KeyError as missing:
            raise NotFound.of("trade order", missing.args[0]) from None

    async def submit_order(
        self, submission: Submission, send: bool = True, wait_s: float | None = None
    ) -> SubmittedOrder:
        """Slices an execution from one trade order and sends it; see `submit_orders`.

        Raises InvalidInput for an impossible quantity.
        """
        positive(checked_decimal(submission.quantity, "quantity"), "quantity")
        return (await self._submit([submission], send, wait_s))[0]

    async def submit_orders(
        self, submissions: Sequence[Submission], send: bool = True, wait_s: float | None = None
    ) -> list[SubmittedOrder]:
        """Slices an execution from each of 1 to 100 trade orders, and sends them.

        Returns the answers in the order of `submissions`. An order that cannot be sliced, or whose execution is
        definitely not accepted, does not affect the others. What is not final within `wait_s` (default: the
        setting) is returned as stored, with a PENDING result, and goes on in the background. Without `send`
        the executions are only written. Raises TooMany and InvalidInput for what invalidates the whole batch
        (`check_submissions`), Overloaded if the queue is full, StoreUnavailable.
        """
        check_submissions(submissions)
        return await self._submit(submissions, send, wait_s)

    async def resume_orders(
        self, submissions: Sequence[Submission], created: Created, send: bool, wait_s: float | None = None
    ) -> list[SubmittedOrder]:
        """The answers of `submit_orders` for submissions of which an earlier request made `created`.

        Slices nothing. What was queued and not yet sent is sent, as by that request, and what is open is waited
        for. Raises Overloaded, StoreUnavailable.
        """
        ids = created.known_ids
        stored = await self._store.executions(ids)
        refusals = created.refusals or (None,) * len(created.ids)
        slices = [
            DomainError(refusal or "")
            if execution_id is None
            else stored.get(execution_id) or NotFound.of("execution", execution_id)
            for execution_id, refusal in zip(created.ids, refusals, strict=True)
        ]
        if not send:
            return await self._answers(submissions, slices, {})
        with self._intake.reserve(len(ids)):
            waiter = self._intake.enqueue(ids)
        return await self._answers(submissions, slices, await self._intake.outcomes(waiter, wait_s))

    async def place_blotter(self, lines: Sequence[BlotterLine]) -> list[PlacedLine]:
        """Writes the orders of blotter lines, and a queued execution for the whole of each; sends nothing.

        Safe to repeat after any interruption: an order that exists already is resumed, and what is left of it is
        sliced. Returns the results in the order of `lines`; a line that breaks a rule does not affect the others.
        """
        placed: list[PlacedLine] = []
        for start in range(0, len(lines), LINES_IN_A_TRANSACTION):
            placed += await self._place(lines[start : start + LINES_IN_A_TRANSACTION])
        return placed

    async def _create(self, orders: Sequence[NewTradeOrder]) -> list[TradeOrder]:
        blotter_ids = {order.blotter_id for order in orders} - {None}

        async def create(reference: ReferenceData) -> list[TradeOrder]:
            check_blotters(orders, reference)
            return await self._store.create(orders)

        return await written_by(self._references, lambda data: blotter_ids <= data.blotters.keys(), create)

    async def _submit(
        self, submissions: Sequence[Submission], send: bool, wait_s: float | None
    ) -> list[SubmittedOrder]:
        if not send:
            return await self._answers(submissions, await self._slice(submissions, None), {})
        began = self._clock.monotonic()
        with self._intake.reserve(len(submissions)):
            sent = await self._slice_and_send(submissions, wait_s)
            if sent is None:
                slices = await self._slice(submissions, self._clock.new_attempt_id())
                ids = [one.execution.id for one in slices if isinstance(one, StoredExecution)]
                waiter = self._intake.enqueue(ids)
            else:
                slices, waiter = sent
        waited_s = self._clock.monotonic() - began
        return await self._answers(submissions, slices, await self._intake.outcomes(waiter, wait_s, waited_s))

    async def _slice_and_send(
        self, submissions: Sequence[Submission], wait_s: float | None
    ) -> tuple[Slices, Waiter] | None:
        """In one statement, past the queue; None if nothing was written.

        A request with an idempotency key is queued: its transaction wins the key before it reads anything.
        """
        if self._direct is None or self._singles is None or KEY_CLAIM.get() is not None:
            return None
        if len(submissions) == 1:
            one = await self._singles.submit(submissions[0])
            return None if one is None else ([one[0]], one[1])
        destinations = {submission.destination_id for submission in submissions}
        reference = await self._references.current(lambda data: destinations <= data.destinations.keys())
        slices: Slices = []

        async def write_and_claim(attempt: NewAttempt) -> Claim | None:
            try:
                claimed = await self._store.slice_and_claim(submissions, attempt, reference)
            except StaleReference:
                return None
            if claimed is None:
                return None
            slices.extend(claimed.slices)
            return claimed.claim

        patience_s = min(PATIENCE_S, self._intake.default_wait_s if wait_s is None else wait_s)
        waiter = await self._direct.submit(len(submissions), write_and_claim, patience_s)
        return None if waiter is None else (slices, waiter)

    async def _slice(self, submissions: Sequence[Submission], queued_attempt_id: AttemptId | None) -> Slices:
        """One transaction; with an attempt id the executions are durably queued, whatever happens next."""
        destinations = {submission.destination_id for submission in submissions}
        return await written_by(
            self._references,
            lambda data: destinations <= data.destinations.keys(),
            lambda data: self._store.submit(submissions, queued_attempt_id, data),
        )

    async def _answers(
        self, submissions: Sequence[Submission], slices: Slices, results: Mapping[int, ExecutionSubmitResult]
    ) -> list[SubmittedOrder]:
        """One answer for each submission, from what was written and recorded."""
        results = {i: settled_meanwhile(result) for i, result in results.items()}
        refused = {i: NotAccepted(r) for i, r in results.items() if r.status in _DEFINITELY_NOT}
        standing = [
            one for one in slices if isinstance(one, StoredExecution) and one.execution.id not in refused
        ]
        settled = await self._settled(standing, results)
        views = {view.execution.id: view for view in await views_of(self._references, settled)}
        answers = []
        for index, (submission, one) in enumerate(zip(submissions, slices, strict=True)):
            if isinstance(one, DomainError):
                answers.append(SubmittedOrder(submission.trade_order_id, index, one))
                continue
            i = one.execution.id
            answers.append(
                SubmittedOrder(submission.trade_order_id, index, refused.get(i), views.get(i), results.get(i))
            )
        return answers

    async def _settled(
        self, written: Sequence[StoredExecution], results: Mapping[int, ExecutionSubmitResult]
    ) -> list[StoredExecution]:
        """Executions as they are after their results; only what other processes settled is read again."""
        sent = (await self._references.get()).statuses_by_name.get(STATUS_SENT)
        settled, elsewhere = {}, []
        for one in written:
            execution, result = one.execution, results.get(one.execution.id)
            if result is None or result.state is None:
                settled[execution.id] = one
                continue
            if result.status is not SubmitStatus.SUCCESS:
                execution = msgspec.structs.replace(execution, submission_state=result.state)
            else:
                execution = msgspec.structs.replace(
                    execution,
                    execution_status_id=result.status_id or execution.execution_status_id,
                    version=result.version or execution.version,
                    execution_service_id=result.execution_service_id,
                    quantity_placed=execution.quantity_ordered,
                    submission_state=SubmissionState.ACCEPTED,
                )
                if sent is None or result.status_id != sent.id:
                    elsewhere.append(execution.id)
            settled[execution.id] = StoredExecution(execution, one.order)
        if elsewhere:
            try:
                settled |= await self._store.executions(elsewhere)
            except StoreUnavailable as error:
                _log.warning("answered_without_reading_again", executions=len(elsewhere), error=str(error))
        return list(settled.values())

    async def _place(self, lines: Sequence[BlotterLine]) -> list[PlacedLine]:
        destinations = {line.destination_id for line in lines}
        blotters = {line.order.blotter_id for line in lines} - {None}

        async def place(reference: ReferenceData) -> list[PlacedLine]:
            good, refused = checked_lines(lines, reference)
            attempt_id = self._clock.new_attempt_id()
            placed = iter(await self._store.place(good, attempt_id, reference) if good else ())
            return [refused[index] if index in refused else next(placed) for index in range(len(lines))]

        return await written_by(
            self._references,
            lambda data: destinations <= data.destinations.keys() and blotters <= data.blotters.keys(),
            place,
        )


def check_blotters(orders: Sequence[NewTradeOrder], reference: ReferenceData) -> None:
    """Raises NotFound for the first order whose blotter does not exist."""
    for index, order in enumerate(orders):
        if order.blotter_id is not None and order.blotter_id not in reference.blotters:
            message = f"blotterId: blotter {order.blotter_id} does not exist"
            details = {"thing": "blotter", "id": order.blotter_id, "field": "blotterId", "index": index}
            raise NotFound(message, **details)


def checked_lines(
    lines: Sequence[BlotterLine], reference: ReferenceData
) -> tuple[list[BlotterLine], dict[int, PlacedLine]]:
    """The good lines with their orders as they are stored, and the results of the others by index."""
    errors = _line_errors(lines, reference)
    good = [
        msgspec.structs.replace(line, order=checked_order(line.order))
        for index, line in enumerate(lines)
        if index not in errors
    ]
    refused = {
        index: PlacedLine(lines[index].line, lines[index].order.order_id, error=error)
        for index, error in errors.items()
    }
    return good, refused


def _line_errors(lines: Sequence[BlotterLine], reference: ReferenceData) -> dict[int, DomainError]:
    """The errors of blotter lines, by their index in `lines`."""
    errors: dict[int, DomainError] = {}
    first: dict[int, int] = {}
    for index, line in enumerate(lines):
        try:
            checked_order(line.order)
            if line.destination_id not in reference.destinations:
                raise unknown_destination(line.destination_id)
            if line.order.blotter_id is not None and line.order.blotter_id not in reference.blotters:
                raise InvalidInput.of(
                    "blotterId", line.order.blotter_id, "must be the id of a blotter that exists"
                )
            earlier = first.setdefault(line.order.order_id, line.line)
            if earlier != line.line:
                rule = f"must be given once, and line {earlier} has it already"
                raise InvalidInput.of("orderId", line.order.order_id, rule)
        except DomainError as error:
            errors[index] = error
    return errors
