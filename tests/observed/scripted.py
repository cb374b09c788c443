"""A run of the service in which every measured event happens a known number of times."""

import asyncio
from collections.abc import Callable

import msgspec
from prometheus_client import generate_latest

from execution_simulator.server import SimulatorSettings, running_simulator
from tests.support.database import TestServer
from tests.support.engine import until
from tests.web.live import Live, behave, live_service, quick_settings
from trade_service.cli.top import Scrape
from trade_service.observability.telemetry_settings import TelemetrySettings
from trade_service.submission.engine_settings import RetrySettings

QUICK_GAUGES = TelemetrySettings(backlog_every_s=0.1)
FEW_TRIES = RetrySettings(max_attempts=3, initial_delay_ms=20, max_delay_ms=100)


class Scripted(msgspec.Struct):
    """The scrapes of a run."""

    under_way: Scrape
    """With four batches in flight and eight executions waiting."""
    stuck: Scrape
    """With one unknown execution and an unreadable ledger."""
    end: Scrape
    text: str
    """Text of the last scrape."""


async def scraped(live: Live) -> tuple[Scrape, str]:
    """A scrape, and its text."""
    assert (await live.client.get("/metrics")).status == 200
    assert live.services.registry is not None
    text = generate_latest(live.services.registry).decode()  # Without the moment that answers are kept.
    return Scrape.of(text, 0.0), text


async def scripted_run(postgres: TestServer, template: str) -> Scripted:
    """The run.

    Batches of 4 times 1, 8, 10, 5, 3, 2, 2, 1, 1 and 1 fresh executions, and the repetitions of those that failed.
    """
    async with (
        postgres.database(template) as url,
        running_simulator(SimulatorSettings(retry_after_s=0)) as simulator,
        live_service(url, simulator, **_sections(url, simulator.base_url)) as live,
    ):
        under_way = await _held(live)  # First: lost calls make the service more careful.
        await _parts(live, 10)
        await _parts(live, 5, "item_fail_permanent:0")
        await _parts(live, 3, "throttle_429:0")
        await _parts(live, 2, "reset_after")
        await _parts(live, 2, "reset_before")
        await _parts(live, 1, *["item_fail_transient:0"] * FEW_TRIES.max_attempts)
        stuck = await _stuck(live)
        live.simulator.reset()  # Its ids begin anew: a sign of it is one alarm, the second look's ruling another.
        await _parts(live, 1)
        await _seen(
            live, lambda scrape: bool(scrape.total("trade_service_alarms_total", code="DOWNSTREAM_RESET"))
        )
        await until(lambda: live.services.sender.in_flight == 0)
        end, text = await scraped(live)
        return Scripted(under_way, stuck, end, text)


def _sections(url: str, execution_service_url: str) -> dict[str, object]:
    """On a busy machine no call times out, no lease ends, and nothing that waits is taken up by recovery."""
    quick = quick_settings(url, execution_service_url)
    return {
        "telemetry": QUICK_GAUGES,
        "retry": FEW_TRIES,
        "execution_service": msgspec.structs.replace(quick.execution_service, read_timeout_ms=20_000),
        "submission": msgspec.structs.replace(
            quick.submission, wait_s=20.0, lease_margin_ms=5_000, recovery_grace_ms=20_000
        ),
    }


async def _parts(live: Live, count: int, *faults: str) -> None:
    """One request that submits `count` orders, while these calls in turn go wrong; returns when all is settled."""
    orders = await live.orders(count)
    live.simulator.script(faults)
    answer = await live.batch(*((order_id, 100) for order_id in orders))
    assert answer.status in (200, 207, 400), answer.status


async def _held(live: Live) -> Scrape:
    """Twelve requests: four are sent alone while eight wait, which are then sent together."""
    orders = await live.orders(12)
    live.simulator.hold()
    submitting = []
    for under_way, order_id in enumerate(orders[:4], start=1):
        submitting.append(asyncio.create_task(live.submit(order_id)))
        await until(lambda wanted=under_way: live.simulator.in_flight == wanted)  # type: ignore[misc]
    submitting += [asyncio.create_task(live.submit(order_id)) for order_id in orders[4:]]
    await until(lambda: len(live.services.queue) == 8)
    scrape, _ = await scraped(live)
    live.simulator.release()
    assert {answer.status for answer in await asyncio.gather(*submitting)} == {201}
    return scrape


async def _stuck(live: Live) -> Scrape:
    (order_id,) = await live.orders(1)
    await _seen(live, lambda scrape: not scrape.total("trade_service_open_executions"))
    live.simulator.lookup_faults = {"error_500_before": 1.0}
    live.simulator.script(["reset_after"])
    submitting = asyncio.create_task(live.submit(order_id))
    await _seen(live, lambda scrape: bool(scrape.total("trade_service_look_up_passes_total", complete="no")))
    stuck = await _seen(live, lambda scrape: bool(scrape.total("trade_service_oldest_unknown_seconds")))
    behave(live.simulator)
    assert (await submitting).status == 201
    return stuck


async def _seen(live: Live, condition: Callable[[Scrape], bool]) -> Scrape:
    """Scrapes until a condition holds."""
    async with asyncio.timeout(20):
        while not condition(scrape := (await scraped(live))[0]):
            await asyncio.sleep(0.05)
    return scrape
