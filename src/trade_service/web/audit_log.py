"""/api/v2/audit-log: who changed what, when, and from where."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TypeVar

import msgspec
from litestar import Controller, Response
from litestar.openapi.spec import OpenAPIType, Schema
from litestar.openapi.spec.enums import OpenAPIFormat

from trade_service.domain.access import MAX_NAME_CHARS
from trade_service.domain.errors import InvalidInput
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
from trade_service.web.parameters import integer_in, read_count, read_once
from trade_service.web.request_bodies import instant_or_none
from trade_service.web.responses import ApiResponse
from trade_service.web.routing import ID, HttpRequest, documented, integer, query

DEFAULT_LIMIT, MAX_LIMIT = 50, 1000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CURSOR = re.compile(r"([0-9]{1,18})-([0-9]{1,18})")
"""Microseconds since 1970, and the id of an entry."""

Word = TypeVar("Word", Action, ObjectKind)


def _words(kind: type[StrEnum]) -> Schema:
    return Schema(type=OpenAPIType.STRING, enum=[word.value for word in kind])


_MOMENT = Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.DATE_TIME)
_PARAMETERS = (
    query("limit", f"Entries of a page; {DEFAULT_LIMIT} when left out.", integer(1, MAX_LIMIT)),
    query("cursor", "The `nextCursor` of the page before.", Schema(type=OpenAPIType.STRING)),
    query("actor", "Only entries of this name.", Schema(type=OpenAPIType.STRING, max_length=MAX_NAME_CHARS)),
    query("action", "Only entries of this action.", _words(Action)),
    query("object", "Only entries about objects of this kind.", _words(ObjectKind)),
    query(
        "objectId",
        "Only entries about the object of this id; of a trade order also those about its executions.",
        ID,
    ),
    query("from", "Only entries at this time or later.", _MOMENT),
    query("to", "Only entries before this time.", _MOMENT),
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
            action=_word(request, "action", Action),
            object=_word(request, "object", ObjectKind),
            object_id=integer_in(object_id, "objectId", -(2**31), 2**31 - 1) if object_id else None,
            since=_moment(request, "from"),
            until=_moment(request, "to"),
        )
        limit = read_count(request, "limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
        if (form := wanted_form(request)) is not None:

            async def read(
                position: AuditPosition | None,
            ) -> tuple[Sequence[AuditEntry], AuditPosition | None]:
                found = await services.audit_log.page(wanted, position, MAX_LIMIT)
                return found.entries, found.next

            pages = followed_pages(read, _position(request))
            return await exports.respond(request, form, AuditEntry, "audit-log", pages)
        page = await services.audit_log.page(wanted, _position(request), limit)
        return ApiResponse(AuditLogAnswer(page.entries, None if page.next is None else _cursor(page.next)))


def _word(request: HttpRequest, name: str, kind: type[Word]) -> Word | None:
    text = read_once(request, name)
    if not text:
        return None
    known: Mapping[str, Word] = {word.value: word for word in kind}
    if text not in known:
        raise InvalidInput.of(name, text[:100], f"must be one of {', '.join(known)}")
    return known[text]


def _moment(request: HttpRequest, name: str) -> datetime | None:
    text = read_once(request, name)
    return instant_or_none(text, name) if text else None


def _position(request: HttpRequest) -> AuditPosition | None:
    text = read_once(request, "cursor")
    if not text:
        return None
    parts = _CURSOR.fullmatch(text)
    try:
        if parts is not None:
            return AuditPosition(_EPOCH + timedelta(microseconds=int(parts[1])), int(parts[2]))
    except OverflowError:
        pass
    raise InvalidInput.of("cursor", text[:100], "must be a nextCursor of this list, as it was answered")


def _cursor(position: AuditPosition) -> str:
    return f"{(position.at - _EPOCH) // timedelta(microseconds=1)}-{position.id}"
