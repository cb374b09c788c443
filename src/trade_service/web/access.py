"""Who may call which route: every route declares a role, and a route without one is not served.

A handler, its controller or its router declares the role:

    @get("/{trade_order_id:str}", opt=READER)
"""

import re
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Protocol, Self

import structlog
from litestar import Litestar
from litestar.config.cors import CORSConfig
from litestar.connection import ASGIConnection
from litestar.enums import HttpMethod
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.routes import HTTPRoute
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from trade_service.domain.access import CredentialsNotCheckable, NotAuthenticated, Principal, Requester, Role
from trade_service.submission.events import REQUESTER
from trade_service.web.errors import HttpCode, RequestRefused
from trade_service.web.web_settings import RateLimitSettings

EVERY = "*"
_OF_THIS_MACHINE = r"https?://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?"


class AllowedOrigins:
    """The allowed origins; None allows the pages that this machine serves itself.

    CORS headers alone do not keep a page from calling: browsers send a POST without a body, or with plain text,
    without a preflight request.
    """

    def __init__(self, allowed: Sequence[str] | None) -> None:
        self._allowed = allowed

    def cors(self, expose_headers: list[str]) -> CORSConfig:
        pattern = _OF_THIS_MACHINE if self._allowed is None else None
        return CORSConfig(
            list(self._allowed or ()), allow_origin_regex=pattern, expose_headers=expose_headers
        )

    def check(self, origin: str, host: str) -> None:
        """Raises RequestRefused (403) for a change requested by a page of another origin."""
        if self._allowed is None:
            allows = re.fullmatch(_OF_THIS_MACHINE, origin, re.IGNORECASE) is not None
        else:
            own = origin.partition("://")[2] == host
            allows = own or EVERY in self._allowed or origin in self._allowed
        if not allows:
            rule = "must be one of server.cors_allow_origins: pages from elsewhere change nothing here"
            raise RequestRefused.of(403, HttpCode.ORIGIN_NOT_ALLOWED, "Origin", origin[:200], rule)


