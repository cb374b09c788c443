"""Planted mistakes. Each must make a world fail, or the worlds prove nothing."""

import operator
from collections.abc import Callable, Sequence
from functools import partial
from operator import attrgetter
from typing import Any
from unittest import mock

import msgspec

from tests.support.execution_rules import held_as_never_sent
from tests.world import replica, store_downstream, store_orders
from tests.world.direct_mutants import DIRECT_MUTANTS
from tests.world.store_books import Books
from tests.world.store_fills import MemoryFillStore
from tests.world.store_orders import OrderBooks
from tests.world.store_rows import SENT, BookedAttempt, BookedDownstream, BookedExecution
from trade_service.domain.executions import Fill, SubmissionState
from trade_service.execution_service import reply_interpretation, wire
from trade_service.execution_service.reply_interpretation import ClientCode
from trade_service.submission import (
    batch_processor,
    downstream_gate,
    downstream_scan,
    failure_handler,
    reconciliation,
    recovery,
    service,
)
from trade_service.submission.admission import Admission
from trade_service.submission.batch_processor import ExecutionBatchProcessor, Refusals
from trade_service.submission.engine_settings import EngineSettings
from trade_service.submission.failure_handler import Decision, ExecutionFailureHandler
from trade_service.submission.listing_walk import Ask, ListingWalk
from trade_service.submission.messages import (
    BatchExecutionResponse,
    RemoteExecution,
    RemoteExecutionPage,
    RemotePagination,
)
from trade_service.submission.model import (
    AttemptClosing,
    Claim,
    ClaimedExecution,
    DueAttempt,
    GatewayReply,
    ItemOutcome,
    OpenItem,
    ReplyKind,
)
from trade_service.trading import fill_check
from trade_service.trading.fill_check import FillCheck

MAX_ID = 2**31 - 1
_S = SubmissionState

Patch = Callable[[], Any]
"""Makes a context manager that plants the mistake."""


def match_by_position(
    self: ExecutionBatchProcessor,
    sent: Sequence[ClaimedExecution],
    response: BatchExecutionResponse,
    _status: int,
) -> tuple[ItemOutcome, ...]:
    """Matches results by index, whatever execution they name."""
    results = {result.request_index: result for result in response.results or ()}
    outcomes = []
    for index, item in enumerate(sent):
        result = results.get(index)
        if result is None:
            outcomes.append(ItemOutcome(item.execution_id, _S.UNKNOWN, "X", "no result"))
        elif result.execution is not None and result.execution.id:
            outcomes.append(ItemOutcome(item.execution_id, _S.ACCEPTED, "OK", "", result.execution.id))
        else:
            outcomes.append(self._failed_item(item, "refused"))
    return tuple(outcomes)


_decide_reply = ExecutionFailureHandler.decide_reply


def decide_silence(
    as_: Decision, self: ExecutionFailureHandler, reply: GatewayReply, item: ClaimedExecution, size: int
) -> Decision:
    """Treats a lost answer as proof."""
    return as_ if reply.kind is ReplyKind.LOST else _decide_reply(self, reply, item, size)


def decide_error(
    self: ExecutionFailureHandler, reply: GatewayReply, item: ClaimedExecution, size: int
) -> Decision:
    """Treats an error of the Execution Service as proof that nothing was committed."""
    return Decision.RETRY if reply.kind is ReplyKind.UNCLEAR else _decide_reply(self, reply, item, size)


_failed_item = ExecutionBatchProcessor._failed_item


def retry_failed_item(self: ExecutionBatchProcessor, item: ClaimedExecution, message: str) -> ItemOutcome:
    """Treats a failed item that is no known refusal as not committed."""
    outcome = _failed_item(self, item, message)
    if outcome.state is SubmissionState.UNKNOWN:
        return msgspec.structs.replace(outcome, state=SubmissionState.RETRY)
    return outcome


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


_engine_settings = replica.engine_settings


def settings_with(changes: dict[str, dict[str, int]], *args: Any) -> EngineSettings:
    """Settings with wrong times, by section."""
    settings = _engine_settings(*args)
    sections = {
        name: msgspec.structs.replace(getattr(settings, name), **values) for name, values in changes.items()
    }
    return msgspec.structs.replace(settings, **sections)


def settled_by_database(_self: object, attempt: DueAttempt) -> bool:
    """Trusts the database's clock alone."""
    return attempt.settled


