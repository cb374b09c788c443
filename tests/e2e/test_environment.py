"""Each variable that deployments set has an effect: the service is built from the variables, then observed."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from sqlalchemy.engine import make_url

from execution_simulator.server import SimulatorSettings, running_simulator
from tests.client.raw_server import Conversation, RawServer, raw_server
from tests.e2e.command import FAST
from tests.support.database import TestServer
from tests.support.postgres_proxy import proxied
from tests.web.live import Live
from tests.web.support import listening
from trade_service.bootstrap.running import running_services
from trade_service.bootstrap.web import web_app
from trade_service.settings.load import load_settings
from trade_service.settings.tree import Settings
from trade_service.submission.failure_handler import ExecutionFailureHandler

LIMIT_S = 20.0
PREFIX = "EXECUTION_SERVICE_"


class Around:
    """Portfolio and security services and a collector at one address."""

    def __init__(self) -> None:
        self.server: RawServer
        self._came = asyncio.Condition()

    async def converse(self, talk: Conversation) -> None:
        """Serves one connection."""
        while True:
            await talk.request()
            async with self._came:
                self._came.notify_all()
            is_portfolio = b"/portfolio" in self.server.requests[-1][0]
            name = (
                b'{"portfolioId":"P1","name":"Growth"}'
                if is_portfolio
                else b'{"securityId":"IBM","ticker":"Big"}'
            )
            await talk.answer(200, name)

    async def asked(self, path: bytes) -> None:
        """Waits for a request of this path."""
        async with asyncio.timeout(LIMIT_S), self._came:
            await self._came.wait_for(
                lambda: any(head.split()[1] == path for head, _ in self.server.requests)
            )


@asynccontextmanager
async def started(
    postgres: TestServer, template: str, variables: Mapping[str, str]
) -> AsyncIterator[tuple[Live, Around]]:
    """The service built from these variables; {around} and parts of the database's address are filled in."""
    around = Around()
    async with AsyncExitStack() as stack:
        around.server = await stack.enter_async_context(raw_server(around.converse))
        simulator = await stack.enter_async_context(running_simulator(SimulatorSettings(retry_after_s=0)))
        url = await stack.enter_async_context(postgres.database(template))
        through, _ = await stack.enter_async_context(proxied(url))
        address = make_url(through)
        known = {
            "around": around.server.base_url,
            "simulator": simulator.base_url,
            "jdbc": f"jdbc:postgresql://{address.host}:{address.port}/{address.database}?sslmode=disable",
            "user": address.username or "",
            "password": address.password or "",
        }
        database = {} if "SPRING_DATASOURCE_URL" in variables else {"DATABASE_URL": url}
        wanted = {name: value.format(**known) for name, value in variables.items()}
        settings = load_settings(
            {f"{PREFIX}BASE_URL": simulator.base_url, **FAST, **database, **wanted}
        ).settings
        services = await stack.enter_async_context(running_services(settings, lambda _: None))
        app = await stack.enter_async_context(web_app(services))
        client = await stack.enter_async_context(listening(app, stopping=services.begin_stop))
        yield Live(client, simulator, services), around


async def sizes(live: Live, count: int = 20) -> set[int]:
    """The sizes of the batches in which `count` executions were sent."""
    answer = await live.batch(*((order_id, 1) for order_id in await live.orders(count)))
    assert answer.body["successful"] == count, answer.raw
    return set(live.simulator.batch_sizes)


async def goes_out(live: Live, _: Around) -> None:
    assert (await live.submit(await live.order())).status == 201
    assert live.simulator.ledger.total == 1


async def in_sevens(live: Live, _: Around) -> None:
    assert max(await sizes(live)) == 7


async def alone(live: Live, _: Around) -> None:
    assert await sizes(live) == {1}


async def tried_twice(live: Live, _: Around) -> None:
    live.simulator.script(["error_503"] * 10)
    assert (await live.submit(await live.order())).status == 502
    assert live.simulator.calls["batch"] == 2


async def silence_is_short(live: Live, _: Around) -> None:
    live.simulator.script(["hang_after"])
    answer = await live.submit(await live.order())
    assert answer.body["executionStatus"]["abbreviation"] == "SENT", "found by reconciliation"
    history = (await live.client.get(f"/api/v2/executions/{answer.body['id']}/attempts")).body
    assert "DOWNSTREAM_READ_TIMEOUT" in str(history)


async def not_measured(live: Live, _: Around) -> None:
    await goes_out(live, _)
    names = re.findall(rb"^# TYPE (trade_service_\w+)", (await live.client.get("/metrics")).raw, re.M)
    assert all(name.startswith(b"trade_service_worker") for name in names), "nothing about batches"


