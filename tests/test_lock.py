"""The lock file holds what pyproject.toml asks for, every package pinned by hash: checked without a network."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
LOCK = (ROOT / "requirements.lock").read_text("utf-8").replace("\\\n", " ")
PINNED = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>\S+)(?P<rest>.*)$", re.M)
LOCKED = {canonicalize_name(one["name"]): one for one in PINNED.finditer(LOCK)}


def test_every_line_pins_a_package_by_hash() -> None:
    lines = [line for line in LOCK.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    assert len(lines) > 50
    loose = [line[:60] for line in lines if not re.search(r"==\S+ .*--hash=sha256:[0-9a-f]{64}", line)]
    assert not loose, f"not pinned by version and hash: {loose}"


def test_the_lock_agrees_with_what_is_asked_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    asked = [
        *project["dependencies"],
        *(one for group in project["optional-dependencies"].values() for one in group),
    ]
    wrong = []
    for requirement in map(Requirement, asked):
        locked = LOCKED.get(canonicalize_name(requirement.name))
        if locked is None or not requirement.specifier.contains(locked["version"], prereleases=True):
            wrong.append(str(requirement))
    assert not wrong, f"the lock does not hold {wrong}: run `make lock`"
