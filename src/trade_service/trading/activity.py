"""What the calls of all replicas did in intervals: counts and latencies."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol

import msgspec

from trade_service.domain.fields import Moment

FINE_S = 2
"""Length of the intervals in which the present is read."""
_COUNTS = ("attempts", "executions", "accepted", "rejected", "retried", "unknown", "exhausted")
LATENCY_STEPS = 20
"""Latencies are kept as the nearest power of e ** (1 / 20): within 2.5 %."""


class Calls(msgspec.Struct):
    """Sums over calls of the Execution Service; of an execution the first outcome that its call had counts."""

    attempts: int = 0
    executions: int = 0
    accepted: int = 0
    rejected: int = 0
    retried: int = 0
    unknown: int = 0
    exhausted: int = 0
    open_attempts: int = 0
    """Without an outcome yet."""
    last_ms: int = 0
    """When the newest one began, in milliseconds since 1970."""
    latencies: dict[int, int] = {}
    """How many calls took how long, by the step of the logarithm."""

    def add(self, other: "Calls") -> None:
        """Adds the calls of another interval."""
        self.attempts += other.attempts
        self.executions += other.executions
        self.accepted += other.accepted
        self.rejected += other.rejected
        self.retried += other.retried
        self.unknown += other.unknown
        self.exhausted += other.exhausted
        self.open_attempts += other.open_attempts
        self.last_ms = max(self.last_ms, other.last_ms)
        for step, count in other.latencies.items():
            self.latencies[step] = self.latencies.get(step, 0) + count

    def counts(self) -> dict[str, int]:
        """How many calls and executions, and how many of these had each outcome."""
        return {name: getattr(self, name) for name in _COUNTS}

    def latency_ms(self, share: float) -> float | None:
        """The latency that this share of the answered calls did not exceed, within 2.5 %; None without calls."""
        left = share * sum(self.latencies.values())
        for step in sorted(self.latencies):
            left -= self.latencies[step]
            if left <= 0:
                return float(f"{math.exp(step / LATENCY_STEPS):.3g}")
        return None


Interval = Mapping[str, Calls]
"""The calls that began within one interval of time, by replica."""


class CallReads(Protocol):
    """The journal. Every method may raise StoreUnavailable."""

    async def calls(self, starts: Sequence[int], length_s: int) -> dict[int, Interval]:
        """The calls of intervals that begin at these seconds since 1970; those without calls may be left out."""


class SeriesPoint(msgspec.Struct, frozen=True, rename="camel"):
    """One step of a series: the calls that began in it, and the first outcomes of their executions."""

    at: Moment
    attempts: int
    executions: int
    accepted: int
    rejected: int
    retried: int
    unknown: int
    exhausted: int
    p50_ms: float | None
    p95_ms: float | None

    @classmethod
    def of(cls, at: int, calls: Calls) -> "SeriesPoint":
        return cls(
            at=datetime.fromtimestamp(at, UTC),
            **calls.counts(),
            p50_ms=calls.latency_ms(0.5),
            p95_ms=calls.latency_ms(0.95),
        )


class Window(msgspec.Struct, frozen=True):
    """A window of time that ends now, the step of its points, and the intervals that it is made of."""

    length_s: int
    step_s: int
    interval_s: int


WINDOWS = {
    "15m": Window(900, 10, FINE_S),
    "1h": Window(3_600, 30, 30),
    "6h": Window(21_600, 120, 120),
    "24h": Window(86_400, 600, 120),
}


def by_replica(intervals: Iterable[Interval]) -> dict[str, Calls]:
    """The sums over intervals, by replica."""
    merged: defaultdict[str, Calls] = defaultdict(Calls)
    for one in intervals:
        for replica, calls in one.items():
            merged[replica].add(calls)
    return dict(merged)


def total(intervals: Iterable[Interval]) -> Calls:
    """The sum over intervals and replicas."""
    calls = Calls()
    for one in intervals:
        for of_replica in one.values():
            calls.add(of_replica)
    return calls
