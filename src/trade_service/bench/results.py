"""The results of a benchmark, their JSON file, and the statistics of measured values."""

import math
import statistics
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path

import msgspec

from trade_service.bench.machine import Machine

FORMAT = 1
GOOD_ENOUGH = 0.95
"""Share of the best rate that counts as equally good."""


class Summary(msgspec.Struct, frozen=True):
    """The repetitions of one measurement."""

    median: float
    low: float
    high: float

    @property
    def spread(self) -> float:
        """Distance of the extremes as a share of the median; 0 for a median of 0."""
        return (self.high - self.low) / abs(self.median) if self.median else 0.0


def summary(values: Sequence[float]) -> Summary:
    """Median and extremes; raises ValueError for no values."""
    if not values:
        raise ValueError("a summary needs at least one value")
    return Summary(statistics.median(values), min(values), max(values))


def quantile(ordered: Sequence[float], share: float) -> float:
    """The smallest of the ascending values that at least `share` (0..1) of them do not exceed, never interpolated.

    Raises ValueError for no values.
    """
    if not ordered:
        raise ValueError("a quantile needs at least one value")
    return ordered[max(0, min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1))]


def recommended_size(rates: Mapping[float, float]) -> float:
    """The smallest size whose rate is within 5 % of the best; `rates` by size, not empty."""
    best = max(rates.values())
    return min(size for size, rate in rates.items() if rate >= GOOD_ENOUGH * best)


def short(value: float) -> str:
    """A figure with three significant digits, or all digits before the point."""
    if value != value or math.isinf(value):
        return "-"
    magnitude = abs(value)
    if magnitude >= 100 or value == 0:
        return f"{value:,.0f}"
    return f"{value:.1f}" if magnitude >= 10 else f"{value:.2f}" if magnitude >= 1 else f"{value:.3g}"


def place(x: float) -> str:
    """A position on an axis in full: 1,000,000 and 0.5."""
    return f"{x:,.0f}" if x == round(x) else f"{x:,g}"


class ResultsError(Exception):
    """A file is not a benchmark result; the message says why."""


class Better(StrEnum):
    """The direction in which a figure improves."""

    MORE = "more"
    LESS = "less"
    NEITHER = "neither"


class Point(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One measurement: the value of each repetition."""

    x: float
    values: list[float]

    @property
    def summary(self) -> Summary:
        """Median and extremes."""
        return summary(self.values)


class Series(msgspec.Struct, forbid_unknown_fields=True):
    """One line of a chart. `limit` marks the bare loop, the reference for the others."""

    name: str
    better: Better
    points: list[Point] = msgspec.field(default_factory=list)
    limit: bool = False

    def add(self, x: float, value: float) -> None:
        """Adds a repetition at `x`."""
        for point in self.points:
            if point.x == x:
                point.values.append(value)
                return
        self.points.append(Point(x, [value]))

    def medians(self) -> dict[float, float]:
        """The median of each measurement, by x."""
        return {point.x: point.summary.median for point in self.points}


class Chart(msgspec.Struct, forbid_unknown_fields=True):
    """Series over one axis, in one unit. `log` scales the values; positions on the axis are always equidistant."""

    title: str
    x_title: str
    unit: str
    series: list[Series] = msgspec.field(default_factory=list)
    log: bool = False

    def line(self, name: str, better: Better = Better.MORE, *, limit: bool = False) -> Series:
        series = Series(name, better, limit=limit)
        self.series.append(series)
        return series

    def line_of(self, name: str, better: Better = Better.MORE) -> Series:
        """The series with this name, added if missing."""
        found = next((series for series in self.series if series.name == name), None)
        return found or self.line(name, better)


class Conclusion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One sentence about the results; `good` is None if it is neither good nor bad."""

    text: str
    good: bool | None = None


class Scenario(msgspec.Struct, forbid_unknown_fields=True):
    """One question, its measurements, and its findings. Filled while it runs."""

    key: str
    title: str
    about: str
    charts: list[Chart] = msgspec.field(default_factory=list)
    findings: list[Conclusion] = msgspec.field(default_factory=list)
    seconds: float = 0.0
    complete: bool = False
    problem: str = ""
    """Why it ended early, or empty."""

    def chart(self, title: str, x_title: str, unit: str, *, log: bool = False) -> Chart:
        chart = Chart(title, x_title, unit, log=log)
        self.charts.append(chart)
        return chart

    def find(self, text: str, *, good: bool | None = None) -> None:
        self.findings.append(Conclusion(text, good))


class Results(msgspec.Struct, forbid_unknown_fields=True):
    """A complete run. `downstream` names the Execution Service."""

    format: int
    started_at: str
    version: str
    effort: str
    machine: Machine
    database: str
    downstream: str
    scenarios: list[Scenario] = msgspec.field(default_factory=list)
    seconds: float = 0.0
    interrupted: bool = False


def write_results(results: Results, path: Path) -> None:
    """Writes the JSON file, replacing an old one only when complete."""
    text = msgspec.json.format(msgspec.json.encode(results), indent=1)
    beside = path.with_name(f".{path.name}.part")
    beside.write_bytes(text + b"\n")
    beside.replace(path)


def read_results(path: Path) -> Results:
    """Reads a JSON file. Raises ResultsError, or OSError if there is none."""
    try:
        results = msgspec.json.decode(path.read_bytes(), type=Results)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ResultsError(f"{path}: not a result of `trade-service bench` ({error})") from None
    if results.format != FORMAT:
        raise ResultsError(f"{path}: has format {results.format}; this release reads {FORMAT}")
    return results
