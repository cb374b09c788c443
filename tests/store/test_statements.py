"""SQL files: names, fragments and parameters; PostgreSQL accepts every statement."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import trade_service.store
from tests.support.plans import store_statements
from trade_service.domain.reference import WITHDRAWN_STATUSES
from trade_service.store.database import Database
from trade_service.store.statements import Statement, expanded, fragments_of, load

STORE = Path(trade_service.store.__path__[0])
FILES = sorted(file.stem for file in (STORE / "sql").glob("*.sql"))


def test_parameters_are_numbered_in_the_order_of_their_first_use() -> None:
    statement = Statement.parsed("SELECT :b, :a::int[], :b, x[1:2] FROM t")
    assert statement.text == "SELECT $1, $2::int[], $1, x[1:2] FROM t"
    assert statement.parameters == ("b", "a")


async def test_values_are_given_by_name(database: Database) -> None:
    statement = Statement.parsed("SELECT :b::int, :a::int, :b")
    (row,) = await database.fetch(statement, a=1, b=2, unused=3)
    assert tuple(row) == (2, 1, 2)
    with pytest.raises(KeyError, match="a"):
        await database.fetch(statement, b=2)


def test_literals_are_kept_and_comments_are_not() -> None:
    statement = Statement.parsed("SELECT 'it''s :no -- c', :yes -- that's :no\nFROM t\n-- a line\nWHERE x")
    assert statement.text == "SELECT 'it''s :no -- c', $1\nFROM t\nWHERE x"
    assert statement.parameters == ("yes",)


def test_fragments_may_use_others() -> None:
    fragments = {"list": "1, {more}", "more": "2"}
    assert expanded("SELECT {list}, {more}", fragments) == "SELECT 1, 2, 2"
    with pytest.raises(KeyError, match="no_such"):
        expanded("SELECT {no_such}", fragments)


def test_withdrawn_statuses_are_those_of_the_domain() -> None:
    assert set(re.findall(r"'(\w+)'", fragments_of("shared")["withdrawn"])) == WITHDRAWN_STATUSES


def _names() -> Iterator[tuple[str, str]]:
    return ((file, name) for file in FILES for name in load(file))


@pytest.mark.parametrize(("file", "name"), list(_names()))
def test_every_statement_is_used(file: str, name: str) -> None:
    users = [path.read_text() for path in STORE.glob("*.py") if f'load("{file}")' in path.read_text()]
    # A name may be composed, as in SQL[f"insert_{table}"].
    uses = [re.sub(r"{.*}", r"\\w+", use) for text in users for use in re.findall(r'SQL\[f?"(.*?)"]', text)]
    assert any(re.fullmatch(use, name) for use in uses), f"sql/{file}.sql: nothing uses {name}"


async def test_postgresql_prepares_every_statement(database: Database) -> None:
    async with database.session() as session:
        for name, statement in store_statements().items():
            prepared = await session.connection.prepare(statement.text)
            assert len(prepared.get_parameters()) == len(statement.parameters), name
