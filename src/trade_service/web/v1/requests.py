"""Bodies that clients of v1 send, and what they mean. Decimals come as numbers or numeric strings."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from trade_service.domain.errors import InvalidInput
from trade_service.domain.money import parse_decimal
from trade_service.domain.orders import NewTradeOrder, Submission
from trade_service.web.explaining import shown
from trade_service.web.reading import Int32

Number = Any
"""A number or a numeric string, which `exact` reads: msgspec's own Decimal takes `1_000` and other
scripts' digits too."""

_TIMESTAMP_RULE = "must be an ISO 8601 timestamp with an offset, such as 2024-06-10T12:00:00Z"
_MAX_TIMESTAMP_CHARS = 40


class TradeOrderPost(msgspec.Struct, rename="camel"):
    """A trade order to be created."""

    order_id: Int32
    portfolio_id: str
    order_type: str
    security_id: str
    quantity: Number
    limit_price: Number = None
    trade_timestamp: str | None = None
    blotter_id: Int32 | None = None

    def to_domain(self) -> NewTradeOrder:
        """The order; raises InvalidInput for a decimal or timestamp that cannot be stored exactly."""
        stamp = self.trade_timestamp
        return NewTradeOrder(
            order_id=self.order_id,
            portfolio_id=self.portfolio_id,
            order_type=self.order_type,
            security_id=self.security_id,
            quantity=exact(self.quantity, "quantity"),
            limit_price=None if self.limit_price is None else exact(self.limit_price, "limitPrice"),
            trade_timestamp=None if stamp is None else instant(stamp, "tradeTimestamp"),
            blotter_id=self.blotter_id,
        )


class TradeOrderBulkPost(msgspec.Struct, rename="camel"):
    """Trade orders to be created, all or none."""

    trade_orders: list[TradeOrderPost]

    def to_domain(self) -> list[NewTradeOrder]:
        """The orders; raises InvalidInput with the index of the one at fault."""
        orders = []
        for index, order in enumerate(self.trade_orders):
            try:
                orders.append(order.to_domain())
            except InvalidInput as error:
                raise error.at(index, "tradeOrders") from None
        return orders


class LooseBulk(msgspec.Struct, rename="camel"):
    """The same, read only to count it."""

    trade_orders: list[msgspec.Raw] = []


class TradeOrderSubmit(msgspec.Struct, rename="camel"):
    """The part of one trade order to be sent."""

    quantity: Number
    destination_id: Int32

    def to_domain(self, trade_order_id: int) -> Submission:
        """The submission; raises InvalidInput for a quantity that cannot be stored exactly."""
        return Submission(trade_order_id, exact(self.quantity, "quantity"), self.destination_id)


class BatchSubmission(msgspec.Struct, rename="camel"):
    """One submission of a batch."""

    trade_order_id: Int32
    quantity: Number
    destination_id: Int32


class BatchSubmit(msgspec.Struct, rename="camel"):
    """Parts of up to 100 trade orders to be sent."""

    submissions: list[BatchSubmission]

    def to_domain(self) -> list[Submission]:
        """The submissions; raises InvalidInput with the index of the one at fault."""
        submissions = []
        for index, one in enumerate(self.submissions):
            try:
                quantity = exact(one.quantity, "quantity")
            except InvalidInput as error:
                raise error.at(index, "submissions") from None
            submissions.append(Submission(one.trade_order_id, quantity, one.destination_id))
        return submissions


class FillPut(msgspec.Struct, rename="camel"):
    """What the Execution Service reports of an execution."""

    execution_status: str
    quantity_filled: Number
    version: Int32


def exact(number: Number, field: str) -> Decimal:
    """`number`, if it fits decimal(18,8); raises InvalidInput. A zero is plain, whatever its exponent was."""
    if isinstance(number, list | dict):
        raise InvalidInput.of(field, shown(number), "must be a number")
    return parse_decimal(number, field)


def instant(text: str, field: str) -> datetime:
    """The moment that `text` names, in UTC; raises InvalidInput."""
    try:
        if len(text) > _MAX_TIMESTAMP_CHARS:
            raise InvalidInput.of(field, text, _TIMESTAMP_RULE)
        moment = datetime.fromisoformat(text.strip())
        if moment.tzinfo is None:
            raise InvalidInput.of(field, text, f"{_TIMESTAMP_RULE}: the offset is missing")
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidInput.of(field, text, _TIMESTAMP_RULE) from None
