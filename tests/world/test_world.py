"""The engine keeps its invariants in seeded worlds.

`make checks-short` runs the 2,700 that follow, `make world` any number.
"""

import pytest

from tests.world.run import Tally, run_seeds, run_worlds

CHUNK = 50
SEEDS = 300
"""As many as find every planted mistake."""
EVENTFUL_SEED = 332
"""A world without mishaps, in which one process handles many partial and late commits."""


def _assert_sound(tally: Tally) -> None:
    """Every failure shows its seed; `make world FIRST=... SEEDS=1` repeats it."""
    assert not tally.failures
    assert tally.accepted > 0


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_every_world_heals(first: int) -> None:
    _assert_sound(run_seeds(range(first, first + CHUNK)))


@pytest.mark.parametrize(("what", "every"), [("kill", 3), ("pause", 10), ("suspend", 10)])
def test_a_process_may_be_killed_or_stopped_at_any_await(what: str, every: int) -> None:
    tally = run_worlds((EVENTFUL_SEED, (what, step)) for step in range(1, 300, every))
    _assert_sound(tally)
    happened = tally.kills if what == "kill" else tally.pauses
    assert happened >= tally.worlds


def test_a_seed_says_all() -> None:
    """The same seed gives the same world, so that failures can be repeated."""
    assert run_seeds(range(5)) == run_seeds(range(5))
