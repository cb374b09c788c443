"""Bodies of the batches of v2: what came of each trade order, in request order."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec

from trade_service.domain.errors import NotFound
from trade_service.trading.listing.service import NamedOrder
from trade_service.trading.order_editor import MAX_ORDERS
from trade_service.web.integers import Int32
from trade_service.web.telling import items
from trade_service.web.v2.responses import TradeOrderV2


class BatchMove(msgspec.Struct, rename="camel"):
    """Trade orders, and the blotter that they are to be in."""

    trade_order_ids: Annotated[list[Int32], items(MAX_ORDERS)]
    blotter_abbreviation: str


class CreatedResult(msgspec.Struct, frozen=True, rename="camel"):
    """One created trade order."""

    request_index: int
    status: str
    message: str
    trade_order: TradeOrderV2


class BatchCreateAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """All trade orders were created."""

    status: str
    message: str
    total_requested: int
    successful: int
    failed: int
    results: Sequence[CreatedResult]

    @classmethod
    def of(cls, created: Sequence[NamedOrder]) -> "BatchCreateAnswer":
        """The answer for orders that were all created."""
        results = [
            CreatedResult(index, "SUCCESS", "trade order created", TradeOrderV2.of(one))
            for index, one in enumerate(created)
        ]
        total = len(results)
        return cls("SUCCESS", f"{total} of {total} trade orders created", total, total, 0, results)


class MovedResult(msgspec.Struct, frozen=True, rename="camel"):
    """What became of one trade order that was to be moved."""

    trade_order_id: int
    request_index: int
    status: str
    message: str
    trade_order: TradeOrderV2 | None


class BatchMoveAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """What became of trade orders that were to be moved."""

    status: str
    message: str
    total_requested: int
    successful: int
    failed: int
    results: Sequence[MovedResult]

    @classmethod
    def of(cls, trade_order_ids: Sequence[int], moved: Mapping[int, NamedOrder]) -> "BatchMoveAnswer":
        """Counts and sums up; an order that is not among those moved does not exist."""
        results = [_moved(index, one, moved.get(one)) for index, one in enumerate(trade_order_ids)]
        failed = sum(result.trade_order is None for result in results)
        total = len(results)
        status = "FAILURE" if failed == total else "PARTIAL" if failed else "SUCCESS"
        return cls(
            status, f"{total - failed} of {total} trade orders moved", total, total - failed, failed, results
        )


def _moved(index: int, trade_order_id: int, named: NamedOrder | None) -> MovedResult:
    if named is None:
        message = NotFound.of("trade order", trade_order_id).message
        return MovedResult(trade_order_id, index, "FAILURE", message, None)
    return MovedResult(trade_order_id, index, "SUCCESS", "trade order moved", TradeOrderV2.of(named))
