"""The replicas that share a database: each reports the state that only it knows."""

import asyncio
from collections.abc import Callable
from typing import Protocol

import msgspec
import structlog

from trade_service.domain.fields import Moment
from trade_service.submission.ports import Clock, StoreUnavailable

_log = structlog.get_logger(__name__)

CHECK_S = 1.0
"""How often a replica checks whether its state changed."""
BEAT_S = 5.0
"""How often it reports while nothing changes."""
ALIVE_S = 16.0
"""After three missed reports a replica no longer counts as alive."""
LISTED_S = 300.0
"""How long one that does not report is still listed."""
FORGET_S = 86_400.0
LEAVE_S = 1.0
WITHIN_S = 10
"""Short, since all attempts of that time are read."""


class ReplicaState(msgspec.Struct, frozen=True):
    """What only a replica itself knows."""

    version: str
    workers: int
    circuit: str
    circuit_reason: str
    waits_for: str


class Circuit(msgspec.Struct, frozen=True, rename="camel"):
    """The circuit of one replica."""

    replica: str
    state: str
    """closed, open or half_open."""
    since: Moment
    reason: str


class ReplicaReport(msgspec.Struct, frozen=True, rename="camel"):
    """What one replica sent lately, what it holds, and what it reported of itself."""

    replica: str
    """Its host, process id and a random part."""
    attempts: int
    executions: int
    open_attempts: int
    """Whose calls are in progress, or whose answers were lost."""
    last_attempt_at: Moment | None
    """Of the last `withinS` seconds."""
    holds: int
    """Executions that it has claimed and whose outcome it has not recorded yet."""
    last_seen_at: Moment | None
    """When it last reported; null for a process of an earlier release."""
    alive: bool
    started_at: Moment | None
    version: str | None
    workers: int | None
    """Processes of the command that it belongs to."""
    circuit: str | None
    circuit_since: Moment | None
    circuit_reason: str | None
    waits_for: str | None
    """Why it sends nothing although its circuit may be closed; empty while it sends."""


class ReplicaStore(Protocol):
    """The reports. Every method may raise StoreUnavailable."""

    async def beat(self, owner: str, state: ReplicaState) -> None:
        """Reports the present state of a replica."""

    async def leave(self, owner: str) -> None:
        """Removes the report of a replica that stops, and reports that are a day old."""


class Heartbeat:
    """Reports the state of this process for as long as it runs."""

    def __init__(
        self, store: ReplicaStore, owner: str, state: Callable[[], ReplicaState], clock: Clock
    ) -> None:
        self._store = store
        self._owner = owner
        self._state = state
        self._clock = clock

    async def run(self) -> None:
        """Reports every few seconds, and within one second of a change."""
        reported, at = None, 0.0
        try:
            while True:
                state, now = self._state(), self._clock.monotonic()
                if state != reported or now - at >= BEAT_S:
                    try:
                        await self._store.beat(self._owner, state)
                        reported, at = state, now
                    except StoreUnavailable as error:
                        _log.debug("replica_not_reported", error=str(error))
                await self._clock.sleep(CHECK_S)
        finally:
            await self._end()

    async def _end(self) -> None:
        try:
            async with asyncio.timeout(LEAVE_S):
                await self._store.leave(self._owner)
        except (StoreUnavailable, TimeoutError) as error:
            _log.debug("replica_not_removed", error=str(error))
