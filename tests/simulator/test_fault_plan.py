"""When faults, latency and overload happen: scripts, rates, and what is refused as a plan."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution_simulator.behaviour import (
    latency_ms,
    overload,
)
from execution_simulator.faults import (
    OK,
    Channel,
    FaultPlan,
    FaultPlanError,
)
from execution_simulator.settings import SimulatorSettings, parse_fault_rates

seeds = st.integers(0, 2**32)


def test_the_script_runs_in_order_before_the_rates_apply() -> None:
    plan = FaultPlan(random.Random(1), {"error_503": 1.0}, ["reset_after", "slow:250", "ok"])
    steps = [plan.next_step() for _ in range(5)]
    assert [step.fault.name for step in steps] == ["reset_after", "slow", "ok", "error_503", "error_503"]
    assert steps[1].argument == 250
    assert plan.script_left == []


def test_scripted_calls_ignore_item_fault_rates() -> None:
    plan = FaultPlan(random.Random(1), {"item_fail_transient": 1.0}, ["ok", "item_fail_permanent:2"])
    assert plan.item_faults(plan.next_step(), 5) == {}
    assert plan.item_faults(plan.next_step(), 5) == {2: "item_fail_permanent"}
    assert plan.item_faults(plan.next_step(), 2) == {0: "item_fail_transient", 1: "item_fail_transient"}


def test_fault_frequencies_match_the_rates_and_repeat_with_the_seed() -> None:
    def faults(seed: int) -> list[str]:
        plan = FaultPlan(random.Random(seed), {"reset_after": 0.2, "huge": 0.1}, [])
        return [plan.next_step().fault.name for _ in range(2_000)]

    counts = Counter(faults(7))
    assert 300 < counts["reset_after"] < 500
    assert 130 < counts["huge"] < 270
    assert faults(7) == faults(7) != faults(8)
    quiet = FaultPlan(random.Random(7), {"huge": 0.0}, [])
    assert quiet.next_step() is OK


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        ({"rest_after": 0.1}, "unknown fault 'rest_after'"),
        ({"reset_after": 1.1}, "'reset_after' must be between 0 and 1, got 1.1"),
        ({"reset_after": -0.1}, "'reset_after' must be between 0 and 1"),
        ({"reset_after": float("nan")}, "'reset_after' must be between 0 and 1"),
        ({"reset_after": 0.6, "huge": 0.6}, "must not add up to more than 1"),
    ],
)
def test_invalid_rates_are_named(rates: dict[str, float], message: str) -> None:
    with pytest.raises(FaultPlanError, match=message):
        SimulatorSettings(faults=rates)
    with pytest.raises(FaultPlanError, match=message):
        SimulatorSettings(lookup_faults=rates)


def test_invalid_scripts_and_numbers_are_named() -> None:
    with pytest.raises(FaultPlanError, match="unknown fault 'nope'"):
        SimulatorSettings(script=["ok", "nope"])
    with pytest.raises(FaultPlanError, match="'much' is not a number"):
        SimulatorSettings(script=["slow:much"])
    with pytest.raises(FaultPlanError, match="argument must be between"):
        SimulatorSettings(lookup_script=["slow:-1"])
    with pytest.raises(FaultPlanError, match="latency_jitter must be between 0 and 1, got 2"):
        SimulatorSettings(latency_jitter=2)
    with pytest.raises(FaultPlanError, match="first_id must be between 1"):
        SimulatorSettings(first_id=0)


def test_rates_from_the_command_line() -> None:
    assert parse_fault_rates(["reset_after=0.01, huge=0.5", "slow=0"]) == {
        "reset_after": 0.01,
        "huge": 0.5,
        "slow": 0,
    }
    with pytest.raises(FaultPlanError, match="'reset_after' must be written name=rate"):
        parse_fault_rates(["reset_after"])
    with pytest.raises(FaultPlanError, match="unknown fault"):
        parse_fault_rates(["nope=0.5"])


@given(seeds)
def test_latency_grows_with_items_and_stays_within_the_jitter(seed: int) -> None:
    rng = random.Random(seed)
    assert latency_ms(20, 0.5, 100, 0, rng) == 70
    assert 35 <= latency_ms(20, 0.5, 100, 0.5, rng) <= 105
    assert latency_ms(0, 0, 100, 0.5, rng) == 0


@given(seeds)
def test_overload_first_slows_down_and_then_fails(seed: int) -> None:
    rng = random.Random(seed)
    assert overload(1_000, 0, rng) == (1.0, None)
    assert overload(4, 4, rng) == (1.0, None)
    factor, step = overload(8, 4, rng)
    assert (factor, step) == (4.0, None)
    factor, step = overload(9, 4, rng)
    assert factor > 4
    assert step is not None
    assert step.fault.status in (500, 503)
    assert step.fault.channel is Channel.ERROR
