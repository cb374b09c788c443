"""What a benchmark does without asking, and what it refuses."""

from pathlib import Path

import pytest

from trade_service.bench.environment import Target
from trade_service.cli.bench import check, is_here
from trade_service.cli.running import CommandError


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
def test_databases_on_other_machines_need_confirmation(url: str, here: bool) -> None:
    assert is_here(url) is here
    assert bool(check(Target(), ("load",), url, None)) is not here


def test_a_run_without_targets_needs_no_confirmation() -> None:
    assert check(Target(), ("size", "load"), None, None) == ""


def test_targets_need_confirmation_and_passwords_are_masked() -> None:
    given = Target(execution_service_url="http://me:secret@127.0.0.1:8084")
    warning = check(given, ("load",), None, None)
    assert "which may trade them" in warning
    assert "secret" not in warning
    assert "beyond its capacity" in check(Target(service_url="http://127.0.0.1:8082"), ("load",), None, None)


@pytest.mark.parametrize(
    ("target", "questions", "database_url", "output", "complaint"),
    [
        (Target(service_url="http://x"), ("load",), "postgresql://127.0.0.1/x", None, "use it alone"),
        (Target("http://y", "http://x"), ("load",), None, None, "use it alone"),
        (Target(service_url="http://x"), ("size",), None, None, "--only load"),
        (Target(), ("load",), None, Path("/no/such/place/x"), "does not exist"),
    ],
)
def test_contradictory_options_are_refused(
    target: Target, questions: tuple[str, ...], database_url: str | None, output: Path | None, complaint: str
) -> None:
    with pytest.raises(CommandError, match=complaint):
        check(target, questions, database_url, output)
