"""When API keys were last used: kept in memory, and written now and then."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog

from trade_service.submission.ports import Clock, StoreUnavailable

WRITE_EVERY_S = 60.0
"""So each key costs at most one write a minute, however often it is used."""
LAST_WRITE_S = 2.0
"""How long the last write may hold up a shutdown."""

_log = structlog.get_logger(__name__)


class KeyUses:
    """Notes uses of keys, one moment for each key, and writes them beside the requests.

    `write` takes how many seconds ago each key was used, by its id; it may raise StoreUnavailable. What it could
    not write is written next time.
    """

    def __init__(self, write: Callable[[Mapping[str, float]], Awaitable[None]], clock: Clock) -> None:
        self._write = write
        self._clock = clock
        self._used_at: dict[str, float] = {}

    def note(self, key_id: str) -> None:
        """Notes that a key was used now."""
        self._used_at[key_id] = self._clock.monotonic()

    async def run(self) -> None:
        """Writes until cancelled, and a last time then."""
        try:
            while True:
                await self._clock.sleep(WRITE_EVERY_S)
                await self.write()
        finally:
            try:
                async with asyncio.timeout(LAST_WRITE_S):
                    await self.write()
            except TimeoutError:
                _log.warning("key_uses_lost", keys=len(self._used_at))

    async def write(self) -> None:
        """Writes what was noted since the last time."""
        used_at, now = dict(self._used_at), self._clock.monotonic()
        if not used_at:
            return
        try:
            await self._write({key_id: now - at for key_id, at in used_at.items()})
        except StoreUnavailable as error:
            _log.warning("key_uses_not_written", keys=len(used_at), error=str(error))
            return
        for key_id, at in used_at.items():
            if self._used_at[key_id] == at:
                del self._used_at[key_id]
