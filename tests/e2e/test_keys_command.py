"""API keys from creation to revocation, with real processes; and the choice of auth.mode that `serve` requires."""

import asyncio

import aiohttp
import pytest

from tests.e2e.command import Cli
from trade_service.cli.commands import run

ORDER = "/api/v1/tradeOrders/1"


async def status_of(url: str, key: str | None) -> int:
    headers = {} if key is None else {"X-API-Key": key}
    async with aiohttp.ClientSession() as session, session.get(url + ORDER, headers=headers) as answer:
        return answer.status


async def test_a_key_is_created_used_and_revoked(cli: Cli) -> None:
    made = await cli.run("keys", "create", "portal", "--role", "reader")
    assert made.code == 0, made
    key = made.out.strip()
    guarded = cli.under(TRADE_SERVICE_AUTH_MODE="api-key", TRADE_SERVICE_AUTH_API_KEY_MAX_AGE_S="0.1")
    async with await guarded.start("serve", "--port", "0") as running:
        line = await running.line_with("Serving on ")
        assert "authentication: api-key" in line
        url = line.split()[2].rstrip(";")
        assert await status_of(url, None) == 401
        assert await status_of(url, key) == 404
        assert await status_of(url, key[:-1]) == 401
        revoked = await cli.run("keys", "revoke", "portal")
        assert revoked.code == 0, revoked
        async with asyncio.timeout(10):
            while await status_of(url, key) != 401:
                await asyncio.sleep(0.05)
    listed = await cli.run("keys", "list")
    assert "portal" in listed.out
    secret = key.split("_", 2)[2]  # which may have such a character itself
    ended = await running.ended()
    for text in (made.err, listed.out, listed.err, revoked.out, ended.out, ended.err):
        assert secret not in text
    assert "principal" in ended.err, "log lines name who asked"
    assert (await cli.run("keys", "revoke", "portal")).complaint.endswith("portal does not exist")


async def test_an_address_that_others_reach_requires_a_choice(bare_cli: Cli) -> None:
    ended = await bare_cli.run("serve", "--host", "0.0.0.0", "--port", "0")
    assert ended.code == 2
    assert "choose who may trade with auth.mode (TRADE_SERVICE_AUTH_MODE)" in ended.complaint


@pytest.mark.parametrize(
    ("more", "reported"),
    [
        ({}, "auth.jwt_issuer must be set"),
        ({"JWT_ISSUER": "i", "JWT_AUDIENCE": "a"}, "one of auth.jwt_keys_file and auth.jwt_jwks_url"),
        (
            {"JWT_ISSUER": "i", "JWT_AUDIENCE": "a", "JWT_JWKS_URL": "http://id.example/keys"},
            "is 'http://id.example/keys': it must be https unless it is on this machine",
        ),
        ({"JWT_ALGORITHMS": "HS256"}, "it must be a list of ES256, ES384, ES512, EdDSA, PS256"),
        ({"JWT_ALGORITHMS": "none"}, "it must be a list of ES256"),
        ({"MODE": "maybe"}, "it must be one of none, api-key, jwt"),
    ],
)
def test_an_incomplete_choice_is_reported_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], more: dict[str, str], reported: str
) -> None:
    for name, value in {"MODE": "jwt", **more}.items():
        monkeypatch.setenv(f"TRADE_SERVICE_AUTH_{name}", value)
    assert run(["serve", "--port", "0"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert reported in line
