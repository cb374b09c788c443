"""The one envelope of batches: counts, and a result for each item in request order."""

from collections.abc import Sequence
from typing import Annotated, Generic, NamedTuple, Protocol, Self, TypeVar

import msgspec

from trade_service.web.route_docs import one_of

SUCCESS, PARTIAL, FAILURE = "SUCCESS", "PARTIAL", "FAILURE"
ResultStatus = Annotated[str, one_of(SUCCESS, FAILURE)]
BatchStatus = Annotated[str, one_of(SUCCESS, PARTIAL, FAILURE)]

Order = TypeVar("Order")


class HasStatus(Protocol):
    """A result of a batch."""

    @property
    def status(self) -> str:
        """Says whether it succeeded."""
        ...


Result = TypeVar("Result", bound=HasStatus)


class BatchCounts(NamedTuple):
    """How a batch went."""

    status: str
    total: int
    successful: int
    failed: int

    @classmethod
    def of(cls, results: Sequence[HasStatus], failure: str = FAILURE) -> Self:
        """Counts results, of which those with the status `failure` failed; a batch of none is a success."""
        failed = sum(result.status == failure for result in results)
        successful = len(results) - failed
        status = SUCCESS if not failed else PARTIAL if successful else FAILURE
        return cls(status, len(results), successful, failed)


class BatchAnswer(msgspec.Struct, Generic[Result], frozen=True, rename="camel"):
    """Counts, and the results in request order."""

    status: BatchStatus
    message: str
    total_requested: int
    successful: int
    failed: int
    results: Sequence[Result]

    @classmethod
    def of(cls, results: Sequence[Result], done: str) -> Self:
        """The envelope; its message reads `2 of 3` and then what was `done`."""
        tally = BatchCounts.of(results)
        message = f"{tally.successful} of {tally.total} {done}"
        return cls(tally.status, message, tally.total, tally.successful, tally.failed, results)

    @property
    def http_status(self) -> int:
        """200 when all or none succeeded, 207 otherwise."""
        return 207 if self.status == PARTIAL else 200


class OrderResult(msgspec.Struct, Generic[Order], frozen=True, rename="camel"):
    """One trade order of a batch that creates orders."""

    request_index: int
    status: ResultStatus
    message: str
    trade_order: Order | None

    @classmethod
    def created(cls, orders: Sequence[Order]) -> list[Self]:
        """The results of a batch that created all of its orders."""
        return [cls(index, SUCCESS, "trade order created", order) for index, order in enumerate(orders)]
