"""Number formats that show a value differently from what is stored: rounded, in percent, with text beside it."""

import re

import msgspec

from trade_service.blotter.number_dialect import readings

CELL_ERROR = "it is an error of a spreadsheet"
_PERCENT = "a spreadsheet shows it as a percentage"
_PADDED = "a spreadsheet shows it with leading zeros"
_ROUNDED = "a spreadsheet shows it without its decimals"
_SCALED = "a spreadsheet shows it in thousands"
_FEWER = "a spreadsheet shows it with fewer decimals"
_SHORTENED = "a spreadsheet shows it shortened, such as 1.2E+06"
_WORDED = "a spreadsheet shows it with other text or another sign beside it"
_UNSEEN = "its format hides it"
_BINARY_ERROR = 1e-12
BUILT_IN_FORMATS = (
    dict.fromkeys((1, 3, 5, 6, 37, 38, 41, 42), "0")
    | dict.fromkeys((2, 4, 7, 8, 39, 40, 43, 44), "0.00")
    | {9: "0%", 10: "0.00%", 11: "0.00E+00", 12: "# ?/?", 13: "# ??/??", 48: "##0.0E+0"}
)
"""Built-in formats, which a workbook names by number alone; decoration is left out."""
_QUOTED = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]|[_*].')
_LITERAL = re.compile(r'"([^"]*)"|\\(.)|[_*].|\[[^\]]*\]')
_SECTION = re.compile(r'(?:"[^"]*"|\\.|[^;"\\])*')
_CONDITION = re.compile(r"\[[<>=]")
_CURRENCY = "USD|EUR|GBP|CHF|JPY|CAD|AUD|NZD|HKD|SGD|CNY|INR|SEK|NOK|DKK|PLN|BRL|MXN|ZAR|KRW|Fr\\.?|kr\\.?"
_HARMLESS = re.compile(rf"({_CURRENCY}|[Ss]hares?|shs?|pcs?|units?|Stk|Stück|[^\w()\-\u2212])*")
"""Text beside a number that does not change its meaning."""
_THOUSANDS = re.compile(r"[\"\\]\s*('?000|k|m|mm|mn|mio|mln|tsd|bn)\b", re.I)
_SHORT_NUMBER = re.compile(r"[+-]?\d([.,]\d+)?E[+-]?\d+", re.ASCII)
_NUMBER_SHOWN = re.compile(
    r"(?P<before>[^\d+\-]*)(?P<number>[+-]?\d(.*\d)?)(?P<behind>\D*)", re.ASCII | re.DOTALL
)


class NumberFormat(msgspec.Struct, frozen=True):
    """How a number format alters what is shown; `decimals` if it rounds."""

    wrong: str = ""
    decimals: int = -1

    def is_wrong_for(self, value: str) -> bool:
        """Whether a stored value is shown differently."""
        if self.decimals < 0:
            return bool(self.wrong)
        number = float(value)
        return abs(number - round(number, self.decimals)) > _BINARY_ERROR * max(1.0, abs(number))


def format_of(code: str) -> NumberFormat:
    """How a format alters values; if its sections have conditions, the worst of them."""
    if not code:
        return NumberFormat()
    sections = _SECTION.findall(code)
    odd = map(_section_oddity, filter(None, sections) if _CONDITION.search(code) else sections[:1])
    return min(odd, key=lambda one: (not one.wrong, one.decimals), default=NumberFormat())


def _section_oddity(section: str) -> NumberFormat:
    plain = _QUOTED.sub("", section)
    is_general = re.search("general", plain, re.I) is not None
    if not is_general and re.search(r"[ymdhs]", plain, re.I):
        return NumberFormat()
    if re.search("e[+-]", plain, re.I):
        return NumberFormat(_SHORTENED)
    if not is_general and not re.search("[0#?]", plain):
        return NumberFormat(_UNSEEN if not plain.strip() else "")
    if "%" in plain:
        return NumberFormat(_PERCENT)
    if re.search(r"[0#?],+(\.|$|[^0#?,.])", plain) or _THOUSANDS.search(section):
        return NumberFormat(_SCALED)
    beside = "".join("".join(found) for found in _LITERAL.findall(section))
    beside += re.sub(r"[0#?@]|general", "", plain, flags=re.I)
    if not _HARMLESS.fullmatch(beside):
        return NumberFormat(_WORDED)
    if is_general:
        return NumberFormat()
    whole, point, decimals = plain.partition(".")
    if re.search("0.*0", whole):
        return NumberFormat(_PADDED)
    shown = len(re.sub("[^0#?]", "", decimals))
    return NumberFormat(_FEWER if point else _ROUNDED, shown)


def shown_otherwise(kind: str, value: str, shown: str) -> str:
    """What is wrong with a cell of an OpenDocument spreadsheet, which stores the displayed text too."""
    if kind == "error" or shown.startswith("#") or re.fullmatch(r"Err:\d+", shown):
        return CELL_ERROR
    if kind == "percentage":
        return _PERCENT
    if kind not in ("float", "currency") or not shown:
        return ""
    if re.match(r"-?0\d", shown):
        return _PADDED
    if _SHORT_NUMBER.fullmatch(shown):
        return _SHORTENED
    found = _NUMBER_SHOWN.fullmatch(shown)
    if found is None or not _HARMLESS.fullmatch(found["before"] + found["behind"]):
        return _WORDED
    return _wrong_number(float(value), [one for one in readings(found["number"]) if one is not None])


def _wrong_number(value: float, shown: list[str]) -> str:
    if any(abs(value - float(one)) <= _BINARY_ERROR * max(1.0, abs(value)) for one in shown):
        return ""
    rounded = any(float(one) == round(value, len(one.partition(".")[2])) for one in shown)
    return _FEWER if rounded else _WORDED
