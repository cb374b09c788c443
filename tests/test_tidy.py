"""Ratchets on the house style: limits that only ever get tighter."""

import ast
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted(p for p in (ROOT / "src").rglob("*.py") if "versions" not in p.parts)
TESTS = sorted((ROOT / "tests").rglob("*.py")) + sorted((ROOT / "benchmarks").rglob("*.py"))

MAX_FUNCTION_LINES = 70
MAX_MODULE_LINES = 400
MAX_MEDIAN_MODULE_LINES = 150
MAX_FUNCTIONS_OVER_40 = 1
IGNORES_ALLOWED = 30
"""`type: ignore` and `noqa` in the sources; each carries its reason."""

ENTRY_POINTS = {"trade_service.cli.main", "trade_service.__main__"}


def _functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
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
    too_long = {name: lines for name, lines in _functions(path) if lines > MAX_FUNCTION_LINES}
    assert not too_long, f"functions over {MAX_FUNCTION_LINES} lines in {path}: {too_long}"


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
        for node in ast.parse(path.read_text("utf-8")).body:
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
