"""/api/v2/unknowns: executions with an unknown outcome, and what each waits for."""

from collections.abc import Sequence
from decimal import Decimal

import msgspec
from litestar import Controller, Response
from litestar.openapi.spec import OpenAPIType, Schema

from trade_service.domain.fields import Moment, plain
from trade_service.submission.manual_resolution import ExecutionCase, needs_person, waits_for
from trade_service.trading.operating import MAX_LISTED, UnknownPosition
from trade_service.web.access import LISTING, get
from trade_service.web.dependencies import Injected, Services, WebServices
from trade_service.web.export_forms import wanted_form
from trade_service.web.exports import Exports, followed_pages
from trade_service.web.parameters import place_text, read_count, read_flag, read_place
from trade_service.web.responses import ApiResponse
from trade_service.web.routing import CURSOR, HttpRequest, documented, integer, query

_DEFAULT = 50
_PARAMETERS = (
    query("limit", f"Rows of a page; {_DEFAULT} when left out.", integer(1, MAX_LISTED)),
    query("cursor", "The `nextCursor` of the page before.", CURSOR),
    query("needsPerson", "Only those that only a person can settle.", Schema(type=OpenAPIType.BOOLEAN)),
)


class UnknownAnswer(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """An execution that may have been accepted, and what it waits for."""

    execution_id: int
    trade_order_id: int
    order_id: int
    ticker: str
    """The id of the security where no ticker is known."""
    quantity: Decimal
    destination: str
    state: str
    """`unknown`, or `claimed` where its sender died."""
    open_since: Moment | None
    waits_for: str
    """In words."""
    needs_person: bool
    """Whether nothing that the service can still read proves its absence."""
    look_ups: int
    last_code: str | None
    next_action_at: Moment | None
    """When a running service looks next."""
    attempt_id: str | None

    @classmethod
    def of(cls, case: ExecutionCase, ticker: str) -> "UnknownAnswer":
        return cls(
            case.execution_id,
            case.trade_order_id,
            case.order_id,
            ticker,
            plain(case.quantity),
            case.destination,
            case.state,
            case.attempt_began,
            waits_for(case),
            needs_person(case),
            case.look_ups,
            case.code,
            case.next_action_at,
            case.attempt_id,
        )


class UnknownsAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """A page of executions with an unknown outcome, the oldest first."""

    unknowns: tuple[UnknownAnswer, ...]
    next_cursor: str | None
    """The `cursor` of the next page; null at the end."""
    total: int


class UnknownController(Controller):
    """Executions with an unknown outcome."""

    path = "/unknowns"
    tags = ("Operators",)

    @get("/", opt=LISTING | documented(parameters=_PARAMETERS, exported=True))
    async def unknowns(
        self, request: HttpRequest, services: Services, exports: Injected[Exports]
    ) -> Response[UnknownsAnswer]:
        """Lists executions with an unknown outcome that no sender owns, the oldest first."""
        limit, place = read_count(request, "limit", _DEFAULT, 1, MAX_LISTED), read_place(request)
        after = None if place is None else UnknownPosition(place.at, place.id)
        for_person = read_flag(request, "needsPerson")

        async def read(
            position: UnknownPosition | None,
        ) -> tuple[Sequence[UnknownAnswer], UnknownPosition | None]:
            found = await services.operators.unknowns(MAX_LISTED, position, for_person=for_person)
            return await _answers(services, found.cases), found.next

        if (form := wanted_form(request)) is not None:
            pages = followed_pages(read, after)
            return await exports.respond(request, form, UnknownAnswer, "unknowns", pages)
        found = await services.operators.unknowns(limit, after, for_person=for_person)
        rows = await _answers(services, found.cases)
        cursor = None if found.next is None else place_text(*found.next)
        return ApiResponse(UnknownsAnswer(rows, cursor, found.total))


async def _answers(services: WebServices, cases: Sequence[ExecutionCase]) -> tuple[UnknownAnswer, ...]:
    names = await services.lists.security_names({case.security_id for case in cases})
    return tuple(UnknownAnswer.of(case, names.security(case.security_id)) for case in cases)
