"""Who may call which route: every route declares a role, and a route without one is not served.

A handler, its controller or its router declares the role:

    @get("/{trade_order_id:str}", opt=READER)
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Protocol, Self

import structlog
from litestar import Litestar
from litestar.connection import ASGIConnection
from litestar.enums import HttpMethod
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.routes import HTTPRoute
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from trade_service.domain.access import CredentialsNotCheckable, NotAuthenticated, Principal, Requester, Role
from trade_service.submission.events import REQUESTER
from trade_service.submission.ports import StoreUnavailable
from trade_service.web.errors import HttpCode, RequestRefused
from trade_service.web.hosts import AllowedHosts, AllowedOrigins, network_of
from trade_service.web.web_settings import RateLimitSettings

_OTHERS = ""
"""The client that newcomers count as while no known one can be forgotten."""


class RateLimit:
    """Each client has `burst` requests, and gains `requests_per_s` a second. Zero means no limit.

    Past `max_clients`, only a client whose burst is complete again is forgotten, so that nobody gets a new one by
    having it forgotten; until then newcomers share one.
    """

    def __init__(self, settings: RateLimitSettings, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._monotonic = monotonic
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """By client, the least recently seen first: the tokens left, and when they were counted."""

    def take(self, client: str) -> None:
        """Counts a request; raises RequestRefused (429) when the client has none left."""
        rate, burst, buckets = self._settings.requests_per_s, self._settings.burst, self._buckets
        if not rate:
            return
        now = self._monotonic()
        if client not in buckets and len(buckets) >= self._settings.max_clients:
            oldest, (left, at) = next(iter(buckets.items()))
            if left + (now - at) * rate >= burst:
                del buckets[oldest]
            else:
                client = _OTHERS
        left, at = buckets.pop(client, (float(burst), now))
        left = min(burst, left + (now - at) * rate)
        allowed = left >= 1
        buckets[client] = (left - 1 if allowed else left, now)
        if not allowed:
            wait_s = (1 - left) / rate
            message = (
                f"more than {rate:g} requests a second (rate_limit.requests_per_s) after "
                f"{burst:g} at once: wait {wait_s:.1f} s"
            )
            raise RequestRefused(429, HttpCode.TOO_MANY_REQUESTS, message, wait_s)


_ROLE = "role"
PROBE_PREFIXES = ("/api/v1/health", "/actuator/health")
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_PRINCIPAL = "principal"
CLIENT = "client"
"""Where a request's state has whom it counts for: the name of its principal, else its network."""
CALLED_BACK = "callback"

ANYONE = {_ROLE: Role.ANYONE}
READER = {_ROLE: Role.READER}
TRADER = {_ROLE: Role.TRADER}
OPERATOR = {_ROLE: Role.OPERATOR}
LISTED = "listed"
LISTING = READER | {LISTED: True}
"""Of routes that read many rows: these take turns."""
CALLBACK = {CALLED_BACK: True}
"""Of routes that the Execution Service calls: its reports must not be lost."""

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


class OpenAccess:
    """Grants every request full access: loopback-only servers, or auth.mode = none."""

    async def principal(self, credential: str | None) -> Principal:  # noqa: ARG002  # the protocol's
        return Principal("", Role.OPERATOR)


class Validity:
    """Whether the key or token that opened a stream, for which it needs `role`, is still valid."""

    def __init__(self, authenticator: Authenticator, credential: str | None, role: Role) -> None:
        self._authenticator = authenticator
        self._credential = credential
        self._role = role
        self._opened_at = time.time()

    async def holds(self) -> bool:
        """False once it is revoked, has expired or lost its role; while that cannot be checked, it holds."""
        try:
            principal = await self._authenticator.principal(self._credential)
        except NotAuthenticated:
            return False
        except (CredentialsNotCheckable, StoreUnavailable):
            return True
        expires_at = principal.expires_at
        # A token is accepted for a moment longer than it says; a stream that was opened before ends on time.
        has_expired = expires_at is not None and self._opened_at < expires_at <= time.time()
        return principal.role >= self._role and not has_expired


