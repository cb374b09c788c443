"""Plans faults from a seed."""

import random
from enum import StrEnum

import msgspec

REPLICAS = 3


class Kind(StrEnum):
    """A kind of fault."""

    KILL = "kill -9 of a replica"
    PAUSE = "pause of a replica"
    STOP = "SIGTERM of a replica"
    DATABASE_DOWN = "immediate shutdown of PostgreSQL"
    DATABASE_KILL = "kill -9 of PostgreSQL"
    SIMULATOR_KILL = "kill -9 of the simulator"
    CUT = "connections cut"


class Act(msgspec.Struct, frozen=True):
    """One fault; it lasts for `for_s`."""

    at_s: float
    kind: Kind
    replica: int
    for_s: float
    downstream: bool = False
    """Cuts the connections to the Execution Service, else those to PostgreSQL."""


class Strength(msgspec.Struct, frozen=True):
    """Duration and number of faults."""

    length_s: float = 8.0
    kills: int = 3
    pauses: int = 2
    stops: int = 1
    database_restarts: int = 1
    simulator_kills: int = 1
    cuts: int = 6
    pause_s: tuple[float, float] = (3.0, 9.0)
    """Longer than the lease, and sometimes than lease and settle time together."""


SHORT = Strength(length_s=4.0, kills=1, pauses=1, cuts=3, pause_s=(3.0, 4.0))


def plan_of(dice: random.Random, strength: Strength) -> list[Act]:
    """The faults of a storm in order; the same seed gives the same faults."""
    acts: list[Act] = []

    def add(kind: Kind, count: int, for_s: tuple[float, float]) -> None:
        for _ in range(count):
            at_s, replica = dice.uniform(0, strength.length_s), dice.randrange(REPLICAS)
            acts.append(Act(at_s, kind, replica, dice.uniform(*for_s), dice.random() < 0.5))

    add(Kind.KILL, strength.kills, (0.0, 1.0))
    add(Kind.PAUSE, strength.pauses, strength.pause_s)
    add(Kind.STOP, strength.stops, (0.0, 0.5))
    for _ in range(strength.database_restarts):
        add(dice.choice((Kind.DATABASE_DOWN, Kind.DATABASE_KILL)), 1, (0.0, 1.0))
    add(Kind.SIMULATOR_KILL, strength.simulator_kills, (0.0, 0.7))
    add(Kind.CUT, strength.cuts, (0.0, 0.4))
    return sorted(acts, key=lambda act: act.at_s)


_FAULTS = {
    "reset_after": 6, "reset_before": 4, "refuse": 2, "hang_before": 2, "hang_after": 3, "late_commit": 3,
    "error_500_before": 3, "error_500_partial": 6, "error_500_after": 3, "error_503": 3, "error_503_after": 2,
    "gateway_502": 3, "gateway_504": 2, "gateway_504_late": 3, "throttle_429": 3, "malformed_400": 1,
    "unprocessable_422": 1, "too_large_413": 1, "truncated": 4, "garbage": 2, "garbage_json": 1,
    "no_results_201": 4, "shifted_index": 6, "fewer_results": 3, "repeated_index": 3, "index_out_of_range": 2,
    "wrong_counts": 2, "missing_execution": 2, "reordered_results": 3, "item_fail_transient": 5,
    "item_fail_permanent": 6, "slow": 6,
}  # fmt: skip
LOOK_UP_FAULTS = ("error_503=0.06", "slow=0.04", "truncated=0.05", "garbage=0.04", "reset_after=0.06")
_ARGUMENTS = {"late_commit": (200, 2_200), "gateway_504_late": (200, 2_200), "slow": (100, 2_200)}
"""Milliseconds. A commit comes well within the settle time after the last moment a byte could leave."""
FAULTY = 0.4
CALLS = 1_000


def fault_script(dice: random.Random) -> str:
    """Faults of a simulator's first submissions, as `simulate --script` takes them."""
    names, weights = list(_FAULTS), list(_FAULTS.values())
    script = []
    for _ in range(CALLS):
        name = dice.choices(names, weights)[0] if dice.random() < FAULTY else "ok"
        script.append(_with_argument(name, dice))
    return ",".join(script)


def _with_argument(name: str, dice: random.Random) -> str:
    if name == "throttle_429":
        return f"{name}:{dice.randrange(2)}"
    return f"{name}:{dice.randrange(*_ARGUMENTS[name])}" if name in _ARGUMENTS else name
