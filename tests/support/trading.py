"""The use cases on a real database, and helpers to inspect it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from tests.support.engine import SETTLE_MS, Engine, running_engine
from tests.support.gateway import FakeGateway
from trade_service.domain.errors import DomainError
from trade_service.domain.orders import NewTradeOrder, Submission, TradeOrder
from trade_service.store.database import Database, Session
from trade_service.store.execution_reads import PostgresExecutionReads
from trade_service.store.order_store import PostgresOrderStore
from trade_service.store.reference_store import PostgresReferenceChanges, PostgresReferenceReads
from trade_service.store.row_changes import PostgresExecutionChanges, PostgresOrderChanges
from trade_service.store.statements import Statement
from trade_service.submission.clock import SystemClock
from trade_service.trading.editors import Editors, ExecutionEditor, ReferenceEditor, TradeOrderEditor
from trade_service.trading.execution_use_cases import ExecutionService
from trade_service.trading.model import ExecutionView, StoredExecution, SubmittedOrder
from trade_service.trading.reference import ReferenceCache
from trade_service.trading.trade_orders import TradeOrderService

MOMENT = datetime(2026, 1, 30, 15, 30, tzinfo=UTC)
OWNER = "test"


class Desk(msgspec.Struct):
    """The use cases, with an engine that sends to a gateway in memory."""

    database: Database
    gateway: FakeGateway
    engine: Engine
    orders: TradeOrderService
    executions: ExecutionService
    editors: Editors

    async def order(self, quantity: str = "100", order_type: str = "BUY", security: str = "S") -> TradeOrder:
        """Creates a trade order."""
        return (await self.some_orders(1, quantity, order_type, security))[0]

    async def some_orders(
        self, count: int, quantity: str = "100", order_type: str = "BUY", security: str = "S"
    ) -> list[TradeOrder]:
        """Creates trade orders that differ in their order ids only."""
        first = await value_of(self.database, "SELECT coalesce(max(order_id), 0) + 1 FROM trade_order")
        return await self.orders.create_orders_bulk(
            [new_order(first + i, quantity, order_type, security) for i in range(count)]
        )


def ticket() -> str:
    """The id of a new queued attempt."""
    return SystemClock().new_attempt_id()


def written(answers: Sequence[StoredExecution | DomainError]) -> list[StoredExecution]:
    """The executions that were written: all of them."""
    assert all(isinstance(answer, StoredExecution) for answer in answers), answers
    return [answer for answer in answers if isinstance(answer, StoredExecution)]


def new_order(
    order_id: int, quantity: str = "100", order_type: str = "BUY", security: str = "S"
) -> NewTradeOrder:
    """A valid order of the blotter EQ with a limit price."""
    return NewTradeOrder(order_id, "P1", order_type, security, Decimal(quantity), Decimal("9.5"), MOMENT, 2)


def all_of(orders: Sequence[TradeOrder], destination_id: int = 1) -> list[Submission]:
    """Submissions of the whole quantity of each order."""
    return [Submission(order.id, order.quantity, destination_id) for order in orders]


@asynccontextmanager
async def desk_on(
    database: Database, gateway: FakeGateway | None = None, **options: Any
) -> AsyncIterator[Desk]:
    """A desk; the options are those of `running_engine`."""
    gateway = gateway or FakeGateway()
    clock = SystemClock()
    async with running_engine(database, gateway, **options) as engine:
        references = ReferenceCache(PostgresReferenceReads(database), 30.0, clock)
        yield Desk(
            database,
            gateway,
            engine,
            TradeOrderService(PostgresOrderStore(database, OWNER), references, engine.intake, clock),
            ExecutionService(
                PostgresExecutionReads(database, OWNER, SETTLE_MS),
                references,
                engine.service,
                engine.intake,
                engine.bus,
                clock,
            ),
            Editors(
                TradeOrderEditor(PostgresOrderChanges(database), references),
                ExecutionEditor(PostgresExecutionChanges(database), references),
                ReferenceEditor(PostgresReferenceChanges(database), references),
            ),
        )


async def value_of(database: Database, query: str, **values: object) -> Any:
    """The first value that a query returns."""
    return await database.fetch_value(Statement.parsed(query), **values)


async def run_sql(database: Database, statement: str, **values: object) -> None:
    """Runs a statement and commits."""
    await database.execute(Statement.parsed(statement), **values)


@asynccontextmanager
async def counted_statements(database: Database) -> AsyncIterator[list[str]]:
    """Every statement that goes to the server, BEGIN and COMMIT included.

    Not counted: recovery's polls, notes about the Execution Service's ledger (once a second at most, however
    much is sent), and the driver's look into the catalogue when a connection first uses an array type.
    """
    statements: list[str] = []
    over = False

    def note(statement: str) -> None:
        if not over and not any(mark in statement for mark in _NOT_COUNTED):
            statements.append(statement.strip())

    lend = database._lent

    @asynccontextmanager
    async def listened() -> AsyncIterator[Session]:
        def log(query: Any) -> None:
            note(query.query)

        async with lend() as session:
            session.connection.add_query_logger(log)
            yield session
            session.connection.remove_query_logger(log)
        await asyncio.sleep(0)  # The driver logs a turn of the loop later.

    vars(database)["_lent"] = listened
    try:
        yield statements
        await asyncio.sleep(0)
    finally:
        over = True  # Some connections keep their loggers.
        vars(database)["_lent"] = lend


_CATALOGUE = "typeinfo_tree"
_JIT = "set_config('jit'"
_POLLS = ("WHERE next_action_at <= now()", "WHERE next_action_at IS NOT NULL AND state = 'sent'")
_LEDGER = ("FROM downstream d", "SET high_water_id = ")
_HEARTBEAT = ("INSERT INTO replica",)
_NOT_COUNTED = (_CATALOGUE, _JIT, *_POLLS, *_LEDGER, *_HEARTBEAT)

CONSERVATION = """
SELECT coalesce(sum(abs(o.quantity_sent - coalesce(e.held, 0))), 0)
FROM trade_order o
LEFT JOIN (
    SELECT trade_order_id, sum(quantity_ordered) AS held
    FROM execution
    WHERE submission_state NOT IN ('rejected', 'exhausted')
    GROUP BY trade_order_id
) e ON e.trade_order_id = o.id
"""
"""Zero if every order's quantity_sent is the sum over the executions that hold its quantity."""


def view_in(answer: SubmittedOrder) -> ExecutionView:
    """The execution of a submitted order."""
    assert answer.error is None
    assert answer.view is not None
    return answer.view


async def conserved(database: Database) -> bool:
    """Whether every order's quantity sent equals what its executions hold."""
    return bool(await value_of(database, CONSERVATION) == 0)


async def none_executions(desk: Desk, count: int, security: str = "S") -> list[int]:
    """Creates executions that are not sent; returns their ids."""
    orders = await desk.some_orders(count, security=security)
    answers = await desk.orders.submit_orders(all_of(orders), send=False)
    return [view_in(answer).execution.id for answer in answers]


async def until_named(database: Database) -> None:
    """Waits until all executions have their service id and nothing is open."""
    query = (
        "SELECT bool_and(execution_service_id IS NOT NULL) AND NOT EXISTS "
        "(SELECT FROM submission_attempt WHERE next_action_at IS NOT NULL) FROM execution"
    )
    async with asyncio.timeout(10):
        while not await value_of(database, query):
            await asyncio.sleep(0.01)
