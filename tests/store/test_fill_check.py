"""Fills fetched from the ledger: real PostgreSQL, and real HTTP to a simulator."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from typing import Any

import pytest

from execution_simulator.server import RunningSimulator, SimulatorSettings, running_simulator
from tests.support.engine import client_settings, engine_on
from tests.support.gateway import FakeGateway
from tests.support.rows import FULL, HOLD, PART, SENT, WORK, fetched, insert_executions, row_of
from tests.support.trading import run_sql, value_of
from trade_service.execution_service.client import ExecutionServiceClient
from trade_service.store.database import Database
from trade_service.store.downstream_store import PostgresFillStore
from trade_service.store.reference_store import PostgresReferenceReads
from trade_service.submission.clock import SystemClock
from trade_service.submission.events import AlarmEvent, EventBus, FillsCheckedEvent, SubmissionEvent
from trade_service.submission.messages import Listing, RemoteExecution
from trade_service.submission.ports import Listings
from trade_service.trading.fill_check import PAGE, FillCheck
from trade_service.trading.reference import ReferenceCache
from trade_service.trading.trading_settings import FillSettings

SERVICE_ID = 500
EVERY_S = 60.0


class Checked:
    """A fill check and its events."""

    def __init__(self, database: Database, books: Listings, pages: int = 10, every_s: float = 0.0) -> None:
        self.store = PostgresFillStore(database)
        self.events: list[SubmissionEvent] = []
        bus, clock = EventBus(), SystemClock()
        bus.subscribe(self.events.append)
        references = ReferenceCache(PostgresReferenceReads(database), 30.0, clock)
        settings = FillSettings(every_s, pages)
        self.check = FillCheck(self.store, books, references, bus, clock.sleep, settings)

    @property
    def alarms(self) -> list[AlarmEvent]:
        return [event for event in self.events if isinstance(event, AlarmEvent)]

    async def once(self) -> FillsCheckedEvent:
        done = await self.check.once()
        assert done is not None
        return done


class Books(FakeGateway):
    """A ledger in memory that records reads."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int] = []
        self.unreadable: set[int] = set()

    async def list_newest(self, offset: int, limit: int) -> Listing:
        self.asked.append(offset)
        if offset in self.unreadable:
            return Listing(None, "DOWNSTREAM_UNREADABLE", "no page")
        return await super().list_newest(offset, limit)

    def put(
        self, execution_id: int, service_id: int, quantity_filled: Decimal | None, status: str | None
    ) -> None:
        row = RemoteExecution(
            id=service_id,
            execution_status=status,
            quantity_filled=quantity_filled,
            trade_service_execution_id=execution_id,
        )
        self.ledger.append(row)


@pytest.fixture
async def execution_id(database: Database) -> int:
    """An accepted execution of 10, in status SENT."""
    (execution_id,) = await insert_executions(database, 1, "accepted")
    await run_sql(
        database,
        "UPDATE execution SET execution_service_id = :id, execution_status_id = :status, quantity_placed = 10",
        id=SERVICE_ID,
        status=SENT,
    )
    return execution_id


async def fill_of(database: Database, execution_id: int) -> tuple[Any, int, int]:
    row = await row_of(database, "execution", execution_id)
    return row.quantity_filled, row.execution_status_id, row.version


async def evidence_of(database: Database, execution_id: int) -> Sequence[Any]:
    rows = await fetched(
        database,
        "SELECT source, code, state_before, state, service_id, message FROM submission_evidence "
        "WHERE execution_id = :id ORDER BY id",
        id=execution_id,
    )
    return [tuple(row) for row in rows]


async def test_a_lost_report_is_fetched_once_with_evidence(database: Database, execution_id: int) -> None:
    books = Books()
    books.put(execution_id, SERVICE_ID, Decimal("2.5"), "PART")
    checked = Checked(database, books)
    assert await checked.once() == FillsCheckedEvent(1, 1, (execution_id,), "")
    assert await fill_of(database, execution_id) == (Decimal("2.5"), PART, 2)
    message = "quantityFilled 0 became 2.5, status SENT became PART"
    assert await evidence_of(database, execution_id) == [
        ("books", "FILL_FETCHED", "accepted", "accepted", SERVICE_ID, message)
    ]
    assert await checked.once() == FillsCheckedEvent(1, 1, (), "")
    assert await fill_of(database, execution_id) == (Decimal("2.5"), PART, 2)


