"""PostgreSQL's plans for the store's statements, and the rows they really read."""

import math
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

import asyncpg
import msgspec

import trade_service.store
from trade_service.store.connecting import Connection
from trade_service.store.database import Database
from trade_service.store.statements import Statement, load

BIG_TABLES = frozenset(
    {
        "trade_order",
        "execution",
        "submission_attempt",
        "idempotency_key",
        "bulk_submission",
        "failed_execution",
        "archived_execution",
    }
)
"""The tables that grow with use."""

Link: TypeAlias = "asyncpg.Connection[asyncpg.Record] | Connection"


@asynccontextmanager
async def connected(database: Database) -> AsyncIterator[Link]:
    """A driver connection with the pool's settings."""
    async with database.session() as session:
        yield session.connection


class Plan(msgspec.Struct, frozen=True):
    """A statement, planned and run once."""

    text: str
    """The plan as text."""
    touched: Mapping[str, int]
    """Rows read of each big table, including filtered ones."""
    looped: int
    """The greatest number of rows that a node of the plan returned or filtered, over all its loops."""
    scanned: frozenset[str]
    """Big tables that a sequential scan read."""
    indexes: frozenset[str]
    by_index: frozenset[tuple[str, str]]
    """Big tables with the indexes that were used."""

    def indexes_of(self, table: str) -> frozenset[str]:
        """The indexes used for a table."""
        return frozenset(index for found, index in self.by_index if found == table)


class Probe:
    """A statement of the store as a prepared statement, in the driver's exact text."""

    def __init__(self, link: Link, name: str, statement: Statement) -> None:
        self._link = link
        self._name = f'"{name}"'
        self._words, self._parameters = statement.text, statement.parameters
        self._defaults = dict.fromkeys(statement.parameters)

    async def prepare(self) -> None:
        """Prepares it, as the driver does once per connection."""
        await self._link.execute(f"PREPARE {self._name} AS {self._words}")

    async def drop(self) -> None:
        """Deallocates it and its plan."""
        await self._link.execute(f"DEALLOCATE {self._name}")

    async def only_plan(self, values: Mapping[str, object]) -> None:
        """Plans it, and caches the plan if the server caches plans."""
        await self._link.execute(f"EXPLAIN EXECUTE {self._call(values)}")

    async def plan(self, values: Mapping[str, object]) -> Plan:
        """Runs it and rolls back; `plan_cache_mode` of the connection decides how it is planned."""
        transaction = self._link.transaction()
        await transaction.start()
        try:
            answer = await self._link.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE {self._call(values)}")
        finally:
            await transaction.rollback()
        return _plan(answer[0]["Plan"])

    def _call(self, values: Mapping[str, object]) -> str:
        given = self._defaults | dict(values)
        arguments = ", ".join(_literal(given[name]) for name in self._parameters)
        return f"{self._name}({arguments})" if arguments else self._name


def store_statements() -> dict[str, Statement]:
    """Every statement of the store's SQL files, by file and name."""
    folder = Path(trade_service.store.__path__[0], "sql")
    return {
        f"{file.stem}.{name}": statement
        for file in folder.glob("*.sql")
        for name, statement in load(file.stem).items()
    }


def _plan(root: Mapping[str, Any]) -> Plan:
    nodes = list(_nodes(root))
    touched: Counter[str] = Counter()
    for node in nodes:
        if _table(node) in BIG_TABLES:
            touched[_table(node)] += _rows(node)
    return Plan(
        text="\n".join(_lines(root)),
        touched=touched,
        looped=max(_rows(node) for node in nodes),
        scanned=BIG_TABLES.intersection(_table(node) for node in nodes if node["Node Type"] == "Seq Scan"),
        indexes=frozenset(node["Index Name"] for node in nodes if "Index Name" in node),
        by_index=frozenset(
            (_table(node), index) for node in nodes if _table(node) in BIG_TABLES for index in _indexes(node)
        ),
    )


def _indexes(node: Mapping[str, Any]) -> Iterator[str]:
    """The indexes of a scan; a bitmap scan's are in its child nodes."""
    if "Index Name" in node:
        yield node["Index Name"]
    elif node["Node Type"] in ("Bitmap Heap Scan", "BitmapAnd", "BitmapOr", "Bitmap Index Scan"):
        for child in node.get("Plans", ()):
            yield from _indexes(child)


def _nodes(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _nodes(child)


def _table(node: Mapping[str, Any]) -> str:
    return "" if node["Node Type"] == "ModifyTable" else str(node.get("Relation Name", ""))


def _rows(node: Mapping[str, Any]) -> int:
    thrown = sum(node.get(f"Rows Removed by {why}", 0) for why in ("Filter", "Join Filter", "Index Recheck"))
    return math.ceil(float(node["Actual Rows"] + thrown) * int(node["Actual Loops"]))


def _lines(node: Mapping[str, Any], depth: int = 0) -> Iterator[str]:
    where = " ".join(str(node[key]) for key in ("Relation Name", "Index Name", "CTE Name") if key in node)
    yield (
        f"{'  ' * depth}{node['Node Type']} {where}: {node['Plan Rows']} planned, "
        f"{_rows(node)} touched in {node['Actual Loops']} loops"
    )
    for child in node.get("Plans", ()):
        yield from _lines(child, depth + 1)


def _literal(value: object) -> str:
    """The value as a literal of unknown type, which takes that of the parameter."""
    return "NULL" if value is None else "'" + _text(value).replace("'", "''") + "'"


def _text(value: object) -> str:
    if isinstance(value, list):
        return "{" + ",".join("NULL" if item is None else f'"{_text(item)}"' for item in value) + "}"
    if isinstance(value, bool | int | float | Decimal | str):
        return str(value)
    raise TypeError(f"no literal for {value!r}")
