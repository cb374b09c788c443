"""The Execution Service's refusals of an item: the closed list of messages that prove it was not created. Pure.

Everything else that a failed item may say is its database speaking, or its network: the row may have been
committed. So what is not in this list is unknown, and looked up.
"""

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum


class Source(StrEnum):
    """How a refusal is known."""

    SEEN = "answered by the running service"
    CODE = "in the source of its validation, beside those that were seen"


KNOWN_REFUSALS: Mapping[str, Source] = {
    "Invalid trade type. Must be BUY or SELL": Source.SEEN,
    "Invalid execution status. Must be NEW, PENDING, FILLED, CANCELLED, or REJECTED": Source.SEEN,
    "Destination cannot exceed 20 characters": Source.SEEN,
    "Security ID cannot exceed 24 characters": Source.SEEN,
    "Security ID is required": Source.SEEN,
    "Quantity is required": Source.SEEN,
    "Quantity must be greater than zero": Source.SEEN,
    "Limit price must be greater than zero when specified": Source.SEEN,
    "Execution request cannot be null": Source.CODE,
    "Execution status is required": Source.CODE,
    "Trade type is required": Source.CODE,
    "Destination is required": Source.CODE,
    "Execution status cannot exceed 20 characters": Source.CODE,
    "Trade type cannot exceed 10 characters": Source.CODE,
}
"""Whole messages. Validation comes before anything is written, so none of these leaves a row behind."""

ANYTHING = "*"


class Refusals:
    """The known refusals and those of a setting, in which `*` stands for any text."""

    def __init__(self, more: Iterable[str] = ()) -> None:
        texts = [*map(re.escape, map(_folded, KNOWN_REFUSALS)), *map(_pattern, more)]
        self._known = re.compile("|".join(texts), re.DOTALL)

    def __contains__(self, message: str) -> bool:
        """Whether the whole message is a refusal, whatever its case and the blanks around it."""
        return self._known.fullmatch(_folded(message)) is not None


def _pattern(text: str) -> str:
    return ".*".join(re.escape(part) for part in _folded(text).split(ANYTHING))


def _folded(text: str) -> str:
    return text.strip().casefold()
