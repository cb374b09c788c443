"""Ratchets on the house style: limits that only ever get tighter."""

import ast
import re
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted(p for p in (ROOT / "src").rglob("*.py") if "versions" not in p.parts)
PROSE = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "src").rglob("*.sql"))]
TESTS = sorted(p for room in ("tests", "benchmarks", "tools") for p in (ROOT / room).rglob("*.py"))

MAX_FUNCTION_LINES = 45
MAX_TEST_FUNCTION_LINES = 70
MAX_MODULE_LINES = 400
MAX_MEDIAN_MODULE_LINES = 150
MAX_FUNCTIONS_OVER_40 = 1
IGNORES_ALLOWED = 30
"""`type: ignore` and `noqa` in the sources; each carries its reason."""

ENTRY_POINTS = {"trade_service.cli.main", "trade_service.__main__"}

OWN_BASES = {"trade_service", "execution_simulator", "typing", "msgspec", "enum", "abc", "collections"}
"""Packages whose base classes do not call methods of subclasses."""
UNUSED_ALLOWED = {
    "ExecutionService.submit_executions_batch": "a name of the original plan that embedding programs call",
    "TradeService.create_orders": "a call of the library",
    "RunningSimulator.script_lookups": "controls the simulator from a test",
    "RunningSimulator.calls_reached": "controls the simulator from a test",
    "RunningSimulator.accepted_reached": "controls the simulator from a test",
    "RunningSimulator.close_door": "controls the simulator from a test",
    "RunningSimulator.open_door": "controls the simulator from a test",
}
"""Public definitions that src does not use, with the reason for each."""

SHARED_STEMS: dict[str, set[str]] = {}
"""File names in three rooms or more: a ratchet, to be empty."""
SHARED_CLASSES: set[str] = set()
"""Public classes that two modules define: a ratchet, to be empty."""

OLD_WORDING = {
    r"\btells\b": 0,
    r"\btold\b": 0,
    r"\bwhat (?:be)?came of\b": 0,
    r"\bwhoever\b": 0,
    r"\bsomebody\b": 0,
    r"\bhas to be\b": 0,
    r"\bthe heart\b": 0,
    r"\btheirs\b": 0,
    r"\bby hand\b": 0,
    r"\b(?:gives?|gave|given|giving) up\b": 0,
    r"\b(?:put|puts|putting) off\b": 0,
    r"\bstands? open\b": 0,
    r"\blets? through\b": 0,
    r"\bearlier service\b": 0,
    r"\btaken over\b": 0,
    r"\bthe books\b": 0,
    r"\b(?:nobody|not) foresaw\b": 0,
    r"\bdice\b": 0,
    r"\bby itself\b": 0,
    r"\botherwise than\b": 0,
    r"\bgoodbye\b": 0,
    r"\blikewise\b": 0,
    r'"""(?:See|As) [A-Z][A-Za-z]+\.': 0,
}
"""Wording to avoid, with the number of places that still have it: a ratchet, to be 0."""


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def _functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            body = node.body[1:] if ast.get_docstring(node) is not None and len(node.body) > 1 else node.body
            docstring = body[0].lineno - node.body[0].lineno if body is not node.body else 0
            yield node.name, (node.end_lineno or node.lineno) - first + 1 - docstring


