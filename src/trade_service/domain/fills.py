"""What the Execution Service's books say of an execution's fill, held against what is stored. Pure."""

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
"""How far trading has come, by status; of two with the same rank neither follows the other."""
FINAL_STATUSES = frozenset({"FULL", "CPART", "CNCLD", "DEL"})
"""With which trading is over: nothing that the books say changes them."""
UNFILLED_STATUS = "NEW"
"""Of an execution in the books to which nothing has happened yet."""


class Fill(msgspec.Struct, frozen=True, gc=False):
    """Business status and the quantity filled so far."""

    status: str
    quantity: Decimal


def is_possible_fill(quantity: Decimal, ordered: Decimal) -> bool:
    """Whether an execution of `ordered` can have that quantity filled, and the database can hold it."""
    try:
        checked(quantity, "quantityFilled")
    except InvalidInput:
        return False
    return 0 <= quantity <= ordered


def newer_fill(stored: Fill, books: Fill) -> Fill | None:
    """What is to be stored when the books hold `books`, whose status is known here; None for no change.

    More filled there is news, and so is a later status with the same quantity. Nothing goes backwards: the
    quantity never falls, a status is never replaced by an earlier one, and a final one never.
    """
    if stored.status in FINAL_STATUSES or books.quantity < stored.quantity:
        return None
    old, new = _RANKS.get(stored.status), _RANKS.get(books.status)
    if books.quantity == stored.quantity:
        return books if old is not None and new is not None and new > old else None
    is_earlier = old is not None and new is not None and new < old
    return Fill(stored.status if is_earlier else books.status, books.quantity)
