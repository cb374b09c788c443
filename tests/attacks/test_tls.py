"""HTTPS: what is served, and that handshakes are bounded like connections."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.attacks.target import DEADLINE_S, PROBE, PROBE_LIMIT_S, Target, served
from tests.support.certificates import Certificates, made_certificates
from tests.support.database import TestServer
from trade_service.cli.serving import warn_of_reach
from trade_service.identity.auth_settings import AuthMode, AuthSettings
from trade_service.settings.tree import Settings
from trade_service.web.web_settings import ServerSettings

MAX_CONNECTIONS = 50
HANDSHAKE_S = 6.0


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return made_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
async def target(
    postgres: TestServer,
    template_database: str,
    certificates: Certificates,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Target]:
    """A service that serves HTTPS and demands certificates of its clients."""
    folder: Path = tmp_path_factory.mktemp("attacked")
    settings = {
        "TRADE_SERVICE_SERVER_TLS_CERTIFICATE": certificates.server,
        "TRADE_SERVICE_SERVER_TLS_KEY": certificates.server_key,
        "TRADE_SERVICE_SERVER_TLS_CLIENT_CA": certificates.ca,
        "TRADE_SERVICE_CONNECTIONS_MAX_CONNECTIONS": str(MAX_CONNECTIONS),
        "TRADE_SERVICE_CONNECTIONS_HEADER_TIMEOUT_S": str(HANDSHAKE_S),
        "TRADE_SERVICE_CONNECTIONS_WRITE_TIMEOUT_S": "1",
    }
    async with served(postgres, template_database, folder, **settings) as running:
        yield running


def our_context(certificates: Certificates, *, presenting: bool = True) -> ssl.SSLContext:
    """A client's."""
    context = ssl.create_default_context(cafile=certificates.ca)
    if presenting:
        context.load_cert_chain(certificates.client, certificates.client_key)
    return context


async def answer_over(context: ssl.SSLContext, port: int) -> bytes:
    """The answer to a probe."""
    async with asyncio.timeout(PROBE_LIMIT_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        try:
            writer.write(PROBE)
            return await reader.read()
        finally:
            writer.transport.abort()


async def test_https_is_served_to_clients_with_a_certificate(
    target: Target, certificates: Certificates
) -> None:
    answer = await answer_over(our_context(certificates), target.port)
    assert answer.startswith(b"HTTP/1.1 200 ")
    try:
        answer = await answer_over(our_context(certificates, presenting=False), target.port)
    except (ssl.SSLError, ConnectionError):
        return
    assert not answer, "closed without an answer"


@pytest.mark.parametrize(
    "version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1], ids=["TLS 1.0", "TLS 1.1"]
)
async def test_old_versions_are_refused(
    target: Target, certificates: Certificates, version: ssl.TLSVersion
) -> None:
    context = our_context(certificates)
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        context.minimum_version = context.maximum_version = version
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await answer_over(context, target.port)


async def test_plain_http_is_closed_without_an_answer(target: Target) -> None:
    async with asyncio.timeout(DEADLINE_S), target.connection() as (reader, writer):
        writer.write(PROBE)
        assert b"HTTP/" not in await reader.read()


async def test_handshakes_that_never_end_keep_nobody_out(target: Target, certificates: Certificates) -> None:
    """Without a bound each would hold a file for a minute; the longest waiting ones are closed for others."""
    before_mb, began = target.rss_mb, time.monotonic()
    crowd = [await asyncio.open_connection("127.0.0.1", target.port) for _ in range(4 * MAX_CONNECTIONS)]
    try:
        for _ in range(10):
            assert (await answer_over(our_context(certificates), target.port)).startswith(b"HTTP/1.1 200 ")
        for reader, _ in crowd[: 3 * MAX_CONNECTIONS]:
            async with asyncio.timeout(DEADLINE_S):
                assert not await reader.read(), "closed to make room"
        assert time.monotonic() - began < HANDSHAKE_S
        for reader, _ in crowd[3 * MAX_CONNECTIONS :]:
            async with asyncio.timeout(HANDSHAKE_S + DEADLINE_S):
                assert not await reader.read(), "closed after the handshake's time"
    finally:
        for _, writer in crowd:
            writer.transport.abort()
    assert target.rss_mb - before_mb < 16


async def test_a_client_that_does_not_read_is_cut_off(target: Target, certificates: Certificates) -> None:
    """As without TLS: the answers wait in bounded buffers, and the connection is dropped after the write time."""
    _, writer = await asyncio.open_connection("127.0.0.1", target.port, ssl=our_context(certificates))
    before_mb = target.rss_mb
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    schema = b"GET /schema/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"

    async def ask_on() -> None:
        while True:
            writer.write(schema * 16)
            await writer.drain()
            await asyncio.sleep(0)  # A lost connection shows only when the loop turns; `drain` may not yield.
            assert target.rss_mb - before_mb < 32

    try:
        async with asyncio.timeout(DEADLINE_S):
            with pytest.raises(ConnectionError):
                await ask_on()
    finally:
        writer.transport.abort()


@pytest.mark.parametrize(
    ("server", "mode", "warning"),
    [
        ({"host": "127.0.0.1"}, "api-key", ""),
        ({"host": "0.0.0.0"}, "api-key", "keys and tokens can be read on the network"),
        ({"host": "0.0.0.0"}, "jwt", "keys and tokens can be read on the network"),
        ({"host": "::"}, "none", "anyone who reaches it may trade"),
        ({"host": "0.0.0.0", "tls_certificate": "server.pem"}, "api-key", ""),
        ({"host": "0.0.0.0", "trusted_proxies": ("10.0.0.0/8",)}, "api-key", ""),
    ],
)
def test_plain_http_off_the_machine_is_warned_of(
    server: dict[str, Any], mode: AuthMode, warning: str, capsys: pytest.CaptureFixture[str]
) -> None:
    warn_of_reach(Settings(server=ServerSettings(**server), auth=AuthSettings(mode=mode)))
    shown = capsys.readouterr().err
    assert warning in shown
    assert bool(shown) is bool(warning)
