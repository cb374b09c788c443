"""ExecutionBatchProcessor: plans batches, builds requests and interprets answers strictly. Pure."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from itertools import islice

from trade_service.domain.errors import shorten
from trade_service.domain.executions import SubmissionState
from trade_service.domain.fields import MAX_SERVICE_ID, is_service_id, shown_number
from trade_service.domain.reference import STATUS_NEW
from trade_service.submission.codes import OutcomeCode
from trade_service.submission.messages import (
    BatchExecutionRequest,
    BatchExecutionResponse,
    ExecutionRequest,
    ExecutionResult,
)
from trade_service.submission.model import ClaimedExecution, ItemOutcome

API_MAX_BATCH = 100
"""The Execution Service's limit for one call."""
FALLBACK_BATCH = 50
"""What a configured size below one becomes (requirement 2.3)."""

_SUCCESS = "SUCCESS"
_FAILED = "FAILED"
_ALL_CREATED = 201
_ACCEPTED_MESSAGE = "accepted"
_FIRST_VERSION = 1
_OK: str = OutcomeCode.OK.value
_ACCEPTED = SubmissionState.ACCEPTED
_ZERO = Decimal(0)


class Source(StrEnum):
    """How a refusal is known."""

    SEEN = "answered by the running service"
    CODE = "in the source of its validation, beside those that were seen"


KNOWN_REFUSALS: Mapping[str, Source] = {
    "Invalid trade type. Must be BUY or SELL": Source.SEEN,
    "Invalid execution status. Must be NEW, PENDING, FILLED, CANCELLED, or REJECTED": Source.SEEN,
    "Destination cannot exceed 20 characters": Source.SEEN,
    "Security ID cannot exceed 24 characters": Source.SEEN,
    "Security ID is required": Source.SEEN,
    "Quantity is required": Source.SEEN,
    "Quantity must be greater than zero": Source.SEEN,
    "Limit price must be greater than zero when specified": Source.SEEN,
    "Execution request cannot be null": Source.CODE,
    "Execution status is required": Source.CODE,
    "Trade type is required": Source.CODE,
    "Destination is required": Source.CODE,
    "Execution status cannot exceed 20 characters": Source.CODE,
    "Trade type cannot exceed 10 characters": Source.CODE,
}
"""Whole messages. Validation comes before anything is written, so none of these leaves a row behind."""

ANYTHING = "*"
MAX_MESSAGE = 1_000
"""Characters of a result's message that are kept."""


class Refusals:
    """The closed list of messages that prove that an item was not created; in those of a setting `*` is any text.

    Everything else that a failed item may say is its database speaking, or its network: the row may have been
    committed. So it is unknown, and reconciled.
    """

    def __init__(self, more: Iterable[str] = ()) -> None:
        self._known = frozenset(map(_folded, KNOWN_REFUSALS))
        self._patterns = [_folded(text).split(ANYTHING) for text in more]

    def __contains__(self, message: str) -> bool:
        """Whether the whole message is a refusal, whatever its case and the blanks around it."""
        text = _folded(message)
        return text in self._known or any(_fits(text, parts) for parts in self._patterns)


def _fits(text: str, parts: Sequence[str]) -> bool:
    """Whether `text` is these parts with any text between them, in time that grows with its length alone."""
    if len(parts) == 1:
        return text == parts[0]
    first, *middle, last = parts
    at, end = len(first), len(text) - len(last)
    if end < at or not text.startswith(first) or not text.endswith(last):
        return False
    for part in middle:
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


def _folded(text: str) -> str:
    return text.strip().casefold()


Encode = Callable[[Sequence[ExecutionRequest]], tuple[bytes, Mapping[int, str]]]
"""Returns the body for some posts, and the posts that it leaves out, by index, with the rule that each breaks."""


def _not_encoded(_posts: Sequence[ExecutionRequest]) -> tuple[bytes, Mapping[int, str]]:
    return b"", {}


def effective_batch_size(size: int, maximum: int = API_MAX_BATCH) -> int:
    """The batch size used for a configured one: at most `maximum` and 100; 50 if below one."""
    return min(size if size >= 1 else FALLBACK_BATCH, maximum, API_MAX_BATCH)


