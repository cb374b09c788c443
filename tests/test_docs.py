"""The documents match the code: links resolve, commands and settings exist."""

import re
from pathlib import Path

import pytest
import rich_click as click

from tests.support.documents import PAGES, ROOT, commands_of, name_of
from trade_service.cli.commands import COMMANDS, cli
from trade_service.settings.sources import API_KEY_VARIABLE, CONFIG_VARIABLE
from trade_service.settings.tree import FIELDS

TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text("utf-8"))
    broken = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not broken


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_and_make_targets_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    commands = set(re.findall(r"(?:`|^|\s)trade-service ([a-z]+)", text, re.M))
    assert commands <= set(COMMANDS)
    assert set(re.findall(r"`make ([a-z-]+)", text)) <= TARGETS


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_options_of_commands_exist(page: Path) -> None:
    inline = re.findall(r"`trade-service ([^`]+)`", page.read_text("utf-8"))
    fenced = re.findall(r"^(?:\.venv/bin/)?trade-service (.+)", "\n".join(commands_of(page)), re.M)
    for words in map(str.split, inline + fenced):
        named = {word.partition("=")[0].rstrip(",") for word in words if re.match(r"--[a-z]", word)}
        assert named <= options_of(words), (words, named)


def options_of(words: list[str]) -> set[str]:
    """The options of the command that the words begin with, and of the groups that it belongs to."""
    command: click.Command = cli
    found = {"--help"}
    for word in words:
        found |= {option for parameter in command.params for option in parameter.opts}
        below = (
            command.get_command(click.Context(command), word) if isinstance(command, click.Group) else None
        )
        if below is None:
            break
        command = below
    return found | {option for parameter in command.params for option in parameter.opts}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_settings_exist(page: Path) -> None:
    named = set(re.findall(r"`(TRADE_SERVICE_[A-Z_]+)`", page.read_text("utf-8")))
    known = {name for field in FIELDS.values() for name in (*field.env_names, *field.file_env_names)}
    known |= {CONFIG_VARIABLE, API_KEY_VARIABLE, f"{API_KEY_VARIABLE}_FILE"}
    assert named <= known


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_source_files_exist(page: Path) -> None:
    """A path begins at the root, at `src`, at the package `trade_service` or at a folder of the tests."""
    named = set(re.findall(r"`(\w[\w./-]*\.(?:py|sql|json|jsonl|yml))`", page.read_text("utf-8")))
    places = (ROOT, ROOT / "src", ROOT / "src/trade_service", *(ROOT / "tests").iterdir())
    missing = {name for name in named if not any((place / name).exists() for place in places)}
    assert not missing


def test_every_decision_is_listed() -> None:
    listed = set(re.findall(r"\((\d{4}-[^)]+)\)", (ROOT / "docs/decisions/README.md").read_text("utf-8")))
    assert listed == {page.name for page in (ROOT / "docs" / "decisions").glob("[0-9]*.md")}


def test_the_changelog_names_every_command() -> None:
    assert set(COMMANDS) <= set(re.findall(r"`([a-z]+)`", (ROOT / "CHANGELOG.md").read_text("utf-8")))