_send = service.BulkExecutionSubmissionService._send


async def send_late(self: Any, batch: service.Batch) -> GatewayReply | None:
    """Sends without checking the lease."""
    batch.began = float("inf")
    return await _send(self, batch)


def claim_below_the_future(self: Books, attempt: Any, ids: Sequence[int], claimable: Any) -> Claim:
    """Claims with a low-water id from the future, so that reconciliation stops too early."""
    claim = _claim(self, attempt, ids, claimable)
    if claim.items:
        self.attempts[attempt.attempt_id].floor_id += 3
    return claim


class CarelessScan(downstream_scan.DownstreamScan):
    """A scan that never suspects the ledger."""

    def contradicts(self, anchor_id: int, execution_id: int | None) -> bool:
        return False


async def scan_carelessly(*args: Any) -> downstream_scan.DownstreamScan:
    """Treats executions as absent after an incomplete pass."""
    seen = await downstream_scan.scan_downstream(*args)
    if not seen.problem:
        return seen
    careless = CarelessScan(**{name: getattr(seen, name) for name in seen.__struct_fields__})
    careless.problem, careless.read_down_to, careless.pages, careless.newest_id = "", 0, 1, MAX_ID
    return careless


def check_no_ids(self: Any, _low_water_id: int, closing: AttemptClosing) -> None:
    """Does not check whether an acceptance has a known id."""
    _check_ids(self, 0, closing)


_check_ids = service.BulkExecutionSubmissionService._check_ids


async def advance_nothing(*_args: Any) -> bool:
    """Lets a restored database reuse ids in the ledger."""
    return False


async def know_all(*_args: Any) -> None:
    """Does not check that this database knows all it has sent."""


async def unblock_only(self: Any, beyond: int, *_args: Any) -> int:
    """Recovers a restored database without setting unsent executions to unknown."""
    self._books.downstream.blocked_reason = None
    self._books.last_execution_id = max(self._books.last_execution_id, beyond)
    return 0


_due = Books._due


def due_in_this_epoch(self: Books, attempt: BookedAttempt, now: float) -> DueAttempt:
    """Treats every attempt as one of the present epoch."""
    return msgspec.structs.replace(_due(self, attempt, now), epoch=self.downstream.epoch)


_take, _extend = ListingWalk.take, ListingWalk._extend


def take_short_page(self: ListingWalk, ask: Ask, page: RemoteExecutionPage) -> list[RemoteExecution]:
    """Treats a page that is not full as the last one."""
    said = RemotePagination(has_next=len(page.content) == ask.limit)
    return _take(self, ask, RemoteExecutionPage(page.content, said))


def extend_always(self: ListingWalk, page: RemoteExecutionPage) -> list[RemoteExecution] | None:
    """Does not check that pages are contiguous."""
    ids = [row.id or 0 for row in page.content]
    if self.covered is not None and ids:
        self.covered = min(self.covered, ids[0] + 1)
    if not ids and self.covered is not None:
        self.ended = True
        return []
    return _extend(self, page)


def matches_below_floor(seen: Any, items: Any, _floor_id: int) -> Any:
    """Accepts rows below the low-water id as ours."""
    return downstream_scan.matches(seen, items, 0)


def agrees_without(term: str, item: OpenItem, remote: RemoteExecution) -> bool:
    """Skips one of the compared terms."""
    return _agrees(item, msgspec.structs.replace(remote, **{term: getattr(item, term)}))


_agrees = downstream_scan.agrees


def is_legacy(self: BookedExecution) -> bool:
    """Treats executions that the legacy service sent meanwhile as its own."""
    return self.state is None


async def check_nothing(_self: FillCheck) -> None:
    """Does not fetch lost fills."""


async def alarm_nobody(_self: FillCheck, _held: object) -> None:
    """Ignores impossible quantities in the ledger."""


async def go_on_nowhere(_self: MemoryFillStore, _offset: int) -> None:
    """Starts every pass where the first one started."""


def fill_as_in_books(stored: Fill, books: Fill) -> Fill | None:
    """Trusts the ledger's fill, however old the page."""
    return None if stored == books else books


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


def always(*, value: object) -> Callable[..., Any]:
    """A method that always returns the same."""
    return lambda *_args, **_kwargs: value


def _replace(where: Any, name: str, value: Any) -> Patch:
    return partial(mock.patch.object, where, name, value)


