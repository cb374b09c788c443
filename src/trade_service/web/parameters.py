"""Parameters of paths and queries, read strictly: errors name parameter, value and rule."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple, TypeVar

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from trade_service.domain.errors import InvalidInput
from trade_service.domain.fields import moment_of_text
from trade_service.web.body_errors import RawJson
from trade_service.web.routing import CHECKS_PARAMETERS, DOCS, HttpRequest, RouteDocs

_ID = re.compile(r"-?[0-9]{1,19}")
INTEGER = re.compile(r"[+-]?[0-9]{1,10}", re.ASCII)
_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off", ""})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PLACE = re.compile(r"([0-9]{1,18})-([0-9]{1,18})(?:-([0-9]{1,18}))?", re.ASCII)
"""Microseconds since 1970, the id of a row, and the number of all rows."""

Word = TypeVar("Word", bound=StrEnum)


class PlaceInTime(NamedTuple):
    """The place of a row in a list by time."""

    at: datetime
    id: int
    total: int
    """How many rows the list had when its first page was read; 0 where that is not kept."""


def read_id(text: str, field: str = "id") -> int:
    """The id in a path; raises InvalidInput unless it is a 32-bit integer."""
    if _ID.fullmatch(text) and -(2**31) <= (number := int(text)) < 2**31:
        return number
    raise InvalidInput.of(field, text[:100], "must be a 32-bit integer")


def read_version(request: HttpRequest) -> int:
    """The version that a deletion names in its query; raises InvalidInput."""
    given = read_once(request, "version")
    if given is None:
        raise InvalidInput.of("version", None, "must be given in the query, as the version that was read")
    return read_id(given, "version")


def id_of(path: str, in_body: int | None) -> int:
    """The id in the path; raises InvalidInput unless the body has the same, or none."""
    in_path = read_id(path)
    if in_body is not None and in_body != in_path:
        raise InvalidInput.of("id", in_body, f"must be the id in the address, {in_path}, or left out")
    return in_path


def read_once(request: HttpRequest, name: str) -> str | None:
    """A query parameter, None when it is left out; raises InvalidInput when it is repeated."""
    given = request.query_params.getall(name, [])
    if len(given) > 1:
        raise InvalidInput.of(name, RawJson(" and ".join(map(repr, given))[:100]), "must be given once")
    return str(given[0]) if given else None


def read_count(request: HttpRequest, name: str, default: int, least: int, most: int) -> int:
    """An integer of the query within bounds, `default` when it is left out or empty; raises InvalidInput."""
    text = (read_once(request, name) or "").strip()
    return integer_in(text, name, least, most) if text else default


def integer_in(text: str, name: str, least: int, most: int) -> int:
    """`text` as an integer within bounds; raises InvalidInput."""
    if INTEGER.fullmatch(text) and least <= (number := int(text)) <= most:
        return number
    raise InvalidInput.of(name, text[:100], f"must be an integer from {least} to {most}")


def read_moment(request: HttpRequest, name: str) -> datetime | None:
    """An instant of the query, None when it is left out; raises InvalidInput."""
    text = read_once(request, name)
    return moment_of_text(text, name) if text else None


def read_word(request: HttpRequest, name: str, kind: type[Word]) -> Word | None:
    """One of the values of `kind`, None when it is left out; raises InvalidInput."""
    text = read_once(request, name)
    if not text:
        return None
    known: Mapping[str, Word] = {word.value: word for word in kind}
    if text not in known:
        raise InvalidInput.of(name, text[:100], f"must be one of {', '.join(known)}")
    return known[text]


def read_place(request: HttpRequest) -> PlaceInTime | None:
    """The `cursor` that `place_text` made, None when it is left out; raises InvalidInput."""
    text = read_once(request, "cursor")
    if not text:
        return None
    parts = _PLACE.fullmatch(text)
    try:
        if parts is not None:
            return PlaceInTime(
                _EPOCH + timedelta(microseconds=int(parts[1])), int(parts[2]), int(parts[3] or 0)
            )
    except OverflowError:
        pass
    raise InvalidInput.of("cursor", text[:100], "must be a nextCursor of this list, as it was answered")


def place_text(at: datetime, identity: int, total: int | None = None) -> str:
    """A cursor: the place of a row in a list by time, and how many rows the list had."""
    place = f"{(at - _EPOCH) // timedelta(microseconds=1)}-{identity}"
    return place if total is None else f"{place}-{total}"


async def refuse_unknown_parameters(
    connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
) -> None:
    """Guard: raises InvalidInput for a query parameter that the route does not declare."""
    if connection.scope["query_string"] and not handler.opt.keys() & CHECKS_PARAMETERS.keys():
        docs: RouteDocs = handler.opt.get(DOCS, RouteDocs())
        known = [one.name for one in docs.parameters if one.param_in == "query"]
        for name in connection.query_params.keys() - set(known):
            raise unknown_parameter(name, known)


def unknown_parameter(name: str, known: Sequence[str]) -> InvalidInput:
    """The error for a query parameter that an address does not know."""
    rule = f"must be one of {', '.join(known)}" if known else "must be left out, this address takes none"
    return InvalidInput.of("parameter", name[:100], rule)


def read_flag(request: HttpRequest, name: str) -> bool:
    """A true or false of the query, false when it is left out; raises InvalidInput for anything else."""
    return name in request.query_params and flag_in(read_once(request, name) or "", name)


def flag_in(given: str, name: str) -> bool:
    """`given` as true or false; raises InvalidInput."""
    text = given.strip().lower()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise InvalidInput.of(name, text[:100], "must be true or false")
