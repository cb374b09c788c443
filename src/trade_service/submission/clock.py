"""The real clock, random numbers and ids."""

import asyncio
import os
import random
import time
import uuid


class SystemClock:
    """The machine's own clock."""

    def __init__(self) -> None:
        self._random = random.SystemRandom()
        self._clock_id = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

    def monotonic(self) -> float:
        """Seconds since boot, suspension included where the system can tell."""
        return time.clock_gettime(self._clock_id)

    def random(self) -> float:
        """A number in [0, 1)."""
        return self._random.random()

    def new_attempt_id(self) -> str:
        """A UUID of version 7: 48 bits of Unix milliseconds, then random bits (RFC 9562)."""
        millis = time.time_ns() // 1_000_000
        bits = (millis << 80) | int.from_bytes(os.urandom(10))
        bits = (bits & ~(0xF << 76) | (0x7 << 76)) & ~(0x3 << 62) | (0x2 << 62)
        return str(uuid.UUID(int=bits))

    async def sleep(self, seconds: float) -> None:
        """Waits without blocking the loop."""
        await asyncio.sleep(seconds)
