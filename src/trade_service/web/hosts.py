"""Whom a request addresses and where it comes from: Host, base path, Origin, and the address of its client."""

import ipaddress
import re
from collections.abc import Iterable, Sequence
from typing import cast

from litestar.config.cors import CORSConfig
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from trade_service.web.errors import HttpCode, RequestRefused

EVERY = "*"
_OF_THIS_MACHINE = ("localhost", "127.0.0.1", "::1")
_PAGE_OF_THIS_MACHINE = r"https?://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?"
_HOST = re.compile(r"(?:\[(?P<ipv6>[0-9a-f:.]+)\]|(?P<name>[^:\[\]]+?)\.?)(?::[0-9]{0,5})?", re.IGNORECASE)
_MAX_KNOWN = 100
_MAX_HOPS = 20
"""How many entries of X-Forwarded-For are read, from the last."""


class AllowedHosts:
    """The hosts that requests may name, with any port. None or `*` allows every host.

    A web page can make the name of its own site lead to this machine (DNS rebinding). Its browser then takes the
    service for that site, and only the header Host shows it. Names of this machine are always allowed.
    """

    known: set[bytes]
    """Headers that are allowed: some of them, since ports make many."""

    def __init__(self, allowed: Sequence[str] | None) -> None:
        is_open = allowed is None or EVERY in allowed
        self._names = None if is_open else {*_OF_THIS_MACHINE, *(name.lower() for name in allowed or ())}
        self.known = set()

    def check(self, host: bytes) -> None:
        """Raises RequestRefused (421) for the header of a request to another host, or to none."""
        text = host.decode("latin-1")
        parts = _HOST.fullmatch(text)
        name = "" if parts is None else (parts["ipv6"] or parts["name"]).lower()
        if self._names is not None and name not in self._names:
            rule = "must name this machine or be one of server.allowed_hosts"
            raise RequestRefused.of(421, HttpCode.HOST_NOT_ALLOWED, "Host", text[:200], rule)
        if len(self.known) < _MAX_KNOWN:
            self.known.add(host)


class AllowedOrigins:
    """The allowed origins; None allows the pages that this machine serves itself.

    CORS headers alone do not keep a page from calling: browsers send a POST without a body, or with plain text,
    without a preflight request. An origin is never compared with Host, which a page can choose (DNS rebinding).
    """

    def __init__(self, allowed: Sequence[str] | None) -> None:
        self._allowed = allowed

    def cors(self, expose_headers: list[str]) -> CORSConfig:
        pattern = _PAGE_OF_THIS_MACHINE if self._allowed is None else None
        return CORSConfig(
            list(self._allowed or ()), allow_origin_regex=pattern, expose_headers=expose_headers
        )

    def check(self, origin: str) -> None:
        """Raises RequestRefused (403) for a change requested by a page of another origin."""
        if self._allowed is None:
            allows = re.fullmatch(_PAGE_OF_THIS_MACHINE, origin, re.IGNORECASE) is not None
        else:
            allows = EVERY in self._allowed or origin in self._allowed
        if not allows:
            rule = "must be one of server.cors_allow_origins: pages from elsewhere change nothing here"
            raise RequestRefused.of(403, HttpCode.ORIGIN_NOT_ALLOWED, "Origin", origin[:200], rule)


class TrustedProxies:
    """The proxies whose word on the address of their client is believed, by their networks (CIDR)."""

    def __init__(self, networks: Sequence[str]) -> None:
        self._networks = [ipaddress.ip_network(network) for network in networks]

    def client_of(self, peer: str, headers: Iterable[tuple[bytes, bytes]]) -> str:
        """The nearest address that is no trusted proxy's.

        X-Forwarded-For is read from its end, where the nearest proxy writes: a client may have written the rest.
        """
        lines = [value.decode("latin-1") for name, value in headers if name == b"x-forwarded-for"]
        for hop in reversed(",".join(lines).rsplit(",", _MAX_HOPS)[-_MAX_HOPS:]):
            before = _address(hop) if self._trusts(peer) else None
            if before is None:
                break
            peer = before
        return peer

    def _trusts(self, address: str) -> bool:
        try:
            given = ipaddress.ip_address(address)
        except ValueError:
            return False
        given = getattr(given, "ipv4_mapped", None) or given
        return any(given in network for network in self._networks)


def _address(hop: str) -> str | None:
    """The address in an entry of X-Forwarded-For, which may have a port; None where it has none."""
    host = hop.strip()
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return None


def network_of(address: str) -> str:
    """What one client has of the Internet: the /64 network of an IPv6 address, else the address itself."""
    try:
        given = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    mapped = given.ipv4_mapped
    return str(mapped) if mapped else str(ipaddress.IPv6Network((int(given) >> 64 << 64, 64)))


class BasePath:
    """ASGI layer that serves every address below a base path, too, as behind a proxy that does not remove it.

    The application sees the path without it. Links read the base path with `base_path_of`. Litestar's handling of
    ASGI's `root_path` is not used: it cuts at the first place where the text occurs, even within a name.
    """

    def __init__(self, app: ASGIApp, base_path: str) -> None:
        self._app = app
        self._base_path = base_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] == ScopeType.HTTP:
            cast(dict[str, object], scope)["app_root_path"] = self._base_path
            path = scope["path"]
            if path == self._base_path or path.startswith(f"{self._base_path}/"):
                scope["path"] = path.removeprefix(self._base_path) or "/"
        await self._app(scope, receive, send)
