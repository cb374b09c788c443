"""Charts as SVG, drawn by ourselves: no library, no network, and readable in light and dark. Pure."""

from collections.abc import Iterator, Sequence
from html import escape

from trade_service.bench.figures import place, short
from trade_service.bench.results import Chart, Point, Series
from trade_service.bench.scale import Scale, axis_of, scale_of

WIDTH, HEIGHT = 640, 300
LEFT, RIGHT, TOP, BOTTOM = 74, 18, 14, 46
COLOURS = 6
"""Classes c0 to c5 of the page's style; the bare loop has its own."""
MOST_LABELS = 14


def drawn(chart: Chart) -> str:
    """An `<svg>` element, or nothing for a chart without values."""
    axis = axis_of(chart)
    if not axis:
        return ""
    scale = scale_of(chart)
    label = escape(f"{chart.title}: {chart.unit} by {chart.x_title}", quote=True)
    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">']
    parts += _grid(chart, scale)
    parts += _axis(chart, axis)
    for series, colour in coloured(chart):
        parts += _line(series, colour, axis, scale, chart.unit)
    parts.append("</svg>")
    return "\n".join(parts)


def coloured(chart: Chart) -> list[tuple[Series, str]]:
    """The series with the class of each: the same in the picture and beside it."""
    number, found = 0, []
    for series in chart.series:
        found.append((series, "limit" if series.limit else f"c{number % COLOURS}"))
        number += not series.limit
    return found


def _grid(chart: Chart, scale: Scale) -> Iterator[str]:
    for tick in scale.ticks:
        y = _y(scale, tick)
        yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>'
        yield f'<text class="tick" x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{place(tick)}</text>'
    middle = (TOP + HEIGHT - BOTTOM) / 2
    yield (
        f'<text class="name" transform="translate(14 {middle:g}) rotate(-90)" text-anchor="middle">'
        f"{escape(chart.unit)}</text>"
    )


def _axis(chart: Chart, axis: Sequence[float]) -> Iterator[str]:
    every = -(-len(axis) // MOST_LABELS)
    for number, x in enumerate(axis):
        if number % every == 0 or number == len(axis) - 1:
            at = f'x="{_x(axis, x)}" y="{HEIGHT - BOTTOM + 18}"'
            yield f'<text class="tick" {at} text-anchor="middle">{place(x)}</text>'
    middle = (LEFT + WIDTH - RIGHT) / 2
    yield f'<text class="name" x="{middle:g}" y="{HEIGHT - 8}" text-anchor="middle">{escape(chart.x_title)}</text>'


def _line(series: Series, colour: str, axis: Sequence[float], scale: Scale, unit: str) -> Iterator[str]:
    points = sorted(series.points, key=lambda point: point.x)
    if not points:
        return
    places = " ".join(f"{_x(axis, point.x)},{_y(scale, point.summary.median)}" for point in points)
    yield f'<g class="{colour}">'
    yield f'<polyline points="{places}"/>'
    for point in points:
        yield from _point(series, point, axis, scale, unit)
    yield "</g>"


def _point(series: Series, point: Point, axis: Sequence[float], scale: Scale, unit: str) -> Iterator[str]:
    """The median, a whisker from the least to the greatest repetition, and the words of a pointer above it."""
    figure, x = point.summary, _x(axis, point.x)
    if figure.high > figure.low:
        yield f'<line x1="{x}" x2="{x}" y1="{_y(scale, figure.low)}" y2="{_y(scale, figure.high)}"/>'
    words = f"{series.name} at {place(point.x)}: {short(figure.median)} {unit}"
    if figure.high > figure.low:
        words += f" ({short(figure.low)} to {short(figure.high)})"
    yield (
        f'<circle cx="{x}" cy="{_y(scale, figure.median)}" r="3.5"><title>{escape(words)}</title></circle>'
    )


def _x(axis: Sequence[float], x: float) -> float:
    width = WIDTH - LEFT - RIGHT
    return round(LEFT + width * (axis.index(x) + 0.5) / len(axis), 1)


def _y(scale: Scale, value: float) -> float:
    height = HEIGHT - TOP - BOTTOM
    return round(TOP + height * (1 - scale.share(value)), 1)
