"""ExecutionBatchProcessor: plans batches, builds a request, reads an answer strictly. Pure."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import islice

from trade_service.domain.errors import shorten
from trade_service.domain.executions import MAX_SERVICE_ID, SubmissionState, is_service_id
from trade_service.domain.money import shown
from trade_service.domain.reference import STATUS_NEW
from trade_service.submission.codes import OutcomeCode
from trade_service.submission.messages import (
    BatchExecutionRequest,
    BatchExecutionResponse,
    ExecutionPost,
    ExecutionResult,
)
from trade_service.submission.model import ClaimedExecution, ItemOutcome, ItemReading, Verdict

API_MAX_BATCH = 100
"""The Execution Service takes no more executions in one call."""
FALLBACK_BATCH = 50
"""What a configured size below one becomes (requirement 2.3)."""

_SUCCESS = "SUCCESS"
_FAILED = "FAILED"
_ALL_CREATED = 201
_SAID_YES = "accepted"
_FIRST_VERSION = 1
_OK: str = OutcomeCode.OK.value
_ACCEPTED = Verdict.ACCEPTED
_ZERO = Decimal(0)


Unsendable = Callable[[Sequence[ExecutionPost]], Mapping[int, str]]
"""Tells which posts cannot be written, by their place, with the rule that each breaks."""


def _nothing_unsendable(_posts: Sequence[ExecutionPost]) -> Mapping[int, str]:
    return {}


def effective_batch_size(size: int, maximum: int = API_MAX_BATCH) -> int:
    """The batch size that is used for a configured one: at most `maximum` and 100, 50 if below one."""
    return min(size if size >= 1 else FALLBACK_BATCH, maximum, API_MAX_BATCH)


class ExecutionBatchProcessor:
    """Turns executions into requests and answers into readings.

    `trade_types` are those that the Execution Service takes (its contract: BUY and SELL only).
    """

    def __init__(
        self,
        batch_size: int = API_MAX_BATCH,
        trade_types: Iterable[str] = ("BUY", "SELL"),
        unsendable: Unsendable = _nothing_unsendable,
    ) -> None:
        """`unsendable` is the gateway's own check of what it can write."""
        self._unsendable = unsendable
        self.batch_size = effective_batch_size(batch_size)
        self._trade_types = frozenset(trade_types)

    def plan_batches(self, execution_ids: Iterable[int]) -> Iterator[tuple[int, ...]]:
        """Cuts ids into full batches and a last, smaller one, in constant memory."""
        ids = iter(execution_ids)
        while batch := tuple(islice(ids, self.batch_size)):
            yield batch

    def build_batch_request(
        self, items: Sequence[ClaimedExecution]
    ) -> tuple[BatchExecutionRequest, tuple[ClaimedExecution, ...], tuple[ItemOutcome, ...]]:
        """The request, the items in its order, and the outcomes of those that cannot be sent at all.

        An item that breaks the Execution Service's own rules is rejected here: sent along, it could
        make the service refuse the whole batch.
        """
        refused = {item.execution_id: rule for item in items if (rule := self._broken_rule(item))}
        sent = [item for item in items if item.execution_id not in refused] if refused else items
        posts = [_post(item) for item in sent]
        faults = self._unsendable(posts)
        if faults:
            refused |= {sent[index].execution_id: rule for index, rule in faults.items()}
            sent = [item for index, item in enumerate(sent) if index not in faults]
            posts = [post for index, post in enumerate(posts) if index not in faults]
        request = BatchExecutionRequest(posts)
        outcomes = tuple(
            ItemOutcome(execution_id, SubmissionState.REJECTED, OutcomeCode.NOT_REPRESENTABLE, rule)
            for execution_id, rule in refused.items()
        )
        return request, tuple(sent), outcomes

    def process_response(
        self, sent: Sequence[ClaimedExecution], response: BatchExecutionResponse, http_status: int
    ) -> tuple[ItemReading, ...]:
        """Reads an answer item by item, in the order of `sent`.

        Results are matched by `requestIndex` and verified with `execution.tradeServiceExecutionId`;
        where the two disagree the latter wins. Whatever is missing, repeated, out of range or
        contradictory is UNCLEAR for the items it touches and for no others.
        """
        plain = _plain_acceptances(sent, response.results or ())
        if plain is not None:
            return plain
        named, indexed = _sort_out(sent, response.results or ())
        contested = _contested(response.results or ())
        return tuple(
            _judge(item, named.get(index, ()), indexed.get(index, ()), http_status, contested)
            for index, item in enumerate(sent)
        )

    @staticmethod
    def extract_failed_executions(readings: Iterable[ItemReading]) -> tuple[ItemReading, ...]:
        """The items that an answer does not prove to be accepted."""
        return tuple(reading for reading in readings if reading.verdict is not _ACCEPTED)

    def _broken_rule(self, item: ClaimedExecution) -> str | None:
        if item.trade_type not in self._trade_types:
            known = " or ".join(sorted(self._trade_types))
            return f"tradeType: the Execution Service takes {known} only; got {item.trade_type or 'nothing'}"
        try:
            # What is no number, which a database may hold, cannot be compared.
            if item.quantity.is_nan() or item.quantity <= _ZERO:
                return f"quantity: must be greater than zero; got {shown(item.quantity)}"
            price = item.limit_price
            if price is not None and (price.is_nan() or price <= _ZERO):
                return f"limitPrice: must be greater than zero or absent; got {shown(price)}"
        except (ArithmeticError, AttributeError, TypeError, ValueError) as error:
            return f"it cannot be read from the database: {shorten(repr(error))}"
        return None


