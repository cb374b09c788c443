"""Edits of executions in any order: quantities are conserved, and sent executions keep their terms."""

from datetime import UTC, datetime
from decimal import Decimal

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tests.support.execution_rules import may_become
from trade_service.domain.errors import DomainError
from trade_service.domain.execution_changes import (
    ExecutionValues,
    changed_execution,
    checked_values,
    orders_after,
    refuse_deletion,
    state_of_new,
)
from trade_service.domain.executions import OPEN, QUANTITY_RETURNED, Execution, SubmissionState
from trade_service.domain.fields import ZERO
from trade_service.domain.orders import TradeOrder, taken

MOMENT = datetime(2026, 1, 30, tzinfo=UTC)
STATUSES = {1: "NEW", 2: "SENT", 6: "HOLD"}
NAMES = ("trade_order_id", "trade_type_id", "destination_id", "quantity_ordered", "limit_price")

quantities = st.integers(1, 120).map(Decimal)
values = st.builds(
    ExecutionValues,
    execution_status_id=st.sampled_from([1, 1, 6, 2]),
    trade_order_id=st.sampled_from([1, 2]),
    destination_id=st.sampled_from([1, 2]),
    quantity_ordered=quantities,
    quantity_placed=st.sampled_from([None, None, ZERO, Decimal(1)]),
    quantity_filled=st.sampled_from([None, None, ZERO, Decimal(1)]),
    limit_price=st.none() | quantities,
    trade_type_id=st.none() | st.just(1),
    execution_service_id=st.sampled_from([None, None, None, 5]),
)
wishes = st.lists(st.tuples(st.integers(0, 6), st.none() | values), min_size=6, max_size=30)


class Books(msgspec.Struct):
    """Two orders and their executions, as the store keeps them."""

    orders: dict[int, TradeOrder]
    executions: dict[int, Execution]

    def write(self, identity: int, wish: ExecutionValues | None) -> None:
        """Creates, changes or (None) deletes the execution of that id."""
        old = self.executions.get(identity)
        if wish is not None:
            checked_values(wish)
        if old is None:
            if wish is not None:
                order = taken(self.orders[wish.trade_order_id], wish.quantity_ordered)
                self.executions[identity] = new_execution(identity, wish)
                self.orders[order.id] = order
            return
        if wish is None:
            refuse_deletion(old)
            new = None
        else:
            new = changed_execution(old, wish, STATUSES[wish.execution_status_id])
        for order in orders_after(old, new, self.orders):
            self.orders[order.id] = order
        if new is None:
            del self.executions[identity]
        else:
            self.executions[identity] = new

    def held(self, order_id: int) -> Decimal:
        """The quantity that the executions of an order hold."""
        return sum(
            (
                one.quantity_ordered
                for one in self.executions.values()
                if one.trade_order_id == order_id and one.submission_state not in QUANTITY_RETURNED
            ),
            ZERO,
        )


def new_execution(identity: int, wish: ExecutionValues) -> Execution:
    return Execution(
        id=identity,
        execution_timestamp=MOMENT,
        execution_status_id=wish.execution_status_id,
        blotter_id=None,
        trade_type_id=1,
        trade_order_id=wish.trade_order_id,
        destination_id=wish.destination_id,
        quantity_ordered=wish.quantity_ordered,
        quantity_placed=wish.quantity_placed or ZERO,
        quantity_filled=wish.quantity_filled or ZERO,
        limit_price=wish.limit_price,
        execution_service_id=wish.execution_service_id,
        version=1,
        submission_state=state_of_new(wish, STATUSES[wish.execution_status_id]),
    )


def some_books() -> Books:
    orders = {
        i: TradeOrder(
            i, i, "P", "BUY", "S", Decimal(200), ZERO, None, MOMENT, None, submitted=False, version=1
        )
        for i in (1, 2)
    }
    return Books(orders, {})


@given(wishes, st.sampled_from(SubmissionState))
def test_quantities_are_conserved_and_what_was_sent_stands(
    asked: list[tuple[int, ExecutionValues | None]], state: SubmissionState
) -> None:
    books = some_books()
    for step, (identity, wish) in enumerate(asked):
        if step == len(asked) // 2:
            settle_one(books, state)
        before = msgspec.structs.replace(books, executions=dict(books.executions), orders=dict(books.orders))
        try:
            books.write(identity, wish)
        except DomainError:
            assert before == books, "a refusal changes nothing"
        for order in books.orders.values():
            assert order.quantity_sent == books.held(order.id)
            assert ZERO <= order.quantity_sent <= order.quantity
        check_step(before.executions.get(identity), books.executions.get(identity))


def settle_one(books: Books, state: SubmissionState) -> None:
    """Moves one execution to some state, as a sender would."""
    for identity, execution in books.executions.items():
        if execution.submission_state is SubmissionState.NONE:
            sent = msgspec.structs.replace(execution, submission_state=state)
            for order in orders_after(execution, sent, books.orders):
                books.orders[order.id] = order
            books.executions[identity] = sent
            return


def check_step(old: Execution | None, new: Execution | None) -> None:
    """No execution in flight changes, no accepted one is deleted or changes its terms, every state is legal."""
    if old is None or old == new:
        return
    assert old.submission_state not in OPEN
    accepted = old.submission_state is SubmissionState.ACCEPTED
    assert not accepted or new is not None
    if new is not None:
        same_state = old.submission_state is new.submission_state
        assert same_state or may_become(old.submission_state, new.submission_state)
        if accepted:
            assert [getattr(old, name) for name in NAMES] == [getattr(new, name) for name in NAMES]
            assert old.execution_service_id in (None, new.execution_service_id)
        assert ZERO <= new.quantity_filled <= new.quantity_ordered
        assert ZERO <= new.quantity_placed <= new.quantity_ordered
