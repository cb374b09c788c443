"""Makes an order of a row's cells, or says what is wrong with each of them."""

import re
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeAlias

import msgspec

from trade_service.blotter.cells import bare, refused_cell, sound, typed_identifier
from trade_service.blotter.date_dialect import DateDialect
from trade_service.blotter.number_dialect import NumberDialect
from trade_service.blotter.order_limits import OrderLimits, within_limits
from trade_service.blotter.records import BrokenCell, CellError, Cells, DamagedRow, OrderRecord, RefusedRow
from trade_service.blotter.row_guards import broken_rule
from trade_service.blotter.synonyms import side_of
from trade_service.blotter.table_columns import Columns
from trade_service.domain.errors import InvalidInput, shorten
from trade_service.domain.fields import ZERO
from trade_service.domain.orders import NewTradeOrder, checked_order
from trade_service.domain.reference import ORDER_TYPES, ReferenceData

Problem: TypeAlias = tuple[str, str, str]
"""A field, its value and the rule that it breaks."""
_FIELD_OF_API = {"orderid": "order_id", "portfolioid": "portfolio_id", "ordertype": "order_type"} | {
    "securityid": "security_id", "limitprice": "limit_price", "tradetimestamp": "trade_timestamp",
    "blotterid": "blotter",
}  # fmt: skip
_SALES = frozenset(("SELL", "SHORT"))
_TOTAL = re.compile(r"\W*(grand |sub-?)?(total|sum|summe|gesamt|suma|somme)\b", re.I)
_PAGE = re.compile(r"\W*(page|seite|página|pagina)\W*\d+", re.I)
_SPLIT = re.compile(r"[1-9]\d{0,2},\d{3}", re.ASCII)
"""A number that a delimiter has split."""
_REMEMBERED_VALUES = 16_384
_WHOLE_NUMBER = "must be a whole number"


class LineRules(msgspec.Struct, frozen=True):
    """The names that a row may use, and its limits."""

    blotters: Mapping[str, int]
    """Ids by abbreviation; `destinations` alike."""
    destinations: Mapping[str, int]
    trade_types: tuple[str, ...]
    """Order types that the Execution Service accepts."""
    limits: OrderLimits = OrderLimits()

    @classmethod
    def of(
        cls, reference: ReferenceData, trade_types: Collection[str], limits: OrderLimits | None = None
    ) -> "LineRules":
        """The rules from reference data, accepted trade types and limits."""
        return cls(
            {row.abbreviation: row.id for row in reference.blotters.values()},
            {row.abbreviation: row.id for row in reference.destinations.values()},
            tuple(trade_types),
            limits or OrderLimits(),
        )


