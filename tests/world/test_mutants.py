"""Every planted mistake makes a world fail."""

import pytest

from tests.world.mutants import MUTANTS
from tests.world.run import run_seeds

SEEDS = 300
"""Most fail within the first ten; some mistakes need a rare combination."""


@pytest.mark.parametrize("name", MUTANTS)
def test_a_planted_mistake_makes_a_world_fail(name: str) -> None:
    with MUTANTS[name]():
        tally = run_seeds(range(SEEDS), until_failure=True)
    assert tally.failures, f"{tally.worlds} worlds did not notice: {name}"
