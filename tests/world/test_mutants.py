"""Every planted mistake makes a world fail."""

import pytest

from tests.world.mutants import MUTANTS
from tests.world.run import run_seeds

SEEDS = 300
RARE = {
    "a failed commit settles at once": 277,
    "the deadline is taken after the claim": 250,
    "short pages are believed": 222,
    "an acceptance below the floor says nothing": 181,
    "`agrees` without quantity": 168,
    "an outage splits every batch": 143,
    "`agrees` without destination": 134,
    "claims go on while the ledger is in doubt": 125,
    "a direct claim ignores a ledger in doubt": 97,
    "silence never halves a batch": 97,
    "absence counts in every epoch": 90,
    "a 301 says that nothing was accepted": 80,
    "a batch that failed is never split": 63,
    "no floor in `matches`": 61,
    "a 503 settles as soon as a failed handler": 61,
    "one id for two is accepted": 60,
    "a byte may leave until the lease is over": 59,
    "what the legacy service sent is fresh": 55,
    "a 404 is a retry": 36,
    "time goes on while the configuration is wrong": 34,
    "a pass that broke off proves absence": 32,
    "a stale or foreign listing proves absence": 28,
    "retry counters in memory": 27,
    "company spends the budget": 27,
    "not found is trusted at once": 22,
    "only the database's clock counts": 22,
    "match by position": 21,
    "an impossible id is accepted": 21,
    "`doubtful` off": 19,
    "a direct claim ignores pauses": 19,
    "no alarm names an impossible fill": 17,
    "a restored database gives ids again": 16,
    "a recovery doubts nothing": 16,
    "a restored database trusts itself": 16,
    "a direct claim ignores the verdict": 14,
    "what is said to be filled is sought among new rows": 14,
    "the settle time is too short": 14,
    "the lease is shorter than the request": 14,
    "the floor is too high": 13,
    "a fetched fill overwrites a newer one": 13,
    "a fill goes back to an old page": 13,
    "what is said to be filled is sent without a look-up": 12,
    "a failed item is a retry": 7,
    "an unknown message is a refusal": 7,
    "a reset of the Execution Service is not noticed": 7,
    "no boundary check": 6,
    "no fencing": 6,
    "the window over the ledger stands still": 6,
    "a lost direct claim is written again": 5,
}
"""Seeds whose worlds noticed a mistake that needs a rare combination: tried first. Others need fewer than 6."""
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
