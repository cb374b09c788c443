"""Dates and times as people write them: which part is the day, and in which time zone."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, tzinfo

from trade_service.blotter.file_refusals import FileRefused, QuestionCode
from trade_service.blotter.records import TimeText
from trade_service.domain.errors import InvalidInput, shorten

DAY_FIRST, MONTH_FIRST = "day", "month"
_FIRST_YEAR, _LAST_YEAR = 1900, 9998
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_TIME = (
    r"(?:(?:[ ;,]+|T|-(?=\d\d:))(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<part>\d{1,6}))?)?"
    r" ?(?P<half>[AaPp]\.?[Mm]\.?)? ?(?P<zone>Z|UTC|GMT|[+-]\d\d:?\d\d)?)?"
)
_NUMERIC = re.compile(
    rf"(?P<a>\d{{1,2}})(?P<sep>[/.-])(?P<b>\d{{1,2}})(?P=sep)(?P<year>\d{{4}}){_TIME}", re.ASCII
)
_NAMED = re.compile(rf"(?P<day>\d{{1,2}})[ -](?P<month>[A-Za-z]{{3}})[ -](?P<year>\d{{4}}){_TIME}", re.ASCII)
_YEAR_FIRST = re.compile(
    rf"(?P<year>\d{{4}})(?P<sep>[/.-]?)(?P<month>\d\d)(?P=sep)(?P<day>\d\d){_TIME}", re.ASCII
)
_RULE = "must be an ISO 8601 time with its offset, such as 2026-01-30T14:30:00Z"


_COMPACT = re.compile(r"(\d{8})[;, T-](\d\d)(\d\d)(\d\d)", re.ASCII)


class DateDialect:
    """The order of day and month in a file, and the zone of its times.

    Args:
        first: DAY_FIRST or MONTH_FIRST as a person gave it; None to detect it.
        zone: The zone of times without an offset; None refuses them.
    """

    def __init__(self, first: str | None = None, zone: tzinfo | None = None) -> None:
        self.first = first
        self.is_given = first is not None
        self.proof = ""
        self.ambiguous = ""
        self._zone = zone

    def learn(self, texts: Iterable[str]) -> None:
        """Learns from a column of dates. Raises FileRefused if they contradict each other."""
        local = every = 0
        for text in map(str.strip, texts):
            found = _NUMERIC.fullmatch(text)
            if found is not None:
                self._learn(found, text)
            if text:
                every += 1
                local += self._zone is None and _is_local(text)
        if local and local == every:
            raise FileRefused.asking(
                QuestionCode.TIME_ZONE,
                "its times have no offset from UTC",
                "name their zone with --time-zone, such as --time-zone UTC, or leave the column out with "
                "--map COLUMN=",
            )

    def settle(self) -> None:
        """Raises FileRefused if a date could mean two days and nothing decides between them."""
        if self.ambiguous and self.first is None:
            raise self._two_readings(self.ambiguous)

    def read(self, text: str) -> datetime:
        """An instant. Raises InvalidInput and FileRefused."""
        moment = _iso(text) or self._written(text)
        if moment is None:
            raise InvalidInput.of("trade_timestamp", text, _RULE)
        if moment.tzinfo is None:
            if self._zone is None:
                raise InvalidInput.of("trade_timestamp", text, f"{_RULE}, or name the zone with --time-zone")
            moment = moment.replace(tzinfo=self._zone)
            if moment.utcoffset() != moment.replace(fold=1).utcoffset():
                rule = "must have its offset from UTC: when clocks change, this time is there twice or not at all"
                raise InvalidInput.of("trade_timestamp", text, rule)
        if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
            rule = f"must lie in the years {_FIRST_YEAR} to {_LAST_YEAR}"
            raise InvalidInput.of("trade_timestamp", text, rule)
        return moment

    def _learn(self, found: re.Match[str], text: str) -> None:
        a, b = int(found["a"]), int(found["b"])
        if a == b or max(a, b) > 31:
            return
        if max(a, b) <= 12:
            self.ambiguous = self.ambiguous or text
            return
        first = DAY_FIRST if a > 12 else MONTH_FIRST
        if self.first is None:
            self.first, self.proof = first, text
        elif first != self.first and not self.is_given:
            raise FileRefused(
                f"its dates contradict each other: {self.proof!r} begins with the {self.first}, "
                f"{shorten(text)!r} with the {first}; write all of them in one way"
            )

    def _written(self, text: str) -> datetime | None:
        if found := _NUMERIC.fullmatch(text):
            self._learn(found, text)
            a, b = int(found["a"]), int(found["b"])
            if self.first is None and a != b:
                raise self._two_readings(text)
            day, month = (b, a) if self.first == MONTH_FIRST else (a, b)
            return _moment(found, day, month)
        if found := _NAMED.fullmatch(text):
            name = found["month"].lower()
            return _moment(found, int(found["day"]), _MONTHS.index(name) + 1) if name in _MONTHS else None
        if found := _YEAR_FIRST.fullmatch(_COMPACT.sub(r"\1 \2:\3:\4", text)):
            return _moment(found, int(found["day"]), int(found["month"]))
        return None

    def _two_readings(self, text: str) -> FileRefused:
        a, b = re.split(r"[/.-]", text)[:2]
        return FileRefused.asking(
            QuestionCode.DATE_ORDER,
            f"{text!r} could be day {a} of month {b} or day {b} of month {a}, and no other date of the file "
            "decides between them",
            "say which comes first with --dates day or --dates month",
            choices=("day", "month"),
        )


def _iso(text: str) -> datetime | None:
    # The extended form alone: in the basic one 20260130 could as well be a number.
    if not isinstance(text, TimeText) and not re.match(r"\d{4}-\d\d-\d\d", text):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _is_local(text: str) -> bool:
    moment = _iso(text)
    if moment is not None:
        return moment.tzinfo is None
    found = (
        _NUMERIC.fullmatch(text)
        or _NAMED.fullmatch(text)
        or _YEAR_FIRST.fullmatch(_COMPACT.sub(r"\1 \2:\3:\4", text))
    )
    return found is not None and not found["zone"]


def _moment(found: re.Match[str], day: int, month: int) -> datetime | None:
    hour, half = int(found["hour"] or 0), (found["half"] or "").lower()[:1]
    if half:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half == "p" else 0)
    second, part = int(found["second"] or 0), int((found["part"] or "").ljust(6, "0"))
    try:
        moment = datetime(  # noqa: DTZ001  # the zone follows
            int(found["year"]), month, day, hour, int(found["minute"] or 0), second, part
        )
    except ValueError:
        return None
    zone = found["zone"] or ""
    if zone in ("Z", "UTC", "GMT"):
        return moment.replace(tzinfo=UTC)
    return datetime.fromisoformat(f"{moment.isoformat()}{zone}") if zone else moment
