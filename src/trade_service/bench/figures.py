"""What is computed of measured values. Pure."""

import math
import statistics
from collections.abc import Mapping, Sequence

import msgspec

GOOD_ENOUGH = 0.95
"""A batch size is good enough when it reaches this share of the best size's rate."""


class Summary(msgspec.Struct, frozen=True):
    """The repetitions of one measurement in short."""

    median: float
    low: float
    high: float

    @property
    def spread(self) -> float:
        """Distance of the extremes as a share of the median; 0 where the median is 0."""
        return (self.high - self.low) / abs(self.median) if self.median else 0.0


def summary(values: Sequence[float]) -> Summary:
    """Median and extremes; raises ValueError for no values."""
    if not values:
        raise ValueError("a summary needs at least one value")
    return Summary(statistics.median(values), min(values), max(values))


def quantile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` (0..1) of the values do not exceed; `ordered` ascends.

    Raises ValueError for no values. A value that was measured, never one between two of them.
    """
    if not ordered:
        raise ValueError("a quantile needs at least one value")
    return ordered[max(0, min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1))]


def recommended_size(rates: Mapping[float, float]) -> float:
    """The smallest size whose rate is within 5 % of the best one's; `rates` by size, not empty."""
    best = max(rates.values())
    return min(size for size, rate in rates.items() if rate >= GOOD_ENOUGH * best)


def short(value: float) -> str:
    """A figure for people: three digits that count, or all before the point."""
    if value != value or math.isinf(value):
        return "-"
    magnitude = abs(value)
    if magnitude >= 100 or value == 0:
        return f"{value:,.0f}"
    return f"{value:.1f}" if magnitude >= 10 else f"{value:.2f}" if magnitude >= 1 else f"{value:.3g}"


def place(x: float) -> str:
    """A place on an axis in full: 1,000,000 and 0.5."""
    return f"{x:,.0f}" if x == round(x) else f"{x:,g}"
