"""From values to places on a picture. Pure."""

import math
from collections.abc import Sequence

import msgspec

from trade_service.bench.results import Chart

WANTED_TICKS = 5
HEADROOM = 1.05


class Scale(msgspec.Struct, frozen=True):
    """Values between `low` and `high`, told as shares of the picture's height."""

    low: float
    high: float
    ticks: tuple[float, ...]
    log: bool = False

    def share(self, value: float) -> float:
        """0 at the bottom, 1 at the top; values beyond stay at the edge."""
        if self.log:
            value = max(value, self.low)
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return min(1.0, max(0.0, share))


def scale_of(chart: Chart) -> Scale:
    """A scale that holds every value of a chart."""
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
    """The least of 1, 2, 5 times a power of ten that is not below `step` (> 0)."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(digit * power for digit in (1, 2, 5, 10) if digit * power >= step * (1 - 1e-9))


def axis_of(chart: Chart) -> Sequence[float]:
    """The places of the axis, in order: they stand at even distances."""
    return sorted({point.x for series in chart.series for point in series.points})
