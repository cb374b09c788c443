"""Renders charts as SVG without a library, for light and dark pages. Pure."""

import math
from collections.abc import Iterator, Sequence
from html import escape

import msgspec

from trade_service.bench.results import Chart, Point, Series, place, short

WIDTH, HEIGHT = 640, 300
LEFT, RIGHT, TOP, BOTTOM = 74, 18, 14, 46
COLOURS = 6
"""CSS classes c0 to c5; the bare loop has its own."""
MOST_LABELS = 14
WANTED_TICKS = 5
HEADROOM = 1.05


class Scale(msgspec.Struct, frozen=True):
    """Maps values between `low` and `high` to shares of the chart's height."""

    low: float
    high: float
    ticks: tuple[float, ...]
    log: bool = False

    def share(self, value: float) -> float:
        """0 at the bottom, 1 at the top; values beyond are clamped."""
        if self.log:
            value = max(value, self.low)
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return min(1.0, max(0.0, share))


def scale_of(chart: Chart) -> Scale:
    """A scale that covers every value of a chart."""
    values = [value for series in chart.series for point in series.points for value in point.values]
    above = [value for value in values if value > 0]
    if chart.log and above:
        return _log_scale(min(above), max(above))
    return _linear_scale(max(above, default=1.0))


def _linear_scale(greatest: float) -> Scale:
    step = nice_step(greatest / WANTED_TICKS)
    high = max(step, math.ceil(greatest * HEADROOM / step) * step)
    count = round(high / step)
    return Scale(0.0, high, tuple(step * number for number in range(count + 1)))


def _log_scale(least: float, greatest: float) -> Scale:
    first, last = math.floor(math.log10(least)), math.ceil(math.log10(greatest))
    last = max(last, first + 1)
    return Scale(10.0**first, 10.0**last, tuple(10.0**power for power in range(first, last + 1)), log=True)


def nice_step(step: float) -> float:
    """The smallest 1, 2 or 5 times a power of ten that is at least `step` (> 0)."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(digit * power for digit in (1, 2, 5, 10) if digit * power >= step * (1 - 1e-9))


def axis_of(chart: Chart) -> Sequence[float]:
    """The positions on the axis in order, drawn equidistantly."""
    return sorted({point.x for series in chart.series for point in series.points})


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
    """The series with their CSS classes, the same in chart and key."""
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
    """The median, a whisker between the extremes, and a tooltip."""
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
