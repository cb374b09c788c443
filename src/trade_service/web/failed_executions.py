"""/api/v2/failures: executions that are rejected or exhausted, grouped by reason and one by one."""

from decimal import Decimal
from enum import StrEnum

import msgspec
from litestar import Controller, Response
from litestar.openapi.spec import OpenAPIType, Schema

from trade_service.domain.errors import InvalidInput
from trade_service.domain.executions import SubmissionState
from trade_service.domain.fields import Moment
from trade_service.trading.failed_executions import (
    MAX_MESSAGE_CHARS,
    FailureFilter,
    FailureGroup,
    FailurePosition,
)
from trade_service.web.access import LISTING, get
from trade_service.web.dependencies import Injected, Services
from trade_service.web.export_forms import wanted_form
from trade_service.web.exports import Exports, followed_pages
from trade_service.web.parameters import (
    place_text,
    read_count,
    read_moment,
    read_once,
    read_place,
    read_word,
)
from trade_service.web.responses import ApiResponse, presented
from trade_service.web.routing import CURSOR, MOMENT, HttpRequest, documented, integer, query

DEFAULT_ROWS, MAX_ROWS = 50, 1000
DEFAULT_GROUPS, MAX_GROUPS = 100, 1000


class FailedState(StrEnum):
    """States in which an execution failed."""

    REJECTED = "rejected"
    EXHAUSTED = "exhausted"


_PERIOD = (
    query("from", "Only what failed at this time or later.", MOMENT),
    query("to", "Only what failed before this time.", MOMENT),
    query(
        "state",
        "Only executions in this state.",
        Schema(type=OpenAPIType.STRING, enum=[state.value for state in FailedState]),
    ),
)
_GROUPS = (*_PERIOD, query("limit", f"Groups; {DEFAULT_GROUPS} when left out.", integer(1, MAX_GROUPS)))
_TEXT = Schema(type=OpenAPIType.STRING, max_length=MAX_MESSAGE_CHARS)
_ROWS = (
    *_PERIOD,
    query("code", "Only executions with this code.", _TEXT),
    query(
        "message",
        "Only executions with this message, whatever the UUIDs and the numbers of four digits or more in it.",
        _TEXT,
    ),
    query("limit", f"Rows of a page; {DEFAULT_ROWS} when left out.", integer(1, MAX_ROWS)),
    query("cursor", "The `nextCursor` of the page before.", CURSOR),
)


class FailuresAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """Failed executions by reason, the largest group first."""

    groups: tuple[FailureGroup, ...]
    more: bool
    """Whether there are more groups than `limit`."""


class FailedExecutionAnswer(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """An execution that is rejected or exhausted, and why."""

    execution_id: int
    trade_order_id: int
    order_id: int
    state: str
    code: str
    message: str
    failed_at: Moment
    quantity: Decimal
    ticker: str
    """The id of the security where no ticker is known."""
    destination: str


class FailedExecutionsAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """A page of failed executions, the latest first."""

    executions: tuple[FailedExecutionAnswer, ...]
    next_cursor: str | None
    """The `cursor` of the next page; null at the end."""
    total: int
    """How many matched when the first page was read."""


class FailureController(Controller):
    """Failed executions."""

    path = "/failures"
    tags = ("Operators",)

    @get("/", opt=LISTING | documented(parameters=_GROUPS))
    async def groups(self, request: HttpRequest, services: Services) -> Response[FailuresAnswer]:
        """Groups rejected and exhausted executions by state, code and message."""
        wanted = _period(request)
        limit = read_count(request, "limit", DEFAULT_GROUPS, 1, MAX_GROUPS)
        groups, more = await services.failures.groups(wanted, limit)
        return ApiResponse(FailuresAnswer(tuple(groups), more))

    @get("/executions", opt=LISTING | documented(parameters=_ROWS, exported=True))
    async def executions(
        self, request: HttpRequest, services: Services, exports: Injected[Exports]
    ) -> Response[FailedExecutionsAnswer]:
        """Lists rejected and exhausted executions, the latest first."""
        code, message = _text(request, "code"), _text(request, "message")
        wanted = msgspec.structs.replace(_period(request), code=code, message=message)
        limit = read_count(request, "limit", DEFAULT_ROWS, 1, MAX_ROWS)
        place = read_place(request)
        before = None if place is None else FailurePosition(place.at, place.id)

        async def read(
            position: FailurePosition | None, rows: int = MAX_ROWS
        ) -> tuple[tuple[FailedExecutionAnswer, ...], FailurePosition | None]:
            failed, following = await services.failures.page(wanted, position, rows)
            names = await services.lists.security_names({one.security_id for one in failed})
            answers = (
                presented(FailedExecutionAnswer, one, ticker=names.security(one.security_id))
                for one in failed
            )
            return tuple(answers), following

        if (form := wanted_form(request)) is not None:
            pages = followed_pages(read, before)
            return await exports.respond(request, form, FailedExecutionAnswer, "failures", pages)
        found, following = await read(before, limit)
        total = len(found) if place is None else place.total
        if place is None and following is not None:
            total = max(total, await services.failures.count(wanted))
        cursor = None if following is None else place_text(*following, total)
        return ApiResponse(FailedExecutionsAnswer(found, cursor, total))


def _period(request: HttpRequest) -> FailureFilter:
    state = read_word(request, "state", FailedState)
    return FailureFilter(
        None if state is None else SubmissionState(state),
        since=read_moment(request, "from"),
        until=read_moment(request, "to"),
    )


def _text(request: HttpRequest, name: str) -> str | None:
    text = read_once(request, name)
    if text is not None and (len(text) > MAX_MESSAGE_CHARS or "\x00" in text):
        rule = f"must have at most {MAX_MESSAGE_CHARS} characters, without NUL"
        raise InvalidInput.of(name, text[:100], rule)
    return text or None