def _bound(function: Callable[..., Any], argument: object) -> Callable[..., Any]:
    """Like `partial`, but binds as a method."""
    return lambda *args: function(argument, *args)


def claim_counting_all(self: Books, attempt: Any, ids: Sequence[int], claimable: Any) -> Claim:
    """Charges an attempt to the budget of each of its executions, shared or not."""
    return _claim(self, msgspec.structs.replace(attempt, counted=True), ids, claimable)


def decide_configuration(
    as_: Decision, self: ExecutionFailureHandler, reply: GatewayReply, item: ClaimedExecution, size: int
) -> Decision:
    """Treats a turned-away call as final, or as proof of absence."""
    return as_ if reply.kind is ReplyKind.CONFIGURATION else _decide_reply(self, reply, item, size)


def retry_silence_whole(
    kind: str | None, http_status: int | None, size: int, retry_count: int, *, outage: bool
) -> int | None:
    """Repeats unanswered batches whole without limit."""
    if kind == ReplyKind.LOST:
        return None
    return _retry_size(kind, http_status, size, retry_count, outage=outage)


_retry_size = failure_handler.retry_size


_close_reply = ExecutionFailureHandler.close_reply


def close_settled_early(self: Any, attempt: Any, reply: GatewayReply, *args: Any) -> AttemptClosing:
    """Waits after a 503 only as long as after a failure of the service's own handler."""
    early = reply.handler_failed or reply.http_status == 503
    return _close_reply(self, attempt, msgspec.structs.replace(reply, handler_failed=early), *args)


