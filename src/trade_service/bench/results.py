"""What a benchmark found, as its JSON file holds it."""

from enum import StrEnum
from pathlib import Path

import msgspec

from trade_service.bench.figures import Summary, summary

FORMAT = 1


class ResultsError(Exception):
    """A file holds no results of a benchmark; the message says what is wrong with it."""


class Better(StrEnum):
    """Which way a figure improves."""

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
    """One line of a chart. `limit` marks the bare loop, beside which the others are held."""

    name: str
    better: Better
    points: list[Point] = msgspec.field(default_factory=list)
    limit: bool = False

    def add(self, x: float, value: float) -> None:
        """Notes one more repetition at `x`."""
        for point in self.points:
            if point.x == x:
                point.values.append(value)
                return
        self.points.append(Point(x, [value]))

    def medians(self) -> dict[float, float]:
        """The median of each measurement, by x."""
        return {point.x: point.summary.median for point in self.points}


class Chart(msgspec.Struct, forbid_unknown_fields=True):
    """Series over one axis, all in one unit. `log` scales the values, not the axis: its places are even."""

    title: str
    x_title: str
    unit: str
    series: list[Series] = msgspec.field(default_factory=list)
    log: bool = False

    def line(self, name: str, better: Better = Better.MORE, *, limit: bool = False) -> Series:
        """A new series of this chart."""
        series = Series(name, better, limit=limit)
        self.series.append(series)
        return series


class Finding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One sentence of what came out; `good` is None where it is neither good nor bad."""

    text: str
    good: bool | None = None


class Scenario(msgspec.Struct, forbid_unknown_fields=True):
    """One question, what was measured for it, and the answer. Filled while it runs."""

    key: str
    title: str
    about: str
    charts: list[Chart] = msgspec.field(default_factory=list)
    findings: list[Finding] = msgspec.field(default_factory=list)
    seconds: float = 0.0
    complete: bool = False
    problem: str = ""
    """Why it ended early."""

    def chart(self, title: str, x_title: str, unit: str, *, log: bool = False) -> Chart:
        """A new chart of this scenario."""
        chart = Chart(title, x_title, unit, log=log)
        self.charts.append(chart)
        return chart

    def find(self, text: str, *, good: bool | None = None) -> None:
        """Notes a finding."""
        self.findings.append(Finding(text, good))


class Machine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the figures come from."""

    cores: int
    processor: str
    memory_mb: int
    system: str
    python: str
    load_before: float
    """Processes that wanted a core in the minute before the start: other work makes figures smaller."""


class Results(msgspec.Struct, forbid_unknown_fields=True):
    """A whole run."""

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
    """Writes the JSON file: the old one stays until the new one is whole."""
    text = msgspec.json.format(msgspec.json.encode(results), indent=1)
    beside = path.with_name(f".{path.name}.part")
    beside.write_bytes(text + b"\n")
    beside.replace(path)


def read_results(path: Path) -> Results:
    """Reads a JSON file; raises ResultsError, and OSError where there is none."""
    try:
        results = msgspec.json.decode(path.read_bytes(), type=Results)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ResultsError(f"{path}: no results of `trade-service bench` ({error})") from None
    if results.format != FORMAT:
        raise ResultsError(f"{path}: written in format {results.format}; this release reads {FORMAT}")
    return results
