"""SQL statements by name, from the `.sql` files of this package.

A file consists of blocks. `-- name: claim` begins a statement, `-- fragment: order_columns` a piece of text that
statements of the same file use as `{order_columns}`; fragments of `shared.sql` serve all files. The block
`-- name: rows (blotter, destination)` stands for two statements, `rows_blotter` and `rows_destination`, each with
its word in place of `{each}`. Parameters are written `:name` and become `$1`, `$2`, ... in the order of their
first use; where PostgreSQL cannot infer a type, the SQL has a cast. Comments never reach the server.
"""

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import msgspec

_BLOCK = re.compile(r"^-- (name|fragment): (\w+)(?: \(([\w, ]+)\))?$", re.MULTILINE)
_FRAGMENT = re.compile(r"\{(\w+)\}")
_TOKEN = re.compile(r"(?P<kept>'(?:[^']|'')*'|::)|(?P<comment>[ ]*--[^\n]*)|:(?P<parameter>[a-z_][a-z0-9_]*)")

REVISION_COLUMN = "reference_revision"


class Statement(msgspec.Struct, frozen=True):
    """One statement as PostgreSQL reads it, and the names of its parameters in order."""

    text: str
    parameters: tuple[str, ...]
    shows_revision: bool = False
    """Whether its rows have the fragment `reference_revision`."""

    @classmethod
    def parsed(cls, sql: str) -> "Statement":
        """A statement from SQL with named parameters."""
        numbers: dict[str, int] = {}

        def replaced(token: re.Match[str]) -> str:
            name = token["parameter"]
            if name is None:
                return token["kept"] or ""
            return f"${numbers.setdefault(name, len(numbers) + 1)}"

        text = _TOKEN.sub(replaced, sql).strip()
        shows_revision = f"AS {REVISION_COLUMN}" in text
        return cls(re.sub(r"\n\s*(?=\n)", "", text), tuple(numbers), shows_revision)


@cache
def load(file: str) -> Mapping[str, Statement]:
    """The statements of `sql/<file>.sql` by name."""
    statements, fragments = _blocks(file)
    fragments = _blocks("shared")[1] | fragments
    return {name: Statement.parsed(expanded(sql, fragments)) for name, sql in statements.items()}


def fragments_of(file: str) -> Mapping[str, str]:
    """The fragments that statements of a file may use, for statements that are composed at run time."""
    fragments = _blocks("shared")[1] | _blocks(file)[1]
    return {name: expanded(text, fragments) for name, text in fragments.items()}


def expanded(sql: str, fragments: Mapping[str, str]) -> str:
    """SQL with its fragments in place, and those that they use. Raises KeyError where one is missing."""
    while _FRAGMENT.search(sql):
        sql = _FRAGMENT.sub(lambda found: fragments[found[1]], sql)
    return sql


@cache
def _blocks(file: str) -> tuple[dict[str, str], dict[str, str]]:
    """The statements and the fragments of a file."""
    text = files("trade_service.store").joinpath("sql", f"{file}.sql").read_text(encoding="utf-8")
    _, *parts = _BLOCK.split(text)
    found: dict[str, dict[str, str]] = {"name": {}, "fragment": {}}
    for kind, stem, words, sql in zip(*(parts[place::4] for place in range(4)), strict=True):
        for word in words.split(", ") if words else ("",):
            name = f"{stem}_{word}" if word else stem
            assert name not in found[kind], f"sql/{file}.sql has two blocks named {name}"
            found[kind][name] = sql.replace("{each}", word).strip().removesuffix(";")
    return found["name"], found["fragment"]
