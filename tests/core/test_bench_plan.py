"""Benchmark options: what needs a confirmation, and what is refused."""

from importlib import import_module
from operator import attrgetter
from pathlib import Path

import pytest
from benchmarks.__main__ import MORE
from benchmarks.batch_costs import STEPS

from trade_service.bench.environment import Target
from trade_service.bench.runner import QUESTIONS, Question
from trade_service.cli.bench import check, is_here
from trade_service.cli.commands import run
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


@pytest.mark.parametrize("question", (QUESTIONS | MORE).values(), ids=lambda question: question.measured_by)
def test_every_question_exists_and_explains_its_method(question: Question) -> None:
    assert question.load().__doc__


@pytest.mark.parametrize("step", STEPS)
def test_every_step_of_a_batch_exists(step: str) -> None:
    module, class_name, name = STEPS[step]
    assert callable(attrgetter(f"{class_name}.{name}".lstrip("."))(import_module(module)))


def test_the_users_settings_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("trade-service.toml").write_text("[database]\nurl = 'mysql://not-ours'\n")
    assert run(["bench", "--output", "missing/results"]) == 2
    assert "--output: folder" in capsys.readouterr().err
