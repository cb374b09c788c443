"""The verdict finds each kind of error planted in sound ledgers."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from tests.chaos.ledger import Ledger
from tests.chaos.round import unforeseen
from tests.chaos.verdict import Execution, Order, Row, Verdict, judge, their_books

HUNDRED, FIFTY, NONE = Decimal(100), Decimal(50), Decimal(0)


class Books(msgspec.Struct):
    """Both ledgers and the answers to clients."""

    orders: list[Order]
    executions: list[Execution]
    rows: list[Row]
    ledger: Ledger

    def change(self, execution: int, **values: object) -> None:
        self.executions[execution - 1] = msgspec.structs.replace(self.executions[execution - 1], **values)

    def judged(self) -> Verdict:
        return judge(self.orders, self.executions, self.rows, self.ledger)


def execution(number: int, state: str, status: str, service_id: int | None, placed: Decimal) -> Execution:
    return Execution(number, number, state, status, service_id, FIFTY, placed, "BUY", "IBM", "ML")


def sound() -> Books:
    """Two accepted, one of them for part of its order; one rejected, one never sent."""
    ledger = Ledger()
    ledger.orders |= {11, 12, 13, 14}
    ledger.sent |= {1: 71, 2: None}
    ledger.refused[3] = "execution 3 was not accepted: Security not found"
    ledger.pending |= {2, 4}
    return Books(
        [
            Order(1, 11, FIFTY, FIFTY, submitted=True),
            Order(2, 12, HUNDRED, FIFTY, submitted=False),
            Order(3, 13, FIFTY, NONE, submitted=False),
            Order(4, 14, FIFTY, FIFTY, submitted=True),
        ],
        [
            execution(1, "accepted", "SENT", 71, FIFTY),
            execution(2, "accepted", "PART", 72, FIFTY),
            execution(3, "rejected", "NEW", None, NONE),
            execution(4, "none", "NEW", None, NONE),
        ],
        [Row(71, 1, FIFTY, "BUY", "IBM", "ML"), Row(72, 2, FIFTY, "BUY", "IBM", "ML")],
        ledger,
    )


def test_sound_books_are_found_sound() -> None:
    verdict = sound().judged()
    assert verdict.findings == []
    assert (verdict.executions, verdict.accepted, verdict.rejected) == (4, 2, 1)
    assert (verdict.exhausted, verdict.lost, verdict.doubled) == (0, 0, 0)


def row(service_id: int, number: int, **values: object) -> Row:
    return msgspec.structs.replace(Row(service_id, number, FIFTY, "BUY", "IBM", "ML"), **values)


@pytest.mark.parametrize(
    ("plant", "found", "lost", "doubled"),
    [
        (lambda b: b.rows.pop(0), "accepted here, and not there: 1", 2, 0),
        (lambda b: b.rows.append(row(73, 3)), "there, and not accepted here: 3", 1, 0),
        (lambda b: b.rows.append(row(73, 99)), "there, and not accepted here: 99", 1, 0),
        (lambda b: b.rows.append(row(73, 1)), "accepted more than once: 1 as [71, 73]", 0, 1),
        (lambda b: b.change(4, state="unknown"), "not at rest: 4 unknown", 0, 0),
        (lambda b: b.change(4, state="null"), "not at rest: 4 null", 0, 0),
        (lambda b: b.change(1, service_id=72), "under another id here: 1", 0, 0),
        (lambda b: b.change(1, service_id=None), "under another id here: 1", 0, 0),
        (lambda b: b.change(1, security="AAPL"), "different there: 1", 0, 0),
        (lambda b: b.change(1, placed=NONE), "accepted, and not placed whole or still NEW: 1", 0, 0),
        (lambda b: b.change(1, status="NEW"), "accepted, and not placed whole or still NEW: 1", 0, 0),
        (lambda b: b.ledger.sent.update({1: 70}), "told to be sent, and not there: 1", 1, 0),
        (lambda b: b.ledger.sent.update({4: None}), "told to be sent, and not there: 4", 1, 0),
        (lambda b: b.ledger.refused.update({1: ""}), "told to be refused, and there: 1", 0, 0),
        (
            lambda b: b.ledger.sent.update({3: None}),
            "told to be refused, and told to be sent: 3",
            1,
            0,
        ),
        (lambda b: b.ledger.pending.add(99), "told to clients, and not in the database: 99", 1, 0),
        (lambda b: b.ledger.orders.add(15), "which do not exist: 15", 1, 0),
        (lambda b: b.change(3, state="accepted"), "3 has 0, not 50", 1, 0),
        (lambda b: b.change(2, quantity=HUNDRED), "2 has 50, not 100", 0, 0),
        (lambda b: b.ledger.faults.append("INTERNAL_ERROR"), "clients: INTERNAL_ERROR", 0, 0),
    ],
)
def test_what_is_wrong_is_found(
    plant: Callable[[Books], object], found: str, lost: int, doubled: int
) -> None:
    books = sound()
    plant(books)
    verdict = books.judged()
    assert any(found in finding for finding in verdict.findings), verdict.findings
    assert (verdict.lost, verdict.doubled) == (lost, doubled)


@pytest.mark.parametrize(
    ("place", "change", "found"),
    [
        (0, {"quantity": Decimal(40)}, "too much was sent: 1"),
        (1, {"submitted": True}, "called submitted wrongly: 2"),
        (0, {"submitted": False}, "called submitted wrongly: 1"),
        (1, {"quantity_sent": Decimal("50.00000001")}, "2 has 50.00000001, not 50"),
    ],
)
def test_an_order_that_does_not_add_up_is_found(place: int, change: dict[str, object], found: str) -> None:
    books = sound()
    books.orders[place] = msgspec.structs.replace(books.orders[place], **change)
    assert any(found in finding for finding in books.judged().findings)


def test_the_simulators_file_is_read_as_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "books"
    post = '{"tradeServiceExecutionId":%d,"quantity":%s,"tradeType":"BUY","securityId":"I","destination":"D"}'
    path.write_text(
        '{"line":"opened","firstId":5}\n'
        f'{{"line":"accepted","executions":[{post % (8, "0.1")},{post % (9, "2")}]}}\n'
        '{"line":"filled","id":5}\n'
        f'{{"line":"accepted","executions":[{post % (8, "1e2")}]}}\n'
        f'{{"line":"accepted","firstId":20,"executions":[{post % (3, "4")}]}}\n'
        f'{{"line":"accepted","executions":[{post % (4, "4")}]}}\n'
    )
    assert [(row.service_id, row.execution, row.quantity) for row in their_books(path)] == [
        (5, 8, Decimal("0.1")),
        (6, 9, Decimal(2)),
        (7, 8, Decimal(100)),
        (20, 3, Decimal(4)),
        (21, 4, Decimal(4)),
    ]


def test_a_promise_is_taken_from_every_kind_of_answer() -> None:
    ledger = Ledger()
    told = {"id": 1, "executionStatus": {"abbreviation": "NEW"}, "executionServiceId": None}
    ledger.execution(told)
    assert (ledger.pending, ledger.sent) == ({1}, {})
    for service_id in (None, 7, None):
        ledger.execution(
            told | {"executionStatus": {"abbreviation": "SENT"}, "executionServiceId": service_id}
        )
    assert ledger.sent == {1: 7}
    assert not ledger.faults
    ledger.execution(told | {"executionStatus": {"abbreviation": "PART"}, "executionServiceId": 8})
    assert ledger.faults == ["execution 1 was reported as 7 there, then as 8"]
    ledger.refusal("execution 5 was not accepted: no such security", {})
    ledger.refusal("execution 6 was not accepted: no answer", {"reason": "STORE_UNAVAILABLE"})
    ledger.refusal("trade order 7 was not accepted", {})
    assert set(ledger.refused) == {5}
    ledger.answered(500, {"code": "INTERNAL_ERROR"}, "GET /x")
    ledger.answered(409, {"code": "ALREADY_EXISTS"}, "POST /y")
    ledger.refusal("quantity: trade order 7 has 0 left of 10, so 5 cannot be submitted", {})
    assert ledger.faults[1:] == [
        "GET /x was answered with 500 INTERNAL_ERROR",
        "POST /y was answered with 409 ALREADY_EXISTS",
        "refused for what it did itself: quantity: trade order 7 has 0 left of 10, so 5 cannot be submitted",
    ]


def test_defects_and_alarms_in_a_log_are_found_and_a_request_cut_at_the_end_is_none() -> None:
    trace = "Traceback (most recent call last):\n  File x\n    await y\n"
    log = (
        '{"event": "request", "level": "info"}\n'
        f"ERROR:uvicorn.error:Exception in ASGI application\n{trace}"
        "asyncio.exceptions.CancelledError: Task cancelled, timeout graceful shutdown exceeded\n"
        f"ERROR:uvicorn.error:Exception in ASGI application\n{trace}asyncio.exceptions.CancelledError\n"
        f"ERROR:asyncio:\n{trace}KeyError: 7\n"
        '{"event": "batch_failed", "exception": []}\n'
        '{"event": "alarm", "code": "ACCEPTED_TWICE"}\n'
    )
    assert unforeseen(log) == [
        "line 13: KeyError: 7",
        'line 17: {"event": "batch_failed", "exception": []}',
        'line 18: {"event": "alarm", "code": "ACCEPTED_TWICE"}',
    ]
