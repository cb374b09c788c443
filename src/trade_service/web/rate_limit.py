"""A token bucket for each client, and a bounded number of buckets."""

import time
from collections import OrderedDict
from collections.abc import Callable

from trade_service.web.codes import HttpCode
from trade_service.web.errors import RequestRefused


class RateLimit:
    """Each client has `burst` requests, and gains `requests_per_s` a second. Zero means no limit.

    Past `max_clients`, the least recently seen client is forgotten.
    """

    def __init__(
        self,
        requests_per_s: float,
        burst: int,
        max_clients: int,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._requests_per_s = requests_per_s
        self._burst = float(burst)
        self._max_clients = max_clients
        self._monotonic = monotonic
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """By client: the tokens left, and when they were counted."""

    def take(self, client: str) -> None:
        """Counts a request; raises RequestRefused (429) when the client has none left."""
        if not self._requests_per_s:
            return
        now = self._monotonic()
        left, at = self._buckets.pop(client, (self._burst, now))
        left = min(self._burst, left + (now - at) * self._requests_per_s)
        allowed = left >= 1
        self._buckets[client] = (left - 1 if allowed else left, now)
        if len(self._buckets) > self._max_clients:
            self._buckets.popitem(last=False)
        if not allowed:
            wait_s = (1 - left) / self._requests_per_s
            message = (
                f"more than {self._requests_per_s:g} requests a second (rate_limit.requests_per_s) after "
                f"{self._burst:g} at once: wait {wait_s:.1f} s"
            )
            raise RequestRefused(429, HttpCode.TOO_MANY_REQUESTS, message, wait_s)
