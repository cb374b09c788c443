"""A token bucket for each client, and a bounded number of buckets."""

import time
from collections import OrderedDict
from collections.abc import Callable

from trade_service.web.codes import HttpCode
from trade_service.web.errors import RequestRefused
from trade_service.web.web_settings import RateLimitSettings


class RateLimit:
    """Each client has `burst` requests, and gains `requests_per_s` a second. Zero means no limit.

    Past `max_clients`, the least recently seen client is forgotten.
    """

    def __init__(self, settings: RateLimitSettings, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._monotonic = monotonic
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """By client: the tokens left, and when they were counted."""

    def take(self, client: str) -> None:
        """Counts a request; raises RequestRefused (429) when the client has none left."""
        rate, burst = self._settings.requests_per_s, self._settings.burst
        if not rate:
            return
        now = self._monotonic()
        left, at = self._buckets.pop(client, (float(burst), now))
        left = min(burst, left + (now - at) * rate)
        allowed = left >= 1
        self._buckets[client] = (left - 1 if allowed else left, now)
        if len(self._buckets) > self._settings.max_clients:
            self._buckets.popitem(last=False)
        if not allowed:
            wait_s = (1 - left) / rate
            message = (
                f"more than {rate:g} requests a second (rate_limit.requests_per_s) after "
                f"{burst:g} at once: wait {wait_s:.1f} s"
            )
            raise RequestRefused(429, HttpCode.TOO_MANY_REQUESTS, message, wait_s)
