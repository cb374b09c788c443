"""Metrics of a running service under load, and installed event listeners."""

import asyncio
import re
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.observed.scripted import scraped
from tests.support.database import TestServer
from tests.support.engine import until
from tests.web.live import Live, live_alone

PAGE = Path(__file__).parents[2] / "docs/metrics.md"


async def work(live: Live, rounds: int) -> None:
    """Single and batch submissions, reads and errors, always with new ids and paths."""
    for _ in range(rounds):
        orders = await live.orders(100)
        await live.batch(*((order_id, 60) for order_id in orders))
        await live.submit(orders[0], 40)
        await live.read_order(orders[1])
        for path in (f"/nothing/{orders[2]}", f"/api/v1/tradeOrders/{10**9 + orders[3]}"):
            assert (await live.client.get(path)).status == 404
        await live.client.call(f"BREW{orders[4]}", "/api/v1/tradeOrders")
    await until(lambda: live.services.sender.in_flight == 0)


async def test_the_number_of_series_does_not_grow_with_the_work(
    postgres: TestServer, template_database: str
) -> None:
    async with live_alone(postgres, template_database) as live:
        await work(live, 1)
        await scraped(live)
        first, _ = await scraped(live)
        await work(live, 6)
        after, text = await scraped(live)
    assert after.samples.keys() == first.samples.keys()
    assert after.total("trade_service_executions_total", state="accepted") == 7 * 101
    assert len(after.samples) < 700
    assert "/nothing" not in text


async def test_waiting_for_a_connection_is_measured(postgres: TestServer, template_database: str) -> None:
    async with live_alone(postgres, template_database) as live:
        order_id = await live.order()
        pool_size = live.services.settings.database.pool_size
        async with AsyncExitStack() as taken:
            for _ in range(pool_size):
                await taken.enter_async_context(live.services.database.session())
            reading = asyncio.create_task(live.read_order(order_id))
            async with asyncio.timeout(10):
                while (now := (await scraped(live))[0]).total("hikari_connections_pending") < 1:
                    await asyncio.sleep(0.01)
            assert now.total("hikari_connections_active") == pool_size
            assert now.total("hikari_connections_idle") == 0
        assert (await reading)["id"] == order_id
        async with asyncio.timeout(10):
            while (now := (await scraped(live))[0]).total("hikari_connections_pending"):
                await asyncio.sleep(0.01)
        assert now.total("hikari_connections_idle") > 0


async def test_the_documented_listener_is_installed_and_receives_events(
    postgres: TestServer, template_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = PAGE.read_text("utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.S)
    (name, target) = re.findall(r'listeners"\]\n(\w+) = "([\w:]+)"', page)[0]
    (tmp_path / f"{target.partition(':')[0]}.py").write_text(code, "utf-8")
    distribution = tmp_path / "desk_listener-1.0.dist-info"
    distribution.mkdir()
    (distribution / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: desk-listener\nVersion: 1.0\n", "utf-8"
    )
    (distribution / "entry_points.txt").write_text(f"[trade_service.listeners]\n{name} = {target}\n", "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    async with live_alone(postgres, template_database) as live:
        orders = await live.orders(3)
        live.simulator.script(["item_fail_permanent:0"])
        await live.batch(*((order_id, 100) for order_id in orders))
        heard = sys.modules["desk_listener"].refusals
        await until(lambda: heard == {"ITEM_REFUSED": 1})
        assert [one.missed for one in live.services.listeners] == [0]
    monkeypatch.delitem(sys.modules, "desk_listener")
