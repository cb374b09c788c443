"""Pages whose site's name leads to this machine, and clients that write their own addresses."""

import asyncio

import pytest

from tests.attacks.target import DEADLINE_S, Target, served
from tests.support.database import TestServer

HEAD = "Connection: close\r\nContent-Length: 2\r\nContent-Type: text/plain\r\n"


def head(method: str, path: str, *more: str) -> bytes:
    lines = "".join(f"{line}\r\n" for line in more)
    return f"{method} {path} HTTP/1.1\r\n{HEAD}{lines}\r\n{{}}".encode()


@pytest.mark.parametrize(
    "path", ["/api/v2/tradeOrders", "/api/v1/executions/1", "/metrics", "/actuator/info"]
)
async def test_a_page_of_a_rebound_name_reads_nothing(target: Target, path: str) -> None:
    answer = await target.exchange(head("GET", path, "Host: evil.example"))
    assert answer.startswith(b"HTTP/1.1 421 ")
    assert b"HOST_NOT_ALLOWED" in answer


async def test_choosing_no_authentication_opens_nothing_on_this_machine(
    postgres: TestServer, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    chosen = {
        "TRADE_SERVICE_AUTH_MODE": "none",
        "TRADE_SERVICE_SERVER_CORS_ALLOW_ORIGINS": "https://portal.example",
    }
    for environment in ({"TRADE_SERVICE_AUTH_MODE": "none"}, chosen):
        folder = tmp_path_factory.mktemp("chosen")
        async with served(postgres, template_database, folder, **environment) as target:
            page = ("Host: localhost:8082", "Origin: http://evil.example")
            preflight = await target.exchange(
                head("OPTIONS", "/api/v1/tradeOrders", *page, "Access-Control-Request-Method: POST")
            )
            assert b"access-control-allow-origin" not in preflight.lower()
            for host in ("localhost:8082", "evil.example"):
                page = (f"Host: {host}", "Origin: http://evil.example")
                answer = await target.exchange(head("POST", "/api/v1/tradeOrders", *page))
                assert answer.split()[1] in (b"403", b"421"), answer
                assert b"access-control-allow-origin" not in answer.lower()


async def test_a_client_cannot_choose_its_address(
    postgres: TestServer, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Its rate limit stays its own, whatever it writes and the server library's variable says."""
    limit = {
        "FORWARDED_ALLOW_IPS": "*",
        "TRADE_SERVICE_RATE_LIMIT_REQUESTS_PER_S": "0.01",
        "TRADE_SERVICE_RATE_LIMIT_BURST": "20",
        "TRADE_SERVICE_RATE_LIMIT_MAX_CLIENTS": "5",
    }
    folder = tmp_path_factory.mktemp("limited")
    async with served(postgres, template_database, folder, **limit) as target, asyncio.timeout(DEADLINE_S):
        statuses = []
        for number in range(40):
            forwarded = f"X-Forwarded-For: 203.0.113.{number}"
            answer = await target.exchange(head("GET", "/api/v1/blotters", "Host: localhost", forwarded))
            statuses.append(answer.split()[1])
        assert statuses == [b"200"] * 20 + [b"429"] * 20