def _post(item: ClaimedExecution) -> ExecutionPost:
    assert item.trade_type is not None
    return ExecutionPost(
        STATUS_NEW,
        item.trade_type,
        item.destination,
        item.security_id,
        item.quantity,
        item.limit_price,
        item.execution_id,
        _FIRST_VERSION,
    )


def _plain_acceptances(
    sent: Sequence[ClaimedExecution], results: Sequence[ExecutionResult]
) -> tuple[ItemReading, ...] | None:
    """The readings of an answer that accepts each item at its own place and by its own name; None for others.

    Nearly every answer is one of these: it says the same as the general reading, in one pass.
    """
    if len(results) != len(sent):
        return None
    readings = []
    service_ids = set()
    for index, (item, result) in enumerate(zip(sent, results, strict=True)):
        remote = result.execution
        if (
            remote is None
            or remote.trade_service_execution_id != item.execution_id
            or result.request_index != index
            or result.status != _SUCCESS
            or remote.id is None
            or not 1 <= remote.id <= MAX_SERVICE_ID
        ):
            return None
        service_ids.add(remote.id)
        readings.append(ItemReading(item.execution_id, _ACCEPTED, _OK, _SAID_YES, remote.id))
    return tuple(readings) if len(service_ids) == len(sent) else None


def _sort_out(
    sent: Sequence[ClaimedExecution], results: Sequence[ExecutionResult]
) -> tuple[dict[int, list[ExecutionResult]], dict[int, list[ExecutionResult]]]:
    """Results by item: those that name the item's own execution, and those that only claim its index.

    A result that names one of ours at another's index proves that indexes have shifted from there on:
    later results that name nothing are then put nowhere, which leaves their items UNCLEAR. A result
    that names an execution outside the batch counts as a claim on its index, which spoils it.
    """
    index_of = {item.execution_id: index for index, item in enumerate(sent)}
    named: dict[int, list[ExecutionResult]] = {}
    indexed: dict[int, list[ExecutionResult]] = {}
    shifted_from = len(sent)
    for result in results:
        name = result.execution.trade_service_execution_id if result.execution is not None else None
        index = index_of.get(name) if name is not None else None
        claimed = result.request_index
        if index is not None:
            named.setdefault(index, []).append(result)
            if claimed is not None and claimed != index:
                shifted_from = min(shifted_from, claimed)
        elif claimed is not None and 0 <= claimed < len(sent):
            indexed.setdefault(claimed, []).append(result)
    trusted = {index: claims for index, claims in indexed.items() if index < shifted_from}
    return named, trusted


def _contested(results: Sequence[ExecutionResult]) -> Collection[int]:
    """The Execution Service's ids that the answer gives to more than one execution: one of them is wrong."""
    owners: dict[int, set[int | None]] = {}
    for result in results:
        remote = result.execution
        if remote is not None and remote.id is not None:
            owners.setdefault(remote.id, set()).add(remote.trade_service_execution_id)
    return {service_id for service_id, claims in owners.items() if len(claims) > 1}


def _judge(
    item: ClaimedExecution,
    named: Sequence[ExecutionResult],
    indexed: Sequence[ExecutionResult],
    http_status: int,
    contested: Collection[int],
) -> ItemReading:
    """The reading of one item; a result that names it outweighs those that only claim its index.

    A success has to name it: indexes may have shifted.
    """
    claims = named or indexed
    if len(claims) != 1:
        why = "the answer holds no result for it" if not claims else f"the answer holds {len(claims)} results"
        return _unclear(item, why)
    result = claims[0]
    remote = result.execution
    if not named and remote is not None and remote.trade_service_execution_id is not None:
        return _unclear(item, f"its result names execution {remote.trade_service_execution_id}")
    if result.status == _SUCCESS:
        if remote is None or remote.id is None:
            return _unclear(item, "its success carries no id")
        if not is_service_id(remote.id):
            return _unclear(
                item, f"its success carries the id {shorten(str(remote.id))}, which none can have"
            )
        if not named:
            return _unclear(item, "its success names no execution")
        if remote.id in contested:
            return _unclear(item, f"the answer gives the id {remote.id} to another execution as well")
        return ItemReading(item.execution_id, _ACCEPTED, _OK, _SAID_YES, remote.id)
    if result.status == _FAILED and remote is None and http_status != _ALL_CREATED:
        message = (result.message or "").strip() or "the Execution Service gave no reason"
        return ItemReading(item.execution_id, Verdict.REFUSED, OutcomeCode.ITEM_REFUSED, message)
    return _unclear(item, f"its result contradicts itself (status {result.status!r} in a {http_status})")


def _unclear(item: ClaimedExecution, why: str) -> ItemReading:
    return ItemReading(item.execution_id, Verdict.UNCLEAR, OutcomeCode.ITEM_UNCLEAR, why)
