"""No file, however damaged, yields an order that a careful person would not read in it."""

import csv
import io
import json
from decimal import Decimal, InvalidOperation

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.blotters.reading import DESTINATIONS, Result, read_all, shown

HEADER = (
    "order_id",
    "portfolio_id",
    "order_type",
    "security_id",
    "quantity",
    "limit_price",
    "destination",
    "note",
)
IDENTIFIER = st.from_regex(r"\A[A-Z][A-Z0-9]{0,6}\Z").filter(
    lambda name: name not in ("NAN", "NULL", "NONE", "NIL")
)
SIDE = st.sampled_from(["BUY", "SELL"])
SIDES = {"B": "BUY", "S": "SELL"}
"""What damage may leave of a side, and people write so."""
NUMBER = st.integers(1, 10**9).map(lambda number: f"{Decimal(number) / 100:.2f}")
NOTE = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r"), max_size=30) | st.sampled_from(
    ["see\n9,P9,BUY,EVIL,999,1.00,ML,x\nend", '"', '5" pipe', "a,b;c|d\te", "=1+1", "'"]
)


@st.composite
def rows(draw: st.DrawFn) -> list[list[str]]:
    ids = draw(st.lists(st.integers(1, 10**6), min_size=1, max_size=6, unique=True))
    return [
        [
            str(order_id), draw(IDENTIFIER), draw(SIDE), draw(IDENTIFIER), draw(NUMBER),
            draw(NUMBER | st.just("")),
            draw(st.sampled_from(DESTINATIONS[:6])), draw(NOTE),
        ]
        for order_id in ids
    ]  # fmt: skip


def _meant(row: list[str]) -> str:
    def number(text: str) -> str:
        value = f"{Decimal(text):f}"
        return value.rstrip("0").rstrip(".") if "." in value else value

    price = number(row[5]) if row[5] else "-"
    return f"{int(row[0])} {row[1]} {row[2]} {row[3]} {number(row[4])} {price} {row[6]}"


def _written(table: list[list[str]], delimiter: str, line_end: str, *, quoted: bool) -> str:
    out = io.StringIO()
    if quoted:
        writer = csv.writer(out, delimiter=delimiter, lineterminator=line_end, quoting=csv.QUOTE_ALL)
    else:
        writer = csv.writer(out, delimiter=delimiter, lineterminator=line_end)
    writer.writerows([HEADER, *table])
    return out.getvalue()


@settings(deadline=None, max_examples=150)
@given(
    rows(),
    st.sampled_from(",;\t|"),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.booleans(),
)
def test_what_is_written_is_read_whatever_the_notes_say(
    table: list[list[str]], delimiter: str, line_end: str, encoding: str, quoted: bool
) -> None:
    content = _written(table, delimiter, line_end, quoted=quoted).encode(encoding)
    result = read_all(content)
    assert result.refusal is None
    assert [shown(order) for order in result.orders] == [_meant(row) for row in table]
    assert result.refused == []


PIECE = st.sampled_from(
    [
        '"',
        '""',
        ",",
        ";",
        "\n",
        "\r",
        "\r\n",
        "\t",
        " ",
        "'",
        "=",
        "\x00",
        "\ufeff",
        "\u200b",
        "9",
        "E+10",
        "\u202e",
    ]
)
DAMAGE = st.tuples(st.floats(0, 1), st.integers(0, 12), PIECE | st.just(""))


def _damaged(text: str, first: int, damages: list[tuple[float, int, str]]) -> str:
    for place, length, piece in damages:
        at = first + int(place * (len(text) - first))
        text = text[:at] + piece + text[at + length :]
    return text


