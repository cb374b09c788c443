"""Implausible fill reports over HTTP, and lost ones."""

import asyncio
from decimal import Decimal

from tests.support.database import TestServer
from tests.support.trading import value_of
from tests.web.live import BATCH, live_alone
from trade_service.trading.trading_settings import FillSettings


async def test_a_fill_of_what_was_never_sent_is_a_conflict(
    postgres: TestServer, template_database: str
) -> None:
    async with live_alone(postgres, template_database) as live:
        part = {"tradeOrderId": await live.order(), "quantity": 100, "destinationId": 1}
        await live.client.post(f"{BATCH}?noExecuteSubmit=true", {"submissions": [part]})
        execution_id = await value_of(live.services.database, "SELECT id FROM execution")
        path = f"/api/v1/executions/{execution_id}/fill"
        answer = await live.client.put(path, {"executionStatus": "PART", "quantityFilled": 30, "version": 1})
        assert (answer.status, answer.body["code"]) == (409, "FILL_OF_UNSENT")
        assert answer.body["error"] == (
            f"execution {execution_id} is none and was never sent, so its fill was not stored; look for "
            "it at the Execution Service before submitting it"
        )
        assert answer.body["details"] == {"id": execution_id, "state": "none"}
        assert await live.state_of(execution_id) == "none"
        metrics = (await live.client.get("/metrics")).raw.decode()
        assert 'trade_service_alarms_total{code="FILL_OF_UNSENT"} 1.0' in metrics


async def test_lost_reports_are_fetched_in_the_background(
    postgres: TestServer, template_database: str
) -> None:
    often = FillSettings(check_every_s=0.05)
    async with live_alone(postgres, template_database, fills=often) as live:
        execution_id = (await live.submit(await live.order())).body["id"]
        (row,) = live.simulator.ledger.get(execution_id)
        live.simulator.ledger.fill(row.id, Decimal("12.5"), None, row.version)
        async with asyncio.timeout(10):
            while (await live.read_execution(execution_id))["quantityFilled"] != "12.50":
                await asyncio.sleep(0.01)
        execution = await live.read_execution(execution_id)
        assert (execution["executionStatus"]["abbreviation"], execution["version"]) == ("PART", 3)
        metrics = (await live.client.get("/metrics")).raw.decode()
        assert "trade_service_fetched_fills_total 1.0" in metrics


async def test_no_pass_is_made_where_the_settings_say_so(
    postgres: TestServer, template_database: str
) -> None:
    async with live_alone(postgres, template_database, fills=FillSettings(check_every_s=0)) as live:
        await live.submit(await live.order())
        database = live.services.database
        assert await value_of(database, "SELECT fills_checked_at FROM downstream") is None
