"""What OpenAPI tells of the lists' query parameters, made from the fields that read them."""

from collections.abc import Mapping

from litestar.openapi.spec import OpenAPIType, Parameter, Schema

from trade_service.trading.listing.model import MAX_LIMIT, Field, Kind, Test
from trade_service.web.telling import integer, query
from trade_service.web.v2.parameters import DEFAULT_LIMIT, MAX_OFFSET, filter_names

_DECIMAL = r"^([+-]?([0-9]{1,10}(\.[0-9]{0,8})?|\.[0-9]{1,8}))?$"
_INTEGERS = r"^([0-9]{1,9}(,[0-9]{1,9})*)?$"
"""Either may be empty: forms send what was not filled in."""


def list_parameters(fields: Mapping[str, Field]) -> tuple[Parameter, ...]:
    """Every query parameter of a list, by the names of the contract."""
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
            told = f"{_MEANING[test]} Also spelled {', '.join(aliases)}." if aliases else _MEANING[test]
            parameters.append(query(name, told, _schema(field.kind, test)))
    return tuple(parameters)


_MEANING = {
    Test.ANY_OF: "Equal to one of these, separated by commas; text in any case of letters.",
    Test.AT_LEAST: "At least this.",
    Test.AT_MOST: "At most this.",
}


def _schema(kind: Kind, test: Test) -> Schema:
    if kind is Kind.FLAG:
        return Schema(type=OpenAPIType.BOOLEAN)
    if kind is Kind.DECIMAL:
        return Schema(type=OpenAPIType.STRING, pattern=_DECIMAL, description=f"decimal(18,8), {test.value}")
    if kind is Kind.INTEGER:
        return Schema(type=OpenAPIType.STRING, pattern=_INTEGERS)
    return Schema(type=OpenAPIType.STRING)
