"""Idempotency-Key when a process is killed: the repeated request goes to another one."""

import asyncio
import signal
from typing import Any

import aiohttp

from execution_simulator.server import RunningSimulator
from tests.e2e.command import Cli, Running

KEY = {"Idempotency-Key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}
IMPATIENT = {"TRADE_SERVICE_SERVER_REQUEST_TIMEOUT_S": "4", "TRADE_SERVICE_SUBMISSION_WAIT_S": "3"}
ORDER = {"orderId": 1, "portfolioId": "P", "orderType": "BUY", "securityId": "IBM", "quantity": 5}
PART = {"quantity": 5, "destinationId": 1}


async def address_of(running: Running) -> str:
    return (await running.line_with("Serving on ")).split()[2].rstrip(";")


async def test_a_process_killed_between_commit_and_answer_duplicates_nothing(
    cli: Cli, simulator: RunningSimulator
) -> None:
    """Its call was accepted but not answered; another process waits for the lease and answers the repeat."""
    cli = cli.under(**IMPATIENT)
    async with (
        await cli.start("serve", "--port", "0") as doomed,
        await cli.start("serve", "--port", "0") as other,
        aiohttp.ClientSession() as session,
    ):
        first, second = await address_of(doomed), await address_of(other)
        async with session.post(f"{first}/api/v1/tradeOrders", json=ORDER, headers=KEY) as answer:
            submit = f"/api/v1/tradeOrders/{(await answer.json())['id']}/submit"
        simulator.hold(committed=True)
        asked = asyncio.create_task(session.post(first + submit, json=PART, headers=KEY))
        await simulator.accepted_reached(1)
        doomed.send(signal.SIGKILL)
        await asyncio.wait([asked])
        assert isinstance(asked.exception(), aiohttp.ClientError)
        simulator.release()
        statuses: list[int] = []
        answered: Any = None
        async with asyncio.timeout(30):
            while answered is None or answered["executionStatus"]["abbreviation"] != "SENT":
                async with session.post(second + submit, json=PART, headers=KEY) as answer:
                    statuses.append(answer.status)
                    if answer.status == 409:
                        assert 1 <= int(answer.headers["Retry-After"]) <= 5
                        await asyncio.sleep(0.1)
                        continue
                    answered = await answer.json()
                    assert answer.status == 201, answered
        assert statuses[0] == 409, "the lease of the dead process held"
        assert (answered["quantityOrdered"], answered["tradeOrder"]["quantitySent"]) == ("5.00", 5)
        async with session.post(f"{second}/api/v1/tradeOrders", json=ORDER, headers=KEY) as answer:
            assert (answer.status, answer.headers["Idempotent-Replayed"]) == (201, "true")
    assert simulator.ledger.total == 1
