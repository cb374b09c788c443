"""Reference data that orders and executions refer to by id."""

import msgspec


class Blotter(msgspec.Struct, frozen=True, rename="camel"):
    """A desk's group of orders."""

    id: int
    abbreviation: str
    name: str
    version: int


class Described(msgspec.Struct, frozen=True, rename="camel"):
    """The common fields of trade types, destinations and execution statuses."""

    id: int
    abbreviation: str
    description: str
    version: int


class TradeType(Described, frozen=True, rename="camel"):
    """BUY, SELL, SHORT, COVER or EXRC."""


class Destination(Described, frozen=True, rename="camel"):
    """A market or broker to which executions are sent."""


class ExecutionStatus(Described, frozen=True, rename="camel"):
    """The business status of an execution."""


class ReferenceData(msgspec.Struct, frozen=True):
    """All reference data at one instant, by id."""

    blotters: dict[int, Blotter]
    trade_types: dict[int, TradeType]
    destinations: dict[int, Destination]
    statuses: dict[int, ExecutionStatus]

    def trade_type_named(self, abbreviation: str) -> TradeType | None:
        """The trade type with that abbreviation."""
        return next((t for t in self.trade_types.values() if t.abbreviation == abbreviation), None)

    def status_named(self, abbreviation: str) -> ExecutionStatus | None:
        """The execution status with that abbreviation."""
        return next((s for s in self.statuses.values() if s.abbreviation == abbreviation), None)


STATUS_NEW = "NEW"
STATUS_SENT = "SENT"
WITHDRAWN_STATUSES = frozenset({"HOLD", "CNCL", "CNCLD", "DEL"})
"""Executions with one of these are on hold or cancelled and are not sent."""
