"""The ledger file: every answered commit is read back, however the process ended."""

import os
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution_simulator.columns import amounts_of
from execution_simulator.ledger import Entry, Ledger
from execution_simulator.ledger_file import LedgerFile, LedgerFileError
from execution_simulator.payloads import ExecutionPost
from execution_simulator.server import running_simulator

NOW = datetime(2026, 11, 24, 10, 30, 0, 123456, tzinfo=UTC)


def post(trade_id: int, quantity: str = "1.5", price: str | None = "9.00000001") -> ExecutionPost:
    limit_price = None if price is None else Decimal(price)
    return ExecutionPost("NEW", "BUY", "ML", "IBM", Decimal(quantity), limit_price, trade_id, 1)


def enter(file: LedgerFile, books: Ledger, posts: Sequence[ExecutionPost]) -> None:
    """Makes one commit as `SimulatorState` does."""
    file.accepted(posts, NOW, books.next_id)
    books.accept(posts, [found for post in posts if (found := amounts_of(post))], NOW)


def content(books: Ledger) -> list[Entry]:
    return list(books.after(0, 1000))


commits = st.lists(
    st.tuples(st.lists(st.integers(1, 9), min_size=1, max_size=4), st.integers(0, 3)), max_size=5
)
"""The executions of each commit, and the ids lost before it."""


@given(commits, st.integers(1, 2**31), st.data())
def test_a_truncated_file_keeps_its_complete_commits(
    table: list[tuple[list[int], int]], first_id: int, data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "books"
        file, books = LedgerFile.open(path, first_id)
        ends = {path.stat().st_size: content(books)}
        next_ids = {path.stat().st_size: first_id}
        for trade_ids, lost in table:
            books.skip(lost)
            enter(file, books, [post(trade_id) for trade_id in trade_ids])
            ends[path.stat().st_size] = content(books)
            next_ids[path.stat().st_size] = books.next_id
        file.close()
        cut = data.draw(st.integers(min(ends), max(ends)))
        os.truncate(path, cut)

        again, found = LedgerFile.open(path, 77)
        whole = max(end for end in ends if end <= cut)
        assert content(found) == ends[whole]
        assert found.next_id == next_ids[whole], "the file's first id counts"
        enter(again, found, [post(5, "2", None)])
        again.close()
        file, found_again = LedgerFile.open(path, 1)
        file.close()
        assert content(found_again) == content(found)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("order_id,quantity\n", "line 1"),
        ('{"line":"opened","firstId":1}\n{"line":"opened","firstId":1}\n', "line 2"),
        ('{"line":"filled","id":1,"quantityFilled":1,"averagePrice":null,"version":1}\n', "line 1"),
        (
            '{"line":"opened","firstId":1}\n'
            '{"line":"filled","id":1,"quantityFilled":1,"averagePrice":null,"version":1}\n',
            "line 2",
        ),
        (
            '{"line":"opened","firstId":1}\n'
            '{"line":"accepted","receivedTimestamp":"2026-01-01T00:00:00Z","executions":[{"quantity":1}]}\n',
            "line 2",
        ),
    ],
)
def test_other_files_are_named_and_left_unchanged(tmp_path: Path, text: str, word: str) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(text + "the last line has no end", encoding="utf-8")
    with pytest.raises(LedgerFileError, match=rf"{word} of .*orders\.csv"):
        LedgerFile.open(path, 1)
    assert path.read_text("utf-8") == text + "the last line has no end"


def test_an_unusable_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(LedgerFileError, match=r"nowhere.* cannot hold the ledger"):
        LedgerFile.open(tmp_path / "nowhere" / "books", 1)


def test_a_failed_write_leaves_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "books"
    file, books = LedgerFile.open(path, 1)
    enter(file, books, [post(1)])
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:20]))
    with pytest.raises(OSError, match="only part"):
        enter(file, books, [post(2)])
    monkeypatch.undo()
    enter(file, books, [post(3)])
    file.close()
    again, found = LedgerFile.open(path, 1)
    again.close()
    assert [row.trade_service_execution_id for row in content(found)] == [1, 3]


def test_a_file_is_locked(tmp_path: Path) -> None:
    path = tmp_path / "books"
    file, _ = LedgerFile.open(path, 1)
    with pytest.raises(LedgerFileError, match=r"another simulator keeps its ledger in .*books: stop it"):
        LedgerFile.open(path, 1)
    file.close()
    again, _ = LedgerFile.open(path, 1)
    again.close()


async def test_rows_fills_and_ids_survive_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "books"
    item: dict[str, Any] = {
        "executionStatus": "NEW", "tradeType": "BUY", "destination": "ML", "securityId": "IBM",
        "quantity": 10, "limitPrice": None, "tradeServiceExecutionId": 5, "version": 1,
    }  # fmt: skip
    async with aiohttp.ClientSession() as http:
        async with running_simulator(books_path=path) as simulator:
            for trade_id in (5, 6):
                body = {"executions": [item | {"tradeServiceExecutionId": trade_id}]}
                await (await http.post(f"{simulator.base_url}/api/v1/executions/batch", json=body)).read()
            fill = {"quantityFilled": 4, "averagePrice": 2.5, "version": 2}
            await (await http.put(f"{simulator.base_url}/api/v1/execution/2", json=fill)).read()
            before = content(simulator.ledger)
        assert [row.execution_status for row in before] == ["NEW", "PART"]
        async with running_simulator(books_path=path) as simulator:
            assert content(simulator.ledger) == before
            assert simulator.ledger.next_id == 3
            simulator.reset()
            assert simulator.ledger.total == 0
        async with running_simulator(books_path=path) as simulator:
            assert simulator.ledger.total == 0
