"""Planted mistakes. Each must make a world fail, or the worlds prove nothing."""

import operator
from collections.abc import Sequence
from functools import partial
from operator import attrgetter
from typing import Any
from unittest import mock

import msgspec

from tests.world import replica
from tests.world.direct_mutants import DIRECT_MUTANTS
from tests.world.pause_mutants import PAUSE_MUTANTS
from tests.world.planting import Patch, always, bound, replace
from tests.world.store_mutants import STORE_MUTANTS
from trade_service.domain.executions import Fill, SubmissionState
from trade_service.execution_service import reply_interpretation, wire
from trade_service.execution_service.reply_interpretation import ClientCode
from trade_service.submission import (
    batch_processor,
    downstream_scan,
    failure_handler,
    reconciliation,
    recovery,
    service,
)
from trade_service.submission.admission import Admission, DownstreamGate
from trade_service.submission.batch_processor import ExecutionBatchProcessor, Refusals
from trade_service.submission.engine_settings import EngineSettings
from trade_service.submission.failure_handler import Decision, ExecutionFailureHandler
from trade_service.submission.ledger_watch import LedgerWatch
from trade_service.submission.listing_walk import Ask, ListingWalk
from trade_service.submission.messages import (
    BatchExecutionResponse,
    RemoteExecution,
    RemoteExecutionPage,
    RemotePagination,
)
from trade_service.submission.model import (
    AttemptClosing,
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


async def know_all(*_args: Any) -> None:
    """Does not check that this database knows all it has sent."""


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


async def check_nothing(_self: FillCheck) -> None:
    """Does not fetch lost fills."""


async def alarm_nobody(_self: FillCheck, _held: object) -> None:
    """Ignores impossible quantities in the ledger."""


def fill_as_in_books(stored: Fill, books: Fill) -> Fill | None:
    """Trusts the ledger's fill, however old the page."""
    return None if stored == books else books


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
    **STORE_MUTANTS,
    **PAUSE_MUTANTS,
    "match by position": replace(ExecutionBatchProcessor, "process_response", match_by_position),
    "silence is a failure": replace(
        ExecutionFailureHandler, "decide_reply", bound(decide_silence, Decision.REJECT)
    ),
    "silence is a retry": replace(
        ExecutionFailureHandler, "decide_reply", bound(decide_silence, Decision.RETRY)
    ),
    "a 500 is a retry": replace(ExecutionFailureHandler, "decide_reply", decide_error),
    "a failed item is a retry": replace(ExecutionBatchProcessor, "_failed_item", retry_failed_item),
    "an unknown message is a refusal": replace(Refusals, "__contains__", always(value=True)),
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
    "no floor in `matches`": replace(reconciliation, "matches", matches_below_floor),
    "`agrees` without quantity": replace(downstream_scan, "agrees", bound(agrees_without, "quantity")),
    "`agrees` without destination": replace(downstream_scan, "agrees", bound(agrees_without, "destination")),
    "`doubtful` off": replace(reconciliation, "doubtful", always(value=None)),
    "trailing blanks are compared": replace(downstream_scan, "same_identifier", operator.eq),
    "short pages are believed": replace(ListingWalk, "take", take_short_page),
    "no boundary check": replace(ListingWalk, "_extend", extend_always),
    "not found is trusted at once": replace(reconciliation.Reconciliation, "_is_settled", always(value=True)),
    "the settle time is too short": replace(
        replica, "engine_settings", bound(settings_with, {"submission": {"settle_time_ms": 300}})
    ),
    "only the database's clock counts": replace(
        reconciliation.Reconciliation, "_is_settled", settled_by_database
    ),
    "the lease is shorter than the request": replace(
        replica,
        "engine_settings",
        bound(
            settings_with,
            {
                "execution_service": {"connect_timeout_ms": 0, "total_timeout_ms": 0},
                "submission": {"lease_margin_ms": 400, "settle_time_ms": 5000},
            },
        ),
    ),
    "a byte may leave until the lease is over": replace(
        EngineSettings, "write_ms", property(attrgetter("lease_ms"))
    ),
    "the lease is not looked at before sending": replace(
        service.BulkExecutionSubmissionService, "_send", send_late
    ),
    "a pass that broke off proves absence": replace(reconciliation, "scan_downstream", scan_carelessly),
    "a reset of the Execution Service is not noticed": replace(DownstreamGate, "suspect", always(value=None)),
    "an acceptance below the floor says nothing": replace(
        service.BulkExecutionSubmissionService, "_check_ids", check_no_ids
    ),
    "a stale or foreign listing proves absence": replace(
        reconciliation.Reconciliation, "_is_beyond_doubt", always(value=True)
    ),
    "a restored database trusts itself": replace(LedgerWatch, "_check_what_is_new", know_all),
    "nobody recovers": replace(recovery.Recovery, "step", recovery.Recovery._poll_unsettled),
    "lost fills are not fetched": replace(FillCheck, "once", check_nothing),
    "a fill goes back to an old page": replace(fill_check, "newer_fill", fill_as_in_books),
    "no alarm names an impossible fill": replace(FillCheck, "_alarm", alarm_nobody),
    "unclear is taken for accepted": replace(
        failure_handler,
        "STATE_OF",
        {**failure_handler.STATE_OF, Decision.LOOK_UP: SubmissionState.ACCEPTED},
    ),
    "a batch that failed is never split": replace(failure_handler, "retry_size", always(value=None)),
    "an outage splits every batch": replace(Admission, "is_outage", always(value=False)),
    "silence never halves a batch": replace(failure_handler, "retry_size", retry_silence_whole),
    "a wrong configuration gives up": replace(
        ExecutionFailureHandler, "decide_reply", bound(decide_configuration, Decision.EXHAUST)
    ),
    "a 404 is a retry": replace(
        ExecutionFailureHandler, "decide_reply", bound(decide_configuration, Decision.RETRY)
    ),
    "a 503 settles as soon as a failed handler": replace(
        ExecutionFailureHandler, "close_reply", close_settled_early
    ),
    "a failed commit settles at once": replace(wire, "TRANSACTION_WORDS", ()),
}
