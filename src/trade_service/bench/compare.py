"""Two runs beside one another, ratio by ratio. Pure."""

from collections.abc import Iterator

import msgspec

from trade_service.bench.results import Better, Chart, Results, Series

NOISE = 0.05
"""A change of a median by less is no change, whatever its repetitions say."""


class Change(msgspec.Struct, frozen=True):
    """One measurement of both runs."""

    scenario: str
    chart: str
    series: str
    x_title: str
    x: float
    unit: str
    before: float
    after: float
    verdict: str
    """`better`, `worse`, `same`, or nothing where the figure is neither good nor bad."""

    @property
    def ratio(self) -> float | None:
        """After by before; None where there was nothing before."""
        return self.after / self.before if self.before else None


class Comparison(msgspec.Struct, frozen=True):
    """All that both runs measured, and what only one of them did."""

    changes: tuple[Change, ...]
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]
    differences: tuple[str, ...]
    """In machine, database or effort: reasons why the figures may differ without any cause in the service."""

    def count(self, verdict: str) -> int:
        """How many changes have it."""
        return sum(change.verdict == verdict for change in self.changes)


def compare(before: Results, after: Results) -> Comparison:
    """Holds each measurement of `after` against the same one of `before`."""
    old, new = dict(_measured(before)), dict(_measured(after))
    changes = tuple(change for key, one in new.items() if key in old for change in _changes(old[key], one))
    return Comparison(
        changes,
        tuple(f"{key[0]}: {key[1]}, {key[2]}" for key in old if key not in new),
        tuple(f"{key[0]}: {key[1]}, {key[2]}" for key in new if key not in old),
        tuple(_differences(before, after)),
    )


Key = tuple[str, str, str]
One = tuple[str, Chart, Series]


def _measured(results: Results) -> Iterator[tuple[Key, One]]:
    for scenario in results.scenarios:
        for chart in scenario.charts:
            for series in chart.series:
                yield (scenario.key, chart.title, series.name), (scenario.key, chart, series)


def _changes(old: One, new: One) -> Iterator[Change]:
    scenario, chart, series = new
    before = {point.x: point.summary for point in old[2].points}
    for point in series.points:
        if point.x not in before:
            continue
        first, second = before[point.x], point.summary
        apart = second.low > first.high or second.high < first.low
        verdict = _verdict(first.median, second.median, series.better, apart=apart)
        yield Change(
            scenario, chart.title, series.name, chart.x_title, point.x, chart.unit, first.median, second.median,
            verdict,
        )  # fmt: skip


def _verdict(before: float, after: float, better: Better, *, apart: bool) -> str:
    """A change counts when the repetitions of both runs do not overlap and the medians differ by enough."""
    if better is Better.NEITHER:
        return ""
    if not apart or abs(after - before) < NOISE * abs(before):
        return "same"
    return "better" if (after > before) == (better is Better.MORE) else "worse"


def _differences(before: Results, after: Results) -> Iterator[str]:
    for name in ("cores", "processor", "memory_mb", "python", "system"):
        first, second = getattr(before.machine, name), getattr(after.machine, name)
        if first != second:
            yield f"{name}: {first} and {second}"
    for name in ("version", "database", "downstream", "effort"):
        first, second = getattr(before, name), getattr(after, name)
        if first != second:
            yield f"{name}: {first or '-'} and {second or '-'}"
