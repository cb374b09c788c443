"""Rules by which clients change reference data.

Executions are sent, reconciled and audited by the abbreviations of their trade type and destination, and fills
name a status by its abbreviation. So an abbreviation cannot change while anything refers to it.
"""

from collections.abc import Sequence

import msgspec

from trade_service.domain.columns import checked_identifier, checked_text
from trade_service.domain.errors import AlreadyExists, InUse
from trade_service.domain.orders import ORDER_TYPES
from trade_service.domain.reference import (
    STATUS_NEW,
    STATUS_SENT,
    Blotter,
    Destination,
    ExecutionStatus,
    TradeType,
)

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
    checked_identifier(values.abbreviation, "abbreviation", kind.abbreviation_limit)
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


def in_use(kind: ReferenceKind, old: Reference, user: str, user_id: int, deleted: bool) -> InUse:
    """The error that names one row, `user` `user_id`, that refers to `old`."""
    ruled = "cannot be deleted" if deleted else f"must keep its abbreviation, {old.abbreviation!r}"
    return InUse(
        f"{kind.thing} {old.id} is used by {user} {user_id}, and possibly others: it {ruled}",
        id=old.id,
        usedBy=user,
        usedById=user_id,
    )