class OrderRows:
    """Reads rows of one table into orders.

    Args:
        columns: Where each field is.
        constants: Values of fields that hold for every row.
        trusts_letters: False if the encoding is a guess, so that letters beyond ASCII may be others.
        unit: What a row is called: line or row.
    """

    def __init__(
        self, columns: Columns, constants: Mapping[str, str], rules: LineRules, numbers: NumberDialect,
        dates: DateDialect, *, trusts_letters: bool, unit: str,
    ) -> None:  # fmt: skip
        self._columns = columns
        self._rules = rules
        self._numbers = numbers
        self._dates = dates
        self._trusts_letters = trusts_letters
        self.unit = unit
        self._width = len(columns.names)
        self._has_exact_rows = False
        """Whether a row had no delimiter too many: such rows end all alike, or a number's comma splits one."""
        parsers = self._parsers()
        self._parse = [
            (field, index, _remembered(parsers[field], field)) for field, index in columns.places.items()
        ]
        self._constants = {field: _constant(parsers[field], field, text) for field, text in constants.items()}

    def read(self, line: int, cells: Cells | DamagedRow) -> OrderRecord | RefusedRow:
        """The order of a row, or its errors. Raises FileRefused if a number or date could mean two things."""
        if isinstance(cells, DamagedRow):
            return self._refused(line, [cells.text], [(self.unit, cells.text, cells.rule)])
        if len(cells) != self._width:
            fitted = self._fitted(cells)
            if isinstance(fitted, str):
                return self._refused(line, self._marked(cells), [(self.unit, ", ".join(cells), fitted)])
            cells = fitted
        else:
            self._has_exact_rows = True
        values: dict[str, Any] = dict(self._constants)
        problems: list[Problem] = []
        for field, index, parse in self._parse:
            text = cells[index]
            try:
                values[field] = parse(text)
            except InvalidInput as error:
                # What cannot be printed is escaped in the error, and a broken cell has no value of its own.
                is_plain = text.isprintable() and not isinstance(text, BrokenCell)
                shown = text.strip() if is_plain else str(error.details["value"] or "")
                problems.append((field, shown, str(error.details["rule"])))
        if not problems:
            try:
                return self._guarded(self._checked(line, cells, values))
            except InvalidInput as error:
                field = str(error.details["field"])
                value, rule = str(error.details["value"] or ""), str(error.details["rule"])
                problems.append((_FIELD_OF_API.get(field.lower(), field), value, rule))
        return self._refused(line, cells, problems, values.get("order_id"))

    def is_outside(self, cells: Cells) -> bool:
        """Whether a row can be no order: blanks, a total, a footer, the header again.

        It has no whole number as order id, and either one value alone, nothing in any other column of a field
        except for the quantity, or no order type and the word total.
        """
        if not any(cell.strip() for cell in cells):
            return True
        places, names = self._columns.places, self._columns.names
        if tuple(map(bare, cells[: len(names)])) == names:
            return True
        texts = {field: bare(cells[index]) if index < len(cells) else "" for field, index in places.items()}
        if texts.pop("order_id").isdigit():
            return False
        if sum(bool(cell.strip()) for cell in cells) == 1:
            return True
        if not texts.get("order_type", "none") and any(_TOTAL.match(cell) for cell in cells):
            return True
        texts.pop("quantity", None)
        return len(texts) > 1 and not any(texts.values())

    def is_heading(self, cells: Cells) -> bool:
        """Whether a row outside of the orders may say something about the orders below it."""
        texts = [text for text in map(bare, cells) if text]
        if not any(letter.isalpha() for text in texts for letter in text):
            return False
        is_repeated = tuple(map(bare, cells[: self._width])) == self._columns.names
        return not is_repeated and not any(_TOTAL.match(text) or _PAGE.match(text) for text in texts)

    def _fitted(self, cells: Cells) -> Cells | str:
        """The row with as many cells as the header, or why other than blanks or nameless columns differ."""
        rule = f"must have {self._width} values, as the header has; it has {len(cells)}"
        if len(cells) < self._width:
            is_whole = not any(self._columns.names[len(cells) :])
            return [*cells, *[""] * (self._width - len(cells))] if is_whole else rule
        if any(cell.strip() for cell in cells[self._width :]):
            return rule
        for field in ("quantity", "limit_price"):
            index = self._columns.places.get(field)
            if index is not None and _SPLIT.fullmatch(",".join(cells[index : index + 2])):
                return f"{rule}, and {field} could be {cells[index]} or {cells[index]}{cells[index + 1]}"
        if self._has_exact_rows and any(cell.strip() for cell in cells):
            return f"{rule}, and rows before it have no delimiter too many"
        return cells[: self._width]

    def _checked(self, line: int, cells: Cells, values: Mapping[str, Any]) -> OrderRecord:
        quantity = values["quantity"]
        if self._numbers.signed:
            quantity = _unsigned(quantity, values["order_type"])
        order = checked_order(
            NewTradeOrder(
                values["order_id"],
                values["portfolio_id"],
                values["order_type"],
                values["security_id"],
                quantity,
                values.get("limit_price"),
                values.get("trade_timestamp"),
                values.get("blotter"),
            )
        )
        within_limits(order, self._rules.limits)
        return OrderRecord(line, order, values["destination"], cells)

    def _guarded(self, found: OrderRecord) -> OrderRecord | RefusedRow:
        names, errors = self._columns.names, []
        for kind, index in self._columns.guards:
            text = bare(found.cells[index])
            rule = broken_rule(kind, names[index], text, found.order, fix=self._columns.fix)
            if rule is not None:
                order_id = found.order.order_id
                errors.append(CellError(found.line, names[index], shorten(text), rule, order_id, self.unit))
        return RefusedRow(found.line, found.cells, tuple(errors)) if errors else found

    def _refused(
        self, line: int, cells: Cells, problems: list[Problem], order_id: int | None = None
    ) -> RefusedRow:
        errors, shown = [], [*cells]
        for field, value, rule in problems:
            errors.append(CellError(line, self.column(field), shorten(value), rule, order_id, self.unit))
            index = self._columns.places.get(field, len(shown))
            if index < len(shown):
                shown[index] = refused_cell(shown[index], is_sure=self._trusts_letters)
        return RefusedRow(line, shown, tuple(errors))

    def _marked(self, cells: Cells) -> Cells:
        """A row of the wrong width for files of results: its order id is quoted, and so refused again."""
        last = self._width - 1
        shown = [*cells[:last], " | ".join(cells[last:])] + [""] * (last - len(cells))
        index = self._columns.places["order_id"]
        shown[index] = f'"{shown[index]}"'
        return shown

    def column(self, field: str) -> str:
        """How the file spells a field."""
        index = self._columns.places.get(field)
        return field if index is None else self._columns.names[index]

    def _parsers(self) -> Mapping[str, Callable[[str], Any]]:
        return {
            "order_id": _order_id,
            "portfolio_id": lambda text: self._identifier(text, "portfolio_id"),
            "order_type": self._order_type,
            "security_id": lambda text: self._identifier(text, "security_id"),
            "quantity": lambda text: self._numbers.quantity(bare(sound(text, "quantity"))),
            "destination": lambda text: _named(text, "destination", self._rules.destinations),
            "limit_price": self._limit_price,
            "trade_timestamp": self._timestamp,
            "blotter": self._blotter,
        }

    def _identifier(self, text: str, field: str) -> str:
        name = typed_identifier(sound(text, field), field)
        if not self._trusts_letters and not name.isascii():
            rule = (
                "must have no letters beyond ASCII unless the encoding is given: --encoding cp1252 or another"
            )
            raise InvalidInput.of(field, name, rule)
        return name

    def _order_type(self, text: str) -> str:
        given = bare(sound(text, "order_type"))
        name = side_of(given, fix=self._columns.fix)
        if name not in self._rules.trade_types:
            rule = f"must be one of {', '.join(self._rules.trade_types)}, which the Execution Service accepts"
            raise InvalidInput.of("order_type", given, rule)
        return name

    def _limit_price(self, text: str) -> Decimal | None:
        number = bare(sound(text, "limit_price"))
        return self._numbers.price(number) if number else None

    def _blotter(self, text: str) -> int | None:
        return _named(text, "blotter", self._rules.blotters) if bare(sound(text, "blotter")) else None

    def _timestamp(self, text: str) -> datetime | None:
        moment = bare(sound(text, "trade_timestamp"))
        return self._dates.read(moment) if moment else None


