"""Which replicas take much longer than the others for their calls. Pure."""

from collections.abc import Collection

from trade_service.trading.activity import Interval

SLOW_TIMES, SLOW_BY_MS = 2.0, 20.0
"""A replica is slow whose median latency is so many times that of the others, and so much above it."""
SLOW_FROM_CALLS = 10
"""Fewer answered calls prove nothing, neither of a replica nor of those it is compared with."""


def slow_replicas(by_replica: Interval, alive: Collection[str]) -> dict[str, float]:
    """How many times the usual latency of the others a call takes, of the replicas that are slow.

    It is compared with the median of the others' medians, the lower one of two in the middle: one fast replica is
    enough to compare with, and one more that is slow does not hide it.
    """
    medians = {
        replica: median
        for replica, calls in by_replica.items()
        if replica in alive
        and sum(calls.latencies.values()) >= SLOW_FROM_CALLS
        and (median := calls.latency_ms(0.5)) is not None
    }
    slow = {}
    for replica, own in medians.items():
        others = sorted(median for other, median in medians.items() if other != replica)
        usual = others[(len(others) - 1) // 2] if others else own
        if own >= SLOW_TIMES * usual and own - usual >= SLOW_BY_MS:
            slow[replica] = round(own / usual, 1)
    return slow
