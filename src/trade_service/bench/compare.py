"""Compares two runs figure by figure. Pure."""

from collections.abc import Iterator

import msgspec

from trade_service.bench.results import Better, Chart, Results, Series

NOISE = 0.05
"""Smaller changes of a median do not count, whatever the repetitions."""


class Change(msgspec.Struct, frozen=True):
    """One figure in both runs."""

    scenario: str
    chart: str
    series: str
    x_title: str
    x: float
    unit: str
    before: float
    after: float
    verdict: str
    """`better`, `worse` or `same`; empty for a figure without a better direction."""

    @property
    def ratio(self) -> float | None:
        """After divided by before; None if before is 0."""
        return self.after / self.before if self.before else None


class Comparison(msgspec.Struct, frozen=True):
    """The figures in both runs, and those in only one of them."""

    changes: tuple[Change, ...]
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]
    differences: tuple[str, ...]
    """Differences between the runs themselves, such as machine or preset, that may explain different figures."""

    def count(self, verdict: str) -> int:
        """The number of changes with this verdict."""
        return sum(change.verdict == verdict for change in self.changes)


def compare(before: Results, after: Results) -> Comparison:
    """Compares each figure of `after` with the same one of `before`."""
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
    """A change counts if the repetitions do not overlap and the medians differ enough."""
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
