"""What reading a blotter yields: orders, refused rows, and notes about rows that are no orders."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import msgspec

from trade_service.blotter.synonyms import FIELDS
from trade_service.domain.fields import escaped
from trade_service.domain.orders import NewTradeOrder

Cells: TypeAlias = Sequence[str]
"""The cells of a row as the file has them; `NumberText` and others where the file knows the type."""


class NumberText(str):
    """A cell that the file itself holds as a number: digits, point, exponent."""

    __slots__ = ()


class TimeText(str):
    """A cell that the file itself holds as a date or time, in ISO 8601."""

    __slots__ = ()


class BrokenCell(str):
    """A cell whose value people do not see as it is stored; `wrong` says why."""

    __slots__ = ("wrong",)
    wrong: str

    @classmethod
    def of(cls, text: str, wrong: str) -> "BrokenCell":
        """The cell with its stored text."""
        cell = cls(text)
        cell.wrong = wrong
        return cell


class CellError(msgspec.Struct, frozen=True):
    """An error in one row: `rule` says what `column` must be, `value` is its shortened value."""

    line: int
    column: str
    value: str
    rule: str
    order_id: int | None = None
    unit: str = "line"

    @property
    def complaint(self) -> str:
        """What is wrong, without the line number."""
        shown = f"'{escaped(self.value)}'" if self.value else "nothing"
        return f"{self.column}: {self.rule}; got {shown}"

    def __str__(self) -> str:
        return f"{self.unit} {self.line}, {self.complaint}"


class OrderRecord(msgspec.Struct, frozen=True, gc=False):
    """A row that is an order."""

    line: int
    """Where the row begins in its file, from 1: its line, or its row in a sheet."""
    order: NewTradeOrder
    destination_id: int
    cells: Cells
    """The row as it was read, for files of results."""


class RefusedRow(msgspec.Struct, frozen=True):
    """A row that is no order because of its errors."""

    line: int
    cells: Cells
    errors: tuple[CellError, ...]

    @property
    def order_id(self) -> int | None:
        """Its order id, where that could be read."""
        return self.errors[0].order_id


class DamagedRow(msgspec.Struct, frozen=True):
    """A row that cannot be split into cells; `ends_file` if nothing after it can be trusted."""

    text: str
    rule: str
    ends_file: bool = False


class BlotterPage(msgspec.Struct, frozen=True):
    """Some rows of a file, in its order."""

    orders: list[OrderRecord]
    refused: list[RefusedRow]
    count: int
    """Orders and refused rows; zero at the end of the file."""

    @property
    def errors(self) -> list[CellError]:
        """The errors of all refused rows."""
        return [error for row in self.refused for error in row.errors]


class Layout(msgspec.Struct, frozen=True):
    """How a file is read, to be shown to people before anything is sent."""

    form: str
    """Such as `csv, UTF-8, separated by a comma`."""
    header: tuple[str, ...]
    """The names of the file's columns."""
    header_line: int
    fields: Mapping[str, str]
    """The column of each field, as the file spells it."""
    constants: Mapping[str, str]
    ignored: tuple[str, ...]
    doubts: tuple[str, ...] = ()
    """Readings that were detected and that a person should confirm, such as a decimal comma."""
    unit: str = "line"
    """The word for a row: `line` or `row`."""

    @property
    def api_columns(self) -> Mapping[str, str]:
        """The file's column names by API field; our own names where it has no column."""
        spelled = {_camel(field): self.fields.get(field, field) for field in FIELDS}
        return spelled | {f"{field}Id": spelled[field] for field in ("blotter", "destination")}


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(part.title() for part in others)
