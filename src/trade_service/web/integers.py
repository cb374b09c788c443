"""Integers of bodies, which clients also send as text: "7" is 7, as for the legacy service.

Bodies are decoded strictly first. Only a body with text in place of an integer is decoded again, with the text
converted wherever its shape has an integer and takes no text.
"""

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import msgspec
from msgspec import inspect

LEAST, MOST = -(2**31), 2**31 - 1
_SPELLED = re.compile(r"0|-?[1-9][0-9]{0,17}", re.ASCII)
"""One spelling for each integer: no plus sign, no leading zeros, no blanks."""
_INSTEAD_OF_INTEGER = re.compile(r"Expected `int[^`]*`, got `str`")

Reader = Callable[[Any], Any]
"""Returns a decoded value with integers in place of texts."""


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


def integers_of_texts(shape: Any) -> Reader:
    """Returns the converter of decoded bodies of that shape."""
    return _reader(inspect.type_info(shape)) or _unchanged


def is_text_for_integer(message: str) -> bool:
    """Whether msgspec's `message` reports text in place of an integer."""
    return _INSTEAD_OF_INTEGER.match(message) is not None


def _unchanged(value: Any) -> Any:
    return value


def _integer(value: Any) -> Any:
    return int(value) if isinstance(value, str) and _SPELLED.fullmatch(value) else value


def _reader(of: inspect.Type) -> Reader | None:
    """The converter of a type; None when it holds no integers."""
    match of:
        case inspect.Metadata():
            return _reader(of.type)
        case inspect.IntType():
            return _integer
        case inspect.ListType():
            return _of_list(_reader(of.item_type))
        case inspect.StructType():
            readers = {field.encode_name: _reader(field.type) for field in of.fields}
            return _of_object({name: reader for name, reader in readers.items() if reader is not None})
        case inspect.UnionType():
            readers_of_types = [reader for one in of.types if (reader := _reader(one)) is not None]
            takes_text = any(isinstance(one, inspect.StrType) for one in of.types)
            return readers_of_types[0] if len(readers_of_types) == 1 and not takes_text else None
        case _:
            return None


def _of_list(reader: Reader | None) -> Reader | None:
    if reader is None:
        return None
    return lambda value: [reader(one) for one in value] if isinstance(value, list) else value


def _of_object(readers: Mapping[str, Reader]) -> Reader | None:
    if not readers:
        return None

    def read(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {name: readers[name](one) if name in readers else one for name, one in value.items()}

    return read