@pytest.mark.parametrize(
    ("ours", "there", "after"),
    [
        (("1", SENT), ("1", "PART"), ("1", PART)),
        (("1", SENT), ("1", "FILLED"), ("1", SENT)),
        (("1", SENT), ("2", "FILLED"), ("2", SENT)),
        (("1", PART), ("10", "FULL"), ("10", FULL)),
        (("2", PART), ("1", "FULL"), ("2", PART)),
        (("1", PART), ("1", "SENT"), ("1", PART)),
        (("1", PART), ("2", None), ("2", PART)),
        (("1", HOLD), ("1", "PART"), ("1", HOLD)),
        (("1", FULL), ("2", "PART"), ("1", FULL)),
        (("1", WORK), ("1", "NEW"), ("1", WORK)),
    ],
)
async def test_what_is_stored_of_what_the_books_hold(
    database: Database,
    execution_id: int,
    ours: tuple[str, int],
    there: tuple[str, str | None],
    after: tuple[str, int],
) -> None:
    await run_sql(
        database,
        "UPDATE execution SET quantity_filled = :filled, execution_status_id = :status",
        filled=Decimal(ours[0]),
        status=ours[1],
    )
    books = Books()
    books.put(execution_id, SERVICE_ID, Decimal(there[0]), there[1])
    done = await Checked(database, books).once()
    changed = after != ours
    assert done.execution_ids == ((execution_id,) if changed else ())
    assert await fill_of(database, execution_id) == (Decimal(after[0]), after[1], 1 + changed)


@pytest.mark.parametrize("state", ["none", "queued", "claimed", "retry", "unknown", "rejected", "exhausted"])
async def test_only_accepted_executions_are_filled(database: Database, execution_id: int, state: str) -> None:
    books = Books()
    books.put(execution_id, SERVICE_ID, Decimal(1), "PART")
    checked = Checked(database, books)
    await run_sql(database, "UPDATE execution SET submission_state = :state", state=state)
    assert (await checked.once()).compared == 0
    await run_sql(database, "UPDATE execution SET submission_state = 'accepted', execution_service_id = NULL")
    assert (await checked.once()).compared == 0
    await run_sql(database, "UPDATE execution SET execution_service_id = 7")
    assert (await checked.once()).compared == 0
    assert await fill_of(database, execution_id) == (0, SENT, 1)


async def test_a_row_of_the_earlier_service_is_taken_over_with_its_fill(
    database: Database, execution_id: int
) -> None:
    await run_sql(database, "UPDATE execution SET submission_state = NULL, quantity_placed = 0")
    books = Books()
    books.put(execution_id, SERVICE_ID, Decimal(1), "PART")
    assert (await Checked(database, books).once()).execution_ids == (execution_id,)
    row = await row_of(database, "execution", execution_id)
    assert (row.submission_state, row.quantity_placed, row.quantity_filled) == ("accepted", 10, 1)


async def test_of_an_execution_that_is_there_twice_its_own_row_counts(
    database: Database, execution_id: int
) -> None:
    books = Books()
    books.put(execution_id, SERVICE_ID - 1, Decimal(9), "PART")
    books.put(execution_id, SERVICE_ID, Decimal(1), "PART")
    books.put(execution_id, SERVICE_ID + 1, Decimal(8), "PART")
    books.put(2**40, SERVICE_ID + 2, Decimal(8), "PART")
    books.put(execution_id, 2**40, Decimal(8), "PART")
    books.put(execution_id, SERVICE_ID, None, "PART")
    books.put(execution_id, SERVICE_ID, Decimal("NaN"), "PART")
    await Checked(database, books).once()
    assert await fill_of(database, execution_id) == (1, PART, 2)


