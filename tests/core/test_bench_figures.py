"""Figures that a benchmark computes, and its result file."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trade_service.bench.machine import described, this_machine
from trade_service.bench.results import (
    FORMAT,
    Better,
    Results,
    ResultsError,
    Scenario,
    place,
    quantile,
    read_results,
    recommended_size,
    short,
    summary,
    write_results,
)
from trade_service.cli.bench_tables import bar

rates = st.floats(0.1, 1e6)


def test_a_summary_tells_the_middle_and_the_extremes() -> None:
    figure = summary([30.0, 10.0, 20.0])
    assert (figure.median, figure.low, figure.high, figure.spread) == (20.0, 10.0, 30.0, 1.0)
    assert summary([0.0, 0.0]).spread == 0.0
    with pytest.raises(ValueError, match="at least one"):
        summary([])


@pytest.mark.parametrize(("share", "value"), [(0.0, 1), (0.5, 2), (0.51, 3), (0.75, 3), (0.76, 4), (1.0, 4)])
def test_a_quantile_is_a_value_that_was_measured(share: float, value: float) -> None:
    assert quantile([1, 2, 3, 4], share) == value


@given(st.lists(rates, min_size=1), st.floats(0, 1))
def test_so_many_are_not_above_a_quantile(values: list[float], share: float) -> None:
    ordered = sorted(values)
    found = quantile(ordered, share)
    assert sum(value <= found for value in ordered) >= share * len(ordered) - 1e-6
    assert sum(value < found for value in ordered) <= share * len(ordered) + 1e-6


@pytest.mark.parametrize(
    ("measured", "size"),
    [
        ({1: 100, 50: 960, 75: 1000, 100: 990}, 50),
        ({1: 100, 50: 940, 75: 1000, 100: 990}, 75),
        ({1: 100, 100: 2000}, 100),
        ({10: 5}, 10),
        ({100: 1000, 1: 1000}, 1),
    ],
)
def test_the_smallest_size_that_is_nearly_the_best_is_recommended(
    measured: dict[float, float], size: float
) -> None:
    assert recommended_size(measured) == size


@given(st.dictionaries(st.integers(1, 100).map(float), rates, min_size=1))
def test_no_smaller_size_is_as_good_as_the_recommended_one(measured: dict[float, float]) -> None:
    size, best = recommended_size(measured), max(measured.values())
    assert measured[size] >= 0.95 * best
    assert all(rate < 0.95 * best for other, rate in measured.items() if other < size)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (12345.6, "12,346"), (99.96, "100.0"), (12.34, "12.3"), (1.234, "1.23"), (0.01234, "0.0123"),
     (float("nan"), "-"), (float("inf"), "-")],
)  # fmt: skip
def test_figures_are_short(value: float, text: str) -> None:
    assert short(value) == text


@pytest.mark.parametrize(
    ("x", "text"), [(1, "1"), (0.5, "0.5"), (100_000, "100,000"), (10_000_000, "10,000,000")]
)
def test_places_are_told_in_full(x: float, text: str) -> None:
    assert place(x) == text


def test_a_bar_grows_with_its_value() -> None:
    assert bar(0, 10) == ""
    assert bar(10, 10, 4) == "████"
    assert bar(5, 10, 4) == "██"
    assert bar(0.001, 10, 4) == "▏"
    assert bar(1, 100, 4, log=True) == "██"
    assert bar(1, 10**9, 4, log=True) == "▏"


def results_with(scenario: Scenario) -> Results:
    return Results(
        FORMAT, "2026-01-01T00:00:00Z", "0.1.0", "quick", this_machine(), "PostgreSQL 18", "", [scenario]
    )


def test_results_round_trip_through_their_file(tmp_path: Path) -> None:
    scenario = Scenario("size", "Which batch size?", "")
    line = scenario.chart("Throughput", "batch size", "executions/s").line("engine", Better.MORE)
    for value in (1.5, 2.5):
        line.add(10, value)
    line.add(20, 3)
    scenario.find("Use 20.", good=True)
    written = results_with(scenario)
    write_results(written, tmp_path / "a.json")
    assert read_results(tmp_path / "a.json") == written
    assert written.scenarios[0].charts[0].series[0].medians() == {10: 2.0, 20: 3.0}
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"format": 1}', "\xff"])
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text, "latin-1")
    with pytest.raises(ResultsError, match=r"a\.json: not a result"):
        read_results(tmp_path / "a.json")


def test_other_formats_are_refused(tmp_path: Path) -> None:
    later = results_with(Scenario("size", "", ""))
    later.format = 2
    write_results(later, tmp_path / "a.json")
    with pytest.raises(ResultsError, match="has format 2"):
        read_results(tmp_path / "a.json")


def test_the_machine_is_described() -> None:
    machine = this_machine()
    assert machine.cores >= 1
    assert f"{machine.cores} cores (" in described(machine)
