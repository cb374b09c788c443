"""/api/v2/audit-log: who changed what, when, and from where."""

from collections.abc import Sequence
from enum import StrEnum

import msgspec
from litestar import Controller, Response
from litestar.openapi.spec import OpenAPIType, Schema

from trade_service.domain.access import MAX_NAME_CHARS
from trade_service.domain.fields import visible
from trade_service.trading.audit_log import (
    Action,
    AuditEntry,
    AuditFilter,
    AuditPosition,
    ObjectKind,
)
from trade_service.web.access import OPERATOR, get
from trade_service.web.dependencies import Injected, Services
from trade_service.web.export_forms import wanted_form
from trade_service.web.exports import Exports, followed_pages
from trade_service.web.parameters import (
    integer_in,
    place_text,
    read_count,
    read_moment,
    read_once,
    read_place,
    read_word,
)
from trade_service.web.responses import ApiResponse
from trade_service.web.routing import CURSOR, ID, MOMENT, HttpRequest, documented, integer, query

DEFAULT_LIMIT, MAX_LIMIT = 50, 1000


def _words(kind: type[StrEnum]) -> Schema:
    return Schema(type=OpenAPIType.STRING, enum=[word.value for word in kind])


_PARAMETERS = (
    query("limit", f"Entries of a page; {DEFAULT_LIMIT} when left out.", integer(1, MAX_LIMIT)),
    query("cursor", "The `nextCursor` of the page before.", CURSOR),
    query("actor", "Only entries of this name.", Schema(type=OpenAPIType.STRING, max_length=MAX_NAME_CHARS)),
    query("action", "Only entries of this action.", _words(Action)),
    query("object", "Only entries about objects of this kind.", _words(ObjectKind)),
    query(
        "objectId",
        "Only entries about the object of this id; of a trade order also those about its executions.",
        ID,
    ),
    query("from", "Only entries at this time or later.", MOMENT),
    query("to", "Only entries before this time.", MOMENT),
)


class AuditLogAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """A page of the audit log, the newest entry first."""

    entries: tuple[AuditEntry, ...]
    next_cursor: str | None
    """The `cursor` of the next page; null at the end. A page looks at a bounded number of entries: it may
    have fewer than `limit`, or none, and still not be the last."""


class AuditLogController(Controller):
    """The audit log."""

    path = "/audit-log"
    tags = ("Operators",)

    @get("/", opt=OPERATOR | documented(parameters=_PARAMETERS, exported=True))
    async def read(
        self, request: HttpRequest, services: Services, exports: Injected[Exports]
    ) -> Response[AuditLogAnswer]:
        """Lists who changed what, when, and from where, the newest first."""
        actor, object_id = read_once(request, "actor"), read_once(request, "objectId")
        wanted = AuditFilter(
            actor=visible(actor, "actor") if actor else None,
            action=read_word(request, "action", Action),
            object=read_word(request, "object", ObjectKind),
            object_id=integer_in(object_id, "objectId", -(2**31), 2**31 - 1) if object_id else None,
            since=read_moment(request, "from"),
            until=read_moment(request, "to"),
        )
        limit = read_count(request, "limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
        place = read_place(request)
        before = None if place is None else AuditPosition(place.at, place.id)
        if (form := wanted_form(request)) is not None:

            async def read(
                position: AuditPosition | None,
            ) -> tuple[Sequence[AuditEntry], AuditPosition | None]:
                found = await services.audit_log.page(wanted, position, MAX_LIMIT)
                return found.entries, found.next

            pages = followed_pages(read, before)
            return await exports.respond(request, form, AuditEntry, "audit-log", pages)
        page = await services.audit_log.page(wanted, before, limit)
        cursor = None if page.next is None else place_text(*page.next)
        return ApiResponse(AuditLogAnswer(page.entries, cursor))
