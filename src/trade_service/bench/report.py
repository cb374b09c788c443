"""The report: one self-contained HTML file that works offline, for light and dark. Pure."""

import re
from collections.abc import Iterator
from html import escape

from trade_service.bench.chart import axis_of, coloured, drawn
from trade_service.bench.machine import described
from trade_service.bench.results import Chart, Conclusion, Results, Scenario, Summary, place, short

STYLE = """
:root { color-scheme: light dark;
  --page: #fff; --ink: #1d2330; --soft: #5b6475; --rule: #dfe3ea; --card: #f6f7f9; --limit: #8a93a3;
  --good: #17693a; --bad: #b3261e;
  --c0: #1f5fd0; --c1: #c2570c; --c2: #0f7b6c; --c3: #9333a8; --c4: #b1265e; --c5: #6b6f10; }
@media (prefers-color-scheme: dark) { :root {
  --page: #12151c; --ink: #e7eaf0; --soft: #a3acbc; --rule: #2c3340; --card: #1a1f29; --limit: #8a93a3;
  --good: #6fd398; --bad: #ff8a80;
  --c0: #7aa9ff; --c1: #ffab66; --c2: #5fd3bf; --c3: #d896ec; --c4: #ff8fb5; --c5: #d2d65a; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 74rem; padding: 2rem 1.25rem 4rem; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.7rem; margin: 0 0 .25rem; } h2 { font-size: 1.3rem; margin: 3rem 0 .25rem; }
h3 { font-size: 1rem; margin: 0 0 .5rem; } p { max-width: 62rem; margin: .4rem 0; }
.soft, caption, summary { color: var(--soft); }
nav a { margin-right: 1rem; } a { color: var(--c0); }
ul.found { list-style: none; padding: 0; margin: 1rem 0; } ul.found li { padding: .15rem 0; font-weight: 600; }
.good { color: var(--good); } .bad { color: var(--bad); }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 30rem), 1fr)); gap: 1.25rem; }
figure { margin: 0; padding: 1rem; background: var(--card); border: 1px solid var(--rule); border-radius: .5rem;
  min-width: 0; }
svg { width: 100%; height: auto; display: block; }
svg text { font: 12px system-ui, sans-serif; fill: var(--soft); } svg text.name { fill: var(--ink); }
.grid { stroke: var(--rule); } polyline { fill: none; stroke-width: 2; }
svg g { stroke: currentColor; } svg circle { fill: currentColor; } svg g line { opacity: .55; stroke-width: 2; }
.c0 { color: var(--c0); } .c1 { color: var(--c1); } .c2 { color: var(--c2); } .c3 { color: var(--c3); }
.c4 { color: var(--c4); } .c5 { color: var(--c5); } .limit { color: var(--limit); }
.limit polyline { stroke-dasharray: 6 4; }
.key span { margin-right: 1rem; font-size: .9rem; white-space: nowrap; }
.key b { color: var(--ink); font-weight: 400; }
details { margin-top: .5rem; overflow-x: auto; } table { border-collapse: collapse; font-size: .9rem; }
th, td { padding: .2rem .7rem .2rem 0; text-align: right; font-variant-numeric: tabular-nums;
  border-bottom: 1px solid var(--rule); }
@media print { details { display: none; } }
"""


def report(results: Results) -> str:
    """The complete page."""
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        '<head><meta charset="utf-8"/><meta name="viewport" content="width=device-width, initial-scale=1"/>',
        f"<title>Trade service benchmark of {escape(results.started_at)}</title>",
        f"<style>{STYLE}</style></head>",
        "<body>",
        *_head(results),
    ]
    for scenario in results.scenarios:
        parts += _scenario(scenario)
    return "\n".join([*parts, "</body>", "</html>", ""])


def _head(results: Results) -> Iterator[str]:
    yield "<h1>Trade service benchmark</h1>"
    yield f'<p class="soft">{escape(described(results.machine))}</p>'
    downstream = f"Execution Service: {results.downstream}" if results.downstream else ""
    facts = (
        f"version {results.version}", results.database, downstream, f"preset: {results.effort}",
        results.started_at, f"{results.seconds:,.0f} s",
    )  # fmt: skip
    yield f'<p class="soft">{escape(" · ".join(fact for fact in facts if fact))}</p>'
    if results.interrupted:
        yield '<p class="bad">This run was interrupted; these are the results until then.</p>'
    yield (
        "<p>Points are medians; whiskers span the repetitions. The dashed line is the bare loop, measured in the "
        "same run: the cost of PostgreSQL, the network and the Execution Service without any logic.</p>"
    )
    links = (f'<a href="#{escape(one.key)}">{escape(one.title)}</a>' for one in results.scenarios)
    yield f"<nav>{' '.join(links)}</nav>"


def _scenario(scenario: Scenario) -> Iterator[str]:
    yield f'<section id="{escape(scenario.key)}"><h2>{escape(scenario.title)}</h2>'
    yield f'<p class="soft">{_with_code(scenario.about)}</p>'
    if scenario.problem:
        yield f'<p class="bad">Incomplete: {escape(scenario.problem)}</p>'
    yield '<ul class="found">'
    yield from (_finding(finding) for finding in scenario.findings)
    yield '</ul><div class="charts">'
    for chart in scenario.charts:
        yield from _figure(chart)
    yield "</div></section>"


def _with_code(text: str) -> str:
    """Escapes text, and marks what is between backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _finding(finding: Conclusion) -> str:
    if finding.good is None:
        return f"<li>{escape(finding.text)}</li>"
    style, mark = ("good", "✓") if finding.good else ("bad", "✗")
    return f'<li class="{style}">{mark} {escape(finding.text)}</li>'


def _figure(chart: Chart) -> Iterator[str]:
    if not axis_of(chart):
        return
    yield f"<figure><h3>{escape(chart.title)}</h3>"
    yield drawn(chart)
    names = (f'<span class="{colour}">● <b>{escape(one.name)}</b></span>' for one, colour in coloured(chart))
    yield f'<figcaption class="key">{" ".join(names)}</figcaption>'
    yield from _table(chart)
    yield "</figure>"


def _table(chart: Chart) -> Iterator[str]:
    yield f"<details><summary>Figures ({escape(chart.unit)}; minimum to maximum)</summary><table><tr>"
    yield f'<th scope="col">{escape(chart.x_title)}</th>'
    yield from (f'<th scope="col">{escape(series.name)}</th>' for series in chart.series)
    yield "</tr>"
    summaries = [{point.x: point.summary for point in series.points} for series in chart.series]
    for x in axis_of(chart):
        yield f'<tr><th scope="row">{place(x)}</th>'
        yield from (f"<td>{_cell(one.get(x))}</td>" for one in summaries)
        yield "</tr>"
    yield "</table></details>"


def _cell(figure: Summary | None) -> str:
    if figure is None:
        return ""
    if figure.high == figure.low:
        return short(figure.median)
    return f"{short(figure.median)} ({short(figure.low)} to {short(figure.high)})"
