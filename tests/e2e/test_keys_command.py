"""API keys from creation to revocation, with real processes; and the choice of auth.mode that `serve` requires."""

import asyncio
import signal

import aiohttp
import pytest

from tests.e2e.command import Cli
from tests.support.trading import value_of
from trade_service.cli.commands import run
from trade_service.store.database import Database

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
        running.send(signal.SIGTERM)
        ended = await running.ended()
    assert ended.code == 0, ended
    listed = await cli.run("keys", "list")
    assert "portal" in listed.out
    secret = key.split("_", 2)[2]  # which may have such a character itself
    for text in (made.err, listed.out, listed.err, revoked.out, ended.out, ended.err):
        assert secret not in text
    assert "principal" in ended.err, "log lines name who asked"
    assert (await cli.run("keys", "revoke", "portal")).complaint.endswith("portal does not exist")


async def test_a_key_expires_is_rotated_and_leaves_entries(cli: Cli, database: Database) -> None:
    made = await cli.run(
        "keys", "create", "portal", "--role", "reader", "--expires", "90d", "--label", "the portal"
    )
    assert (made.code, ", until " in made.err) == (0, True), made
    rotated = await cli.run("keys", "rotate", "portal", "--overlap", "2h")
    assert (rotated.code, "The old key" in rotated.err, ", until " in rotated.err) == (0, True, True), rotated
    assert rotated.out.startswith("ts_")
    listed = (await cli.run("keys", "list")).out
    assert (listed.count("portal"), listed.count("the portal")) == (4, 2), listed
    days = "SELECT round(extract(epoch FROM max(expires_at) - now()) / 86400) FROM api_key"
    assert await value_of(database, days) == 90, "as long as the one before"
    hours = "SELECT round(extract(epoch FROM min(expires_at) - now()) / 3600) FROM api_key"
    assert await value_of(database, hours) == 2
    query = "SELECT string_agg(action || known_by, ' ' ORDER BY at) FROM audit_log WHERE actor <> ''"
    assert await value_of(database, query) == "createcommand rotatecommand"
    missing = await cli.run("keys", "rotate", "nobody")
    assert missing.complaint.endswith("active API key nobody does not exist")


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        (("--expires", "soon"), "must be such as 90d, 2027-06-30"),
        (("--expires", "0d"), "must be in the future"),
        (("--expires", "2020-01-01"), "must be in the future"),
        (("--expires", "999999d"), "at most 3650d"),
        (("--label", "a\tb"), "the label must be 1 to 100 printable characters"),
    ],
)
async def test_an_impossible_key_is_refused(cli: Cli, options: tuple[str, ...], rule: str) -> None:
    ended = await cli.run("keys", "create", "portal", "--role", "reader", *options)
    assert ended.code == 2
    assert rule in " ".join(ended.err.split()), ended


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