def _lines_outside_quotes(text: str, delimiter: str = ",") -> set[int]:
    """The lines, from 1, that surely begin outside of quotes.

    A quotation mark opens at the beginning of a value only, two of them in quotes are one, and anything but a
    delimiter or a line end behind a closing one makes the rest uncertain.
    """
    outside = {1}
    line, inside, at_start, closed = 1, False, True, False
    position = 0
    while position < len(text):
        char = text[position]
        if inside:
            if char == '"' and text[position + 1 : position + 2] == '"':
                position += 1
            elif char == '"':
                inside, closed = False, True
            line += char == "\n"
        elif char == "\n":
            line += 1
            outside.add(line)
            at_start, closed = True, False
        elif closed and char not in (delimiter, "\r"):
            return outside | _if_contained(text, line)
        elif char == '"' and at_start:
            inside, at_start = True, False
        else:
            at_start, closed = char == delimiter, False
        position += 1
    return outside


def _if_contained(text: str, line: int) -> set[int]:
    """The lines behind a line of wrong quotes, if its quotation marks come in pairs."""
    lines = text.split("\n")
    if lines[line - 1].count('"') % 2:
        return set()
    rest = "\n".join(lines[line:])
    return {line + number for number in _lines_outside_quotes(rest)}


def _reads_so(line: str, order: str) -> bool:
    """Whether the line itself shows these values, one by one."""
    bare = line.rstrip("\r")
    readings = [bare.split(","), *csv.reader([bare])]
    return any(
        _means([cell.strip().strip('"').strip().removeprefix("'") for cell in cells], order)
        for cells in readings
    )


def _means(cells: list[str], order: str) -> bool:
    try:
        return len(cells) >= 7 and _meant([*cells[:2], SIDES.get(cells[2], cells[2]), *cells[3:]]) == order
    except (InvalidOperation, ValueError):
        return False


@settings(deadline=None, max_examples=200)
@given(rows(), st.lists(DAMAGE, min_size=1, max_size=4), st.booleans())
def test_damage_makes_no_orders(
    table: list[list[str]], damages: list[tuple[float, int, str]], quoted: bool
) -> None:
    text = _written(table, ",", "\n", quoted=quoted)
    damaged = _damaged(text, text.index("\n") + 1, damages)
    originals = {_meant(row) for row in table}
    result = read_all(damaged.encode())
    outside = _lines_outside_quotes(damaged)
    lines = damaged.split("\n")
    for record in result.orders:
        assert record.line in outside, "it begins in a quoted note"
        assert shown(record) in originals or _reads_so(lines[record.line - 1], shown(record))
    _check_kept(result)


@settings(deadline=None, max_examples=100)
@given(rows(), st.data())
def test_rows_of_one_order_id_are_sent_once_or_not_at_all(
    table: list[list[str]], data: st.DataObject
) -> None:
    """Whatever differs, and wherever the rows are."""
    originals = {_meant(row) for row in table}
    chosen = data.draw(st.sampled_from(table))
    again = list(chosen)
    changed = data.draw(st.none() | st.integers(1, 6))
    if changed is not None:
        again[changed] = data.draw(st.sampled_from(["SELL", "BUY", "X9", "77.5", "ML", "JPM", "-3", ""]))
    table = [*table]
    table.insert(data.draw(st.integers(0, len(table))), again)
    orders = [shown(order) for order in read_all(_written(table, ",", "\n", quoted=False).encode()).orders]
    is_same = changed is None or _means(again, _meant(chosen))
    assert sorted(orders) == sorted(originals if is_same else originals - {_meant(chosen)})


def _check_kept(result: Result) -> None:
    """Every row is kept as it was read, for files of results."""
    assert all(record.cells for record in result.orders)
    assert all(row.errors for row in result.refused)


@settings(deadline=None, max_examples=150)
@given(rows(), st.lists(DAMAGE, min_size=1, max_size=3))
def test_damaged_json_makes_no_orders(table: list[list[str]], damages: list[tuple[float, int, str]]) -> None:
    whole = [json.dumps(dict(zip(HEADER, row, strict=True))) + "\n" for row in table]
    damaged = _damaged("".join(whole), len(whole[0]), damages)
    lines = damaged.split("\n")
    for record in read_all(damaged.encode()).orders:
        members = json.loads(lines[record.line - 1])
        cells = [str(members.get(name, "")).strip().removeprefix("'").strip() for name in HEADER]
        assert _meant(cells) == shown(record)


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    assert read_all(content).orders == []