def _module_name(path: Path) -> str:
    parts = path.relative_to(ROOT / "src").with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.mark.parametrize("path", SOURCES + TESTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_function_is_too_long(path: Path) -> None:
    limit = MAX_FUNCTION_LINES if path in SOURCES else MAX_TEST_FUNCTION_LINES
    too_long = {name: lines for name, lines in _functions(path) if lines > limit}
    assert not too_long, f"functions over {limit} lines in {path}: {too_long}"


def test_long_functions_stay_few() -> None:
    long = [
        f"{path.name}:{name} ({lines})" for path in SOURCES for name, lines in _functions(path) if lines > 40
    ]
    assert len(long) <= MAX_FUNCTIONS_OVER_40, f"functions over 40 lines: {long}"


def test_modules_stay_short() -> None:
    lengths = {path: len(path.read_text("utf-8").splitlines()) for path in SOURCES}
    too_long = {str(path): lines for path, lines in lengths.items() if lines > MAX_MODULE_LINES}
    assert not too_long, f"modules over {MAX_MODULE_LINES} lines: {too_long}"
    written = [lines for lines in lengths.values() if lines > 1]
    assert statistics.median(written) <= MAX_MEDIAN_MODULE_LINES


def test_every_module_is_imported_somewhere() -> None:
    texts = "\n".join(path.read_text("utf-8") for path in SOURCES)
    dead = []
    for path in SOURCES:
        name = _module_name(path)
        package, _, leaf = name.rpartition(".")
        if path.name == "__init__.py" or name in ENTRY_POINTS or "migrations" in path.parts:
            continue
        imported = (
            f"from {name} import" in texts
            or f"import {name}" in texts
            or re.search(rf"from {re.escape(package)} import [^\n]*\b{leaf}\b", texts)
            or f'"{name}"' in texts
            or f'"{name}:' in texts
        )
        if not imported:
            dead.append(name)
    assert not dead, f"imported by nothing: {dead}"


def _parsed(paths: Iterable[Path]) -> Iterator[tuple[Path, ast.Module]]:
    for path in paths:
        yield path, _tree(path)


def _names_used(paths: Iterable[Path]) -> set[str]:
    """Names that are read, or that a whole string names (`"module:name"` of a late import)."""
    used = set()
    for _, tree in _parsed(paths):
        for node in ast.walk(tree):
            match node:
                case ast.Name(id=name, ctx=ast.Load()) | ast.Attribute(attr=name):
                    used.add(name)
                case ast.Constant(value=str(text)) if re.fullmatch(r"[\w.:]+", text):
                    used.add(re.split(r"[.:]", text)[-1])
    return used


def _overrides(node: ast.ClassDef, libraries: set[str]) -> bool:
    """Whether a library may call the class's methods, because it derives from a class of that library."""
    return any(
        isinstance(part, ast.Name) and part.id in libraries for base in node.bases for part in ast.walk(base)
    )


def _libraries(tree: ast.Module) -> set[str]:
    """The names that a module imports from libraries that may call methods of subclasses."""
    names = set()
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=str(module)):
                root = module.split(".")[0]
                found = [(root, alias.asname or alias.name) for alias in node.names]
            case ast.Import():
                found = [(alias.name, alias.asname or alias.name) for alias in node.names]
            case _:
                continue
        names |= {name for root, name in found if root not in OWN_BASES}
    return names


def _definitions(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """The full and the last name of each function, class, constant and method that no library calls."""
    libraries = _libraries(tree)
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                yield name, name
            case ast.ClassDef(name=name):
                yield name, name
                for member in [] if _overrides(node, libraries) else node.body:
                    if (
                        isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef)
                        and not member.decorator_list
                    ):
                        yield f"{name}.{member.name}", member.name
            case (
                ast.FunctionDef(name=name, decorator_list=[])
                | ast.AsyncFunctionDef(name=name, decorator_list=[])
            ):
                yield name, name


def test_src_uses_what_it_defines() -> None:
    """A definition that only tests use is dead: delete it, or test through what the program uses."""
    used = _names_used((ROOT / "src").rglob("*.py"))
    unused = {
        full
        for _, tree in _parsed(SOURCES)
        for full, name in _definitions(tree)
        if not name.startswith("_") and name not in used
    }
    assert unused <= set(UNUSED_ALLOWED), f"used by nothing in src: {sorted(unused - set(UNUSED_ALLOWED))}"
    assert set(UNUSED_ALLOWED) <= unused, f"no longer unused: {sorted(set(UNUSED_ALLOWED) - unused)}"


