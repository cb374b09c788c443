"""Query parameters of the lists, read into a `ListQuery` and described for OpenAPI; cursors of their pages."""

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import Any
from urllib.parse import quote

from litestar.openapi.spec import OpenAPIType, Parameter, Schema

from trade_service.domain.errors import InvalidInput
from trade_service.domain.fields import (
    is_possible_id,
    moment_of_text,
    parse_decimal,
    spelled,
    without_float_error,
)
from trade_service.trading.listing.model import (
    FIELDS,
    MAX_LIMIT,
    MAX_VALUES,
    Filter,
    Kind,
    ListField,
    ListName,
    ListQuery,
    SortKey,
    Test,
    Total,
    Value,
    total_order,
)
from trade_service.web.body_errors import RawJson, shown
from trade_service.web.cursors import decode_cursor, sort_text
from trade_service.web.parameters import (
    INTEGER,
    flag_in,
    integer_in,
    read_count,
    read_once,
    unknown_parameter,
)
from trade_service.web.routing import CHECKS_PARAMETERS, ID, MOMENT, HttpRequest, documented, integer, query
from trade_service.web.web_settings import ApiSettings

TOTAL_COUNT = "X-Total-Count"
TOTAL_IS_ESTIMATE = "X-Total-Is-Estimate"
TOTAL_HEADERS = (TOTAL_COUNT, TOTAL_IS_ESTIMATE)
MAX_OFFSET = 2**31 - 1
ORDER_ID = "order_id"


def read_page(request: HttpRequest) -> ListQuery:
    """The page that `limit` and `offset` ask for, by id; raises InvalidInput."""
    limit = read_count(request, "limit", MAX_LIMIT, 1, MAX_LIMIT)
    return ListQuery(limit, read_count(request, "offset", 0, 0, MAX_OFFSET))


def read_order_filter(request: HttpRequest) -> tuple[Filter, ...]:
    """The filter that `order_id` asks for; raises InvalidInput."""
    given = (read_once(request, ORDER_ID) or "").strip()
    if not given:
        return ()
    if not INTEGER.fullmatch(given) or not is_possible_id(int(given)):
        raise InvalidInput.of(ORDER_ID, given[:100], "must be a 32-bit integer")
    return (Filter("orderId", Test.ANY_OF, (int(given),)),)


def total_headers(total: Total) -> dict[str, str]:
    """The number of all rows, and whether it is an estimate."""
    return {TOTAL_COUNT: str(total.rows)} | ({TOTAL_IS_ESTIMATE: "true"} if total.is_estimate else {})


PAGE = (
    query("limit", f"Rows of the page; {MAX_LIMIT} when left out.", integer(1, MAX_LIMIT)),
    query("offset", "Rows left out before the page, exactly.", integer(0, MAX_OFFSET)),
)
ORDER_ID_PARAMETER = query(ORDER_ID, "Only the order of this orderId.", ID)


DEFAULT_LIMIT = 50
MAX_TEXT = 200

_DECIMAL = r"^([+-]?([0-9]{1,10}(\.[0-9]{0,8})?|\.[0-9]{1,8}))?$"
_INTEGERS = r"^([0-9]{1,9}(,[0-9]{1,9})*)?$"
_INTEGER = r"^([0-9]{1,9})?$"
"""Each may be empty: forms send what was not filled in."""

_OF_PAGES = frozenset({"limit", "offset", "sort", "cursor"})

Given = Mapping[str, Sequence[str]]
"""Query parameters: the values under each name."""

IGNORED_PARAMETERS = "X-Ignored-Parameters"
_MAX_IGNORED = 20
"""So many are named."""


def read_list(request: HttpRequest, name: ListName, api: ApiSettings) -> tuple[ListQuery, dict[str, str]]:
    """The query of a list of v2, and the header that names what was ignored; raises InvalidInput.

    The legacy service ignored what it did not know, and its clients send such parameters.
    """
    given: dict[str, list[str]] = {}
    for one, value in request.query_params.items():  # Once: `getall` for each name takes seconds for many.
        given.setdefault(one, []).append(value)
    query = read_list_query(given, FIELDS[name])
    known = _known_parameters(name)
    ignored = [one for one in given if one not in known]
    if not ignored:
        return query, {}
    if api.unknown_parameters == "refuse":
        raise unknown_parameter(ignored[0], [one.name for one in list_parameters(FIELDS[name])])
    return query, {IGNORED_PARAMETERS: ", ".join(quote(one[:100], safe="") for one in ignored[:_MAX_IGNORED])}


@cache
def _known_parameters(name: ListName) -> Mapping[str, None]:
    """All spellings, in the order in which they are documented."""
    fields = FIELDS[name]
    spellings = [
        one for field in fields.values() for plain, _, more in filter_names(field) for one in (plain, *more)
    ]
    return dict.fromkeys([*(one.name for one in list_parameters(fields)), *spellings])


@cache
def filter_names(field: ListField) -> tuple[tuple[str, Test, tuple[str, ...]], ...]:
    """The parameters that filter by a field: name, test, and aliases."""
    return tuple(_filter_names(field))


