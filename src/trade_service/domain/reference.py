"""Reference data that orders and executions refer to by id, and the rules by which clients change it.

Executions are sent, reconciled and audited by the abbreviations of their trade type and destination, and fills
name a status by its abbreviation. So an abbreviation cannot change while anything refers to it.
"""

from collections.abc import Sequence
from functools import cached_property

import msgspec

from trade_service.domain.errors import AlreadyExists, InUse
from trade_service.domain.fields import checked_text

ORDER_TYPES = frozenset({"BUY", "SELL", "SHORT", "COVER", "EXRC"})
"""Abbreviations of the trade types of orders."""
STATUS_NEW = "NEW"
STATUS_SENT = "SENT"
WITHDRAWN_STATUSES = frozenset({"HOLD", "CNCL", "CNCLD", "DEL"})
"""Executions with one of these are on hold or cancelled and are not sent."""


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


class ReferenceData(msgspec.Struct, frozen=True, dict=True):
    """All reference data at one instant, by id."""

    blotters: dict[int, Blotter]
    trade_types: dict[int, TradeType]
    destinations: dict[int, Destination]
    statuses: dict[int, ExecutionStatus]
    revision: int = 0
    """Grows with every change."""

    @cached_property
    def trade_types_by_name(self) -> dict[str, TradeType]:
        """By abbreviation; of equal ones the first."""
        return {one.abbreviation: one for one in reversed(self.trade_types.values())}

    @cached_property
    def statuses_by_name(self) -> dict[str, ExecutionStatus]:
        """By abbreviation; of equal ones the first."""
        return {one.abbreviation: one for one in reversed(self.statuses.values())}


class SeenRevision:
    """The newest revision of the reference data that rows which refer to it showed."""

    newest = 0


Reference = Blotter | TradeType | Destination | ExecutionStatus


class ReferenceKind(msgspec.Struct, frozen=True):
    """One of the four kinds of reference data."""

    thing: str
    shape: type[Blotter] | type[TradeType] | type[Destination] | type[ExecutionStatus]
    text_field: str
    """The clients' name of the text beside the abbreviation."""
    abbreviation_limit: int
    text_limit: int
    renamed_in_use: bool = False
    """Whether the abbreviation may change while rows refer to it."""
    needed: frozenset[str] = frozenset()
    """Abbreviations that the service requires."""


BLOTTER = ReferenceKind("blotter", Blotter, "name", 20, 100, renamed_in_use=True)
TRADE_TYPE = ReferenceKind("trade type", TradeType, "description", 10, 60, needed=ORDER_TYPES)
DESTINATION = ReferenceKind("destination", Destination, "description", 20, 60)
EXECUTION_STATUS = ReferenceKind(
    "execution status", ExecutionStatus, "description", 20, 60, needed=frozenset({STATUS_NEW, STATUS_SENT})
)


class ReferenceValues(msgspec.Struct, frozen=True):
    """The values that clients write; `text` is the name of a blotter and the description of anything else."""

    abbreviation: str
    text: str


def checked_reference(kind: ReferenceKind, values: ReferenceValues) -> ReferenceValues:
    """`values` without surrounding blanks; raises InvalidInput unless they fit their columns."""
    checked_text(values.abbreviation, "abbreviation", kind.abbreviation_limit)
    checked_text(values.text, kind.text_field, kind.text_limit)
    return ReferenceValues(values.abbreviation.strip(), values.text.strip())


def refuse_taken(
    kind: ReferenceKind, values: ReferenceValues, rows: Sequence[Reference], but_for: int | None = None
) -> None:
    """Raises AlreadyExists when another row has the abbreviation, which identifies a row."""
    for row in rows:
        if row.id != but_for and row.abbreviation == values.abbreviation:
            raise AlreadyExists(
                f"abbreviation: {row.abbreviation!r} is taken by {kind.thing} {row.id}, and each needs its own",
                field="abbreviation",
                value=row.abbreviation,
                id=row.id,
            )


def needs_unused(
    kind: ReferenceKind, old: Reference, values: ReferenceValues | None, rows: Sequence[Reference]
) -> bool:
    """Whether changing `old` into `values` (None: deleting it) is only allowed while nothing refers to it.

    `rows` are all rows of the kind, by id. Raises AlreadyExists, and InUse for a row that the service requires.
    """
    if values is not None:
        refuse_taken(kind, values, rows, old.id)
        if values.abbreviation == old.abbreviation:
            return False
    first = next(row.id for row in rows if row.abbreviation == old.abbreviation)
    if old.abbreviation in kind.needed and old.id == first:
        done = "deleted" if values is None else "renamed"
        raise InUse(
            f"{kind.thing} {old.id} is {old.abbreviation}, without which nothing can be submitted: "
            f"it cannot be {done}",
            field="abbreviation",
            value=old.abbreviation,
            id=old.id,
        )
    return values is None or not kind.renamed_in_use


def in_use(kind: ReferenceKind, old: Reference, user: str, user_id: int, *, deleted: bool) -> InUse:
    """The error that names one row, `user` `user_id`, that refers to `old`."""
    ruled = "cannot be deleted" if deleted else f"must keep its abbreviation, {old.abbreviation!r}"
    return InUse(
        f"{kind.thing} {old.id} is used by {user} {user_id}, and possibly others: it {ruled}",
        id=old.id,
        usedBy=user,
        usedById=user_id,
    )
