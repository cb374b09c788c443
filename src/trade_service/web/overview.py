"""/api/v2/me: what a console shows first."""

from typing import Annotated

import msgspec
from litestar import Controller, Response

from trade_service import __version__
from trade_service.domain.access import GIVEN_ROLES, KnownBy
from trade_service.web.access import READER, OpenAccess, caller_of, get
from trade_service.web.dependencies import Services
from trade_service.web.openapi.schemas import one_of
from trade_service.web.responses import ApiResponse
from trade_service.web.routing import HttpRequest


class CallerAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """Who is asking, and what they may do."""

    name: str
    """Empty where nobody is authenticated."""
    roles: list[Annotated[str, one_of(*(role.title for role in GIVEN_ROLES))]]
    """The caller's role and those that it includes."""
    authentication: Annotated[str, one_of(KnownBy.NONE, KnownBy.API_KEY, KnownBy.TOKEN)]
    """How the name is known."""
    open_mode: bool
    """Whether every request has full access, since nobody is authenticated."""
    version: str
    service_name: str


class OverviewController(Controller):
    """What all replicas do at present, and who is asking."""

    tags = ("Overview",)

    @get("/me", opt=READER)
    async def me(self, request: HttpRequest, services: Services) -> Response[CallerAnswer]:
        """Who is asking, their roles, and which service answers."""
        caller = caller_of(request.scope)
        roles = [role.title for role in GIVEN_ROLES if role <= caller.role]
        is_open = isinstance(services.authenticator, OpenAccess)
        answer = CallerAnswer(caller.name, roles, caller.known_by, is_open, __version__, "trade-service")
        return ApiResponse(answer)
