"""What one stand-in remembers while it runs: books, fault plans, counters, latches, commits still to come."""

import asyncio
import random
from collections import Counter, deque
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

from trade_service.simulator.books import Books
from trade_service.simulator.books_file import BooksFile
from trade_service.simulator.checks import Amounts
from trade_service.simulator.faults import FaultPlan
from trade_service.simulator.messages import Execution, ExecutionPost, ExecutionPut
from trade_service.simulator.settings import FaultChange, SimulatorSettings

SEEN_KEPT: Final = 1_000


class Seen(NamedTuple):
    """One submission as it arrived. ``items`` is 0 when the body was not read or not readable."""

    endpoint: str
    items: int
    fault: str
    idempotency_key: str | None
    traceparent: str | None = None


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
        self._file = file
        self.in_flight = 0
        self.stopped = asyncio.Event()
        self.gate_before = asyncio.Event()
        self.gate_after = asyncio.Event()
        self.gate_before.set()
        self.gate_after.set()
        self._late: dict[asyncio.TimerHandle, tuple[Sequence[ExecutionPost], Sequence[Amounts]]] = {}
        self._begin(books or Books(settings.first_id))

    def reset(self) -> None:
        """Forget everything: empty books, the settings' faults and seed, no commit still to come."""
        self.drop_late()
        first_id = self.settings.first_id
        self._begin(Books(first_id) if self._file is None else self._file.begin(first_id))

    def _begin(self, books: Books) -> None:
        settings = self.settings
        self.dice = random.Random(settings.seed)
        self.books = books
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

    def commit(self, posts: Sequence[ExecutionPost], amounts: Sequence[Amounts], now: datetime) -> None:
        """Enter executions in the books, received ``now``; in their file first. Raises OSError."""
        if posts:
            if self._file is not None:
                self._file.accepted(posts, now)
            self.books.accept(posts, amounts, now)
            self.accepted.advance(len(posts))

    def fill(self, execution_id: int, fill: ExecutionPut) -> Execution | None:
        """Store a fill; None when there is no such id. Raises `VersionConflictError` and OSError."""
        given = (execution_id, fill.quantity_filled, fill.average_price, fill.version)
        execution = self.books.fill(*given)
        if execution is not None and self._file is not None:
            self._file.filled(*given)
        return execution

    def commit_later(
        self, posts: Sequence[ExecutionPost], amounts: Sequence[Amounts], delay_s: float
    ) -> None:
        """Enter executions in the books after ``delay_s``, whether or not anybody still waits for it."""

        def due() -> None:
            due_posts, due_amounts = self._late.pop(handle)
            self.commit(due_posts, due_amounts, datetime.now(UTC))

        handle = asyncio.get_running_loop().call_later(delay_s, due)
        self._late[handle] = (posts, amounts)

    def flush_late(self) -> int:
        """Do every commit still to come now; how many executions that were."""
        waiting = list(self._late.items())
        self._late.clear()
        for handle, (posts, amounts) in waiting:
            handle.cancel()
            self.commit(posts, amounts, datetime.now(UTC))
        return sum(len(posts) for _, (posts, _) in waiting)

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