def _filter_names(field: ListField) -> Iterator[tuple[str, Test, tuple[str, ...]]]:
    for test in field.filters:
        if test is Test.ANY_OF:
            yield field.name, test, tuple(_aliases(field.name))
        elif field.kind is Kind.INSTANT:
            bound = "from" if test is Test.AT_LEAST else "to"
            yield bound, test, (f"{field.name}.{bound}", f"{field.name}{bound.capitalize()}")
        else:
            name, bound = field.name, "min" if test is Test.AT_LEAST else "max"
            aliases = (
                f"{bound}{name[0].upper()}{name[1:]}",
                f"{name}{bound.capitalize()}",
                f"{name}_{bound}",
            )
            yield f"{name}.{bound}", test, aliases


def read_list_query(given: Given, fields: Mapping[str, ListField]) -> ListQuery:
    """The query of a list; raises InvalidInput naming parameter, value and rule.

    Unknown names are ignored, and so are empty values: forms send those.
    """
    limit = _integer(given, "limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
    offset = _integer(given, "offset", 0, 0, MAX_OFFSET)
    filters = tuple(_filters(given, fields)) if given.keys() - _OF_PAGES else ()
    wanted = _single(given, "sort")
    sort = total_order(_sort(wanted, fields) if wanted else ())
    cursor_text = _single(given, "cursor")
    if not cursor_text:
        return ListQuery(limit, offset, sort, filters)
    if offset:
        raise InvalidInput.of("offset", offset, "must be left out beside a cursor, which says where to begin")
    cursor = decode_cursor(cursor_text, fields)
    if wanted and cursor.sort != sort:
        rule = f"must be left out or be {sort_text(cursor.sort)!r}, for which the cursor was made"
        raise InvalidInput.of("sort", wanted, rule)
    return ListQuery(limit, 0, cursor.sort, filters, cursor)


def read_filters(conditions: Mapping[str, Any], fields: Mapping[str, ListField]) -> tuple[Filter, ...]:
    """The conditions of a body, under the names of the parameters: texts, numbers, flags, or lists of them.

    They choose what is sent, so nothing is ignored and each text is one whole value, commas and all. Raises
    InvalidInput for no condition, an empty one, an unknown name, and two names of one condition.
    """
    if not conditions:
        raise InvalidInput.of("filter", None, "must have at least one condition")
    meant = {
        spelling: (field, name, test)
        for field in fields.values()
        for name, test, aliases in filter_names(field)
        for spelling in (name, *aliases)
    }
    found: dict[str, Filter] = {}
    for spelling, value in conditions.items():
        if spelling not in meant:
            known = ", ".join(sorted({name for _, name, _ in meant.values()}))
            raise InvalidInput.of("filter", spelling[:100], f"must hold only {known}")
        field, name, test = meant[spelling]
        if name in found:
            raise InvalidInput.of(name, RawJson(f"{spelling[:100]} as well"), "must be given once")
        found[name] = Filter(field.name, test, _whole_values(value, spelling, field, test))
    order = dict.fromkeys(name for _, name, _ in meant.values())
    return tuple(found[name] for name in order if name in found)


def _whole_values(value: object, name: str, field: ListField, test: Test) -> tuple[Value, ...]:
    values = value if isinstance(value, list) else [value]
    most = MAX_VALUES if test is Test.ANY_OF and field.kind is not Kind.FLAG else 1
    if not 1 <= len(values) <= most:
        raise InvalidInput.of(name, shown(value), f"must have 1 to {most} values")
    return tuple(dict.fromkeys(_value(field.kind, _whole(one, name), name) for one in values))


def _whole(value: object, name: str) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Decimal):
        return spelled(without_float_error(value))
    if not isinstance(value, str | int) or not (text := str(value)).strip():
        rule = "must be a text that is not blank, a number, true or false, or a list of them"
        raise InvalidInput.of(name, shown(value), rule)
    return text


def _aliases(name: str) -> Iterator[str]:
    """Other spellings: dots left out, the plural, and the thing for its abbreviation or ticker."""
    words = name.split(".")
    joined = words[0] + "".join(word[0].upper() + word[1:] for word in words[1:])
    names = [joined]
    if len(words) > 1 and words[1] in ("abbreviation", "ticker"):
        names.append(words[0])
    if name == "security.ticker":
        names.append("ticker")
    if name == "executionStatus.abbreviation":
        names += ["status", "statusAbbreviation"]
    for one in names:
        if one != name:
            yield one
        yield f"{one[:-1]}ies" if one.endswith("y") else f"{one}es" if one.endswith("s") else f"{one}s"
    snake = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", joined).lower()
    if snake != joined:
        yield snake


def _filters(given: Given, fields: Mapping[str, ListField]) -> Iterator[Filter]:
    for field in fields.values():
        for name, test, aliases in filter_names(field):
            texts = [(known, text) for known in (name, *aliases) for text in given.get(known, ())]
            if test is not Test.ANY_OF or field.kind is Kind.FLAG:
                texts = [(known, text) for known, text in texts if text.strip()]
                if len(texts) > 1:
                    both = RawJson(" and ".join(repr(text[:40]) for _, text in texts[:3]))
                    raise InvalidInput.of(name, both, "must be given once")
                values: tuple[Value, ...] = tuple(_value(field.kind, text, known) for known, text in texts)
            else:
                values = _values(field.kind, name, texts)
            if values:
                yield Filter(field.name, test, values)