class RateLimit:
    """Each client has `burst` requests, and gains `requests_per_s` a second. Zero means no limit.

    Past `max_clients`, the least recently seen client is forgotten.
    """

    def __init__(self, settings: RateLimitSettings, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._monotonic = monotonic
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """By client: the tokens left, and when they were counted."""

    def take(self, client: str) -> None:
        """Counts a request; raises RequestRefused (429) when the client has none left."""
        rate, burst = self._settings.requests_per_s, self._settings.burst
        if not rate:
            return
        now = self._monotonic()
        left, at = self._buckets.pop(client, (float(burst), now))
        left = min(burst, left + (now - at) * rate)
        allowed = left >= 1
        self._buckets[client] = (left - 1 if allowed else left, now)
        if len(self._buckets) > self._settings.max_clients:
            self._buckets.popitem(last=False)
        if not allowed:
            wait_s = (1 - left) / rate
            message = (
                f"more than {rate:g} requests a second (rate_limit.requests_per_s) after "
                f"{burst:g} at once: wait {wait_s:.1f} s"
            )
            raise RequestRefused(429, HttpCode.TOO_MANY_REQUESTS, message, wait_s)


_ROLE = "role"
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_PRINCIPAL = "principal"

ANYONE = {_ROLE: Role.ANYONE}
READER = {_ROLE: Role.READER}
TRADER = {_ROLE: Role.TRADER}
OPERATOR = {_ROLE: Role.OPERATOR}

CHALLENGE = 'Bearer realm="trade-service"'
CHECK_RETRY_AFTER_S = 2


class Route(HTTPRouteHandler):
    """A route handler that guards get themselves: a copy for every request costs a sixth of a GET."""

    def __copy__(self) -> Self:
        return self


get = partial(Route, http_method=HttpMethod.GET)
post = partial(Route, http_method=HttpMethod.POST)
put = partial(Route, http_method=HttpMethod.PUT)
delete = partial(Route, http_method=HttpMethod.DELETE)


def for_role(role: Role) -> dict[str, Role]:
    """Declares a role that only the settings know."""
    return {_ROLE: role}


class UndeclaredRole(Exception):
    """Routes that declare no role cannot be served."""

    def __init__(self, routes: list[str]) -> None:
        super().__init__(
            f"no role is declared for {', '.join(routes)}: give the handler or its router one of opt=ANYONE, "
            "opt=READER, opt=TRADER, opt=OPERATOR (trade_service.web.access)"
        )


class Authenticator(Protocol):
    """Identifies callers."""

    async def principal(self, credential: str | None) -> Principal:
        """The owner of a key or token; None means that none was given.

        Raises NotAuthenticated and CredentialsNotCheckable.
        """


class Everybody:
    """Grants every request full access: loopback-only servers, or auth.mode = none."""

    async def principal(self, credential: str | None) -> Principal:  # noqa: ARG002  # the protocol's
        return Principal("", Role.OPERATOR)


class Authentication:
    """Middleware: identifies the caller of every route that is not open to anyone.

    Raises RequestRefused: 401 without a valid credential, 403 for a change requested by a page of a foreign
    origin, 429 over the rate limit, 503 where credentials cannot be checked.
    """

    def __init__(
        self, authenticator: Authenticator, rates: RateLimit, origins: AllowedOrigins, *, is_audited: bool
    ) -> None:
        self._authenticator = authenticator
        self._is_audited = is_audited
        self._rates = rates
        self._origins = origins

    def __call__(self, app: ASGIApp) -> ASGIApp:

        async def authenticated(scope: Scope, receive: Receive, send: Send) -> None:
            method = str(scope.get("method"))
            needed = role_of(scope["route_handler"], method)
            if needed is None:  # Start-up refuses such routes; this is the second lock.
                raise UndeclaredRole([scope["path"]])
            if needed > Role.ANYONE:
                if method not in _READING:
                    headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
                    if b"origin" in headers:
                        self._origins.check(headers[b"origin"], headers.get(b"host", ""))
                await self._identify(scope)
            await app(scope, receive, send)

        return authenticated

    async def _identify(self, scope: Scope) -> None:
        address = (scope["client"] or ("",))[0]
        given = [(name, value) for name, value in scope["headers"] if name in _CREDENTIALS]
        try:
            credential = _credential_in(given) if given else None
            principal = await self._authenticator.principal(credential)
        except NotAuthenticated as error:
            self._rates.take(address)  # Slows down guessing as well.
            headers = {"WWW-Authenticate": CHALLENGE}
            raise RequestRefused(401, HttpCode.NOT_AUTHENTICATED, str(error), headers=headers) from None
        except CredentialsNotCheckable as error:
            message = f"{error}: try again"
            code = HttpCode.CREDENTIALS_NOT_CHECKABLE
            raise RequestRefused(503, code, message, CHECK_RETRY_AFTER_S) from None
        self._rates.take(f"principal {principal.name}" if principal.name else address)
        scope["state"][_PRINCIPAL] = principal
        request_id: str | None = scope["state"].get("request_id")
        REQUESTER.set(Requester(principal.name, principal.known_by, address, request_id, self._is_audited))
        if principal.name:
            structlog.contextvars.bind_contextvars(principal=principal.name)


async def require_role(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Guard: raises RequestRefused (403) unless the caller has the role that the route declares."""
    principal: Principal | None = connection.scope["state"].get(_PRINCIPAL)
    if principal is None:
        return  # The route is open to anyone: `Authentication` saw to that.
    needed: Role = handler.opt[_ROLE]
    if principal.role >= needed:
        return
    message = f"this needs the role {needed.title}; {principal.name} has {principal.role.title}"
    details = {"needed": needed.title, "role": principal.role.title}
    raise RequestRefused(403, HttpCode.NOT_PERMITTED, message, details=details)


def principal_of(scope: HTTPScope) -> str:
    """The caller's name; empty where every request has full access."""
    principal: Principal | None = scope["state"].get(_PRINCIPAL)
    return "" if principal is None else principal.name


def role_of(handler: object, method: str) -> Role | None:
    """The role that a handler declares; None when it declares none."""
    if method == HttpMethod.OPTIONS:
        return Role.ANYONE
    role = handler.opt.get(_ROLE) if isinstance(handler, HTTPRouteHandler) else None
    return role if isinstance(role, Role) else None


def declared_roles(app: Litestar) -> Iterator[tuple[str, str, Role | None]]:
    """Method, path template and role of every route."""
    for route in app.routes:
        if not isinstance(route, HTTPRoute):
            yield "ANY", route.path_format, None
            continue
        for method, (handler, _) in route.route_handler_map.items():
            yield str(method), route.path_format, role_of(handler, str(method))


def check_roles(app: Litestar) -> None:
    """Raises UndeclaredRole unless every route declares its role."""
    undeclared = [f"{method} {path}" for method, path, role in declared_roles(app) if role is None]
    if undeclared:
        raise UndeclaredRole(undeclared)


def _credential_in(given: list[tuple[bytes, bytes]]) -> str:
    """The key or token in these headers; raises NotAuthenticated for several, and for another scheme."""
    if len(given) > 1:
        raise NotAuthenticated("give one credential: Authorization or X-API-Key, once")
    ((name, value),) = given
    read: Callable[[str], str] = _CREDENTIALS[name]
    return read(value.decode("latin-1"))


def _bearer(value: str) -> str:
    scheme, _, credential = value.strip().partition(" ")
    if scheme.lower() != "bearer" or not credential.strip():
        raise NotAuthenticated("Authorization: must be Bearer, followed by the key or token")
    return credential.strip()


_CREDENTIALS: Mapping[bytes, Any] = {b"authorization": _bearer, b"x-api-key": str.strip}
