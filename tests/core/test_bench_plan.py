"""What a benchmark is allowed to do without asking, and what it refuses."""

from pathlib import Path

import pytest

from trade_service.bench.effort import QUICK
from trade_service.bench.stage import Target
from trade_service.cli.bench_plan import Plan, check_plan, is_here
from trade_service.cli.running import CommandError

OURS = Target()


def plan(
    target: Target = OURS,
    scenarios: tuple[str, ...] = ("load",),
    database_url: str | None = None,
    output: Path | None = None,
) -> Plan:
    return Plan(QUICK, scenarios, output, database_url, target)


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("postgresql://u:p@127.0.0.1:5432/x", True),
        ("postgresql://u:p@[::1]/x", True),
        ("postgresql://localhost/x", True),
        ("postgresql://127.0.0.1.example.org/x", False),
        ("postgresql://10.0.0.1/x", False),
        ("postgresql:///x?host=elsewhere", False),
    ],
)
def test_what_leads_off_this_machine_is_known(url: str, here: bool) -> None:
    assert is_here(url) is here
    assert bool(check_plan(plan(database_url=url))) is not here


def test_nothing_is_asked_where_nothing_is_given() -> None:
    assert check_plan(plan(scenarios=("size", "load"))) == ""


def test_what_may_trade_is_asked_about_and_no_password_is_shown() -> None:
    given = Target(execution_service_url="http://me:secret@127.0.0.1:8084")
    question = check_plan(plan(given))
    assert "which may trade them" in question
    assert "secret" not in question
    assert "up to its overload" in check_plan(plan(Target(service_url="http://127.0.0.1:8082")))


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        (plan(Target(service_url="http://x"), database_url="postgresql://127.0.0.1/x"), "give it alone"),
        (plan(Target("http://y", "http://x")), "give it alone"),
        (plan(Target(service_url="http://x"), scenarios=("size",)), "--only load"),
        (plan(output=Path("/no/such/place/x")), "there is no folder"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(wrong: Plan, complaint: str) -> None:
    with pytest.raises(CommandError, match=complaint):
        check_plan(wrong)