class Authentication:
    """Middleware: identifies the caller of every route that is not open to anyone.

    Raises RequestRefused: 401 without a valid credential, 403 for a change requested by a page of a foreign
    origin, 421 for a host that is not allowed, 429 over the rate limit, 503 where credentials cannot be checked.
    """

    def __init__(
        self,
        authenticator: Authenticator,
        rates: RateLimitSettings,
        hosts: AllowedHosts,
        origins: AllowedOrigins,
        *,
        is_audited: bool,
    ) -> None:
        self._authenticator = authenticator
        self._is_audited = is_audited
        self._needed: dict[tuple[object, str], Role | None] = {}
        self._is_limited = rates.requests_per_s > 0
        self._principals = RateLimit(rates)
        self._addresses = RateLimit(rates)
        """Apart, since anyone can have many addresses."""
        self._hosts = hosts
        self._origins = origins

    def __call__(self, app: ASGIApp) -> ASGIApp:

        async def authenticated(scope: Scope, receive: Receive, send: Send) -> None:
            method = str(scope.get("method"))
            needed = self._needed.get((scope["route_handler"], method))
            if needed is None:
                needed = self._needed[scope["route_handler"], method] = role_of(
                    scope["route_handler"], method
                )
            if needed is None:  # Start-up refuses such routes; this is the second lock.
                raise UndeclaredRole([scope["path"]])
            host = next((value for name, value in scope["headers"] if name == b"host"), b"")
            if host not in self._hosts.known and not scope["path"].startswith(PROBE_PREFIXES):
                self._hosts.check(host)
            if needed > Role.ANYONE:
                if method not in _READING:
                    for name, value in scope["headers"]:
                        if name == b"origin":
                            self._origins.check(value.decode("latin-1"))
                await self._identify(scope)
            else:
                scope["state"] |= {CLIENT: "", CALLED_BACK: False}
            await app(scope, receive, send)

        return authenticated

    async def _identify(self, scope: Scope) -> None:
        address = (scope["client"] or ("",))[0]
        try:
            is_given = any(name in _CREDENTIALS for name, _ in scope["headers"])
            credential = credential_of(scope) if is_given else None
            principal = await self._authenticator.principal(credential)
        except NotAuthenticated as error:
            self._addresses.take(
                network_of(address) if ":" in address else address
            )  # Slows down guessing as well.
            headers = {"WWW-Authenticate": CHALLENGE}
            raise RequestRefused(401, HttpCode.NOT_AUTHENTICATED, str(error), headers=headers) from None
        except CredentialsNotCheckable as error:
            message = f"{error}: try again"
            code = HttpCode.CREDENTIALS_NOT_CHECKABLE
            raise RequestRefused(503, code, message, CHECK_RETRY_AFTER_S) from None
        scope["state"][_PRINCIPAL] = principal
        request_id: str | None = scope["state"].get("request_id")
        REQUESTER.set(Requester(principal.name, principal.known_by, address, request_id, self._is_audited))
        if principal.name:
            structlog.contextvars.bind_contextvars(principal=principal.name)
        client = principal.name or (network_of(address) if ":" in address else address)
        scope["state"][CLIENT] = client
        is_called_back = CALLED_BACK in scope["route_handler"].opt and principal.role >= Role.TRADER
        scope["state"][CALLED_BACK] = is_called_back  # A caller who may not report fills is another.
        if self._is_limited and not is_called_back:
            (self._principals if principal.name else self._addresses).take(client)


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


def caller_of(scope: HTTPScope) -> Principal:
    """The caller of a route that is not open to anyone."""
    principal: Principal = scope["state"][_PRINCIPAL]
    return principal


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


def credential_of(scope: Scope) -> str | None:
    """The key or token of a request; raises NotAuthenticated for several, and for another scheme."""
    given = [(name, value) for name, value in scope["headers"] if name in _CREDENTIALS]
    if not given:
        return None
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