@pytest.mark.parametrize("quantity", ["10.00000001", "-1", "1E+400000"])
async def test_an_impossible_quantity_is_an_alarm_once_a_value(
    database: Database, execution_id: int, quantity: str
) -> None:
    books = Books()
    books.put(execution_id, SERVICE_ID, Decimal(quantity), "PART")
    checked, other = Checked(database, books), Checked(database, books)
    for _ in range(2):
        assert (await checked.once()).execution_ids == ()
        await other.once()
    assert [(alarm.code, alarm.execution_ids) for alarm in checked.alarms] == [
        ("FILL_REFUSED", (execution_id,))
    ]
    assert other.alarms == []
    message = checked.alarms[0].message
    assert f"a quantityFilled of {quantity} for execution {execution_id}, of which 10 was ordered" in message
    assert "quantityFilled stays 0 here" in message
    assert await fill_of(database, execution_id) == (0, SENT, 1)
    assert [code for _, code, *_ in await evidence_of(database, execution_id)] == ["FILL_REFUSED"]
    books.ledger.clear()
    books.put(execution_id, SERVICE_ID, Decimal(11), "FULL")
    await other.once()
    assert len(other.alarms) == 1
    books.ledger.clear()
    books.put(execution_id, SERVICE_ID, Decimal(10), "FULL")
    assert (await other.once()).execution_ids == (execution_id,)


async def test_one_process_at_a_time_checks(database: Database, execution_id: int) -> None:
    books = Books()
    books.put(execution_id, SERVICE_ID, Decimal(1), "PART")
    checks = [Checked(database, books, every_s=EVERY_S) for _ in range(5)]
    done = await asyncio.gather(*(one.check.once() for one in checks))
    assert sum(one is not None for one in done) == 1
    assert books.asked == [0]
    await run_sql(database, "UPDATE downstream SET fills_checked_at = fills_checked_at - interval '59 s'")
    assert await checks[0].check.once() is None
    await run_sql(database, "UPDATE downstream SET fills_checked_at = fills_checked_at - interval '1 s'")
    assert await checks[0].check.once() is not None


async def test_a_window_moves_through_all_the_books(database: Database) -> None:
    books = Books()
    for number in range(6 * PAGE + 1):
        books.put(number + 1, number + 1, Decimal(0), "NEW")
    checked = Checked(database, books, pages=3)
    asked = []
    for _ in range(4):
        books.asked.clear()
        await checked.once()
        asked.append(tuple(offset // PAGE for offset in books.asked))
    assert asked == [(0, 1, 2), (0, 1, 3), (0, 1, 4), (0, 1, 5)]
    books.asked.clear()
    for _ in range(2):
        await checked.once()
    assert [offset // PAGE for offset in books.asked] == [0, 1, 6, 0, 1, 2]


async def test_a_page_that_cannot_be_read_ends_the_pass_and_stops_no_later_one(database: Database) -> None:
    books = Books()
    for number in range(6 * PAGE):
        books.put(number + 1, number + 1, Decimal(0), "NEW")
    books.unreadable = {4 * PAGE}
    checked = Checked(database, books, pages=4)
    asked = []
    for _ in range(3):
        books.asked.clear()
        problem = (await checked.once()).problem
        asked.append((tuple(offset // PAGE for offset in books.asked), problem))
    assert asked == [((0, 1, 2, 3), ""), ((0, 1, 4), "no page"), ((0, 1, 5), "")]
    books.unreadable = {0}
    books.asked.clear()
    assert (await checked.once()).pages == 0
    assert books.asked == [0]


@pytest.fixture
async def simulator() -> AsyncIterator[RunningSimulator]:
    async with running_simulator(SimulatorSettings(retry_after_s=0)) as running:
        yield running


async def test_over_http_what_was_filled_while_nobody_listened_is_fetched(
    database: Database, simulator: RunningSimulator
) -> None:
    ids = await insert_executions(database, 3)
    async with engine_on(database, simulator.base_url) as engine:
        await engine.service.submit_executions_bulk(ids)
    part, full, over = (simulator.ledger.get(i)[0] for i in ids)
    for row, filled in ((part, "2.5"), (full, "10"), (over, "10.5")):
        simulator.ledger.fill(row.id, Decimal(filled), Decimal(3), row.version)
    async with ExecutionServiceClient(client_settings(simulator.base_url), SystemClock()) as client:
        checked = Checked(database, client)
        assert (await checked.once()).execution_ids == (ids[0], ids[1])
        assert [await fill_of(database, i) for i in ids] == [
            (Decimal("2.5"), PART, 3),
            (10, FULL, 3),
            (0, SENT, 2),
        ]
        assert [alarm.execution_ids for alarm in checked.alarms] == [(ids[2],)]
        simulator.script_lookups(["error_503"])
        assert (await checked.once()).problem
    assert await value_of(database, "SELECT count(*) FROM submission_evidence") == 3
