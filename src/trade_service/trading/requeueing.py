"""Rules of requeueing: which executions may be submitted again, and whether their orders have room."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

import msgspec

from trade_service.domain.errors import DomainError, InvalidInput, NotRequeueable
from trade_service.domain.executions import QUANTITY_RETURNED, SubmissionState
from trade_service.domain.fields import check_count, checked_text, database_int
from trade_service.domain.orders import TradeOrder, taken
from trade_service.trading.failed_executions import MAX_MESSAGE_CHARS

MAX_REQUEUE = 1000
"""Limit of one requeue whose results are answered one by one."""
MAX_FOLLOWED = 10_000
"""Limit of one that a bulk submission follows; each is one transaction."""

_S = SubmissionState


MAX_FILTER_TEXT = 200


class RequeueFilter(msgspec.Struct, frozen=True):
    """Selects executions; a field that is None matches all, an empty one none."""

    states: Collection[SubmissionState] = tuple(sorted(QUANTITY_RETURNED))
    codes: Collection[str] | None = None
    """Codes of the reasons why they ended, as `show` prints them."""
    since: datetime | None = None
    """Earliest start of their newest attempt."""
    until: datetime | None = None
    """Their newest attempt started before this time."""
    order_ids: Collection[int] | None = None
    """Clients' order ids, not trade order ids."""
    destinations: Collection[str] | None = None
    messages: Collection[str] | None = None
    """Messages of the reasons why they ended; other ids and long numbers in them match too."""
    failed_since: datetime | None = None
    """They ended at this time or later."""
    failed_until: datetime | None = None
    """They ended before this time."""


class Ended(msgspec.Struct, frozen=True):
    """An execution to requeue, and why it ended."""

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
    """Start of its newest attempt."""
    code: str
    message: str


class Requeued(msgspec.Struct, frozen=True):
    """The result, or the planned result, of requeueing one execution."""

    execution_id: int
    ended: Ended | None
    """None when it does not exist."""
    room: Decimal | None
    """What its order had left, after the executions requeued before it."""
    error: DomainError | None = None
    """Why it is not requeued; None: its quantity is taken again, it is reconciled, then sent."""
    of_earlier_epoch: bool = False
    """It was sent before the ledger was reset or moved: its absence there proves nothing."""

    @property
    def may_need_person(self) -> bool:
        """Whether it is requeued, but stays unknown until someone resolves it if the ledger does not have it."""
        return self.error is None and self.of_earlier_epoch


class Requeue(msgspec.Struct, frozen=True):
    """Who requeues and why (both stored in the audit trail)."""

    actor: str
    reason: str
    dry_run: bool = False
    """Reports the plan without changing anything."""
    submission_id: str | None = None
    """A bulk submission of this id follows those that are requeued."""
    most: int = MAX_REQUEUE
    """How many may be requeued at once."""


class RequeuePlan(msgspec.Struct, frozen=True):
    """The decision for each execution, and the changed orders."""

    results: tuple[Requeued, ...]
    orders: Mapping[int, TradeOrder]
    """Orders from which quantity is taken, by trade order id."""


def plan_requeue(
    ended: Sequence[Ended], orders: Mapping[int, TradeOrder], of_earlier_epoch: Collection[int]
) -> RequeuePlan:
    """Decides from locked rows, in id order, so that the lowest ids get the room that an order has left.

    `of_earlier_epoch`: ids of executions with an attempt before the ledger was reset or moved.
    """
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
        is_earlier = one.execution_id in of_earlier_epoch
        results.append(Requeued(one.execution_id, one, order.available, error, is_earlier))
    return RequeuePlan(tuple(results), changed)


def note_on_earlier_epoch(results: Iterable[Requeued]) -> str:
    """How many of them may need a person, in words; empty for none."""
    count = sum(one.may_need_person for one in results)
    if not count:
        return ""
    return (
        f"{count:,} of these were sent before the Execution Service's ledger was reset or moved: "
        "what is not found there stays unknown until someone resolves it"
    )


def checked_filter(wanted: RequeueFilter) -> RequeueFilter:
    """Returns the filter; raises InvalidInput and TooMany for what can match nothing or widen what is requeued.

    That is an empty or very long list, a value that no row has, a state that cannot be requeued, an empty period.
    """
    lists = ("states", wanted.states), ("codes", wanted.codes), ("orderIds", wanted.order_ids)
    for field, values in (*lists, ("destinations", wanted.destinations), ("messages", wanted.messages)):
        if values is not None:
            check_count(len(values), field, MAX_REQUEUE, "requeued")
    for order_id in wanted.order_ids or ():
        database_int(order_id, "orderIds")
    for field, texts in (("codes", wanted.codes), ("destinations", wanted.destinations)):
        for text in texts or ():
            checked_text(text, field, MAX_FILTER_TEXT)
    for text in wanted.messages or ():
        if not text.strip() or len(text) > MAX_MESSAGE_CHARS or "\x00" in text:
            rule = f"must have 1 to {MAX_MESSAGE_CHARS} characters, without NUL"
            raise InvalidInput.of("messages", text[:100], rule)
    for state in wanted.states:
        if state not in QUANTITY_RETURNED:
            raise InvalidInput.of("state", str(state), f"must be {' or '.join(sorted(QUANTITY_RETURNED))}")
    for first, since, last, until in (
        ("since", wanted.since, "until", wanted.until),
        ("from", wanted.failed_since, "to", wanted.failed_until),
    ):
        for field, moment in ((first, since), (last, until)):
            if moment is not None and moment.tzinfo is None:
                raise InvalidInput.of(field, moment.isoformat(), "must have an offset from UTC, such as Z")
        if since is not None and until is not None and since >= until:
            raise InvalidInput.of(last, until.isoformat(), f"must be after {since.isoformat()}")
    return wanted


def _check_state(one: Ended) -> None:
    if one.state in QUANTITY_RETURNED:
        return
    reason = _NOT_ENDED[one.state]
    raise NotRequeueable(
        f"execution {one.execution_id} is {one.state}, and only {' or '.join(sorted(QUANTITY_RETURNED))} ones can "
        f"be requeued: {reason}",
        executionId=one.execution_id,
        state=one.state,
    )


_NOT_ENDED = {
    _S.NONE: "it was never submitted; submit it instead",
    _S.QUEUED: "it will be sent without intervention",
    _S.CLAIMED: "it is being sent",
    _S.RETRY: "it will be retried without intervention",
    _S.UNKNOWN: "it is being reconciled; wait for that, or use `resolve`",
    _S.ACCEPTED: "the Execution Service has it",
}
