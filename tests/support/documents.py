"""The pages of the documentation, and the shell commands in them."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]

_BLOCK = re.compile(r"^( *)```(?:sh|bash|shell|console)\n(.*?)^ *```$", re.M | re.S)


def name_of(page: Path) -> str:
    """The path of a page below the root."""
    return str(page.relative_to(ROOT))


def blocks_of(page: Path) -> list[list[str]]:
    """The commands of each fenced block of shell, as a reader copies them."""
    found = _BLOCK.findall(page.read_text("utf-8"))
    return [
        list(_commands(line.removeprefix(indent) for line in text.splitlines())) for indent, text in found
    ]


def commands_of(page: Path) -> list[str]:
    """All commands in the fenced blocks of a page."""
    return [command for block in blocks_of(page) for command in block]


def _commands(lines: Iterator[str]) -> Iterator[str]:
    """Joins lines that a backslash or an open quote continues; leaves out lines without a command."""
    command = ""
    for line in lines:
        command += line
        if _is_complete(command):
            if shlex.split(command, comments=True):
                yield command.strip()
            command = ""
        else:
            command += "\n"
    assert not command, f"it does not end: {command}"


def _is_complete(command: str) -> bool:
    try:
        shlex.split(command, comments=True)
    except ValueError:
        return False
    return not command.endswith("\\")