async def named(live: Live, _: Around) -> None:
    await live.order(portfolioId="P1", securityId="IBM")
    (order,) = (await live.client.get("/api/v2/tradeOrders")).body["tradeOrders"]
    assert (order["portfolio"]["name"], order["security"]["ticker"]) == ("Growth", "Big")


async def at_debug(live: Live, _: Around) -> None:
    levels = (await live.client.get("/actuator/loggers")).body
    assert levels["loggers"]["ROOT"]["effectiveLevel"] == "DEBUG"


def pushed_to(metrics: bytes, traces: bytes) -> Callable[[Live, Around], Awaitable[None]]:
    """Metrics and traces arrive at these paths."""

    async def check(live: Live, around: Around) -> None:
        await goes_out(live, around)
        await around.asked(metrics)
        await around.asked(traces)

    return check


EFFECTS: list[tuple[dict[str, str], Callable[[Live, Around], Awaitable[None]]]] = [
    ({f"{PREFIX}BASE_URL": "{simulator}"}, goes_out),
    ({f"{PREFIX}BATCH_SIZE": "7"}, in_sevens),
    ({f"{PREFIX}BATCH_MAX_SIZE": "7"}, in_sevens),
    ({f"{PREFIX}MAX_SIZE": "7"}, in_sevens),
    ({f"{PREFIX}BATCH_ENABLE_BATCHING": "false"}, alone),
    ({f"{PREFIX}ENABLE_BATCHING": "false"}, alone),
    ({f"{PREFIX}RETRY_MAX_ATTEMPTS": "2"}, tried_twice),
    ({f"{PREFIX}READ_TIMEOUT": "300"}, silence_is_short),
    ({f"{PREFIX}BATCH_METRICS_ENABLED": "false"}, not_measured),
    ({f"{PREFIX}METRICS_ENABLED": "false"}, not_measured),
    (
        {
            "EXTERNAL_PORTFOLIO_SERVICE_BASE_URL": "{around}",
            "EXTERNAL_SECURITY_SERVICE_BASE_URL": "{around}",
        },
        named,
    ),
    (
        {
            "SPRING_DATASOURCE_URL": "{jdbc}",
            "SPRING_DATASOURCE_USERNAME": "{user}",
            "SPRING_DATASOURCE_PASSWORD": "{password}",
        },
        goes_out,
    ),
    ({"LOG_LEVEL": "debug"}, at_debug),
    (
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "{around}", "OTEL_METRIC_EXPORT_INTERVAL": "100"},
        pushed_to(b"/v1/metrics", b"/v1/traces"),
    ),
    (
        {
            "MANAGEMENT_OTLP_METRICS_EXPORT_URL": "{around}/m",
            "MANAGEMENT_OTLP_TRACING_EXPORT_URL": "{around}/t",
            "OTEL_METRIC_EXPORT_INTERVAL": "100",
        },
        pushed_to(b"/m", b"/t"),
    ),
]


@pytest.mark.parametrize(
    ("variables", "check"),
    EFFECTS,
    ids=lambda value: next(iter(value), "") if isinstance(value, dict) else "",
)
async def test_a_variable_has_an_effect(
    postgres: TestServer,
    template_database: str,
    variables: dict[str, str],
    check: Callable[[Live, Around], Awaitable[None]],
) -> None:
    async with started(postgres, template_database, variables) as (live, around):
        await check(live, around)


def pauses(settings: Settings) -> list[int]:
    """The longest delays after the first attempts."""
    handler = ExecutionFailureHandler(settings.engine)
    return [handler.backoff_ms(tries, lambda: 1.0) for tries in (1, 2, 3, 4)]


@pytest.mark.parametrize(
    ("name", "value", "longest"),
    [
        ("RETRY_INITIAL_DELAY", "10", [10, 20, 40, 80]),
        ("RETRY_MULTIPLIER", "3", [1000, 3000, 9000, 27_000]),
        ("RETRY_MAX_DELAY", "1500", [1000, 1500, 1500, 1500]),
    ],
)
def test_variables_pace_retries(name: str, value: str, longest: list[int]) -> None:
    assert pauses(load_settings({PREFIX + name: value}).settings) == longest


def test_variables_covered_by_other_tests() -> None:
    """tests/client covers the connect time-out, tests/core the retry of failed items."""
    settings = load_settings(
        {f"{PREFIX}CONNECT_TIMEOUT": "1234", f"{PREFIX}RETRY_FAILED_INDIVIDUALLY": "5"}
    ).settings
    assert settings.execution_service.connect_timeout_ms == 1234
    assert settings.batch.retry_failed_individually == 5
