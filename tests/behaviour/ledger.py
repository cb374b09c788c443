"""What the behaviour suite needs of a store: its ports, direct access to rows, and control of time."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Protocol

import msgspec

from tests.support.attempts import new_attempt
from trade_service.domain.access import Requester
from trade_service.domain.errors import DomainError
from trade_service.domain.orders import NewTradeOrder, Submission, TradeOrder
from trade_service.domain.reference import ReferenceData
from trade_service.submission.model import AttemptId, NewAttempt
from trade_service.submission.ports import DownstreamStore, SubmissionStore
from trade_service.trading.fill_check import FillStore
from trade_service.trading.model import ClaimedSlices, Filled, StoredExecution
from trade_service.trading.operating import OperatorStore
from trade_service.trading.pausing import PauseStore
from trade_service.trading.ports import ExecutionReads
from trade_service.trading.restoring import RestoreStore

OWNER = "one"
"""Owner of queued and adopting attempts."""
SETTLE_MS = 60_000
"""Of adopting attempts."""

NewAttemptId = Callable[[], AttemptId]


class OrderWrites(Protocol):
    """OrderStore without blotter lines."""

    async def create(self, orders: Sequence[NewTradeOrder]) -> list[TradeOrder]: ...

    async def get(self, trade_order_id: int) -> TradeOrder: ...

    async def submit(
        self, submissions: Sequence[Submission], queued_attempt_id: AttemptId | None, reference: ReferenceData
    ) -> list[StoredExecution | DomainError]: ...

    async def slice_and_claim(
        self,
        submissions: Sequence[Submission],
        attempt: NewAttempt,
        reference: ReferenceData,
        requesters: Sequence[Requester] = (),
    ) -> ClaimedSlices | None: ...

    async def executions(self, execution_ids: Sequence[int]) -> dict[int, StoredExecution]: ...


class ExecutionRow(msgspec.Struct, frozen=True):
    """A row of execution; times in seconds from now."""

    id: int
    order_id: int
    state: str | None
    attempt_id: AttemptId | None
    attempts_spent: int
    gives_up_in_s: float | None
    budget_ms: int | None
    status_id: int
    service_id: int | None
    quantity: Decimal
    placed: Decimal
    filled: Decimal
    limit_price: Decimal | None
    trade_type_id: int | None
    destination_id: int
    blotter_id: int | None
    version: int


class AttemptRow(msgspec.Struct, frozen=True):
    """A row of submission_attempt; times in seconds from now, negative when they have passed."""

    id: AttemptId
    state: str
    owner: str
    execution_ids: tuple[int, ...]
    due_in_s: float | None
    """None: closed."""
    lease_in_s: float | None
    settle_ms: int
    settle_from_in_s: float | None
    closed_in_s: float | None
    """When its own answer was recorded."""
    floor_id: int
    epoch: int
    top_id: int | None
    retry_count: int
    adopted: bool
    next_batch_size: int | None
    observer: str | None
    look_ups: int
    kind: str | None
    code: str | None
    message: str | None
    http_status: int | None
    duration_ms: int | None
    findings: tuple[tuple[int, str, str, str], ...]
    """Execution id, state, code and message, in the order in which they were found."""


class EvidenceRow(msgspec.Struct, frozen=True):
    """A row of submission_evidence."""

    execution_id: int
    source: str
    code: str
    attempt_id: AttemptId | None
    state_before: str | None
    state: str
    service_id_before: int | None
    service_id: int | None
    actor: str | None
    message: str


class Everything(msgspec.Struct, frozen=True):
    """All rows, by id."""

    orders: dict[int, TradeOrder]
    executions: dict[int, ExecutionRow]
    attempts: dict[AttemptId, AttemptRow]
    evidence: tuple[EvidenceRow, ...]
    """In the order of discovery."""


class Ledger(Protocol):
    """A store under test."""

    submissions: SubmissionStore
    orders: OrderWrites
    reads: ExecutionReads
    operators: OperatorStore
    downstream: DownstreamStore
    restores: RestoreStore
    fills: FillStore
    pauses: PauseStore

    async def add_orders(self, count: int = 1, quantity: int = 10) -> list[int]:
        """Orders of security S1, S2, ... whose whole quantity is sent; returns their ids in order."""
        ...

    async def add_pieces(
        self, order_ids: Sequence[int], each: int = 1, state: str | None = "none"
    ) -> list[int]:
        """`each` executions of quantity 10 at 1.5 for every order; returns their ids in order."""
        ...

    async def change_execution(self, execution_id: int, **fields: Any) -> None:
        """Sets fields of an execution, as another program or a person might."""
        ...

    async def change_order(self, order_id: int, **fields: Any) -> None: ...

    async def delete_execution(self, execution_id: int) -> None: ...

    async def elapse(self, seconds: float) -> None:
        """Lets time pass on the database's clock."""
        ...

    async def everything(self) -> Everything: ...


async def fresh(ledger: Ledger, count: int = 1, state: str | None = "none") -> list[int]:
    """Executions of quantity 10, each of an order of its own; returns their ids in order."""
    return await ledger.add_pieces(await ledger.add_orders(count), 1, state)


async def execution(ledger: Ledger, execution_id: int) -> ExecutionRow:
    return (await ledger.everything()).executions[execution_id]


async def evidence(ledger: Ledger) -> tuple[EvidenceRow, ...]:
    return (await ledger.everything()).evidence


async def states(ledger: Ledger, execution_ids: Sequence[int]) -> list[str | None]:
    """Submission states in the order of the ids."""
    rows = (await ledger.everything()).executions
    return [rows[execution_id].state for execution_id in execution_ids]


async def attempt_row(ledger: Ledger, attempt_id: AttemptId) -> AttemptRow:
    return (await ledger.everything()).attempts[attempt_id]


async def attempt_ids(ledger: Ledger) -> list[AttemptId]:
    """All attempts, queued ones included, in the order of their ids."""
    return sorted((await ledger.everything()).attempts)


async def order_of(ledger: Ledger, execution_id: int) -> tuple[Decimal, bool, int]:
    """Quantity sent, submitted flag and version of an execution's order."""
    everything = await ledger.everything()
    order = everything.orders[everything.executions[execution_id].order_id]
    return order.quantity_sent, order.submitted, order.version


async def report_fill(
    ledger: Ledger, execution_id: int, status_id: int, quantity_filled: Decimal, version: int
) -> Filled:
    look_up_id = new_attempt().attempt_id
    return await ledger.reads.fill(execution_id, status_id, quantity_filled, version, look_up_id)