def _remembered(parse: Callable[[str], Any], field: str) -> Callable[[str], Any]:
    """The parser with a memory: most columns repeat a few values."""
    if field == "order_id":
        return parse
    values: dict[str | tuple[type, str], Any] = {}

    def read(text: str) -> Any:
        # A cell with a kind equals its text, and may mean something else.
        key = text if type(text) is str else (type(text), text)
        try:
            return values[key]
        except KeyError:
            value = parse(text)
            if len(values) >= _REMEMBERED_VALUES:
                values.clear()
            values[key] = value
            return value

    return read


def _constant(parse: Callable[[str], Any], field: str, text: str) -> Any:
    value = parse(text)
    if field in ("portfolio_id", "security_id") and not value:
        raise InvalidInput.of(field, text, "must not be blank")
    return value


def _order_id(text: str) -> int:
    if text.isdecimal() and text.isascii() and len(text) <= 18:
        return int(text)
    number = bare(sound(text, "order_id"))
    # A sign is none of the id: comparisons of two files mark the rows that went with it.
    if not (number.isascii() and number.isdigit() and len(number) <= 18):
        raise InvalidInput.of("order_id", number, _WHOLE_NUMBER)
    return int(number)


def _named(text: str, field: str, known: Mapping[str, int]) -> int:
    """The id of a name: the exact one, else the only one that differs in case alone."""
    name = bare(sound(text, field))
    row_id = known.get(name)
    if row_id is not None:
        return row_id
    alike = [other for other in known if other.lower() == name.lower()]
    if len(alike) > 1:
        raise InvalidInput.of(
            field, name, f"must be spelled as one of {', '.join(alike)}, which differ in case"
        )
    if not alike:
        raise InvalidInput.of(field, name, f"must be one of {', '.join(known)}")
    return known[alike[0]]


def _unsigned(quantity: Decimal, order_type: str) -> Decimal:
    if quantity == ZERO:
        raise InvalidInput.of("quantity", str(quantity), "must not be zero")
    if (quantity < ZERO) != (order_type in _SALES):
        rule = "must be negative for sales and positive for purchases, as in the other rows"
        raise InvalidInput.of("quantity", f"{quantity:f}", rule)
    return abs(quantity)


def is_signed(quantities: Collection[str], sides: Collection[str], *, fix: bool) -> bool:
    """Whether quantities are negative for sales and only for these, as in lists of trades."""
    pairs = [
        (quantity.startswith("-"), side_of(side, fix=fix))
        for quantity, side in zip(quantities, sides, strict=True)
        if quantity and side
    ]
    known = [(negative, side) for negative, side in pairs if side in ORDER_TYPES]
    if not any(negative for negative, _ in known) or len(known) < len(pairs):
        return False
    return all(negative == (side in _SALES) for negative, side in known)
