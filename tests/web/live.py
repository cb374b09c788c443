"""The whole service and an Execution Service simulator on sockets, with real PostgreSQL."""

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import msgspec

from execution_simulator.server import RunningSimulator, SimulatorSettings, running_simulator
from tests.support.database import TestServer
from tests.support.trading import CONSERVATION, value_of
from tests.web.support import Answer, Client, listening
from trade_service.bootstrap.container import Services
from trade_service.bootstrap.running import running_services
from trade_service.bootstrap.web import web_app
from trade_service.settings.tree import Settings
from trade_service.store.reports import PostgresAuditReads
from trade_service.store.store_settings import StoreSettings
from trade_service.submission.engine_settings import (
    CircuitSettings,
    ExecutionServiceSettings,
    RetrySettings,
    SubmissionSettings,
)
from trade_service.web.web_settings import ServerSettings

ORDERS = "/api/v1/tradeOrders"
BATCH = f"{ORDERS}/batch/submit"
BULK = f"{ORDERS}/bulk"
DIGITS = "1234567890.12345678"
"""A decimal(18,8) with all its digits."""

_order_ids = itertools.count(1)


def order_body(quantity: object = 100, **changes: object) -> dict[str, Any]:
    """A valid new trade order with a unique order id."""
    return {
        "orderId": next(_order_ids),
        "portfolioId": "P1",
        "orderType": "BUY",
        "securityId": "IBM",
        "quantity": quantity,
        **changes,
    }


class Live(msgspec.Struct):
    """A running service, its client and its simulator."""

    client: Client
    simulator: RunningSimulator
    services: Services

    async def order(self, quantity: object = 100, **changes: object) -> int:
        """Creates a trade order; returns its id."""
        answer = await self.client.post(ORDERS, order_body(quantity, **changes))
        assert answer.status == 201, answer.raw
        order_id: int = answer.body["id"]
        return order_id

    async def orders(self, count: int, quantity: object = 100, **changes: object) -> list[int]:
        """Creates trade orders in one request; returns their ids."""
        bodies = [order_body(quantity, **changes) for _ in range(count)]
        answer = await self.client.post(BULK, {"tradeOrders": bodies})
        assert answer.status == 201, answer.raw
        return [result["tradeOrder"]["id"] for result in answer.body["results"]]

    async def submit(
        self, order_id: int, quantity: object = 100, destination_id: object = 1, query: str = ""
    ) -> Answer:
        """Submits a part of one trade order."""
        part = {"quantity": quantity, "destinationId": destination_id}
        return await self.client.post(f"{ORDERS}/{order_id}/submit{query}", part)

    async def batch(self, *parts: tuple[int, object], query: str = "") -> Answer:
        """Submits a quantity of each of these orders in one request."""
        submissions = [{"tradeOrderId": i, "quantity": quantity, "destinationId": 1} for i, quantity in parts]
        return await self.client.post(BATCH + query, {"submissions": submissions})

    async def read_order(self, order_id: int) -> Any:
        """Reads a trade order."""
        answer = await self.client.get(f"{ORDERS}/{order_id}")
        assert answer.status == 200, answer.raw
        return answer.body

    async def read_execution(self, execution_id: int) -> Any:
        """Reads an execution."""
        answer = await self.client.get(f"/api/v1/executions/{execution_id}")
        assert answer.status == 200, answer.raw
        return answer.body

    async def left_of(self, order_id: int) -> tuple[Decimal, bool]:
        """The quantity left of an order, and whether it counts as submitted."""
        order = await self.read_order(order_id)
        return Decimal(str(order["quantity"])) - Decimal(str(order["quantitySent"])), order["submitted"]

    async def executions_of(self, order_id: int) -> int:
        """The number of an order's executions."""
        count: int = await value_of(
            self.services.database, "SELECT count(*) FROM execution WHERE trade_order_id = :id", id=order_id
        )
        return count

    async def state_of(self, execution_id: int) -> str:
        """The submission state of an execution, as stored."""
        state: str = await value_of(
            self.services.database, "SELECT submission_state FROM execution WHERE id = :id", id=execution_id
        )
        return state

    async def accounts_agree(self) -> None:
        """Every order has sent what its executions hold, and nothing was accepted twice downstream."""
        assert await value_of(self.services.database, CONSERVATION) == 0
        assert await PostgresAuditReads(self.services.database).failed_differ() == 0
        counts = self.simulator.ledger.accepted_counts()
        assert {one: times for one, times in counts.items() if times != 1} == {}


def quick_settings(database_url: str, execution_service_url: str) -> Settings:
    """Short times, and no circuit: most tests need every call."""
    return Settings(
        server=ServerSettings(shutdown_grace_s=2.0),
        database=StoreSettings(url=database_url, pool_timeout_s=2.0, statement_timeout_s=5.0),
        execution_service=ExecutionServiceSettings(
            base_url=execution_service_url, connect_timeout_ms=500, read_timeout_ms=1000
        ),
        retry=RetrySettings(initial_delay_ms=20, max_delay_ms=100),
        circuit=CircuitSettings(enabled=False),
        submission=SubmissionSettings(
            wait_s=8.0,
            settle_time_ms=200,
            lease_margin_ms=300,
            recovery_poll_ms=100,
            recovery_hold_ms=1000,
            recovery_grace_ms=300,
            look_up_max_delay_ms=100,
        ),
    )


@asynccontextmanager
async def live_service(
    database_url: str, simulator: RunningSimulator, **sections: object
) -> AsyncIterator[Live]:
    """The running service on this database; `sections` replace those of `quick_settings`."""
    settings = msgspec.structs.replace(quick_settings(database_url, simulator.base_url), **sections)
    limits = settings.server.max_header_bytes
    async with running_services(settings, lambda _: None) as services, web_app(services) as app:
        async with listening(app, stopping=services.begin_stop, max_header_bytes=limits) as client:
            yield Live(client, simulator, services)


@asynccontextmanager
async def live_alone(postgres: TestServer, template: str, **sections: object) -> AsyncIterator[Live]:
    """The service with its own database and simulator."""
    async with (
        postgres.database(template) as url,
        running_simulator(SimulatorSettings(retry_after_s=0)) as simulator,
        live_service(url, simulator, **sections) as live,
    ):
        yield live


def behave(simulator: RunningSimulator) -> None:
    """Removes the faults of an earlier test."""
    simulator.faults = {}
    simulator.lookup_faults = {}
    simulator.script([])
    simulator.script_lookups([])
    simulator.release()
