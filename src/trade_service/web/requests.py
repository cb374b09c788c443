"""Request bodies, and their conversion to the domain. Decimals come as numbers or numeric strings."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

import msgspec

from trade_service.domain.errors import InvalidInput
from trade_service.domain.execution_changes import ExecutionValues
from trade_service.domain.fields import moment_of_seconds, parse_decimal
from trade_service.domain.orders import MAX_ID_CHARS, MAX_SUBMISSIONS, NewTradeOrder, Submission
from trade_service.trading.trade_orders import MAX_ORDERS
from trade_service.web.body_errors import shown
from trade_service.web.openapi.schemas import INSTANTS, decimals, identifier, items, order_type, text
from trade_service.web.request_parsing import Int32

Number = Annotated[Any, msgspec.Meta(extra_json_schema={"anyOf": decimals(minimum=0)})]
"""A number or a numeric string, read by `exact`: msgspec's own Decimal also accepts `1_000` and digits of other
scripts."""
Positive = Annotated[Any, msgspec.Meta(extra_json_schema={"anyOf": decimals(exclusiveMinimum=0)})]
OptionalNumber = Annotated[
    Any, msgspec.Meta(extra_json_schema={"anyOf": [*decimals(minimum=0), {"type": "null"}]})
]
OptionalPositive = Annotated[
    Any, msgspec.Meta(extra_json_schema={"anyOf": [*decimals(exclusiveMinimum=0), {"type": "null"}]})
]
Identity = Annotated[str, identifier(MAX_ID_CHARS)]
Instant = Annotated[Any, msgspec.Meta(extra_json_schema={"anyOf": INSTANTS})]
"""ISO 8601 text, or a number of seconds since 1970; read by `instant`."""
OptionalInstant = Annotated[Any, msgspec.Meta(extra_json_schema={"anyOf": [*INSTANTS, {"type": "null"}]})]

_TIMESTAMP_RULE = (
    "must be an ISO 8601 timestamp with an offset, such as 2024-06-10T12:00:00Z, "
    "or a number of seconds since 1970"
)
_MAX_TIMESTAMP_CHARS = 40


class TradeOrderPost(msgspec.Struct, rename="camel"):
    """A trade order to create."""

    order_id: Int32
    portfolio_id: Identity
    order_type: Annotated[str, order_type()]
    security_id: Identity
    quantity: Positive
    limit_price: OptionalPositive = None
    trade_timestamp: OptionalInstant = None
    blotter_id: Int32 | None = None

    def to_domain(self) -> NewTradeOrder:
        """The order; raises InvalidInput for a decimal or timestamp that cannot be stored exactly."""
        return NewTradeOrder(
            order_id=self.order_id,
            portfolio_id=self.portfolio_id,
            order_type=self.order_type,
            security_id=self.security_id,
            quantity=exact(self.quantity, "quantity"),
            limit_price=exact_or_none(self.limit_price, "limitPrice"),
            trade_timestamp=instant_or_none(self.trade_timestamp, "tradeTimestamp"),
            blotter_id=self.blotter_id,
        )


class TradeOrderBulkPost(msgspec.Struct, rename="camel"):
    """Trade orders to create, all or none."""

    trade_orders: Annotated[list[TradeOrderPost], items(MAX_ORDERS)]

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
    """The same, decoded only to count its orders."""

    trade_orders: list[msgspec.Raw] = []


class TradeOrderSubmit(msgspec.Struct, rename="camel"):
    """The part of a trade order to send."""

    quantity: Positive
    destination_id: Int32

    def to_domain(self, trade_order_id: int) -> Submission:
        """The submission; raises InvalidInput for a quantity that cannot be stored exactly."""
        return Submission(trade_order_id, exact(self.quantity, "quantity"), self.destination_id)


class BatchSubmission(msgspec.Struct, rename="camel", gc=False):
    """One submission of a batch."""

    trade_order_id: Int32
    quantity: Positive
    destination_id: Int32


class BatchSubmit(msgspec.Struct, rename="camel"):
    """Parts of up to 100 trade orders to send."""

    submissions: Annotated[list[BatchSubmission], items(MAX_SUBMISSIONS)]

    def fewest_quotes(self) -> int:
        """Two around each name, and two around each quantity that is text."""
        texts = sum(isinstance(one.quantity, str) for one in self.submissions)
        names = len(self.__struct_fields__) + len(BatchSubmission.__struct_fields__) * len(self.submissions)
        return 2 * (names + texts)

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


class TradeOrderPut(TradeOrderPost, kw_only=True):
    """A trade order after a change; clients do not change what was sent of it."""

    version: Int32
    id: Int32 | None = None


class ExecutionPost(msgspec.Struct, rename="camel", kw_only=True):
    """An execution to create."""

    execution_status_id: Int32
    trade_order_id: Int32
    destination_id: Int32
    quantity_ordered: Positive
    quantity_placed: OptionalNumber = None
    quantity_filled: OptionalNumber = None
    limit_price: OptionalPositive = None
    blotter_id: Int32 | None = None
    trade_type_id: Int32 | None = None
    execution_service_id: Int32 | None = None
    execution_timestamp: OptionalInstant = None

    def to_domain(self) -> ExecutionValues:
        """The values; raises InvalidInput for a decimal or timestamp that cannot be stored exactly."""
        return ExecutionValues(
            execution_status_id=self.execution_status_id,
            trade_order_id=self.trade_order_id,
            destination_id=self.destination_id,
            quantity_ordered=exact(self.quantity_ordered, "quantityOrdered"),
            quantity_placed=exact_or_none(self.quantity_placed, "quantityPlaced"),
            quantity_filled=exact_or_none(self.quantity_filled, "quantityFilled"),
            limit_price=exact_or_none(self.limit_price, "limitPrice"),
            blotter_id=self.blotter_id,
            trade_type_id=self.trade_type_id,
            execution_service_id=self.execution_service_id,
            execution_timestamp=instant_or_none(self.execution_timestamp, "executionTimestamp"),
        )


class ExecutionPut(ExecutionPost, kw_only=True):
    """An execution after a change."""

    version: Int32
    id: Int32 | None = None


class FillPut(msgspec.Struct, rename="camel"):
    """A fill report of the Execution Service."""

    execution_status: Annotated[str, text(20)]
    quantity_filled: Number
    version: Int32


def exact(number: Number, field: str) -> Decimal:
    """`number`, if it fits decimal(18,8); raises InvalidInput. A zero is plain, whatever its exponent was."""
    if number is None or isinstance(number, bool | list | dict):
        raise InvalidInput.of(field, shown(number), "must be a number")
    return parse_decimal(number, field)


def exact_or_none(number: Number, field: str) -> Decimal | None:
    """The same for an optional number."""
    return None if number is None else exact(number, field)


def instant_or_none(given: OptionalInstant, field: str) -> datetime | None:
    """As `instant` for an optional timestamp."""
    return None if given is None else instant(given, field)


def instant(given: Instant, field: str) -> datetime:
    """The moment that ISO 8601 text or a number of seconds since 1970 names, in UTC; raises InvalidInput."""
    if isinstance(given, str):
        return _instant_of_text(given, field)
    if given is None or isinstance(given, bool | list | dict):
        raise InvalidInput.of(field, shown(given), _TIMESTAMP_RULE)
    return moment_of_seconds(given, field)


def _instant_of_text(text: str, field: str) -> datetime:
    try:
        if len(text) > _MAX_TIMESTAMP_CHARS:
            raise InvalidInput.of(field, text, _TIMESTAMP_RULE)
        moment = datetime.fromisoformat(text.strip())
        if moment.tzinfo is None:
            raise InvalidInput.of(field, text, f"{_TIMESTAMP_RULE}: the offset is missing")
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidInput.of(field, text, _TIMESTAMP_RULE) from None
