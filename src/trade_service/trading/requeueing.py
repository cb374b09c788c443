"""Executions that ended without acceptance are submitted again: which, and whether their orders have room."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

import msgspec

from trade_service.domain.errors import DomainError, InvalidInput, NotRequeueable
from trade_service.domain.executions import QUANTITY_RETURNED, SubmissionState
from trade_service.domain.orders import TradeOrder, taken

MAX_REQUEUE = 1000
"""Executions of one requeue, which is one transaction."""

_S = SubmissionState


class RequeueFilter(msgspec.Struct, frozen=True):
    """Which executions are meant; what is None or empty matches all."""

    states: Collection[SubmissionState] = tuple(sorted(QUANTITY_RETURNED))
    codes: Collection[str] = ()
    """Why they ended, as `show` tells it."""
    since: datetime | None = None
    """Their newest attempt began then or later."""
    until: datetime | None = None
    """Their newest attempt began before that."""
    order_ids: Collection[int] = ()
    """The clients' order ids, not the trade orders' own."""
    destinations: Collection[str] = ()


class Ended(msgspec.Struct, frozen=True):
    """An execution that is to be requeued, and why it ended."""

    execution_id: int
    state: SubmissionState
    execution_service_id: int | None
    trade_order_id: int
    order_id: int
    security_id: str
    destination: str
    quantity: Decimal
    attempts_spent: int
    last_tried: datetime | None
    """When its newest attempt began."""
    code: str
    message: str


class Requeued(msgspec.Struct, frozen=True):
    """What a requeue makes, or would make, of one execution."""

    execution_id: int
    ended: Ended | None
    """None when it does not exist."""
    room: Decimal | None
    """What its order had left for it, after the executions requeued before it."""
    error: DomainError | None = None
    """Why it is left as it is; None: its quantity is taken again, it is looked up, then sent."""


class Requeue(msgspec.Struct, frozen=True):
    """Who requeues, and why: both are kept as evidence."""

    actor: str
    reason: str
    dry_run: bool = False
    """Only tells what it would do."""


Plan = Callable[[Sequence[Ended], Mapping[int, TradeOrder]], "RequeuePlan"]
"""Decides from executions and their orders, both locked."""


class RequeuePlan(msgspec.Struct, frozen=True):
    """The decision for each execution, and the orders afterwards."""

    results: tuple[Requeued, ...]
    orders: Mapping[int, TradeOrder]
    """Those of which quantity is taken, by trade order id."""


def plan_requeue(ended: Sequence[Ended], orders: Mapping[int, TradeOrder]) -> RequeuePlan:
    """What becomes of each execution, in id order: the first ones get the room that their order has."""
    after = dict(orders)
    changed: dict[int, TradeOrder] = {}
    results = []
    for one in sorted(ended, key=lambda candidate: candidate.execution_id):
        order = after[one.trade_order_id]
        error: DomainError | None = None
        try:
            _check_state(one)
            after[order.id] = changed[order.id] = taken(order, one.quantity)
        except DomainError as refusal:
            error = refusal
        results.append(Requeued(one.execution_id, one, order.available, error))
    return RequeuePlan(tuple(results), changed)


def checked_filter(wanted: RequeueFilter) -> RequeueFilter:
    """The filter itself; raises InvalidInput for a state that no requeue starts from and an empty period."""
    for state in wanted.states:
        if state not in QUANTITY_RETURNED:
            raise InvalidInput.of("state", str(state), f"must be {' or '.join(sorted(QUANTITY_RETURNED))}")
    for field, moment in (("since", wanted.since), ("until", wanted.until)):
        if moment is not None and moment.tzinfo is None:
            raise InvalidInput.of(field, moment.isoformat(), "must have an offset from UTC, such as Z")
    if wanted.since is not None and wanted.until is not None and wanted.since >= wanted.until:
        raise InvalidInput.of("until", wanted.until.isoformat(), f"must be after {wanted.since.isoformat()}")
    return wanted


def _check_state(one: Ended) -> None:
    if one.state in QUANTITY_RETURNED:
        return
    told = _NOT_ENDED[one.state]
    raise NotRequeueable(
        f"execution {one.execution_id} is {one.state}, and only {' or '.join(sorted(QUANTITY_RETURNED))} ones are "
        f"requeued: {told}",
        executionId=one.execution_id,
        state=one.state,
    )


_NOT_ENDED = {
    _S.NONE: "it was never submitted, so submit it",
    _S.QUEUED: "it is sent by itself",
    _S.CLAIMED: "it is being sent",
    _S.RETRY: "it is sent again by itself",
    _S.UNKNOWN: "it is being looked up, and goes on by itself or by `resolve`",
    _S.ACCEPTED: "the Execution Service has it",
}
