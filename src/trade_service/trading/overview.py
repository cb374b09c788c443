"""Overview: the state of the whole service for a console, from the database and over all replicas."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

import msgspec

from trade_service.domain.executions import FINAL, OPEN, SubmissionState
from trade_service.single_flight import SingleFlightCache
from trade_service.submission.ports import StoreUnavailable
from trade_service.trading.activity import WINDOWS, Calls, total
from trade_service.trading.call_history import CallHistory
from trade_service.trading.operating import Backlog
from trade_service.trading.overview_model import (
    CallSeries,
    LastMinute,
    Latency,
    OverviewReads,
    PauseInForce,
    ReplicaAnswer,
    ReplicaList,
    ServiceSummary,
    alarms_of,
)
from trade_service.trading.pausing import COUNTED_ATTEMPTS, PauseStore
from trade_service.trading.replicas import WITHIN_S
from trade_service.trading.slow_replicas import slow_replicas

FRESH_S = 0.75
"""How long an answer serves further callers."""
MOST_SHARE = 0.05
"""The greatest share of the time that reading for one answer may take; in large databases answers are older."""
STATES_SHARE = 0.01
"""The same for counting all executions that are in a state."""
EXACT_ATTEMPTS = 100
"""Up to this number of open attempts their executions are counted, one by one."""
BACKFILL_S = 0.4
"""How long a series reads what is missing before it answers with what is known."""

Value = TypeVar("Value")

_COUNTED = (*sorted(OPEN), *sorted(FINAL), SubmissionState.NONE)


class Overview:
    """Answers consoles. All callers of a moment share one read, and calls that are over are read once.

    Every method may raise StoreUnavailable.

    Args:
        reads: the database.
        backlog: counts the executions of open attempts by state.
        pauses: what is paused.
    """

    def __init__(
        self, reads: OverviewReads, backlog: Callable[[], Awaitable[Backlog]], pauses: PauseStore
    ) -> None:
        self._reads = reads
        self._backlog = backlog
        self._history = CallHistory(reads)
        self._history_lock = asyncio.Lock()
        self._summary = _cache("summary", self._read_summary, MOST_SHARE)
        self._states = _cache("states", reads.states, STATES_SHARE)
        self._pauses = pauses
        self._waiting = _cache("waiting for a person", reads.waiting_for_person, MOST_SHARE)
        self._unsent = _cache("unsent", partial(pauses.waiting, COUNTED_ATTEMPTS), STATES_SHARE)
        self._replicas = _cache("replicas", self._read_replicas, MOST_SHARE)
        self._series = {
            name: _cache(f"series {name}", partial(self._read_series, name), MOST_SHARE, window.step_s / 10)
            for name, window in WINDOWS.items()
        }

    async def summary(self) -> ServiceSummary:
        """The present, at most about a second old."""
        return await self._summary.get()

    async def series(self, window: str) -> CallSeries:
        """The steps of one of `WINDOWS`, at most a tenth of a step old; while some are missing, it reads on."""
        return await self._series[window].get(lambda series: series.complete)

    async def replicas(self) -> ReplicaList:
        """The replicas, what each sent lately and what it holds."""
        return await self._replicas.get()

    async def _read_replicas(self) -> ReplicaList:
        async with self._history_lock:
            by_replica, _ = await self._history.last_minute()
        reports = await self._reads.replicas()
        slow = slow_replicas(by_replica, {report.replica for report in reports if report.alive})
        return ReplicaList(
            WITHIN_S,
            [
                ReplicaAnswer(
                    **msgspec.structs.asdict(report),
                    latency_ms=Latency.of(by_replica.get(report.replica) or Calls()),
                    slow_times=slow.get(report.replica),
                )
                for report in reports
            ],
        )

    async def _read_series(self, name: str) -> CallSeries:
        window, began = WINDOWS[name], time.monotonic()
        while True:
            async with self._history_lock:
                points, complete = await self._history.points(window)
            if complete or time.monotonic() - began > BACKFILL_S:
                return CallSeries(name, window.step_s, complete, points)

    async def _read_summary(self) -> ServiceSummary:
        async with self._history_lock:
            by_replica, seconds = await self._history.last_minute()
        calls = total([by_replica])
        attempts, states = await self._reads.open_attempts(), await self._states.get()
        is_exact = attempts.count <= EXACT_ATTEMPTS
        open_executions = (await self._backlog()).executions if is_exact else attempts.executions
        counts = states.executions | open_executions
        circuits, pauses = await self._reads.circuits(), await self._pauses.pauses()
        unsent = await self._unsent.get() if pauses else {}
        slow = slow_replicas(by_replica, {circuit.replica for circuit in circuits})
        paused = [PauseInForce.of(pause, unsent) for pause in pauses]
        ledger, waiting = await self._reads.ledger(), await self._waiting.get()
        return ServiceSummary(
            at=datetime.now(UTC),
            counts={state: counts.get(state, 0) for state in _COUNTED},
            counts_are_estimates={
                state: not is_exact if state in OPEN else state not in states.exact for state in _COUNTED
            },
            oldest_open_since=attempts.oldest_at,
            last_minute=LastMinute.of(calls, seconds),
            circuit=circuits,
            paused=paused,
            needs_you=waiting.executions,
            replicas=len(circuits),
            alarms=alarms_of(calls, attempts, waiting, ledger, circuits, paused, slow),
        )


def _cache(
    name: str, load: Callable[[], Awaitable[Value]], most_share: float, max_age_s: float = FRESH_S
) -> SingleFlightCache[Value]:
    return SingleFlightCache(
        name, load, StoreUnavailable, max_age_s=max_age_s, pause_s=0.25, stale_s=0.0, most_share=most_share
    )
