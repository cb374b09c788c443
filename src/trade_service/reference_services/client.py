"""ReferenceServicesClient: the names of portfolios and securities over HTTP, with a breaker for each service."""

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import aiohttp
import msgspec
import structlog
from yarl import URL

from trade_service.reference_services.messages import Portfolio, Portfolios, Securities, Security
from trade_service.submission.breaker import CallRating, CircuitBreaker, CircuitSettings
from trade_service.submission.ports import Clock
from trade_service.trading.listing.display_names import NameKind, NamesUnavailable

_log = structlog.get_logger(__name__)

_NOT_FOUND = 404
_OK = 200


class ReferenceServicesSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How to reach the two services."""

    portfolio_url: str
    security_url: str
    timeout_s: float = 2.0
    """Of a whole call."""
    max_connections: int = 16
    """To each service."""
    max_response_bytes: int = 1_000_000
    circuit: CircuitSettings = CircuitSettings(slow_call_ms=1_500, minimum_calls=5, open_ms=2_000)
    user_agent: str = "trade-service"


class _Service(msgspec.Struct):
    """One of the two: where its things are, and how it does."""

    one: URL
    many: URL
    parameter: str
    circuit: CircuitBreaker


class ReferenceServicesClient:
    """The two services: `trading.listing.names.NameSource`. `async with` opens and closes its connections."""

    def __init__(self, settings: ReferenceServicesSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        portfolios, securities = URL(settings.portfolio_url), URL(settings.security_url)
        self._services = {
            NameKind.PORTFOLIO: _Service(
                portfolios / "api/v1/portfolio",
                portfolios / "api/v2/portfolios",
                "name",
                CircuitBreaker(settings.circuit),
            ),
            NameKind.SECURITY: _Service(
                securities / "api/v1/security",
                securities / "api/v2/securities",
                "ticker",
                CircuitBreaker(settings.circuit),
            ),
        }
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        settings = self._settings
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, limit_per_host=settings.max_connections),
            timeout=aiohttp.ClientTimeout(total=settings.timeout_s, ceil_threshold=float("inf")),
            headers={"Accept": "application/json", "User-Agent": settings.user_agent},
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()

    async def name_of(self, kind: NameKind, identity: str) -> str | None:
        """See NameSource."""
        if identity in (".", ".."):  # Which an address would take for a way up.
            return None
        one = URL(f"{self._services[kind].one}/{quote(identity, safe='')}", encoded=True)
        body = await self._get(kind, one)
        if body is None:
            return None
        if kind is NameKind.PORTFOLIO:
            return _decoded(body, Portfolio).name.strip() or None
        return _decoded(body, Security).ticker.strip() or None

    async def search(self, kind: NameKind, name: str) -> Mapping[str, str]:
        """See NameSource. What the service found beyond the exact name is left out."""
        service = self._services[kind]
        body = await self._get(kind, service.many.with_query({service.parameter: name}))
        if body is None:
            return {}
        if kind is NameKind.PORTFOLIO:
            found = {p.portfolio_id: p.name.strip() for p in _decoded(body, Portfolios).portfolios}
        else:
            found = {s.security_id: s.ticker.strip() for s in _decoded(body, Securities).securities}
        return {i: shown for i, shown in found.items() if i and shown.lower() == name.lower()}

    def is_away(self, kind: NameKind) -> bool:
        """See NameSource."""
        return not self._services[kind].circuit.may_call(self._clock.boottime())

    async def _get(self, kind: NameKind, url: URL) -> bytes | None:
        """The body; None when there is no such thing."""
        circuit = self._services[kind].circuit
        began = self._clock.boottime()
        permit = circuit.admit(began)
        if permit is None:
            raise NamesUnavailable(f"the {kind} service is left alone for a while: {circuit.reason}")
        rating, code = CallRating.NEUTRAL, "CANCELLED"
        try:
            body = await self._call(url)
            rating, code = CallRating.GOOD, "OK"
            return body
        except NamesUnavailable as error:
            rating, code = CallRating.BAD, str(error)
            raise
        finally:
            now = self._clock.boottime()
            slow = (now - began) * 1000 >= self._settings.circuit.slow_call_ms
            told = circuit.state
            circuit.note(
                permit,
                rating,
                is_slow=slow,
                code=code,
                retry_after_s=None,
                now=now,
                dice=self._clock.dice(),
            )
            circuit.release(permit)
            if circuit.state is not told:
                _log.warning(
                    "directory_circuit", service=kind.value, state=circuit.state, reason=circuit.reason
                )

    async def _call(self, url: URL) -> bytes | None:
        if self._session is None:
            raise RuntimeError("ReferenceServicesClient is not open: use it within `async with`")
        shown = url.with_user(None)
        limit = self._settings.max_response_bytes
        try:
            async with self._session.get(url, allow_redirects=False) as response:
                if response.status == _NOT_FOUND:
                    return None
                if response.status != _OK:
                    raise NamesUnavailable(f"GET {shown} answered {response.status}")
                body = bytearray()
                async for part in response.content.iter_any():
                    body += part
                    if len(body) > limit:
                        raise NamesUnavailable(f"GET {shown} answered with more than {limit} bytes")
                return bytes(body)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise NamesUnavailable(f"GET {shown}: {str(error) or type(error).__name__}") from error


def _decoded(body: bytes, shape: type[Any]) -> Any:
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NamesUnavailable(f"the answer cannot be read: {error}") from error
