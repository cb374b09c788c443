"""The report of a benchmark, its charts, and the comparison of two runs."""

import math
import re
from xml.etree import ElementTree

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.test_bench_figures import results_with
from trade_service.bench.chart import drawn, nice_step, scale_of
from trade_service.bench.compare import compare
from trade_service.bench.report import report
from trade_service.bench.results import Better, Chart, Point, Results, Scenario, Series

values = st.floats(0, 1e9, allow_subnormal=False)


def chart_of(*points: Point, log: bool = False, better: Better = Better.MORE) -> Chart:
    return Chart("Throughput", "batch size", "executions/s", [Series("engine", better, list(points))], log)


def results_of(chart: Chart) -> Results:
    return results_with(Scenario("size", "Which batch size?", "", [chart]))


def parsed(page: str) -> ElementTree.Element:
    """The page as XML: every element is closed, every text escaped."""
    return ElementTree.fromstring(page.removeprefix("<!DOCTYPE html>\n"))


@given(st.lists(values, min_size=1, max_size=5), st.booleans())
def test_every_value_lies_on_the_scale(measured: list[float], log: bool) -> None:
    scale = scale_of(chart_of(Point(1, measured), log=log))
    assert scale.low < scale.high
    assert scale.ticks[0] == scale.low
    assert math.isclose(scale.ticks[-1], scale.high)
    for value in measured:
        if value > 0 or not scale.log:
            assert scale.low <= value * (1 + 1e-9)
            assert value <= scale.high * (1 + 1e-9)
        assert 0 <= scale.share(value) <= 1


@given(st.floats(1e-6, 1e12))
def test_steps_are_round(step: float) -> None:
    found = nice_step(step)
    assert step * (1 - 1e-6) <= found <= step * 2.5 * (1 + 1e-6)
    assert round(found / 10 ** math.floor(math.log10(found * (1 + 1e-9))), 6) in (1, 2, 5)


def test_a_greater_value_stands_higher() -> None:
    picture = parsed(drawn(chart_of(Point(1, [10.0]), Point(2, [20.0, 40.0, 30.0]))))
    low, high = [float(dot.attrib["cy"]) for dot in picture.iter("circle")]
    assert high < low
    assert [title.text for title in picture.iter("title")] == [
        "engine at 1: 10.0 executions/s",
        "engine at 2: 30.0 executions/s (20.0 to 40.0)",
    ]


def test_a_chart_without_values_draws_nothing() -> None:
    assert drawn(chart_of()) == ""


def test_the_page_is_self_contained() -> None:
    scenario = Scenario("size", "Which <batch> & size?", "about", [chart_of(Point(10, [1.0, 3.0]))])
    scenario.find("Use 10.", good=True)
    scenario.find("Not 1.", good=False)
    scenario.problem = "the database <went> away"
    page = report(results_with(scenario))
    text = "".join(parsed(page).itertext())
    for words in (
        "Which <batch> & size?",
        "✓ Use 10.",
        "✗ Not 1.",
        "the database <went> away",
        "2.00 (1.00 to 3.00)",
    ):
        assert words in text
    assert not re.search(r"(src|href)=\"(?!#)", page)
    assert "url(" not in page
    assert "@import" not in page
    assert "<script" not in page
    assert "prefers-color-scheme: dark" in page


@pytest.mark.parametrize(
    ("before", "after", "better", "verdict"),
    [
        ([100, 110], [120, 130], Better.MORE, "better"),
        ([100, 110], [120, 130], Better.LESS, "worse"),
        ([100, 110], [80, 90], Better.MORE, "worse"),
        ([100, 110], [80, 90], Better.LESS, "better"),
        ([100, 125], [120, 130], Better.MORE, "same"),
        ([100, 101], [102, 103], Better.MORE, "same"),
        ([100, 110], [120, 130], Better.NEITHER, ""),
        ([0.0], [0.0], Better.LESS, "same"),
        ([0.0], [1.0], Better.LESS, "worse"),
    ],
)
def test_a_change_counts_if_the_runs_do_not_overlap(
    before: list[float], after: list[float], better: Better, verdict: str
) -> None:
    old, new = (chart_of(Point(10, values), better=better) for values in (before, after))
    (change,) = compare(results_of(old), results_of(new)).changes
    assert change.verdict == verdict


def test_ratios_divide_after_by_before() -> None:
    comparison = compare(results_of(chart_of(Point(10, [50.0]))), results_of(chart_of(Point(10, [100.0]))))
    assert comparison.changes[0].ratio == 2.0
    assert comparison.differences == ()


def test_figures_of_only_one_run_are_listed() -> None:
    before, after = (
        results_of(chart_of(Point(10, [1.0]), Point(20, [1.0]))),
        results_of(chart_of(Point(10, [1.0]))),
    )
    after.machine = msgspec.structs.replace(after.machine, cores=1000)
    after.scenarios[0].charts.append(Chart("Memory", "executions", "MB", [Series("peak", Better.LESS)]))
    comparison = compare(before, after)
    assert [change.x for change in comparison.changes] == [10]
    assert comparison.only_after == ("size: Memory, peak",)
    assert comparison.only_before == ()
    assert comparison.differences == (f"cores: {before.machine.cores} and 1000",)