def _imported(tree: ast.Module, modules: set[str]) -> set[str]:
    """Our modules that a module imports at load time."""
    found = set()
    for node in tree.body:
        match node:
            case ast.ImportFrom(module=str(module)):
                names = [f"{module}.{alias.name}" for alias in node.names]
                found |= {name if name in modules else module for name in names}
            case ast.Import():
                found |= {alias.name for alias in node.names}
    return found & modules


def test_no_modules_import_each_other() -> None:
    trees = {_module_name(path): tree for path, tree in _parsed(SOURCES)}
    imports = {name: _imported(tree, set(trees)) for name, tree in trees.items()}
    while leaves := [name for name, others in imports.items() if not others]:
        imports = {name: others - {*leaves} for name, others in imports.items() if name not in leaves}
    assert not imports, f"in a circle, or on the way to one: {sorted(imports)}"


def _room(path: Path) -> str:
    package, *rest = path.relative_to(ROOT / "src").parts
    return rest[0] if package == "trade_service" and len(rest) > 1 else package


def test_no_file_name_is_in_three_rooms() -> None:
    rooms = defaultdict(set)
    for path in SOURCES:
        if path.stem not in ("__init__", "__main__"):
            rooms[path.stem].add(_room(path))
    shared = {stem: names for stem, names in rooms.items() if len(names) > 2}
    assert shared == SHARED_STEMS, f"one file name in three rooms: {shared}"


def test_no_class_name_is_defined_twice() -> None:
    """Each package has its own: the simulator shares nothing with the service, not even its message types."""
    places = defaultdict(list)
    for path, tree in _parsed(SOURCES):
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[path.relative_to(ROOT / "src").parts[0], node.name].append(_module_name(path))
    twice = {name: modules for (_, name), modules in places.items() if len(modules) > 1}
    assert set(twice) == SHARED_CLASSES, f"defined more than once: {twice}"


@pytest.mark.parametrize("wording", OLD_WORDING)
def test_the_old_wording_goes(wording: str) -> None:
    pattern = re.compile(wording, re.I)
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in [*SOURCES, *PROSE]
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        for _ in pattern.finditer(line)
    ]
    assert len(found) <= OLD_WORDING[wording], f"say it plainly ({len(found)} places): {found}"


def test_no_leftovers() -> None:
    words = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in SOURCES + TESTS
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if words.search(line)
    ]
    assert not found, f"leftovers: {found}"


def test_ignores_are_few() -> None:
    pattern = re.compile(r"#\s*(type:\s*ignore|noqa)")
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in SOURCES
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if pattern.search(line)
    ]
    assert len(found) <= IGNORES_ALLOWED, f"{len(found)} ignores, {IGNORES_ALLOWED} allowed: {found}"


def test_no_single_submission_call() -> None:
    """The Execution Service's single endpoint is never called: every submission is a batch."""
    callers = [
        str(path.relative_to(ROOT))
        for path in SOURCES
        if "execution_simulator" not in path.parts
        and re.search(r"post\([^)]*api/v1/executions[\"']", path.read_text("utf-8"))
    ]
    assert not callers


def test_public_things_have_docstrings() -> None:
    missing = []
    for path in SOURCES:
        for node in _tree(path).body:
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                continue
            if not node.name.startswith("_") and ast.get_docstring(node) is None:
                missing.append(f"{path.relative_to(ROOT)}:{node.name}")
    assert not missing, f"public and undocumented: {missing}"


def test_help_answers_quickly_and_imports_little() -> None:
    """`--help` must not import the database driver or the web framework."""
    code = (
        "import sys\n"
        "from trade_service.cli.main import main\n"
        "heavy = {'sqlalchemy', 'litestar', 'aiohttp', 'asyncpg', 'alembic'} & set(sys.modules)\n"
        "print(sorted(heavy))\n"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
