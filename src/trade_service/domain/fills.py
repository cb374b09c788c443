"""Compares the stored fill of an execution with the one in the Execution Service's ledger."""

from decimal import Decimal

import msgspec

from trade_service.domain.errors import InvalidInput
from trade_service.domain.money import checked

_RANKS = {
    "NEW": 0,
    "SENT": 1,
    "WORK": 2,
    "PART": 3,
    "HOLD": 3,
    "CNCL": 4,
    "FULL": 5,
    "CPART": 5,
    "CNCLD": 5,
    "DEL": 5,
}
"""Progress of trading by status; of two statuses with the same rank neither follows the other."""
FINAL_STATUSES = frozenset({"FULL", "CPART", "CNCLD", "DEL"})
"""Statuses after trading has ended; the ledger never changes them."""
UNFILLED_STATUS = "NEW"
"""The status of an execution in the ledger before anything has happened to it."""


class Fill(msgspec.Struct, frozen=True, gc=False):
    """Business status and filled quantity."""

    status: str
    quantity: Decimal


def is_possible_fill(quantity: Decimal, ordered: Decimal) -> bool:
    """Whether `quantity` of `ordered` can be filled and fits the database."""
    try:
        checked(quantity, "quantityFilled")
    except InvalidInput:
        return False
    return 0 <= quantity <= ordered


def newer_fill(stored: Fill, ledger: Fill) -> Fill | None:
    """The fill to store, or None when the ledger's is not newer. The ledger's status must be a known one.

    A greater quantity is newer, and so is a later status with the same quantity. The quantity never falls, no
    status is replaced by an earlier one, and a final status never changes.
    """
    if stored.status in FINAL_STATUSES or ledger.quantity < stored.quantity:
        return None
    old, new = _RANKS.get(stored.status), _RANKS.get(ledger.status)
    if ledger.quantity == stored.quantity:
        return ledger if old is not None and new is not None and new > old else None
    is_earlier = old is not None and new is not None and new < old
    return Fill(stored.status if is_earlier else ledger.status, ledger.quantity)
