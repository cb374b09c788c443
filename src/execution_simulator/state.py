"""The state of a running simulator: ledger, fault plans, counters, gates, pending commits."""

import asyncio
import random
import time
from collections import Counter, deque
from collections.abc import Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from execution_simulator.columns import Amounts, to_datetime
from execution_simulator.faults import FaultPlan
from execution_simulator.ledger import Entry, Ledger
from execution_simulator.ledger_file import LedgerFile
from execution_simulator.payloads import ExecutionPost
from execution_simulator.profiles import PROFILES
from execution_simulator.settings import FaultChange, SimulatorSettings, poison_pattern

SEEN_KEPT: Final = 1_000


class Seen(NamedTuple):
    """One submission as it arrived. ``items`` is 0 if the body was not read or is unreadable."""

    endpoint: str
    items: int
    fault: str
    idempotency_key: str | None
    traceparent: str | None = None


class Late(NamedTuple):
    """Executions whose commit is pending."""

    posts: Sequence[ExecutionPost]
    amounts: Sequence[Amounts]
    singly: bool


class Milestones:
    """A counter that callers can wait on."""

    def __init__(self) -> None:
        self.value = 0
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []

    def advance(self, by: int = 1) -> None:
        self.value += by
        if self._waiting:
            for goal, future in self._waiting:
                if goal <= self.value and not future.done():
                    future.set_result(None)
            self._waiting = [(goal, future) for goal, future in self._waiting if not future.done()]

    async def reached(self, goal: int, timeout_s: float, what: str) -> None:
        """Waits for ``goal``. Raises ``TimeoutError`` with the value reached."""
        if self.value >= goal:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((goal, future))
        try:
            async with asyncio.timeout(timeout_s):
                await future
        except TimeoutError:
            raise TimeoutError(f"{self.value} of {goal} {what} within {timeout_s:g} s") from None


class SimulatorState:
    """Belongs to one event loop. Only the ledger file, if there is one, does I/O."""

    def __init__(
        self, settings: SimulatorSettings, ledger: Ledger | None = None, file: LedgerFile | None = None
    ) -> None:
        self.settings = settings
        self.profile = PROFILES[settings.profile]
        self._file = file
        self.in_flight = 0
        self.stopped = asyncio.Event()
        self.gate_before = asyncio.Event()
        self.gate_after = asyncio.Event()
        self.gate_before.set()
        self.gate_after.set()
        self._late: dict[asyncio.TimerHandle, Late] = {}
        self._begin(ledger or self._empty_ledger())

    def reset(self) -> None:
        """Clears ledger, counters and pending commits, and restores the faults and the seed of the settings."""
        self.drop_late()
        file = self._file
        self._begin(self._empty_ledger() if file is None else file.begin(self.settings.first_id))

    def _empty_ledger(self) -> Ledger:
        return Ledger(self.settings.first_id, self.profile.version_of)

    def _begin(self, ledger: Ledger) -> None:
        settings = self.settings
        self.rng = random.Random(settings.seed)
        self.ledger = ledger
        self.poison = poison_pattern(settings.poison)
        self.submissions = FaultPlan(self.rng, settings.faults, settings.script)
        self.lookups = FaultPlan(self.rng, settings.lookup_faults, settings.lookup_script)
        self.calls: Counter[str] = Counter()
        self.batch_sizes: Counter[int] = Counter()
        self.faults_met: Counter[str] = Counter()
        self.seen: deque[Seen] = deque(maxlen=SEEN_KEPT)
        self.arrived = Milestones()
        self.accepted = Milestones()

    def change(self, change: FaultChange) -> None:
        """Applies a change completely, or raises `FaultPlanError`."""
        rates, script = self.submissions.rates, change.script
        FaultPlan(self.rng, change.lookup_faults or {}, [*(change.lookup_script or ()), *(script or ())])
        self.submissions.set_rates(rates if change.faults is None else change.faults)
        if script is not None:
            self.submissions.set_script(script)
        if change.lookup_faults is not None:
            self.lookups.set_rates(change.lookup_faults)
        if change.lookup_script is not None:
            self.lookups.set_script(change.lookup_script)

    def commit(
        self, posts: Sequence[ExecutionPost], amounts: Sequence[Amounts], now_ns: int, *, singly: bool = False
    ) -> None:
        """Commits executions received at ``now_ns``, to the file first. Raises OSError."""
        if posts:
            now = to_datetime(now_ns)
            if self._file is not None:
                self._file.accepted(posts, now, self.ledger.next_id, singly=singly)
            self.ledger.accept(posts, amounts, now, singly=singly)
            self.accepted.advance(len(posts))

    def fill(
        self, execution_id: int, filled: Decimal, average_price: Decimal | None, version: int
    ) -> Entry | None:
        """Stores a fill; None if the id is unknown. Raises `VersionConflictError` and OSError."""
        entry = self.ledger.fill(execution_id, filled, average_price, version)
        if entry is not None and self._file is not None:
            self._file.filled(execution_id, filled, average_price, version)
        return entry

    def commit_later(
        self, posts: Sequence[ExecutionPost], amounts: Sequence[Amounts], delay_s: float, *, singly: bool
    ) -> None:
        """Commits executions after ``delay_s``, even if the client has disconnected by then."""

        def due() -> None:
            self._commit(self._late.pop(handle))

        handle = asyncio.get_running_loop().call_later(delay_s, due)
        self._late[handle] = Late(posts, amounts, singly)

    def flush_late(self) -> int:
        """Performs all pending commits now; returns the number of executions."""
        waiting = list(self._late.items())
        self._late.clear()
        for handle, late in waiting:
            handle.cancel()
            self._commit(late)
        return sum(len(late.posts) for _, late in waiting)

    def _commit(self, late: Late) -> None:
        self.commit(late.posts, late.amounts, time.time_ns(), singly=late.singly)

    def drop_late(self) -> None:
        """Discards the pending commits."""
        for handle in self._late:
            handle.cancel()
        self._late.clear()

    def stop(self) -> None:
        """Releases every held and hanging call."""
        self.drop_late()
        self.stopped.set()
        self.gate_before.set()
        self.gate_after.set()
