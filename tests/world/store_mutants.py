"""Planted mistakes in the statements: claims, records, fills, restores."""

from collections.abc import Sequence
from typing import Any

import msgspec

from tests.support.execution_rules import held_as_never_sent
from tests.world import store_downstream, store_orders
from tests.world.planting import Patch, always, replace
from tests.world.store_books import Books
from tests.world.store_fills import MemoryFillStore
from tests.world.store_orders import OrderBooks
from tests.world.store_rows import SENT, BookedAttempt, BookedDownstream, BookedExecution
from trade_service.domain.executions import SubmissionState
from trade_service.submission.model import (
    AttemptClosing,
    Claim,
    DueAttempt,
    ItemOutcome,
)

_claim = Books.claim


def claim_unwritten(self: Books, attempt: Any, ids: Sequence[int], claimable: Any) -> Claim:
    """Claims executions, but journals the attempt only at its end."""
    claim = _claim(self, attempt, ids, claimable)
    self.attempts.pop(attempt.attempt_id, None)
    return claim


def claim_unknown(self: Books, attempt: Any, ids: Sequence[int], claimable: Any) -> Claim:
    """Claims unknown executions as if they were fresh."""
    return _claim(self, attempt, ids, (*claimable, SubmissionState.UNKNOWN))


def claim_unlocked(self: Books, attempt: Any, ids: Sequence[int], claimable: Any) -> Claim:
    """Lets two attempts claim the same executions, as without row locks."""
    return _claim(self, attempt, ids, (*claimable, SubmissionState.CLAIMED))


def claim_without_spending(self: Books, attempt: Any, ids: Sequence[int], claimable: Any) -> Claim:
    """Does not count attempts, as a counter in memory after a restart."""
    for execution_id in ids:
        if execution_id in self.executions:
            self.executions[execution_id].attempts_spent = 0
    return _claim(self, attempt, ids, claimable)


def apply_always(self: Books, row: BookedExecution, told: ItemOutcome, refund: int) -> None:
    """Writes SENT over any status."""
    _apply(self, row, told, refund)
    if told.state is SubmissionState.ACCEPTED:
        row.status_id = SENT


_apply = Books._apply


def keep_quantity(self: Books, row: BookedExecution, told: ItemOutcome, refund: int) -> None:
    """Ends an execution without returning its quantity."""
    order = self.orders[row.order_id]
    _apply(self, row, told, refund)
    if told.state in (SubmissionState.REJECTED, SubmissionState.EXHAUSTED):
        self.orders[row.order_id] = msgspec.structs.replace(order, version=order.version + 1)


_close = Books._close


def close_for_good(self: Books, attempt: BookedAttempt, closing: AttemptClosing, recorded: Any) -> None:
    """Closes an attempt that still owns open executions."""
    _close(self, attempt, closing, recorded)
    if not any(row.changed for row in recorded):
        attempt.next_action_at = None


def claim_below_the_future(self: Books, attempt: Any, ids: Sequence[int], claimable: Any) -> Claim:
    """Claims with a low-water id from the future, so that reconciliation stops too early."""
    claim = _claim(self, attempt, ids, claimable)
    if claim.items:
        self.attempts[attempt.attempt_id].floor_id += 3
    return claim


async def advance_nothing(*_args: Any) -> bool:
    """Lets a restored database reuse ids in the ledger."""
    return False


async def unblock_only(self: Any, beyond: int, *_args: Any) -> int:
    """Recovers a restored database without setting unsent executions to unknown."""
    self._books.downstream.blocked_reason = None
    self._books.last_execution_id = max(self._books.last_execution_id, beyond)
    return 0


_due = Books._due


def due_in_this_epoch(self: Books, attempt: BookedAttempt, now: float) -> DueAttempt:
    """Treats every attempt as one of the present epoch."""
    return msgspec.structs.replace(_due(self, attempt, now), epoch=self.downstream.epoch)


def is_legacy(self: BookedExecution) -> bool:
    """Treats executions that the legacy service sent meanwhile as its own."""
    return self.state is None


async def go_on_nowhere(_self: MemoryFillStore, _offset: int) -> None:
    """Starts every pass where the first one started."""


def believe_the_repeated(
    state: SubmissionState | None, *, is_placed: bool, is_adopted: bool, fill_reported: bool
) -> bool:
    """Forgets that an unknown outcome comes only from a doubtful report."""
    del fill_reported
    return held_as_never_sent(state, is_placed=is_placed, is_adopted=is_adopted, fill_reported=False)


_new_look_up = OrderBooks.new_look_up


def look_up_new_rows(
    self: OrderBooks, attempt_id: str, owner: str, execution_id: int, settle_ms: int
) -> BookedAttempt:
    """Looks for executions that were never sent only in later rows."""
    look_up = _new_look_up(self, attempt_id, owner, execution_id, settle_ms)
    return msgspec.structs.replace(look_up, floor_id=self.downstream.high_water_id)


def claim_counting_all(self: Books, attempt: Any, ids: Sequence[int], claimable: Any) -> Claim:
    """Charges an attempt to the budget of each of its executions, shared or not."""
    return _claim(self, msgspec.structs.replace(attempt, counted=True), ids, claimable)


STORE_MUTANTS: dict[str, Patch] = {
    "no write-ahead": replace(Books, "claim", claim_unwritten),
    "a claim locks nothing": replace(Books, "claim", claim_unlocked),
    "no fencing": replace(Books, "_is_owned", staticmethod(always(value=True))),
    "retry counters in memory": replace(Books, "claim", claim_without_spending),
    "a late answer overwrites the status": replace(Books, "_apply", apply_always),
    "quantity is not given back": replace(Books, "_apply", keep_quantity),
    "unknown is sent again": replace(Books, "claim", claim_unknown),
    "absence counts in every epoch": replace(Books, "_due", due_in_this_epoch),
    "claims go on while the ledger is in doubt": replace(
        BookedDownstream, "is_open", property(always(value=True))
    ),
    "a restored database gives ids again": replace(
        store_downstream.MemoryDownstreamStore, "advance_sequence", advance_nothing
    ),
    "a recovery doubts nothing": replace(store_downstream.MemoryRestoreStore, "recover", unblock_only),
    "what the legacy service sent is fresh": replace(BookedExecution, "is_legacy", property(is_legacy)),
    "the floor is too high": replace(Books, "claim", claim_below_the_future),
    "an attempt is closed too early": replace(Books, "_close", close_for_good),
    "the wish to submit is not kept": replace(OrderBooks, "_write_ticket", always(value=None)),
    "a fill of what was never sent is believed": replace(
        OrderBooks, "is_held_as_never_sent", always(value=False)
    ),
    "a repeated fill of what was never sent is believed": replace(
        store_orders, "held_as_never_sent", believe_the_repeated
    ),
    "what is said to be filled is sent without a look-up": replace(OrderBooks, "_doubt", always(value=None)),
    "what is said to be filled is sought among new rows": replace(
        OrderBooks, "new_look_up", look_up_new_rows
    ),
    "the window over the ledger stands still": replace(MemoryFillStore, "end_fill_check", go_on_nowhere),
    "a fetched fill overwrites a newer one": replace(
        MemoryFillStore, "_is_as_it_was", staticmethod(always(value=True))
    ),
    "company spends the budget": replace(Books, "claim", claim_counting_all),
    "time goes on while the configuration is wrong": replace(Books, "_pause_budget", always(value=None)),
}
