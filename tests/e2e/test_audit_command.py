"""`trade-service audit` finds whatever is planted in the database or in the ledger."""

import json
from typing import Any

import aiohttp

from execution_simulator.server import RunningSimulator
from tests.e2e.command import Cli, order
from trade_service.store.database import Database
from trade_service.store.statements import Statement


async def post(simulator: RunningSimulator, trade_id: int | None, **changes: Any) -> None:
    """Sends an execution directly, bypassing this service."""
    item = {
        "executionStatus": "NEW", "tradeType": "BUY", "destination": "ML", "securityId": "AAPL",
        "quantity": 100, "limitPrice": 190.25, "tradeServiceExecutionId": trade_id, "version": 1,
    }  # fmt: skip
    body = {"executions": [item | changes]}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{simulator.base_url}/api/v1/executions/batch", json=body) as answer,
    ):
        assert answer.status == 201


async def change(database: Database, *statements: str) -> None:
    async with database.transaction() as session:
        for statement in statements:
            await session.execute(Statement.parsed(statement))


async def test_every_planted_fault_is_found(
    cli: Cli, simulator: RunningSimulator, database: Database
) -> None:
    assert (await cli.run("submit", "--yes", cli.write(*(order(n) for n in range(1, 21))))).code == 0
    await post(simulator, 1)
    await post(simulator, 2, quantity=7)
    await post(simulator, None)
    await post(simulator, 4711)
    await change(
        database,
        "UPDATE execution SET execution_service_id = 900 WHERE id = 3",
        "UPDATE execution SET submission_state = 'rejected' WHERE id = 4",
        "UPDATE execution SET execution_service_id = NULL WHERE id = 5",
        "UPDATE execution SET submission_state = 'unknown' WHERE id = 6",
        "INSERT INTO execution (execution_status_id, trade_type_id, trade_order_id, destination_id,"
        " quantity_ordered, quantity_placed, submission_state, execution_service_id, attempt_id)"
        " SELECT 2, 1, trade_order_id, 1, 1, 1, 'accepted', 777, attempt_id FROM execution WHERE id = 7",
    )
    ended = await cli.run("audit", "--json")
    assert ended.code == 1, ended
    report = json.loads(ended.out)
    assert report["clean"] is False
    assert report["downstreamRows"] == 24
    assert report["counts"] == {
        "unbalanced": 0,
        "quantity": 2,
        "accepted_without_id": 1,
        "stranded": 1,
        "accepted_twice": 2,
        "missing_downstream": 1,
        "extra_downstream": 1,
        "different": 2,
        "archive_differs": 0,
        "impossible_id": 0,
    }
    assert report["notes"] == {"in_flight": 1, "foreign": 2, "failed_differ": 1}
    found = {(finding["kind"], finding["id"]) for finding in report["findings"]}
    assert {("accepted_twice", 1), ("accepted_twice", 2), ("different", 2), ("different", 3)} <= found
    assert {("extra_downstream", 4), ("accepted_without_id", 5), ("stranded", 6)} <= found

    shown = await cli.run("audit")
    assert shown.code == 1
    assert "execution 1: accepted as 1 and also as 21: cancel one of the two there" in shown.out
    assert "trade order 4 (orderId 4): quantitySent is 100, its executions hold 0" in shown.out


async def test_auditing_the_database_alone_needs_no_execution_service(
    cli: Cli, simulator: RunningSimulator
) -> None:
    assert (await cli.run("submit", "--yes", cli.write(order(1)))).code == 0
    away = cli.under(EXECUTION_SERVICE_BASE_URL="http://127.0.0.1:9")
    alone = await away.run("audit", "--no-downstream")
    assert alone.code == 0, alone
    assert "ledger was not read" in alone.out
    refused = await away.run("audit")
    assert refused.code == 2
    assert "ledger cannot be read" in refused.complaint


async def test_a_database_that_is_not_set_up_is_not_touched(cli: Cli, empty_database_url: str) -> None:
    empty = cli.under(DATABASE_URL=empty_database_url)
    ended = await empty.run("audit")
    assert ended.code == 2
    assert "trade-service db migrate" in ended.complaint
    status = await empty.run("db", "status")
    assert status.code == 0
    assert "none yet" in status.out
