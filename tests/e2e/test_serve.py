"""`trade-service serve`: starts, serves, stops, and reports problems in one line."""

import asyncio
import signal
import socket
import time

import aiohttp
import pytest

from execution_simulator.server import RunningSimulator
from tests.e2e.command import Cli, order
from tests.support.engine import states_of as state_counts
from trade_service.cli.commands import run
from trade_service.store.database import Database


async def get(url: str) -> int:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_serves_until_it_is_stopped(
    cli: Cli, simulator: RunningSimulator, number: signal.Signals
) -> None:
    async with await cli.start("serve", "--port", "0") as running:
        line = await running.line_with("Serving on ")
        assert f"Execution Service: {simulator.base_url}" in line
        url = line.split()[2].rstrip(";")
        assert f"console: {url}/console/;" in line
        assert await get(f"{url}/console/") == 200
        assert await get(f"{url}/api/v1/health/readiness") == 200
        # Another command works on the same database at the same time.
        assert (await cli.run("submit", "--yes", cli.write(order(1), order(2)))).code == 0
        assert await get(f"{url}/api/v1/executions/1") == 200
        running.send(number)
        ended = await running.ended()
    assert ended.code == 0, ended
    assert "Traceback" not in ended.err
    assert simulator.ledger.total == 2


_LISTS_ITS_MODULES = """
import atexit, pathlib, sys
atexit.register(lambda: pathlib.Path(__file__).with_name("modules").write_text(" ".join(sys.modules)))
"""


async def test_on_a_migrated_database_it_loads_no_migration_tool(
    cli: Cli, simulator: RunningSimulator
) -> None:
    (cli.folder / "sitecustomize.py").write_text(_LISTS_ITS_MODULES)
    async with await cli.under(PYTHONPATH=str(cli.folder)).start("serve", "--port", "0") as running:
        url = (await running.line_with("Serving on ")).split()[2].rstrip(";")
        assert await get(f"{url}/api/v1/health/readiness") == 200
        running.send(signal.SIGTERM)
        assert (await running.ended()).code == 0
    modules = set((cli.folder / "modules").read_text().split())
    assert {"asyncpg", "trade_service.store.migrate"} <= modules
    assert not {"sqlalchemy", "alembic"} & modules


async def test_a_stop_finishes_what_is_in_flight(cli: Cli, simulator: RunningSimulator) -> None:
    order_body = {"orderId": 1, "portfolioId": "P", "orderType": "BUY", "securityId": "IBM", "quantity": 5}
    async with await cli.start("serve", "--port", "0") as running, aiohttp.ClientSession() as session:
        url = (await running.line_with("Serving on ")).split()[2].rstrip(";")
        async with session.post(f"{url}/api/v1/tradeOrders", json=order_body) as answer:
            trade_order_id = (await answer.json())["id"]
        simulator.hold()
        submit = f"{url}/api/v1/tradeOrders/{trade_order_id}/submit"

        async def submitted() -> tuple[int, str]:
            async with session.post(submit, json={"quantity": 5, "destinationId": 1}) as answer:
                return answer.status, (await answer.json())["executionStatus"]["abbreviation"]

        async with asyncio.TaskGroup() as group:
            pending = group.create_task(submitted())
            await simulator.calls_reached(1)
            running.send(signal.SIGTERM)
            simulator.release()
        assert pending.result() == (201, "SENT")
        ended = await running.ended()
    assert ended.code == 0, ended


async def test_a_stop_hands_over_what_does_not_finish_within_its_grace(
    cli: Cli, simulator: RunningSimulator, database: Database
) -> None:
    """One call outlasts the grace, the others have not begun: another replica finishes all of them, once."""
    slow = cli.under(
        EXECUTION_SERVICE_READ_TIMEOUT="3000",
        EXECUTION_SERVICE_BATCH_SIZE="1",
        TRADE_SERVICE_BATCH_MAX_CONCURRENT="1",
        TRADE_SERVICE_SERVER_SHUTDOWN_GRACE_S="1",
    )
    bodies = [
        {"orderId": n, "portfolioId": "P", "orderType": "BUY", "securityId": "IBM", "quantity": 5}
        for n in range(1, 6)
    ]
    submissions = [{"tradeOrderId": n, "quantity": 5, "destinationId": 1} for n in range(1, 6)]
    async with await slow.start("serve", "--port", "0") as running, aiohttp.ClientSession() as session:
        url = (await running.line_with("Serving on ")).split()[2].rstrip(";")
        async with session.post(f"{url}/api/v1/tradeOrders/bulk", json={"tradeOrders": bodies}) as answer:
            assert answer.status == 201
        simulator.hold()
        waiting = asyncio.ensure_future(
            session.post(f"{url}/api/v1/tradeOrders/batch/submit", json={"submissions": submissions})
        )
        await simulator.calls_reached(1)
        began = time.monotonic()
        running.send(signal.SIGTERM)
        ended = await running.ended()
        took_s = time.monotonic() - began
        await asyncio.gather(waiting, return_exceptions=True)
    assert ended.code == 0, ended
    assert took_s < 1 + 4, "the grace, and a moment"
    assert await state_counts(database) == {"claimed": 1, "queued": 4}
    simulator.release()
    async with await cli.start("serve", "--port", "0") as other:
        await other.line_with("Serving on ")
        async with asyncio.timeout(30):
            while await state_counts(database) != {"accepted": 5}:
                await asyncio.sleep(0.1)
        assert (await cli.run("audit")).code == 0
    assert set(simulator.ledger.accepted_counts().values()) == {1}
    assert simulator.ledger.total == 5


async def test_a_taken_port_is_reported_in_one_line(cli: Cli) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ended = await cli.run("serve", "--port", str(taken.getsockname()[1]))
    assert ended.code == 2
    assert "trade-service: " in ended.complaint


@pytest.mark.parametrize(
    ("variable", "value"),
    [("EXECUTION_SERVICE_BATCH_SIZE", "many"), ("DATABASE_URL", "mysql://u:geheim@x/y")],
)
def test_wrong_settings_are_reported_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    assert run(["serve", "--port", "0"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"trade-service: {variable}")
    assert "geheim" not in line


async def test_a_database_that_is_away_is_one_line(bare_cli: Cli) -> None:
    url = "postgresql://u:geheim@127.0.0.1:9/db"
    ended = await bare_cli.under(DATABASE_URL=url).run("serve", "--port", "0")
    assert ended.code == 2
    assert "the database does not answer" in ended.complaint
    assert "geheim" not in ended.err + ended.out
