"""What the use cases need from a store. Every method may raise StoreUnavailable."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol

from trade_service.domain.access import Requester
from trade_service.domain.errors import DomainError
from trade_service.domain.execution_changes import ExecutionValues
from trade_service.domain.orders import NewTradeOrder, Submission, TradeOrder
from trade_service.domain.reference import (
    Reference,
    ReferenceData,
    ReferenceKind,
    ReferenceValues,
    SeenRevision,
)
from trade_service.submission.model import AttemptId, NewAttempt
from trade_service.submission.ports import StoreUnavailable
from trade_service.trading.model import (
    BlotterLine,
    ClaimedSlices,
    Filled,
    PlacedLine,
    StoredExecution,
)


class StaleReference(StoreUnavailable):
    """Reference data that a row was to point to is gone: read it again and repeat. Nothing was written."""


class OrderStore(Protocol):
    """Trade orders and the executions sliced from them. Writes may raise StaleReference.

    `create` and `submit` write the key of the request being served in their transaction, or raise KeyTaken.
    """

    async def create(self, orders: Sequence[NewTradeOrder]) -> list[TradeOrder]:
        """Inserts all orders or none, and answers in their order.

        Raises AlreadyExists naming the first order id that is taken (details: field, value, index).
        """

    async def get(self, trade_order_id: int) -> TradeOrder:
        """The order of that id; raises NotFound."""

    async def orders(self, trade_order_ids: Sequence[int]) -> dict[int, TradeOrder]:
        """Those that exist, by id, in one statement."""

    async def submit(
        self, submissions: Sequence[Submission], queued_attempt_id: AttemptId | None, reference: ReferenceData
    ) -> list[StoredExecution | DomainError]:
        """Slices one execution from each order, in one transaction and a constant number of statements.

        Each order may be named once. Locks the orders in id order, slices each (`slicing.slicer`), inserts the
        executions (`queued` under the queued attempt if there is one, else `none`), and writes the orders and the
        attempt. Answers in the order of `submissions`: what was written, or the error that refused it; one refusal
        does not affect the others.
        """

    async def slice_and_claim(
        self,
        submissions: Sequence[Submission],
        attempt: NewAttempt,
        reference: ReferenceData,
        requesters: Sequence[Requester] = (),
    ) -> ClaimedSlices | None:
        """Slices one execution from each order, already claimed by `attempt`: one statement.

        The rules are those of `submit`. An order that is missing, locked by another transaction or breaks a rule
        is not written. With `requesters`, one for each submission, the others are written all the same; without,
        all or none are, for the present requester. Returns None if nothing was written: because of the orders,
        or because the ledger may not be claimed in (as in SubmissionStore.claim). Each order may be named once.
        Writes no key of a request.
        """

    async def place(
        self, lines: Sequence[BlotterLine], queued_attempt_id: AttemptId, reference: ReferenceData
    ) -> list[PlacedLine]:
        """Inserts the orders of blotter lines and slices a queued execution for all of each: one transaction.

        Each order id may be named once. One that exists with the same portfolio, security, type, quantity
        and limit price is taken up: the rest of it is sliced; one that exists with others is an error of
        that line alone.
        """

    async def executions(self, execution_ids: Sequence[int]) -> dict[int, StoredExecution]:
        """Those that exist, by id, in one statement."""


class ExecutionReads(Protocol):
    """Executions as stored, their fills, and the intent to send them."""

    async def get(self, execution_id: int) -> StoredExecution:
        """The execution and its order; raises NotFound."""

    async def archived_in(self, execution_id: int) -> str | None:
        """The archive file that holds the execution; None for one that was not archived."""

    async def enqueue(self, execution_ids: Sequence[int], queued_attempt_id: AttemptId) -> None:
        """Makes the intent to send durable: those in state `none` become `queued` under the attempt.

        One statement; all others stay as they are. The key of the request being served is written in the same
        transaction when any of the executions exists; raises KeyTaken.
        """

    async def fill(
        self,
        execution_id: int,
        status_id: int,
        quantity_filled: Decimal,
        version: int,
        look_up_id: AttemptId,
    ) -> Filled:
        """Stores a fill report: status, quantity filled, version + 1; one statement.

        A fill of an execution that is not yet accepted proves its acceptance: it becomes `accepted`,
        quantityPlaced = quantityOrdered, and an order whose quantity had been given back loses it again,
        beyond its quantity if need be. Where its id at the Execution Service is not known and no attempt of its
        own finds it, the attempt `look_up_id` does.

        Raises FillOfUnsent for an execution that was never sent: one that is
        `queued` or `retry` becomes `unknown` under the attempt `look_up_id` and is looked up from the beginning
        of the Execution Service's ledger before it is sent. Raises NotFound, VersionConflict, and InvalidInput
        for a quantity that is negative or above the one ordered.
        """


class ExecutionChanges(Protocol):
    """Executions that clients change directly, with the quantity that they take from their orders.

    Every method is one transaction that locks the execution, then its orders in id order, and writes what the
    rules (`domain.execution_changes`) make of them. What writes may raise StaleReference, and NotFound for an
    order that does not exist.
    """

    async def create(self, values: ExecutionValues, reference: ReferenceData) -> StoredExecution:
        """Inserts an execution of the order that `values` name."""

    async def update(
        self, execution_id: int, version: int, values: ExecutionValues, reference: ReferenceData
    ) -> StoredExecution:
        """Changes an execution. Raises NotFound, VersionConflict."""

    async def delete(self, execution_id: int, version: int) -> None:
        """Deletes an execution. Raises NotFound, VersionConflict."""


class OrderChanges(Protocol):
    """Trade orders that clients change directly: one transaction each, by the rules, on the locked order."""

    async def update(self, trade_order_id: int, version: int, values: NewTradeOrder) -> TradeOrder:
        """Writes the order with these values and the next version.

        Raises NotFound, VersionConflict, AlreadyExists for an order id that is taken, StaleReference.
        """

    async def move(self, trade_order_ids: Sequence[int], blotter_id: int) -> list[TradeOrder]:
        """Moves the orders to another blotter, in a constant number of statements.

        Returns those that exist, as they are then; one that was there already keeps its version. Raises
        StaleReference.
        """

    async def delete(self, trade_order_id: int, version: int) -> None:
        """Deletes the order. Raises NotFound, VersionConflict."""


class ReferenceChanges(Protocol):
    """Reference data, changed by the rules of `domain.reference`; changes of the same kind take turns."""

    async def create(self, kind: ReferenceKind, values: ReferenceValues) -> Reference:
        """Inserts a row."""

    async def update(
        self, kind: ReferenceKind, identity: int, version: int, values: ReferenceValues
    ) -> Reference:
        """Changes a row. Raises NotFound, VersionConflict, InUse."""

    async def delete(self, kind: ReferenceKind, identity: int, version: int) -> None:
        """Deletes a row. Raises NotFound, VersionConflict, InUse."""


class ReferenceReads(Protocol):
    """Reference data."""

    seen_revision: SeenRevision

    async def load(self) -> ReferenceData:
        """All of it, in one statement."""
