"""Prints benchmark results: a table with bars per chart, and the findings."""

import math
from collections.abc import Sequence
from itertools import groupby

from rich.console import Console
from rich.table import Table
from rich.text import Text

from trade_service.bench.compare import Change, Comparison
from trade_service.bench.results import Chart, Scenario, Summary, place, short
from trade_service.cli.running import result_table

BAR_WIDTH = 10
MOST_COLUMNS = 6
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_VERDICT_STYLES = {"better": "green", "worse": "red"}
_DECADES = 4
"""Powers of ten below the maximum at which a logarithmic bar is empty."""


def bar(value: float, greatest: float, width: int = BAR_WIDTH, *, log: bool = False) -> str:
    """A bar of up to `width` characters in steps of an eighth; positive values show at least one eighth."""
    if value <= 0 or greatest <= 0:
        return ""
    share = value / greatest
    if log:
        share = 1 + math.log10(share) / _DECADES
    eighths = max(1, min(width * 8, round(share * width * 8)))
    whole, rest = divmod(eighths, 8)
    return _EIGHTHS[8] * whole + (_EIGHTHS[rest] if rest else "")


def print_scenario(scenario: Scenario, out: Console) -> None:
    """Prints one question with its charts and findings."""
    out.print()
    out.rule(Text(f"{scenario.title} ({scenario.seconds:.0f} s)", style="bold"), align="left")
    for chart in scenario.charts:
        if any(series.points for series in chart.series):
            out.print(_table(chart) if len(chart.series) <= MOST_COLUMNS else _long_table(chart))
    for finding in scenario.findings:
        style = {True: "bold green", False: "bold red", None: "bold"}[finding.good]
        out.print(Text(f"> {finding.text}", style=style), soft_wrap=True)
    if scenario.problem:
        out.print(Text(f"> Incomplete: {scenario.problem}", style="bold red"), soft_wrap=True)


def _table(chart: Chart) -> Table:
    table = result_table(f"{chart.title} ({chart.unit}; median, spread)", f"{chart.x_title}>")
    rows: dict[float, dict[str, Summary]] = {}
    for series in chart.series:
        table.add_column(series.name, style="dim" if series.limit else None)
        for point in series.points:
            rows.setdefault(point.x, {})[series.name] = point.summary
    greatest = max(one.median for row in rows.values() for one in row.values())
    for x, row in sorted(rows.items()):
        cells = [_cell(row.get(series.name), greatest, log=chart.log) for series in chart.series]
        table.add_row(place(x), *cells)
    return table


def _long_table(chart: Chart) -> Table:
    """A row per series, for charts with many of them."""
    table = Table(title=f"{chart.title} ({chart.unit}; median)", title_justify="left", show_edge=False)
    table.add_column(chart.x_title)
    axis = sorted({point.x for series in chart.series for point in series.points})
    for x in axis:
        table.add_column(place(x), justify="right")
    for series in chart.series:
        medians = series.medians()
        table.add_row(series.name, *(short(medians[x]) if x in medians else "" for x in axis))
    return table


def _cell(figure: Summary | None, greatest: float, *, log: bool) -> str:
    if figure is None:
        return ""
    spread = f"±{figure.spread / 2:.0%}" if figure.high > figure.low else ""
    return f"{short(figure.median):>9} {spread:>5} {bar(figure.median, greatest, log=log)}"


def print_comparison(comparison: Comparison, out: Console) -> None:
    """Prints a table per chart in both runs, and how many figures changed."""
    for difference in comparison.differences:
        out.print(Text(f"The runs differ in {difference}", style="yellow"), soft_wrap=True)
    for (scenario, chart), changes in groupby(comparison.changes, lambda one: (one.scenario, one.chart)):
        out.print(_compared(f"{scenario}: {chart}", list(changes)))
    for which, names in (("before", comparison.only_before), ("after", comparison.only_after)):
        for name in names:
            out.print(Text(f"Measured only {which}: {name}", style="dim"), soft_wrap=True)
    better, worse = comparison.count("better"), comparison.count("worse")
    out.print(
        f"{len(comparison.changes)} figures in both: {better} better, {worse} worse, "
        f"{comparison.count('same')} the same.",
        style="bold red" if worse else "bold green", soft_wrap=True,
    )  # fmt: skip


def _compared(title: str, changes: Sequence[Change]) -> Table:
    table = result_table(title, "figure", f"{changes[0].x_title}>", "before>", "after>", "ratio>", "")
    for one in changes:
        ratio = "-" if one.ratio is None else f"{one.ratio:.2f}"
        table.add_row(
            f"{one.series}, {one.unit}", place(one.x), short(one.before), short(one.after), ratio, one.verdict,
            style=_VERDICT_STYLES.get(one.verdict),
        )  # fmt: skip
    return table
