"""No secret leaks: settings full of secrets, real processes, every kind of answer, the whole log."""

import asyncio
import base64
import json
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from uuid import uuid4

import aiohttp
import asyncpg
import msgspec
import pytest
from sqlalchemy.engine import make_url

from tests.client.raw_server import Conversation, RawServer, raw_server
from tests.core.test_identity import AUDIENCE, ISSUER, RSA_KEY, jwk, jwks, signed
from tests.e2e.command import FAST, LIMIT_S, Cli, bare_environment
from tests.support.database import TestServer
from tests.support.postgres_proxy import proxied

WORDS = {
    "database": "quincunx", "execution_service": "marzipan", "portfolio_service": "obsidian",
    "security_service": "tamarind", "metrics": "zeppelin", "metrics_parameter": "juniper7",
    "traces": "gossamer", "traces_parameter": "lapislazuli", "headers": "wolfram9",
    "key_set": "calliope", "key_set_parameter": "saffron4",
}  # fmt: skip
"""The secrets in the settings: words that occur nowhere else."""
ORDERS = "/api/v1/tradeOrders"
PART = {"quantity": 1, "destinationId": 1}
READ = (
    "/actuator/health", "/actuator/health/liveness", "/actuator/health/readiness", "/actuator/info",
    "/actuator/metrics", "/actuator/prometheus", "/actuator/loggers", "/metrics", "/schema/openapi.json",
    "/api/v1/health/liveness", "/api/v1/health/readiness", "/api/v1/health/startup",
    "/api/v2/tradeOrders", "/api/v2/executions",
)  # fmt: skip
BROKEN: tuple[bytes | None, ...] = (
    b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 500 Broken\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 302 Elsewhere\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 201 Created\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{{",
    b"this is no HTTP\r\n\r\n",
    None,
)
"""Answers of the surrounding services; None resets the connection."""
KINDS_OF_ERRORS = {400, 401, 403, 404, 405, 409, 413, 415, 422, 429, 500, 503}


class Around:
    """All surrounding services at one address, with scripted answers; the token issuer serves its keys."""

    def __init__(self) -> None:
        self.scripted: bytes | None = None
        self.server: RawServer

    async def converse(self, talk: Conversation) -> None:
        """Serves one connection."""
        while True:
            await talk.request()
            if self.server.requests[-1][0].startswith(b"GET /keys"):
                await talk.answer(200, jwks(jwk(RSA_KEY.public_key(), "a")))
            elif self.scripted is None:
                return talk.reset()
            else:
                await talk.send(self.scripted)

    def settings(self) -> dict[str, str]:
        """Addresses of all services, each with its own secrets."""
        host = self.server.base_url.removeprefix("http://")

        def at(name: str, path: str = "") -> str:
            return f"http://user:{WORDS[name]}@{host}{path}"

        return {
            "EXECUTION_SERVICE_BASE_URL": at("execution_service"),
            "EXTERNAL_PORTFOLIO_SERVICE_BASE_URL": at("portfolio_service"),
            "EXTERNAL_SECURITY_SERVICE_BASE_URL": at("security_service"),
            "MANAGEMENT_OTLP_METRICS_EXPORT_URL": at("metrics", f"/m?api-key={WORDS['metrics_parameter']}"),
            "MANAGEMENT_OTLP_TRACING_EXPORT_URL": at("traces", f"/t?token={WORDS['traces_parameter']}"),
            "OTEL_EXPORTER_OTLP_HEADERS": f"x-collector={WORDS['headers']},{WORDS['headers']}",
            "OTEL_METRIC_EXPORT_INTERVAL": "200",
            "TRADE_SERVICE_AUTH_JWT_JWKS_URL": at("key_set", f"/keys?sig={WORDS['key_set_parameter']}"),
        }


class Talks(msgspec.Struct):
    """A client of the service that keeps every answer."""

    session: aiohttp.ClientSession
    url: str
    credentials: Mapping[str, str]
    """Keys of an operator and of a reader."""
    answers: list[str]
    statuses: set[int]

    async def ask(
        self, method: str, path: str, body: object = None, role: str = "operator", **headers: str
    ) -> int:
        """Sends a request and keeps the whole answer."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"Content-Type": "application/json"} | headers
        if role in self.credentials:
            sent["Authorization"] = f"Bearer {self.credentials[role]}"
        async with self.session.request(method, self.url + path, data=data, headers=sent) as answer:
            self.answers.append(f"{path} {answer.status} {answer.headers!r} {await answer.text()}")
            self.statuses.add(answer.status)
            return answer.status


async def provoke(talks: Talks, around: Around) -> None:
    """Requests for every kind of answer while the database is available."""
    order = {"portfolioId": "P1", "orderType": "BUY", "securityId": "IBM", "quantity": 100}
    for number, scripted in enumerate(BROKEN, 1):
        around.scripted = scripted
        assert await talks.ask("POST", ORDERS, {"orderId": number} | order) == 201
        await talks.ask("POST", f"{ORDERS}/{number}/submit", PART)
        for path in READ:
            assert await talks.ask("GET", path) == 200, path
    await talks.ask("POST", ORDERS, {"orderId": 1} | order)
    await talks.ask("POST", ORDERS, {"orderId": "x"} | order)
    await talks.ask("POST", ORDERS, {}, **{"Content-Type": "text/xml"})
    await talks.ask("POST", ORDERS, b" " * 3_000)
    await talks.ask("POST", ORDERS, {"orderId": 90} | order, **{"Idempotency-Key": '"once"'})
    await talks.ask("POST", ORDERS, {"orderId": 91} | order, **{"Idempotency-Key": '"once"'})
    await talks.ask("POST", ORDERS, {}, role="reader")
    await talks.ask("GET", f"{ORDERS}/1", role="nobody")
    await talks.ask("GET", f"{ORDERS}/1", role="nobody", **{"X-API-Key": "forged"})
    await talks.ask("GET", f"{ORDERS}/999")
    await talks.ask("PATCH", f"{ORDERS}/1")
    await talks.ask("OPTIONS", f"{ORDERS}/1")


async def run_out(database_url: str, talks: Talks) -> None:
    """A missing column causes an unexpected error; then a client exceeds its rate limit."""
    link = await asyncpg.connect(database_url)
    await link.execute("ALTER TABLE trade_order DROP COLUMN limit_price")
    await link.close()
    assert await talks.ask("GET", f"{ORDERS}/1") == 500
    async with asyncio.timeout(LIMIT_S):
        while await talks.ask("GET", "/actuator/loggers", role="reader") != 429:
            pass


@asynccontextmanager
async def account(postgres: TestServer, database_url: str) -> AsyncIterator[str]:
    """The URL of the same database for a user whose password is one of the words."""
    name = f"user_{uuid4().hex}"
    await postgres.execute(f"CREATE ROLE {name} SUPERUSER LOGIN PASSWORD '{WORDS['database']}'")
    url = make_url(database_url).set(username=name, password=WORDS["database"])
    try:
        yield url.render_as_string(hide_password=False)
    finally:
        await postgres.execute(f"DROP ROLE {name}")


@asynccontextmanager
async def surroundings(
    postgres: TestServer, database_url: str, folder: Path
) -> AsyncIterator[tuple[Cli, Around, AsyncExitStack]]:
    """The command with its secrets, and a relay that cuts off the database when closed."""
    around = Around()
    async with (
        raw_server(around.converse) as around.server,
        account(postgres, database_url) as url,
        AsyncExitStack() as wire,
    ):
        through, _ = await wire.enter_async_context(proxied(url))
        chosen = {
            "DATABASE_URL": through,
            "LOG_LEVEL": "DEBUG",
            "TRADE_SERVICE_SERVER_MAX_BODY_BYTES": "2000",
            "EXECUTION_SERVICE_RETRY_MAX_ATTEMPTS": "1",
            "TRADE_SERVICE_SUBMISSION_WAIT_S": "0.5",
            "TRADE_SERVICE_AUTH_JWT_ISSUER": ISSUER,
            "TRADE_SERVICE_AUTH_JWT_AUDIENCE": AUDIENCE,
            "TRADE_SERVICE_AUTH_API_KEY_MAX_AGE_S": "0.1",
            "TRADE_SERVICE_DATABASE_POOL_TIMEOUT_S": "1",
            "TRADE_SERVICE_NAMES_TIMEOUT_MS": "200",
            "TRADE_SERVICE_RATE_LIMIT_REQUESTS_PER_S": "1",
            "TRADE_SERVICE_RATE_LIMIT_BURST": "250",
        }
        yield Cli(folder, bare_environment(folder) | FAST | around.settings() | chosen), around, wire


def forms(secret: str) -> set[str]:
    """A secret in plain text and as in a Basic authentication header."""
    login = base64.b64encode(f"user:{secret}".encode()).decode()
    return {secret, login}


def assert_secret(text: str, secrets: Mapping[str, str]) -> None:
    """Fails if any of them occurs in the text."""
    for name, secret in secrets.items():
        for form in forms(secret):
            at = text.find(form)
            assert at < 0, f"{name}: ...{text[max(0, at - 400) : at + 100]}"


async def credentials_of(cli: Cli, mode: str) -> dict[str, str]:
    """Header values of an operator and a reader."""
    if mode == "jwt":
        return {role: signed(roles=[role]) for role in ("operator", "reader")}
    made = {role: await cli.run("keys", "create", role, "--role", role) for role in ("operator", "reader")}
    assert {role: ended.code for role, ended in made.items()} == {"operator": 0, "reader": 0}, made
    return {role: ended.out.strip() for role, ended in made.items()}


@pytest.mark.parametrize(("mode", "style"), [("api-key", "json"), ("jwt", "console")])
async def test_neither_answers_nor_log_hold_secrets(
    postgres: TestServer, database_url: str, tmp_path: Path, mode: str, style: str
) -> None:
    async with surroundings(postgres, database_url, tmp_path) as (bare, around, wire):
        cli = bare.under(TRADE_SERVICE_AUTH_MODE=mode, TRADE_SERVICE_LOG_FORMAT=style)
        credentials = await credentials_of(cli, mode)
        async with await cli.start("serve", "--port", "0") as running, aiohttp.ClientSession() as session:
            assert running.process.stderr is not None
            log = asyncio.create_task(running.process.stderr.read())
            line = await running.line_with("Serving on ")
            talks = Talks(session, line.split()[2].rstrip(";"), credentials, [line], set())
            await provoke(talks, around)
            await run_out(database_url, talks)
            await wire.aclose()
            async with asyncio.timeout(LIMIT_S):
                for path in ("/actuator/health/readiness", f"{ORDERS}/1"):
                    while await talks.ask("GET", path) != 503:
                        pass
            running.send(signal.SIGTERM)
            async with asyncio.timeout(LIMIT_S):
                written = (await log).decode()
                assert await running.process.wait() == 0, written[-6000:]
        assert talks.statuses >= KINDS_OF_ERRORS
        secrets = WORDS | {f"credential of a {role}": text[-24:] for role, text in credentials.items()}
        assert_secret("\n".join(talks.answers), secrets)
        assert_secret(written, secrets)
        assert "debug" in written
        asked = b"".join(head for head, _ in around.server.requests).decode()
        for name in (
            WORDS.keys() - {"database"} - ({"key_set", "key_set_parameter"} if mode == "api-key" else set())
        ):
            assert any(form in asked for form in forms(WORDS[name])), f"{name} was never used"


async def test_neither_settings_nor_complaints_hold_secrets(
    postgres: TestServer, database_url: str, tmp_path: Path
) -> None:
    async with surroundings(postgres, database_url, tmp_path) as (cli, _, wire):
        runs = [await cli.run("config"), await cli.run("config", "--json"), await cli.run("db", "status")]
        assert [ended.code for ended in runs] == [0, 0, 0], runs
        assert all("***" in ended.out for ended in runs)
        await wire.aclose()
        for command in (["serve", "--port", "0"], ["audit"], ["db", "migrate"], ["keys", "list"]):
            away = await cli.run(*command)
            assert away.code != 0
            runs.append(away)
    assert_secret("\n".join(ended.out + ended.err for ended in runs), WORDS)
