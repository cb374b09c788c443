"""ReferenceServicesClient: names of portfolios and securities over HTTP, with a circuit breaker per service."""

from collections.abc import Mapping
from typing import Self, TypeVar
from urllib.parse import quote

import aiohttp
import msgspec
import structlog
from yarl import URL

from trade_service import __version__
from trade_service.http_connector import BoundedConnector
from trade_service.submission.circuit import CallRating, CircuitBreaker
from trade_service.submission.engine_settings import CircuitSettings
from trade_service.submission.ports import Clock
from trade_service.tls import TlsFiles, client_context
from trade_service.trading.listing.display_names import NameKind, NamesUnavailable
from trade_service.trading.trading_settings import NamesSettings

_log = structlog.get_logger(__name__)

_NOT_FOUND = 404
_OK = 200
_Shape = TypeVar("_Shape")


CIRCUIT = CircuitSettings(slow_call_ms=1_500, minimum_calls=5, open_ms=2_000)
MAX_RESPONSE_BYTES = 1_000_000


class _Portfolio(msgspec.Struct, frozen=True, rename={"id": "portfolioId"}):
    name: str
    id: str = ""


class _Security(msgspec.Struct, frozen=True, rename={"id": "securityId", "name": "ticker"}):
    name: str
    id: str = ""


class _Portfolios(msgspec.Struct, frozen=True, rename={"found": "portfolios"}):
    found: list[_Portfolio]


class _Securities(msgspec.Struct, frozen=True, rename={"found": "securities"}):
    found: list[_Security]


class _Service(msgspec.Struct):
    """One of the two services: its addresses, messages and circuit."""

    url: URL
    one: str
    """Path of one by id."""
    many: str
    """Path of those with a name, which is given as `parameter`."""
    parameter: str
    shape_of_one: type[_Portfolio | _Security]
    shape_of_many: type[_Portfolios | _Securities]
    circuit: CircuitBreaker


_PORTFOLIOS = ("api/v1/portfolio", "api/v2/portfolios", "name", _Portfolio, _Portfolios)
_SECURITIES = ("api/v1/security", "api/v2/securities", "ticker", _Security, _Securities)


class ReferenceServicesClient:
    """Reads names from the two services (`NameSource`). `async with` opens and closes its connections.

    Every call raises NamesUnavailable when the service fails, responds with something unreadable, or its circuit
    is open. The circuits spare a service that is down and let callers see it (`is_away`).
    """

    def __init__(
        self,
        portfolio_url: str,
        security_url: str,
        settings: NamesSettings,
        clock: Clock,
        *,
        circuit: CircuitSettings = CIRCUIT,
        max_response_bytes: int = MAX_RESPONSE_BYTES,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._slow_call_ms = circuit.slow_from_ms
        self._max_response_bytes = max_response_bytes
        self._services = {
            NameKind.PORTFOLIO: _Service(URL(portfolio_url), *_PORTFOLIOS, CircuitBreaker(circuit)),
            NameKind.SECURITY: _Service(URL(security_url), *_SECURITIES, CircuitBreaker(circuit)),
        }
        self._tls = client_context(
            TlsFiles("names", settings.tls_ca, settings.tls_certificate, settings.tls_key)
        )
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        settings = self._settings
        self._session = aiohttp.ClientSession(
            connector=BoundedConnector(ssl=self._tls, limit=0, limit_per_host=settings.max_connections),
            timeout=aiohttp.ClientTimeout(total=settings.timeout_ms / 1000, ceil_threshold=float("inf")),
            headers={"Accept": "application/json", "User-Agent": f"trade-service/{__version__}"},
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()

    async def name_of(self, kind: NameKind, identity: str) -> str | None:
        """The name or ticker of that id, None when there is none."""
        if identity in (".", ".."):  # A URL would resolve these as path segments.
            return None
        service = self._services[kind]
        body = await self._get(
            kind, URL(f"{service.url / service.one}/{quote(identity, safe='')}", encoded=True)
        )
        return None if body is None else _decoded(body, service.shape_of_one).name.strip() or None

    async def search(self, kind: NameKind, name: str) -> Mapping[str, str]:
        """Ids and names with exactly this name in any case: the services also return similar ones."""
        service = self._services[kind]
        body = await self._get(kind, (service.url / service.many).with_query({service.parameter: name}))
        if body is None:
            return {}
        found = {one.id: one.name.strip() for one in _decoded(body, service.shape_of_many).found}
        return {
            identity: shown for identity, shown in found.items() if identity and shown.lower() == name.lower()
        }

    def is_away(self, kind: NameKind) -> bool:
        """Whether the circuit of this service is open."""
        return not self._services[kind].circuit.may_call(self._clock.monotonic())

    async def _get(self, kind: NameKind, url: URL) -> bytes | None:
        """The body; None for a 404."""
        circuit = self._services[kind].circuit
        began = self._clock.monotonic()
        permit = circuit.admit(began)
        if permit is None:
            raise NamesUnavailable(f"the {kind} service is not called for a while: {circuit.reason}")
        rating, code = CallRating.NEUTRAL, "CANCELLED"
        try:
            body = await self._call(url)
            rating, code = CallRating.GOOD, "OK"
            return body
        except NamesUnavailable as error:
            rating, code = CallRating.BAD, str(error)
            raise
        finally:
            now = self._clock.monotonic()
            before = circuit.state
            circuit.note(
                permit,
                rating,
                is_slow=(now - began) * 1000 >= self._slow_call_ms,
                code=code,
                retry_after_s=None,
                now=now,
                random=self._clock.random(),
            )
            circuit.release(permit)
            if circuit.state is not before:
                _log.warning(
                    "reference_service_circuit",
                    service=kind.value,
                    state=circuit.state,
                    reason=circuit.reason,
                )

    async def _call(self, url: URL) -> bytes | None:
        if self._session is None:
            raise RuntimeError("ReferenceServicesClient is not open: use it within `async with`")
        shown = url.with_user(None)
        limit = self._max_response_bytes
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


def _decoded(body: bytes, shape: type[_Shape]) -> _Shape:
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NamesUnavailable(f"the response cannot be read: {error}") from error
