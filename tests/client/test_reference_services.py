"""The reference services' client against a real HTTP server that answers correctly, wrongly, slowly or never."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from tests.client.raw_server import Conversation, answering, closed_port, raw_server
from trade_service.reference_services.client import ReferenceServicesClient
from trade_service.submission.clock import SystemClock
from trade_service.submission.engine_settings import CircuitSettings
from trade_service.trading.listing.display_names import NameKind, NamesUnavailable
from trade_service.trading.trading_settings import NamesSettings

PORTFOLIO = b'{"portfolioId":"P1","name":" Growth ","dateCreated":"2024-01-01","version":1}'
SECURITY = b'{"securityId":"S1","ticker":"IBM","securityType":{"name":"stock"},"version":1}'
PORTFOLIOS = b'{"portfolios":[' + PORTFOLIO + b',{"portfolioId":"P2","name":"Growth II"}],"pagination":{}}'
SECURITIES = b'{"securities":[' + SECURITY + b"]}"


NO_CIRCUIT = CircuitSettings(slow_call_ms=60_000, enabled=False)


@asynccontextmanager
async def calling(
    url: str,
    *,
    portfolio_url: str = "",
    timeout_ms: int = 5_000,
    circuit: CircuitSettings = NO_CIRCUIT,
    max_response_bytes: int = 100_000,
) -> AsyncIterator[ReferenceServicesClient]:
    """A client of both services at one address, with a circuit that never opens."""
    settings = NamesSettings(timeout_ms=timeout_ms)
    async with ReferenceServicesClient(
        portfolio_url or url,
        url,
        settings,
        SystemClock(),
        circuit=circuit,
        max_response_bytes=max_response_bytes,
    ) as client:
        yield client


def by_path(**answers: bytes) -> Callable[[Conversation], object]:
    """Answers by words in the path, else 404."""

    async def script(talk: Conversation) -> None:
        while True:
            before = len(seen)
            head = await talk.reader.readuntil(b"\r\n\r\n")
            seen.append(head.split()[1].decode())
            assert len(seen) == before + 1
            for word, body in answers.items():
                if word in seen[-1]:
                    await talk.answer(200, body)
                    break
            else:
                await talk.answer(404, b'{"message":"no such thing"}')

    seen: list[str] = []
    script.seen = seen  # type: ignore[attr-defined]
    return script


async def test_names_and_tickers() -> None:
    script = by_path(portfolio=PORTFOLIO, security=SECURITY)
    async with raw_server(script) as server, calling(server.base_url) as client:  # type: ignore[arg-type]
        assert await client.name_of(NameKind.PORTFOLIO, "P/1 ?") == "Growth"
        assert await client.name_of(NameKind.SECURITY, "S1") == "IBM"
    assert script.seen == ["/api/v1/portfolio/P%2F1%20%3F", "/api/v1/security/S1"]  # type: ignore[attr-defined]


async def test_a_search_keeps_exact_matches() -> None:
    script = by_path(portfolios=PORTFOLIOS, securities=SECURITIES)
    async with raw_server(script) as server, calling(server.base_url) as client:  # type: ignore[arg-type]
        assert await client.search(NameKind.PORTFOLIO, "growth") == {"P1": "Growth"}
        assert await client.search(NameKind.SECURITY, "ibm&x=1") == {}
        assert await client.search(NameKind.SECURITY, "IBM") == {"S1": "IBM"}
    assert script.seen == [  # type: ignore[attr-defined]
        "/api/v2/portfolios?name=growth",
        "/api/v2/securities?ticker=ibm%26x%3D1",
        "/api/v2/securities?ticker=IBM",
    ]


async def test_an_unknown_id_has_no_name() -> None:
    async with raw_server(answering(404)) as server, calling(server.base_url) as client:
        assert await client.name_of(NameKind.PORTFOLIO, "P1") is None
        assert await client.search(NameKind.SECURITY, "IBM") == {}


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b""),
        (302, b""),
        (200, b""),
        (200, b"<html>"),
        (200, b"[]"),
        (200, b'{"name":null}'),
        (200, b'{"name":"\xff"}'),
        (200, b'{"name":"' + b"x" * 2000 + b'"}'),
    ],
)
async def test_unusable_answers_raise(status: int, body: bytes) -> None:
    async with raw_server(answering(status, body)) as server:
        async with calling(server.base_url, max_response_bytes=1000) as client:
            with pytest.raises(NamesUnavailable):
                await client.name_of(NameKind.PORTFOLIO, "P1")


async def test_a_truncated_answer_raises() -> None:
    async def script(talk: Conversation) -> None:
        await talk.request()
        await talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + PORTFOLIO[:20])
        talk.writer.close()

    async with raw_server(script) as server, calling(server.base_url) as client:
        with pytest.raises(NamesUnavailable):
            await client.name_of(NameKind.PORTFOLIO, "P1")


async def test_silence_ends_with_the_time_out() -> None:
    async with raw_server(Conversation.hold) as server, calling(server.base_url, timeout_ms=50) as client:
        with pytest.raises(NamesUnavailable, match="portfolio"):
            await client.name_of(NameKind.PORTFOLIO, "P1")


async def test_the_circuit_spares_only_the_service_that_is_down() -> None:
    circuit = CircuitSettings(slow_call_ms=60_000, minimum_calls=3, window_calls=5, open_ms=600_000)
    async with raw_server(answering(200, SECURITY)) as server:
        away = f"http://127.0.0.1:{closed_port()}"
        async with calling(server.base_url, portfolio_url=away, circuit=circuit) as client:
            for _ in range(3):
                with pytest.raises(NamesUnavailable, match="Cannot connect"):
                    await client.name_of(NameKind.PORTFOLIO, "P1")
            assert client.is_away(NameKind.PORTFOLIO)
            assert not client.is_away(NameKind.SECURITY)
            with pytest.raises(NamesUnavailable, match="is not called for a while"):
                await client.name_of(NameKind.PORTFOLIO, "P1")
            assert await client.name_of(NameKind.SECURITY, "S1") == "IBM"


async def test_a_cancelled_call_spends_no_probe() -> None:
    circuit = CircuitSettings(
        slow_call_ms=60_000, minimum_calls=1, window_calls=1, open_ms=1, half_open_probes=1
    )
    held = asyncio.Event()

    async def script(talk: Conversation) -> None:
        await talk.request()
        await talk.answer(500)
        await talk.request()
        held.set()
        await talk.hold()

    async with raw_server(script) as server, calling(server.base_url, circuit=circuit) as client:
        with pytest.raises(NamesUnavailable):
            await client.name_of(NameKind.PORTFOLIO, "P1")
        await asyncio.sleep(0.01)  # The circuit is open for a millisecond.
        call = asyncio.create_task(client.name_of(NameKind.PORTFOLIO, "P1"))
        await held.wait()
        call.cancel()
        await asyncio.wait([call])
        assert call.cancelled()
        probe = asyncio.create_task(client.name_of(NameKind.PORTFOLIO, "P1"))
        await asyncio.sleep(0)
        assert not probe.done(), "refused: the cancelled one still holds the only probe"
        probe.cancel()
        await asyncio.wait([probe])