def _values(kind: Kind, name: str, texts: Sequence[tuple[str, str]]) -> tuple[Value, ...]:
    parts = [(known, part.strip()) for known, text in texts for part in text.split(",")]
    parts = list(dict.fromkeys(part for part in parts if part[1]))
    if len(parts) > MAX_VALUES:
        raise InvalidInput.of(name, RawJson(len(parts)), f"must have at most {MAX_VALUES} values")
    return tuple(dict.fromkeys(_value(kind, part, known) for known, part in parts))


def _value(kind: Kind, text: str, name: str) -> Value:
    match kind:
        case Kind.INTEGER:
            if INTEGER.fullmatch(text.strip()) and is_possible_id(number := int(text)):
                return number
            raise InvalidInput.of(name, text[:100], "must be 32-bit integers")
        case Kind.DECIMAL:
            return parse_decimal(text.strip(), name)
        case Kind.FLAG:
            return flag_in(text, name)
        case Kind.TEXT:
            if len(text) > MAX_TEXT or "\x00" in text:
                rule = f"must be texts of at most {MAX_TEXT} characters without NUL"
                raise InvalidInput.of(name, text[:100], rule)
            return text
        case Kind.INSTANT:
            return moment_of_text(text, name)


@cache
def _spellings(names: tuple[str, ...]) -> Mapping[str, str]:
    """The sort keys by each of their spellings."""
    spelled = {name: name for name in names}
    for name in names:
        spelled |= {alias: name for alias in _aliases(name) if alias not in spelled}
    return spelled


def _sort(text: str, fields: Mapping[str, ListField]) -> tuple[SortKey, ...]:
    spelled = _spellings(tuple(name for name, field in fields.items() if field.sortable))
    keys = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        name = part[1:] if part[0] in "-+" else part
        if name not in spelled:
            known = ", ".join(sorted(set(spelled.values())))
            rule = f"must be a comma list of {known}, each with - in front for descending"
            raise InvalidInput.of("sort", part[:100], rule)
        keys.append(SortKey(spelled[name], part.startswith("-")))
    return tuple(keys)


def _integer(given: Given, name: str, default: int, least: int, most: int) -> int:
    text = _single(given, name)
    return integer_in(text, name, least, most) if text else default


def _single(given: Given, name: str) -> str:
    texts = [text.strip() for text in given.get(name, ()) if text.strip()]
    if len(texts) > 1:
        both = RawJson(" and ".join(repr(text[:40]) for text in texts[:3]))
        raise InvalidInput.of(name, both, "must be given once")
    return texts[0] if texts else ""


def list_parameters(fields: Mapping[str, ListField]) -> tuple[Parameter, ...]:
    """Every query parameter of a list, under the names of the contract."""
    sortable = ", ".join(name for name, field in fields.items() if field.sortable)
    parameters = [
        query("limit", f"Rows of a page; {DEFAULT_LIMIT} when left out.", integer(1, MAX_LIMIT)),
        query(
            "offset",
            "Rows left out before the page; any number, not only whole pages.",
            integer(0, MAX_OFFSET),
        ),
        query(
            "sort",
            f"Comma list of {sortable}; - in front for descending. Rows that are equal come by id.",
            Schema(type=OpenAPIType.STRING, examples=["-id"]),
        ),
        query(
            "cursor",
            "The `nextCursor` of the page before, in place of offset: equally fast however deep.",
            Schema(type=OpenAPIType.STRING),
        ),
    ]
    for field in fields.values():
        for name, test, aliases in filter_names(field):
            text = f"{_MEANING[test]} Also spelled {', '.join(aliases)}." if aliases else _MEANING[test]
            parameters.append(query(name, text, _schema(field.kind, test)))
    return tuple(parameters)


def documented_list(name: ListName) -> dict[str, Any]:
    """The `opt` of the handler of a list of v2."""
    docs = documented(parameters=list_parameters(FIELDS[name]), headers=(IGNORED_PARAMETERS,), exported=True)
    return docs | CHECKS_PARAMETERS


_MEANING = {
    Test.ANY_OF: "Equal to one of these, separated by commas; text in any case of letters.",
    Test.AT_LEAST: "At least this.",
    Test.AT_MOST: "At most this.",
    Test.BEFORE: "Before this.",
}


def _schema(kind: Kind, test: Test) -> Schema:
    if kind is Kind.FLAG:
        return Schema(type=OpenAPIType.BOOLEAN)
    if kind is Kind.INSTANT:
        return MOMENT
    if kind is Kind.DECIMAL:
        return Schema(type=OpenAPIType.STRING, pattern=_DECIMAL, description=f"decimal(18,8), {test.value}")
    if kind is Kind.INTEGER:
        return Schema(type=OpenAPIType.STRING, pattern=_INTEGERS if test is Test.ANY_OF else _INTEGER)
    return Schema(type=OpenAPIType.STRING)
