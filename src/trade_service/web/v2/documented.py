"""What OpenAPI tells of the lists' query parameters, made from the fields that read them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from litestar.openapi.spec import Example, OpenAPIType, Operation, Parameter, Schema

from trade_service.trading.listing.model import EXECUTION_FIELDS, MAX_LIMIT, ORDER_FIELDS, Field, Kind, Test
from trade_service.web.v2.parameters import DEFAULT_LIMIT, MAX_OFFSET, filter_names

_DECIMAL = r"^[+-]?([0-9]{1,10}(\.[0-9]{0,8})?|\.[0-9]{1,8})$"
_INTEGERS = r"^[0-9]{1,9}(,[0-9]{1,9})*$"


def list_parameters(fields: Mapping[str, Field]) -> list[Parameter]:
    """Every query parameter of a list, by the names of the contract."""
    sortable = ", ".join(name for name, field in fields.items() if field.sortable)
    parameters = [
        _query("limit", f"Rows of a page; {DEFAULT_LIMIT} when left out.", _integer(1, MAX_LIMIT)),
        _query(
            "offset",
            "Rows left out before the page; any number, not only whole pages.",
            _integer(0, MAX_OFFSET),
        ),
        _query(
            "sort",
            f"Comma list of {sortable}; - in front for descending. Rows that are equal come by id.",
            Schema(type=OpenAPIType.STRING),
            "-id",
        ),
        _query(
            "cursor",
            "The `nextCursor` of the page before, in place of offset: equally fast however deep.",
            Schema(type=OpenAPIType.STRING),
        ),
    ]
    for field in fields.values():
        for name, test, aliases in filter_names(field):
            told = f"{_MEANING[test]} Also spelled {', '.join(aliases)}." if aliases else _MEANING[test]
            parameters.append(_query(name, told, _schema(field.kind, test)))
    return parameters


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


def _integer(least: int, most: int) -> Schema:
    return Schema(type=OpenAPIType.INTEGER, minimum=least, maximum=most)


def _query(name: str, description: str, schema: Schema, example: str | None = None) -> Parameter:
    examples = None if example is None else {"usual": Example(value=example)}
    return Parameter(
        name=name, param_in="query", description=description, schema=schema, required=False, examples=examples
    )


@dataclass
class _ListOperation(Operation):
    """An operation with the parameters of a list."""

    fields: ClassVar[Mapping[str, Field]]

    def __post_init__(self) -> None:
        self.parameters = [*(self.parameters or ()), *list_parameters(self.fields)]


@dataclass
class OrderListOperation(_ListOperation):
    """The list of trade orders."""

    fields = ORDER_FIELDS


@dataclass
class ExecutionListOperation(_ListOperation):
    """The list of executions."""

    fields = EXECUTION_FIELDS
