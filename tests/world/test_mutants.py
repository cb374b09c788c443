"""Every planted mistake makes a world fail."""

import pytest

from tests.world.mutants import MUTANTS
from tests.world.run import run_seeds

SEEDS = 300
RARE = {
    "short pages are believed": 222,
    "an acceptance below the floor says nothing": 181,
    "`agrees` without quantity": 168,
    "an outage splits every batch": 143,
    "`agrees` without destination": 134,
    "claims go on while the ledger is in doubt": 125,
    "the deadline is taken after the claim": 118,
    "silence never halves a batch": 97,
    "a direct claim ignores a ledger in doubt": 97,
    "absence counts in every epoch": 90,
    "no floor in `matches`": 61,
    "a 503 settles as soon as a failed handler": 61,
    "one id for two is accepted": 60,
    "a byte may leave until the lease is over": 59,
    "what the earlier service sent is fresh": 55,
    "a batch that failed is never split": 49,
    "a direct claim ignores the verdict": 40,
    "a 404 is a retry": 36,
    "time goes on while the configuration is wrong": 34,
    "a failed commit settles at once": 29,
    "retry counters in memory": 27,
    "company spends the budget": 27,
    "only the database's clock counts": 22,
    "match by position": 21,
    "an impossible id is accepted": 20,
    "a pass that broke off proves absence": 19,
    "`doubtful` off": 19,
    "no alarm names an impossible fill": 17,
    "a restored database trusts itself": 16,
    "a restored database gives ids again": 16,
}
"""Seeds whose worlds noticed a mistake that needs a rare combination: tried first. Others need fewer than 20."""
BROKEN = ("AttributeError", "NameError", "TypeError", "ImportError")
"""A mistake that raises one of these no longer fits the code that it replaces, and proves nothing."""


@pytest.mark.parametrize("name", MUTANTS)
def test_a_planted_mistake_makes_a_world_fail(name: str) -> None:
    first = [RARE[name]] if name in RARE else []
    with MUTANTS[name]():
        tally = run_seeds([*first, *range(SEEDS)], until_failure=True)
    assert tally.failures, f"{tally.worlds} worlds did not notice: {name}"
    (failure,) = tally.failures
    assert not any(error in failure[1] for error in BROKEN), failure


def test_rare_mistakes_are_planted() -> None:
    assert set(RARE) <= set(MUTANTS)
