"""Operators who pause and resume sending in some worlds.

They have random numbers of their own: other worlds stay what they were.
"""

import random
from collections.abc import Awaitable, Callable, Sequence

from tests.world.loop import WorldLoop
from tests.world.replica import Replica
from tests.world.store_books import Books
from tests.world.store_rows import REFERENCE
from trade_service.domain.errors import DomainError
from trade_service.submission.ports import StoreUnavailable
from trade_service.trading.pausing import PauseOrder

RATE = 0.2
"""Share of worlds with pauses."""
LONG_RATE = 0.4
"""Share of pauses that outlast a time budget."""
DESTINATIONS = (None, "ML", "ML", "RBC")
LOOK_EVERY_S = 2.0


class Pausing:
    """Pauses a few times, and resumes each pause once its time is over, however often it takes."""

    def __init__(
        self,
        seed: int,
        loop: WorldLoop,
        books: Books,
        serving: Callable[[], Sequence[Replica]],
        give_up_s: float,
    ) -> None:
        self._dice = random.Random(f"pauses of {seed}")
        self._loop = loop
        self._books = books
        self._serving = serving
        self._give_up_s = give_up_s
        self._until: dict[str | None, float] = {}
        self.happens = self._dice.random() < RATE

    def plan(self, trouble_s: float) -> None:
        """Plans all pauses of the world."""
        if self.happens:
            for _ in range(self._dice.randint(1, 4)):
                self._loop.call_outside(self._dice.random() * trouble_s, self._pause)
            self._loop.call_outside(LOOK_EVERY_S, self._resume)

    def destination_id(self, order_id: int) -> int:
        """Where an order is sent: in a world with pauses to one of two destinations."""
        return 1 + order_id % 2 if self.happens else 1

    def _pause(self) -> None:
        dice, serving = self._dice, self._serving()
        if not serving:
            return
        destination = dice.choice(DESTINATIONS)
        is_long = dice.random() < LONG_RATE
        lasts_s = self._give_up_s * dice.uniform(1.0, 1.5) if is_long else dice.uniform(0.1, 20)
        self._until[destination] = self._loop.time() + lasts_s
        replica = dice.choice(serving)
        replica.spawn(_act(replica.pauses.pause, destination))

    def _resume(self) -> None:
        """Looks at the database: a pause may be made late, or come back with a backup."""
        serving = self._serving()
        for pause in self._books.pauses:
            named = REFERENCE.destinations.get(pause.destination_id)
            destination = None if named is None else named.abbreviation
            if serving and self._loop.time() >= self._until.get(destination, 0.0):
                replica = self._dice.choice(serving)
                replica.spawn(_act(replica.pauses.resume, destination))
        self._loop.call_outside(LOOK_EVERY_S, self._resume)


async def _act(act: Callable[[PauseOrder], Awaitable[object]], destination: str | None) -> None:
    try:
        await act(PauseOrder(destination, "operator", "the market is closed"))
    except (StoreUnavailable, DomainError):
        return
