"""Planted mistakes in pausing and resuming."""

from tests.world.planting import Patch, always, replace
from tests.world.store_books import Books
from tests.world.store_pauses import MemoryPauseStore
from tests.world.store_rows import BookedExecution


def run_on(self: Books, _row: BookedExecution) -> float:
    """Lets the time budget run on during a pause."""
    return self.now_s()


PAUSE_MUTANTS: dict[str, Patch] = {
    "a claim ignores pauses": replace(Books, "_is_paused", always(value=False)),
    "a direct claim ignores pauses": replace(Books, "_is_held_back", always(value=False)),
    "time goes on during a pause": replace(Books, "budget_runs_until", run_on),
    "a resume leaves time budgets as they are": replace(MemoryPauseStore, "_stop_budget", always(value=None)),
    "a resume wakes nobody": replace(MemoryPauseStore, "_wake", always(value=None)),
}