MUTANTS: dict[str, Patch] = {
    **DIRECT_MUTANTS,
    "match by position": _replace(ExecutionBatchProcessor, "process_response", match_by_position),
    "silence is a failure": _replace(
        ExecutionFailureHandler, "decide_reply", _bound(decide_silence, Decision.REJECT)
    ),
    "silence is a retry": _replace(
        ExecutionFailureHandler, "decide_reply", _bound(decide_silence, Decision.RETRY)
    ),
    "a 500 is a retry": _replace(ExecutionFailureHandler, "decide_reply", decide_error),
    "a failed item is a retry": _replace(ExecutionBatchProcessor, "_failed_item", retry_failed_item),
    "an unknown message is a refusal": _replace(Refusals, "__contains__", always(value=True)),
    "one id for two is accepted": partial(
        mock.patch.multiple,
        batch_processor,
        _contested=always(value=()),
        _plain_acceptances=always(value=None),
    ),
    "an impossible id is accepted": partial(
        mock.patch.multiple,
        batch_processor,
        is_service_id=always(value=True),
        _plain_acceptances=always(value=None),
    ),
    "a 301 says that nothing was accepted": partial(
        mock.patch.dict, reply_interpretation.OF_STATUS, {301: (ReplyKind.CONFIGURATION, ClientCode.REDIRECT)}
    ),
    "no floor in `matches`": _replace(reconciliation, "matches", matches_below_floor),
    "`agrees` without quantity": _replace(downstream_scan, "agrees", _bound(agrees_without, "quantity")),
    "`agrees` without destination": _replace(
        downstream_scan, "agrees", _bound(agrees_without, "destination")
    ),
    "`doubtful` off": _replace(reconciliation, "doubtful", always(value=None)),
    "trailing blanks are compared": _replace(downstream_scan, "same_identifier", operator.eq),
    "short pages are believed": _replace(ListingWalk, "take", take_short_page),
    "no boundary check": _replace(ListingWalk, "_extend", extend_always),
    "no write-ahead": _replace(Books, "claim", claim_unwritten),
    "not found is trusted at once": _replace(
        reconciliation.Reconciliation, "_is_settled", always(value=True)
    ),
    "the settle time is too short": _replace(
        replica, "engine_settings", _bound(settings_with, {"submission": {"settle_time_ms": 300}})
    ),
    "only the database's clock counts": _replace(
        reconciliation.Reconciliation, "_is_settled", settled_by_database
    ),
    "a claim locks nothing": _replace(Books, "claim", claim_unlocked),
    "no fencing": _replace(Books, "_is_owned", staticmethod(always(value=True))),
    "the lease is shorter than the request": _replace(
        replica,
        "engine_settings",
        _bound(
            settings_with,
            {
                "execution_service": {"connect_timeout_ms": 0, "total_timeout_ms": 0},
                "submission": {"lease_margin_ms": 400, "settle_time_ms": 5000},
            },
        ),
    ),
    "a byte may leave until the lease is over": _replace(
        EngineSettings, "write_ms", property(attrgetter("lease_ms"))
    ),
    "the lease is not looked at before sending": _replace(
        service.BulkExecutionSubmissionService, "_send", send_late
    ),
    "retry counters in memory": _replace(Books, "claim", claim_without_spending),
    "a late answer overwrites the status": _replace(Books, "_apply", apply_always),
    "quantity is not given back": _replace(Books, "_apply", keep_quantity),
    "unknown is sent again": _replace(Books, "claim", claim_unknown),
    "a pass that broke off proves absence": _replace(reconciliation, "scan_downstream", scan_carelessly),
    "a reset of the Execution Service is not noticed": _replace(
        downstream_gate.DownstreamGate, "suspect", always(value=None)
    ),
    "an acceptance below the floor says nothing": _replace(
        service.BulkExecutionSubmissionService, "_check_ids", check_no_ids
    ),
    "a stale or foreign listing proves absence": _replace(
        reconciliation.Reconciliation, "_is_beyond_doubt", always(value=True)
    ),
    "absence counts in every epoch": _replace(Books, "_due", due_in_this_epoch),
    "claims go on while the ledger is in doubt": _replace(
        BookedDownstream, "is_open", property(always(value=True))
    ),
    "a restored database trusts itself": _replace(
        downstream_gate.DownstreamGate, "_check_what_is_new", know_all
    ),
    "a restored database gives ids again": _replace(
        store_downstream.MemoryDownstreamStore, "advance_sequence", advance_nothing
    ),
    "a recovery doubts nothing": _replace(store_downstream.MemoryRestoreStore, "recover", unblock_only),
    "what the earlier service sent is fresh": _replace(BookedExecution, "is_legacy", property(is_legacy)),
    "the floor is too high": _replace(Books, "claim", claim_below_the_future),
    "an attempt is closed too early": _replace(Books, "_close", close_for_good),
    "the wish to submit is not kept": _replace(OrderBooks, "_write_ticket", always(value=None)),
    "nobody recovers": _replace(recovery.Recovery, "step", recovery.Recovery._poll_unsettled),
    "a fill of what was never sent is believed": _replace(
        OrderBooks, "is_held_as_never_sent", always(value=False)
    ),
    "a repeated fill of what was never sent is believed": _replace(
        store_orders, "held_as_never_sent", believe_the_repeated
    ),
    "what is said to be filled is sent without a look-up": _replace(OrderBooks, "_doubt", always(value=None)),
    "what is said to be filled is sought among new rows": _replace(
        OrderBooks, "new_look_up", look_up_new_rows
    ),
    "lost fills are not fetched": _replace(FillCheck, "once", check_nothing),
    "the window over the ledger stands still": _replace(MemoryFillStore, "end_fill_check", go_on_nowhere),
    "a fill goes back to an old page": _replace(fill_check, "newer_fill", fill_as_in_books),
    "a fetched fill overwrites a newer one": _replace(
        MemoryFillStore, "_is_as_it_was", staticmethod(always(value=True))
    ),
    "no alarm names an impossible fill": _replace(FillCheck, "_alarm", alarm_nobody),
    "unclear is taken for accepted": _replace(
        failure_handler,
        "STATE_OF",
        {**failure_handler.STATE_OF, Decision.LOOK_UP: SubmissionState.ACCEPTED},
    ),
    "company spends the budget": _replace(Books, "claim", claim_counting_all),
    "a batch that failed is never split": _replace(failure_handler, "retry_size", always(value=None)),
    "an outage splits every batch": _replace(Admission, "is_outage", always(value=False)),
    "silence never halves a batch": _replace(failure_handler, "retry_size", retry_silence_whole),
    "a wrong configuration gives up": _replace(
        ExecutionFailureHandler, "decide_reply", _bound(decide_configuration, Decision.EXHAUST)
    ),
    "a 404 is a retry": _replace(
        ExecutionFailureHandler, "decide_reply", _bound(decide_configuration, Decision.RETRY)
    ),
    "time goes on while the configuration is wrong": _replace(Books, "_pause_budget", always(value=None)),
    "a 503 settles as soon as a failed handler": _replace(
        ExecutionFailureHandler, "close_reply", close_settled_early
    ),
    "a failed commit settles at once": _replace(wire, "TRANSACTION_WORDS", ()),
}
