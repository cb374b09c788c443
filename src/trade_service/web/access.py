"""Who may call which route: every route declares a role, and nothing is served that does not.

A handler, or the router around it, declares its role with one of `ANYONE`, `READER`, `TRADER`, `OPERATOR`:

    get("/{trade_order_id:str}", opt=READER)(self.read)
"""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import structlog
from litestar import Litestar
from litestar.enums import HttpMethod, ScopeType
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from trade_service.domain.access import CredentialsNotCheckable, NotAuthenticated, Principal, Role
from trade_service.web.codes import HttpCode
from trade_service.web.cors import Origins
from trade_service.web.errors import RequestRefused
from trade_service.web.rate_limit import RateLimit

_ROLE = "role"
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_PRINCIPAL = "principal"

ANYONE = {_ROLE: Role.ANYONE}
READER = {_ROLE: Role.READER}
TRADER = {_ROLE: Role.TRADER}
OPERATOR = {_ROLE: Role.OPERATOR}

CHALLENGE = 'Bearer realm="trade-service"'
CHECK_RETRY_AFTER_S = 2


def for_role(role: Role) -> dict[str, Role]:
    """The declaration of a role that is known only at the start."""
    return {_ROLE: role}


class UndeclaredRole(Exception):
    """Routes that declare no role cannot be served."""

    def __init__(self, routes: list[str]) -> None:
        super().__init__(
            f"no role is declared for {', '.join(routes)}: give the handler or its router one of opt=ANYONE, "
            "opt=READER, opt=TRADER, opt=OPERATOR (trade_service.web.access)"
        )


class Authenticator(Protocol):
    """Finds out who asks."""

    async def principal(self, credential: str | None) -> Principal:
        """Whoever a key or token belongs to; None stands for none given.

        Raises NotAuthenticated and CredentialsNotCheckable.
        """
        ...


class Everybody:
    """Lets everybody do everything: where only this machine is served, or where somebody chose it."""

    async def principal(self, credential: str | None) -> Principal:  # noqa: ARG002  # the protocol's
        """The same for all."""
        return Principal("", Role.OPERATOR)


class Gate:
    """The ASGI layer in front of every route."""

    def __init__(self, authenticator: Authenticator, rates: RateLimit, origins: Origins) -> None:
        self._authenticator = authenticator
        self._rates = rates
        self._origins = origins

    def __call__(self, app: ASGIApp) -> ASGIApp:
        """`app` for those who may; raises RequestRefused with 401, 403 or 429 for others, and for their pages."""

        async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
            is_http = scope["type"] == ScopeType.HTTP
            needed = role_of(scope["route_handler"], str(scope.get("method"))) if is_http else None
            if needed is None:  # The application's start refuses these: this is the second lock.
                raise UndeclaredRole([scope["path"]])
            if needed > Role.ANYONE:
                if str(scope.get("method")) not in _READING:
                    self._check_origin(scope)
                await self._let_in(scope, needed)
            await app(scope, receive, send)

        return guarded

    def _check_origin(self, scope: Scope) -> None:
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        if b"origin" in headers:
            self._origins.check(headers[b"origin"], headers.get(b"host", ""))

    async def _let_in(self, scope: Scope, needed: Role) -> None:
        address = (scope["client"] or ("",))[0]
        try:
            principal = await self._authenticator.principal(credential_of(scope["headers"]))
        except NotAuthenticated as error:
            self._rates.take(address)  # Guessing is slowed down as well.
            headers = {"WWW-Authenticate": CHALLENGE}
            raise RequestRefused(401, HttpCode.NOT_AUTHENTICATED, str(error), headers=headers) from None
        except CredentialsNotCheckable as error:
            message = f"{error}: try again"
            code = HttpCode.CREDENTIALS_NOT_CHECKABLE
            raise RequestRefused(503, code, message, CHECK_RETRY_AFTER_S) from None
        self._rates.take(f"principal {principal.name}" if principal.name else address)
        scope["state"][_PRINCIPAL] = principal.name
        if principal.name:
            structlog.contextvars.bind_contextvars(principal=principal.name)
        if principal.role < needed:
            message = f"this needs the role {needed.title}; {principal.name} has {principal.role.title}"
            details = {"needed": needed.title, "role": principal.role.title}
            raise RequestRefused(403, HttpCode.NOT_PERMITTED, message, details=details)


def principal_of(scope: HTTPScope) -> str:
    """The name of whoever asks; empty where everybody may do everything."""
    return str(scope["state"].get(_PRINCIPAL, ""))


def role_of(handler: object, method: str) -> Role | None:
    """The role that a handler declares; None when it declares none."""
    if method == HttpMethod.OPTIONS:
        return Role.ANYONE
    role = handler.opt.get(_ROLE) if isinstance(handler, HTTPRouteHandler) else None
    return role if isinstance(role, Role) else None


def declared_roles(app: Litestar) -> Iterator[tuple[str, str, Role | None]]:
    """Method, path template and role of everything that is served."""
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


def credential_of(headers: Any) -> str | None:
    """The key or token of a request; raises NotAuthenticated when there are several, or it is another kind."""
    found = [(name, value) for name, value in headers if name in _READERS]
    if len(found) > 1:
        raise NotAuthenticated("give one credential: Authorization or X-API-Key, once")
    return _READERS[found[0][0]](found[0][1].decode("latin-1")) if found else None


def _bearer(value: str) -> str:
    scheme, _, credential = value.strip().partition(" ")
    if scheme.lower() != "bearer" or not credential.strip():
        raise NotAuthenticated("Authorization: must be Bearer, followed by the key or token")
    return credential.strip()


_READERS: Mapping[bytes, Any] = {b"authorization": _bearer, b"x-api-key": str.strip}
