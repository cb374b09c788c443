"""JSON schemas of the fields of bodies, where their types alone say too little."""

from typing import Annotated, Any

import msgspec

from trade_service.domain.fields import (
    MAX_INTEGER_DIGITS,
    MAX_NUMBER_CHARS,
    MAX_SECONDS,
    NUMERAL,
    VISIBLE_TEXT,
)
from trade_service.domain.reference import ORDER_TYPES


def decimals(**bound: int) -> list[dict[str, Any]]:
    """The JSON schemas of a decimal(18,8) in a body."""
    number = {"type": "number", "exclusiveMaximum": 10**MAX_INTEGER_DIGITS, **bound}
    return [number, {"type": "string", "pattern": f"^{NUMERAL}$", "maxLength": MAX_NUMBER_CHARS}]


def text(most: int) -> msgspec.Meta:
    """A text that is not blank; the domain rejects others with its own message."""
    return msgspec.Meta(extra_json_schema={"pattern": r"\S", "maxLength": most})


def identifier(most: int) -> msgspec.Meta:
    """The same without invisible characters."""
    return msgspec.Meta(extra_json_schema={"pattern": VISIBLE_TEXT, "maxLength": most})


def order_type() -> msgspec.Meta:
    """A known order type, in any case and with blanks around it."""
    names = ("".join(f"[{letter}{letter.lower()}]" for letter in name) for name in sorted(ORDER_TYPES))
    return msgspec.Meta(extra_json_schema={"pattern": rf"^\s*({'|'.join(names)})\s*$"})


def items(most: int) -> msgspec.Meta:
    """A list that is not empty; the domain rejects others with its own message."""
    return msgspec.Meta(extra_json_schema={"minItems": 1, "maxItems": most})


def one_of(*values: str) -> msgspec.Meta:
    """A text that is one of these."""
    return msgspec.Meta(extra_json_schema={"enum": list(values)})


INSTANTS: list[dict[str, Any]] = [
    {"type": "string", "format": "date-time"},
    {"type": "number", "minimum": 0, "maximum": MAX_SECONDS, "description": "Seconds since 1970."},
]
"""The JSON schemas of a timestamp in a body."""

LEAST, MOST = -(2**31), 2**31 - 1


def up_to(most: int) -> str:
    """The pattern of the spellings of 1 to `most`."""
    digits = str(most)
    shorter = [rf"[1-9][0-9]{{0,{len(digits) - 2}}}"] if len(digits) > 1 else []
    same_length = [
        digits[:place] + f"[{int(place == 0)}-{int(digit) - 1}]" + f"[0-9]{{{len(digits) - place - 1}}}"
        for place, digit in enumerate(digits)
        if int(digit) > int(place == 0)
    ]
    return "|".join([*shorter, *same_length, digits])


INTEGER_TEXT = f"^(0|{up_to(MOST)}|-({up_to(-LEAST)}))$"
"""The texts that are read as an Int32, as a JSON Schema pattern."""

Int32 = Annotated[int, msgspec.Meta(ge=LEAST, le=MOST, extra_json_schema={"pattern": INTEGER_TEXT})]
"""Ids and versions: integers of the database, or their text."""
