"""The use cases by which clients change single rows."""

import msgspec

from trade_service.trading.execution_editor import ExecutionEditor
from trade_service.trading.order_editor import TradeOrderEditor
from trade_service.trading.reference_editor import ReferenceEditor


class Editors(msgspec.Struct, frozen=True):
    """The editors of orders, executions and reference data."""

    orders: TradeOrderEditor
    executions: ExecutionEditor
    references: ReferenceEditor
