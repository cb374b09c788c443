"""/api/v2/me, /api/v2/summary and /api/v2/series: what a console shows first."""

from typing import Annotated

import msgspec
from litestar import Controller, Response
from litestar.openapi.spec import OpenAPIType, Schema

from trade_service import __version__
from trade_service.domain.access import GIVEN_ROLES, KnownBy
from trade_service.domain.errors import InvalidInput
from trade_service.trading.activity import WINDOWS
from trade_service.trading.overview_model import CallSeries, ReplicaList, ServiceSummary
from trade_service.web.access import READER, OpenAccess, caller_of, get
from trade_service.web.dependencies import Services
from trade_service.web.openapi.schemas import one_of
from trade_service.web.parameters import read_once
from trade_service.web.responses import ApiResponse
from trade_service.web.routing import HttpRequest, documented, query

DEFAULT_WINDOW = "1h"
_WINDOW = query(
    "window",
    f"How far the series reaches back; {DEFAULT_WINDOW} when left out.",
    Schema(type=OpenAPIType.STRING, enum=list(WINDOWS)),
)


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

    @get("/summary", opt=READER)
    async def summary(self, services: Services) -> Response[ServiceSummary]:
        """The state of the whole service: executions by state, the last minute, and what needs a person.

        All figures come from the database and cover all replicas. They are up to a second old, in very large
        databases a few seconds; callers that ask at the same time share one read.
        """
        return ApiResponse(await services.overview.summary())

    @get("/replicas", opt=READER)
    async def replicas(self, services: Services) -> Response[ReplicaList]:
        """Lists the replicas: what each sent in the last seconds, what it holds, its circuit and its latencies.

        Each worker of a command is one. A process of an earlier release is listed while it sends.
        """
        return ApiResponse(await services.overview.replicas())

    @get("/series", opt=READER | documented(parameters=(_WINDOW,)))
    async def series(self, request: HttpRequest, services: Services) -> Response[CallSeries]:
        """What the calls of all replicas did over time: attempts, outcomes of executions, latencies.

        `complete` is false while older steps are still being read: these are missing then. A series is up to a
        tenth of a step old.
        """
        window = read_once(request, "window") or DEFAULT_WINDOW
        if window not in WINDOWS:
            raise InvalidInput.of("window", window[:40], f"must be one of {', '.join(WINDOWS)}")
        return ApiResponse(await services.overview.series(window))
