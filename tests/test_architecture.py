"""docs/architecture.md matches the code: its rooms, their imports, and the files it names."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "trade_service"
PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
ROW = re.compile(r"^\| `([a-z_]+)` \| [^|]+ \| ([^|]+) \|$", re.M)
EVERYTHING = "every room above"
ROOMS = {path.parent.name for path in PACKAGE.glob("*/*.py")}


def _rooms() -> dict[str, set[str]]:
    """Each room of the table, with the rooms that it may import."""
    rooms: dict[str, set[str]] = {}
    for name, imports in ROW.findall(PAGE):
        rooms[name] = set(rooms) if imports == EVERYTHING else set(re.findall(r"`([a-z_]+)`", imports))
    return rooms


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            yield node.module or ""
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def _imports_between_rooms() -> set[tuple[str, str]]:
    found = set()
    for path in PACKAGE.rglob("*.py"):
        room = path.relative_to(PACKAGE).parts[0]
        for module in _imported(path):
            package, _, rest = module.partition(".")
            target = rest.partition(".")[0]
            if package == "trade_service" and room in ROOMS and target in ROOMS - {room}:
                found.add((room, target))
    return found


def test_the_table_names_every_room_and_no_other() -> None:
    assert set(_rooms()) == ROOMS


def test_the_table_names_every_import_between_rooms_and_no_other() -> None:
    rooms = _rooms()
    actual = _imports_between_rooms()
    allowed = {(room, target) for room, targets in rooms.items() for target in targets}
    assert not actual - allowed, "imports that the table does not name"
    composing = {name for name, imports in ROW.findall(PAGE) if imports == EVERYTHING}
    named = {(room, target) for room, target in allowed if room not in composing}
    assert not named - actual, "imports that no longer exist"


def test_the_files_it_names_exist() -> None:
    named = re.findall(r"`([a-z_0-9/]+\.(?:py|sql))`", PAGE)
    assert named
    assert [name for name in named if not ((PACKAGE / name).exists() or (ROOT / name).exists())] == []
