"""What one stand-in remembers while it runs: books, fault plans, counters, latches, commits still to come."""

import asyncio
import random
import time
from collections import Counter, deque
from collections.abc import Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from execution_simulator.books import Books, Entry
from execution_simulator.books_file import BooksFile
from execution_simulator.checks import Amounts
from execution_simulator.faults import FaultPlan
from execution_simulator.instants import to_datetime
from execution_simulator.messages import ExecutionPost
from execution_simulator.profiles import PROFILES
from execution_simulator.settings import FaultChange, SimulatorSettings, poison_pattern

SEEN_KEPT: Final = 1_000


class Seen(NamedTuple):
    """One submission as it arrived. ``items`` is 0 when the body was not read or not readable."""

    endpoint: str
    items: int
    fault: str
    idempotency_key: str | None
    traceparent: str | None = None


class Late(NamedTuple):
    """Executions whose commit is still to come."""

    posts: Sequence[ExecutionPost]
    amounts: Sequence[Amounts]
    singly: bool


class Milestones:
    """A counter that can be waited for."""

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
        """Raises ``TimeoutError`` that says how far it came."""
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
    """Lives on one event loop; nothing here blocks or does I/O but the books' file, where there is one."""

    def __init__(
        self, settings: SimulatorSettings, books: Books | None = None, file: BooksFile | None = None
    ) -> None:
        self.settings = settings
        self.manners = PROFILES[settings.profile]
        self._file = file
        self.in_flight = 0
        self.stopped = asyncio.Event()
        self.gate_before = asyncio.Event()
        self.gate_after = asyncio.Event()
        self.gate_before.set()
        self.gate_after.set()
        self._late: dict[asyncio.TimerHandle, Late] = {}
        self._begin(books or self._empty_books())

    def reset(self) -> None:
        """Forget everything: empty books, the settings' faults and seed, no commit still to come."""
        self.drop_late()
        file = self._file
        self._begin(self._empty_books() if file is None else file.begin(self.settings.first_id))

    def _empty_books(self) -> Books:
        return Books(self.settings.first_id, self.manners.version_of)

    def _begin(self, books: Books) -> None:
        settings = self.settings
        self.dice = random.Random(settings.seed)
        self.books = books
        self.poison = poison_pattern(settings.poison)
        self.submissions = FaultPlan(self.dice, settings.faults, settings.script)
        self.lookups = FaultPlan(self.dice, settings.lookup_faults, settings.lookup_script)
        self.calls: Counter[str] = Counter()
        self.batch_sizes: Counter[int] = Counter()
        self.faults_met: Counter[str] = Counter()
        self.seen: deque[Seen] = deque(maxlen=SEEN_KEPT)
        self.arrived = Milestones()
        self.accepted = Milestones()

    def change(self, change: FaultChange) -> None:
        """Raises `FaultPlanError`; then nothing has changed."""
        rates, script = self.submissions.rates, change.script
        FaultPlan(self.dice, change.lookup_faults or {}, [*(change.lookup_script or ()), *(script or ())])
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
        """Enter executions in the books, received ``now_ns``; in their file first. Raises OSError."""
        if posts:
            now = to_datetime(now_ns)
            if self._file is not None:
                self._file.accepted(posts, now, self.books.next_id, singly=singly)
            self.books.accept(posts, amounts, now, singly=singly)
            self.accepted.advance(len(posts))

    def fill(
        self, execution_id: int, filled: Decimal, average_price: Decimal | None, version: int
    ) -> Entry | None:
        """Store a fill; None when there is no such id. Raises `VersionConflictError` and OSError."""
        entry = self.books.fill(execution_id, filled, average_price, version)
        if entry is not None and self._file is not None:
            self._file.filled(execution_id, filled, average_price, version)
        return entry

    def commit_later(
        self, posts: Sequence[ExecutionPost], amounts: Sequence[Amounts], delay_s: float, *, singly: bool
    ) -> None:
        """Enter executions in the books after ``delay_s``, whether or not anybody still waits for it."""

        def due() -> None:
            self._commit(self._late.pop(handle))

        handle = asyncio.get_running_loop().call_later(delay_s, due)
        self._late[handle] = Late(posts, amounts, singly)

    def flush_late(self) -> int:
        """Do every commit still to come now; how many executions that were."""
        waiting = list(self._late.items())
        self._late.clear()
        for handle, late in waiting:
            handle.cancel()
            self._commit(late)
        return sum(len(late.posts) for _, late in waiting)

    def _commit(self, late: Late) -> None:
        self.commit(late.posts, late.amounts, time.time_ns(), singly=late.singly)

    def drop_late(self) -> None:
        """Forget the commits still to come."""
        for handle in self._late:
            handle.cancel()
        self._late.clear()

    def stop(self) -> None:
        """Let every held and hanging call go."""
        self.drop_late()
        self.stopped.set()
        self.gate_before.set()
        self.gate_after.set()
