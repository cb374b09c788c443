"""Text of single cells: guards that spreadsheets put around it, and identifiers that they destroy."""

import re
import unicodedata
from functools import lru_cache

from trade_service.blotter.records import BrokenCell, NumberText, TimeText
from trade_service.domain.errors import InvalidInput
from trade_service.domain.fields import visible

_GUARDED = re.compile(r'="([^"]*)"')
_SHORTENED = re.compile(r"[+-]?\d+([.,]\d+)?[eE][+-]\d+|[+-]?\d+[.,]\d+[eE]\d+", re.ASCII)
_ERRORS = re.compile(
    r"#(N/?A( N/A)?|REF!?|NAME\??|VALUE!?|DIV/0!?|NUM!?|NULL!?|SPILL!?|CALC!?|GETTING_DATA|#*)", re.I
)
_NOTHINGS = frozenset(
    ("null", "nan", "none", "nil", "undefined", "n/a", "<na>", "(null)", "(blank)", "nat", "tbd")
)
_MONTH = (
    "(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mär|mrz|mai|okt|dez|janv|févr|mars|avr|juin|juil|août|sept|déc"
    "|ene|abr|ago|dic)"
)
_DATE = re.compile(
    rf"\d{{1,2}}(?:[-/]|\. ?){_MONTH}\.?([-/ ]\d{{2,4}})?"
    rf"|{_MONTH}\.?-\d{{1,4}}"
    r"|(?:0?[1-9]|[12]\d|3[01])(?P<sep>[/.-])(?:0?[1-9]|[12]\d|3[01])(?P=sep)(?:\d{4}|\d{2})"
    r"|(?:0?[1-9]|[12]\d|3[01])/(?:0?[1-9]|[12]\d|3[01])"
    r"|\d{4}[/-]\d\d[/-]\d\d( \d\d:\d\d(:\d\d)?)?"
    r"|\d{1,2}:\d\d(:\d\d)?",
    re.I | re.ASCII,
)
_FRACTION = re.compile(r"\d+\.0", re.ASCII)
_MASKED = re.compile(r".*(\.\.|\*\*|&(amp|lt|gt|quot|nbsp|#\d+);).*|x{3,}[\d-]+|\\N", re.I)
_QUOTES = re.compile(r"[\"“”„‟«»‘’‚‛`]")
_ODD_BLANK = re.compile(r"[^\S ]")
_LOOKING_ALIKE = frozenset(("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE"))
_SEPARATORS = ",;|"
_WHOLE = re.compile(r"\d{1,15}", re.ASCII)
SURROGATE = re.compile(r"[\ud800-\udfff]")
_THREE_DECIMALS = re.compile(r"[+-]?\d{1,3}\.\d{3}", re.ASCII)
_FORMULA = re.compile(r"\s*[=+\-@\t\r]")


def bare(text: str) -> str:
    """`text` without blanks around it and without a text guard: `="0012"` and `'0012` are 0012."""
    stripped = text.strip()
    if stripped[:1] in ("=", "'"):
        # Files of results put an apostrophe before text that looks like a formula.
        unmarked = stripped.removeprefix("'").strip()
        guarded = _GUARDED.fullmatch(unmarked)
        if guarded is not None:
            return guarded[1].strip()
        if stripped[0] == "'":
            return unmarked
    # The kind of a typed cell is part of its value.
    return text if len(stripped) == len(text) else stripped


@lru_cache(maxsize=65_536)
def identifier(text: str, field: str) -> str:
    """The identifier in a cell.

    Raises InvalidInput for what a spreadsheet made of one (1.2E+15, #N/A, a date), for quotes, and for characters
    that people cannot see.
    """
    name = bare(text)
    destroyed = _destroyed(name)
    if destroyed:
        raise InvalidInput.of(field, name, f"must be an identifier, and this is {destroyed}")
    visible(name, field)
    if name.strip(_SEPARATORS) != name:
        raise InvalidInput.of(field, name, "must not begin or end with a separator")
    if _ODD_BLANK.search(name):
        raise InvalidInput.of(field, name, "must not contain blanks other than the usual one")
    if not name.isascii():
        _check_letters(name, field)
    if name[:1] in ("=", "'") or name[-1:] == "'" or _QUOTES.search(name):
        raise InvalidInput.of(field, name, "must not begin with = or contain quotation marks")
    return name


def _check_letters(name: str, field: str) -> None:
    """Raises InvalidInput for letters that look like others: of two scripts in one name, or of another width."""
    if "\ufffd" in name or not name.isprintable() or unicodedata.normalize("NFKC", name) != name:
        rule = "must be written with the usual form of its characters: others look the same"
        raise InvalidInput.of(field, ascii(name)[1:-1], rule)
    scripts = {unicodedata.name(letter, "").partition(" ")[0] for letter in name if letter.isalpha()}
    if len(scripts & _LOOKING_ALIKE) > 1:
        rule = "must not mix letters of two scripts: some look the same"
        raise InvalidInput.of(field, ascii(name)[1:-1], rule)


def typed_identifier(text: str, field: str) -> str:
    """The identifier in a cell whose kind the file knows. Raises InvalidInput, also for dates and fractions."""
    if isinstance(text, NumberText) and not _WHOLE.fullmatch(text):
        rule = "must be text, or a whole number of at most 15 digits: a spreadsheet changes longer ones"
        raise InvalidInput.of(field, text, rule)
    if isinstance(text, TimeText):
        raise InvalidInput.of(
            field, text, "must be an identifier, and this is what a spreadsheet makes of a date"
        )
    return identifier(str(text), field)


def _destroyed(name: str) -> str | None:
    if _SHORTENED.fullmatch(name):
        return "a number that a spreadsheet has shortened"
    if _ERRORS.fullmatch(name):
        return "an error of a spreadsheet"
    if _MASKED.fullmatch(name):
        return "masked, cut off or encoded"
    if _FRACTION.fullmatch(name):
        return "a number that a program made of an identifier"
    if name.lower() in _NOTHINGS or (name and not any(map(str.isalnum, name)) and name.isascii()):
        return "what programs write for nothing"
    if _DATE.fullmatch(name):
        return "a date or time, as a spreadsheet makes them of identifiers"
    return None


def sound(text: str, field: str) -> str:
    """Returns the cell; raises InvalidInput if its value is not what people see, or goes over several lines."""
    if isinstance(text, BrokenCell):
        raise InvalidInput.of(field, "", f"must be a plain value, and {text.wrong}")
    if "\n" in text or "\r" in text:
        raise InvalidInput.of(field, text, "must not have a line break inside")
    return text


def refused_cell(text: str, *, is_sure: bool) -> str:
    """A refused cell for files of results: quoted, and so refused again, unless its text alone shows why.

    `is_sure`: the encoding is known, so the letters are right.
    """
    return text if type(text) is str and (is_sure or text.isascii()) else f'"{text}"'


def as_text(text: str) -> str:
    """The cell's text in UTF-8, without its kind.

    A number with three decimals gets a fourth, or it could be read as thousands.
    """
    if isinstance(text, NumberText) and _THREE_DECIMALS.fullmatch(text):
        return f"{text}0"
    return str(text) if text.isascii() else SURROGATE.sub("\ufffd", text)


def spreadsheet_safe(text: str) -> str:
    """`text` as a spreadsheet shows it and never runs it: an apostrophe stands before what begins a formula.

    Reading a blotter removes the apostrophe again.
    """
    return f"'{text}" if _FORMULA.match(text) else text