class ExecutionBatchProcessor:
    """Turns claimed executions into a request, and its answer into an outcome for each of them.

    Example:
        request, sent, unsendable = processor.build_batch_request(claim.items)
        outcomes = processor.process_response(sent, response, http_status)
    """

    def __init__(
        self,
        batch_size: int = API_MAX_BATCH,
        trade_types: Iterable[str] = ("BUY", "SELL"),
        encode: Encode = _not_encoded,
        refusals: Refusals | None = None,
    ) -> None:
        """Creates a processor.

        batch_size: executions in one call, see `effective_batch_size`.
        trade_types: those that the Execution Service accepts.
        encode: the gateway's encoding of a request's body (default: none).
        refusals: messages that prove that an item was not created (default: the known ones).
        """
        self._encode = encode
        self._refusals = Refusals() if refusals is None else refusals
        self.batch_size = effective_batch_size(batch_size)
        self._trade_types = frozenset(trade_types)

    def plan_batches(self, execution_ids: Iterable[int]) -> Iterator[tuple[int, ...]]:
        """Splits ids into full batches and a last, smaller one, in constant memory."""
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
        posts = [
            ExecutionRequest(
                STATUS_NEW,
                item.trade_type or "",  # `_broken_rule` refuses those without one.
                item.destination,
                item.security_id,
                item.quantity,
                item.limit_price,
                item.execution_id,
                _FIRST_VERSION,
            )
            for item in sent
        ]
        body, faults = self._encode(posts)
        if faults:
            refused |= {sent[index].execution_id: rule for index, rule in faults.items()}
            sent = [item for index, item in enumerate(sent) if index not in faults]
            posts = [post for index, post in enumerate(posts) if index not in faults]
        request = BatchExecutionRequest(posts, body)
        outcomes = tuple(
            ItemOutcome(execution_id, SubmissionState.REJECTED, OutcomeCode.NOT_REPRESENTABLE, rule)
            for execution_id, rule in refused.items()
        )
        return request, tuple(sent), outcomes

    def process_response(
        self, sent: Sequence[ClaimedExecution], response: BatchExecutionResponse, http_status: int
    ) -> tuple[ItemOutcome, ...]:
        """The outcome of each item, in the order of `sent`.

        Results are matched by `requestIndex` and verified with `execution.tradeServiceExecutionId`;
        where the two disagree the latter wins. Missing, repeated, out-of-range or contradictory results make
        the items they affect `unknown`, and no others. A failed item is `rejected` only if its message is a
        known refusal.
        """
        plain = _plain_acceptances(sent, response.results or ())
        if plain is not None:
            return plain
        named, indexed = _sort_out(sent, response.results or ())
        contested = _contested(response.results or ())
        return tuple(
            self._judge(item, named.get(index, ()), indexed.get(index, ()), http_status, contested)
            for index, item in enumerate(sent)
        )

    @staticmethod
    def extract_failed_executions(outcomes: Iterable[ItemOutcome]) -> tuple[ItemOutcome, ...]:
        """The items that an answer does not prove to be accepted."""
        return tuple(outcome for outcome in outcomes if outcome.state is not _ACCEPTED)

    def _judge(
        self,
        item: ClaimedExecution,
        named: Sequence[ExecutionResult],
        indexed: Sequence[ExecutionResult],
        http_status: int,
        contested: Collection[int],
    ) -> ItemOutcome:
        """The outcome of one item: a result that names it outweighs those that only claim its index.

        A success must name it, since indexes may have shifted.
        """
        claims = named or indexed
        if len(claims) != 1:
            why = (
                "the answer holds no result for it"
                if not claims
                else f"the answer holds {len(claims)} results"
            )
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
            return ItemOutcome(item.execution_id, _ACCEPTED, _OK, _ACCEPTED_MESSAGE, remote.id)
        if result.status == _FAILED and remote is None and http_status != _ALL_CREATED:
            message = (result.message or "").strip() or "the Execution Service gave no reason"
            return self._failed_item(item, message)
        return _unclear(item, f"its result contradicts itself (status {result.status!r} in a {http_status})")

    def _failed_item(self, item: ClaimedExecution, message: str) -> ItemOutcome:
        """Any other message may come from the service's database: the row may have been committed."""
        if message not in self._refusals:
            return _unclear(item, shorten(message, MAX_MESSAGE))
        rejected = SubmissionState.REJECTED
        return ItemOutcome(
            item.execution_id, rejected, OutcomeCode.ITEM_REFUSED, shorten(message, MAX_MESSAGE)
        )

    def _broken_rule(self, item: ClaimedExecution) -> str | None:
        if item.trade_type not in self._trade_types:
            known = " or ".join(sorted(self._trade_types))
            return f"tradeType: the Execution Service takes {known} only; got {item.trade_type or 'nothing'}"
        try:
            # What is no number, which a database may hold, cannot be compared.
            if item.quantity.is_nan() or item.quantity <= _ZERO:
                return f"quantity: must be greater than zero; got {shown_number(item.quantity)}"
            price = item.limit_price
            if price is not None and (price.is_nan() or price <= _ZERO):
                return f"limitPrice: must be greater than zero or absent; got {shown_number(price)}"
        except (ArithmeticError, AttributeError, TypeError, ValueError) as error:
            return f"it cannot be read from the database: {shorten(repr(error))}"
        return None


def _plain_acceptances(
    sent: Sequence[ClaimedExecution], results: Sequence[ExecutionResult]
) -> tuple[ItemOutcome, ...] | None:
    """The outcomes of an answer that accepts each item at its own index and by its own id; None for others.

    Nearly every answer is one of these. The general reading gives the same outcomes in several passes.
    """
    if len(results) != len(sent):
        return None
    outcomes = []
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
        outcomes.append(ItemOutcome(item.execution_id, _ACCEPTED, _OK, _ACCEPTED_MESSAGE, remote.id))
    return tuple(outcomes) if len(service_ids) == len(sent) else None


def _sort_out(
    sent: Sequence[ClaimedExecution], results: Sequence[ExecutionResult]
) -> tuple[dict[int, list[ExecutionResult]], dict[int, list[ExecutionResult]]]:
    """Results by item: those that name the item's own execution, and those that only claim its index.

    A result that names one of ours at another's index proves that indexes have shifted from there on: later
    results that name nothing are then dropped, which leaves their items `unknown`. A result that names an
    execution outside the batch counts as a claim on its index, which spoils it.
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
    """The downstream ids that the answer gives to more than one execution: at least one of them is wrong."""
    owners: dict[int, set[int | None]] = {}
    for result in results:
        remote = result.execution
        if remote is not None and remote.id is not None:
            owners.setdefault(remote.id, set()).add(remote.trade_service_execution_id)
    return {service_id for service_id, claims in owners.items() if len(claims) > 1}


def _unclear(item: ClaimedExecution, why: str) -> ItemOutcome:
    return ItemOutcome(item.execution_id, SubmissionState.UNKNOWN, OutcomeCode.ITEM_UNCLEAR, why)
