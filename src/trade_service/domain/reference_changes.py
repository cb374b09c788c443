"""The rules by which clients change reference data.

Executions are sent, looked up and audited by the abbreviations of their trade type and destination, and fills
name a status by its own: an abbreviation stays as long as anything points to it.
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
    """What clients call the text beside the abbreviation."""
    abbreviation_limit: int
    text_limit: int
    renamed_in_use: bool = False
    """Whether the abbreviation may change while rows point to it."""
    needed: frozenset[str] = frozenset()
    """Abbreviations that the service cannot do without."""


BLOTTER = ReferenceKind("blotter", Blotter, "name", 20, 100, renamed_in_use=True)
TRADE_TYPE = ReferenceKind("trade type", TradeType, "description", 10, 60, needed=ORDER_TYPES)
DESTINATION = ReferenceKind("destination", Destination, "description", 20, 60)
EXECUTION_STATUS = ReferenceKind(
    "execution status", ExecutionStatus, "description", 20, 60, needed=frozenset({STATUS_NEW, STATUS_SENT})
)


class ReferenceValues(msgspec.Struct, frozen=True):
    """What clients write of reference data: `text` is the name of a blotter, the description of all else."""

    abbreviation: str
    text: str


def checked_reference(kind: ReferenceKind, values: ReferenceValues) -> ReferenceValues:
    """`values` without blanks around them; raises InvalidInput for what the columns do not take."""
    checked_identifier(values.abbreviation, "abbreviation", kind.abbreviation_limit)
    checked_text(values.text, kind.text_field, kind.text_limit)
    return ReferenceValues(values.abbreviation.strip(), values.text.strip())


def refuse_taken(
    kind: ReferenceKind, values: ReferenceValues, rows: Sequence[Reference], but_for: int | None = None
) -> None:
    """Raises AlreadyExists when another row of `rows` has the abbreviation: rows are found by it."""
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
    """Whether changing `old` into `values` (None: deleting it) needs that nothing points to it.

    `rows` are all of the kind, by id. Raises AlreadyExists, and InUse for what the service cannot do without.
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
    """The error that names one row, `user` `user_id`, that points to `old`."""
    ruled = "cannot be deleted" if deleted else f"must keep its abbreviation, {old.abbreviation!r}"
    return InUse(
        f"{kind.thing} {old.id} is used by {user} {user_id}, and maybe others: it {ruled}",
        id=old.id,
        usedBy=user,
        usedById=user_id,
    )
