"""/api/v2/evidence: what was found beside the attempts, and what operators decided."""

from collections.abc import Sequence

import msgspec
from litestar import Controller, Response
from litestar.openapi.spec import OpenAPIType, Schema

from trade_service.submission.codes import EvidenceCode
from trade_service.trading.evidence import EvidenceFilter, EvidencePosition, FoundEvidence
from trade_service.web.access import LISTING, get
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

_DEFAULT, _MOST = 50, 1000
_PARAMETERS = (
    query("executionId", "Only evidence about this execution.", ID),
    query(
        "code",
        "Only evidence of this code.",
        Schema(type=OpenAPIType.STRING, enum=[code.value for code in EvidenceCode]),
    ),
    query("from", "Only evidence found at this time or later.", MOMENT),
    query("to", "Only evidence found before this time.", MOMENT),
    query("limit", f"Rows of a page; {_DEFAULT} when left out.", integer(1, _MOST)),
    query("cursor", "The `nextCursor` of the page before.", CURSOR),
)


class EvidenceAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """A page of evidence, the latest first."""

    evidence: tuple[FoundEvidence, ...]
    next_cursor: str | None
    """The `cursor` of the next page; null at the end. A page looks at a bounded number of rows: it may have fewer
    than `limit`, or none, and still not be the last."""


class EvidenceController(Controller):
    """The search for evidence."""

    path = "/evidence"
    tags = ("Operators",)

    @get("/", opt=LISTING | documented(parameters=_PARAMETERS, exported=True))
    async def search(
        self, request: HttpRequest, services: Services, exports: Injected[Exports]
    ) -> Response[EvidenceAnswer]:
        """Lists evidence by execution, code and time, the latest first."""
        execution_id = read_once(request, "executionId")
        wanted = EvidenceFilter(
            integer_in(execution_id, "executionId", -(2**31), 2**31 - 1) if execution_id else None,
            read_word(request, "code", EvidenceCode),
            read_moment(request, "from"),
            read_moment(request, "to"),
        )
        limit, place = read_count(request, "limit", _DEFAULT, 1, _MOST), read_place(request)
        before = None if place is None else EvidencePosition(place.at, place.id)

        async def read(
            position: EvidencePosition | None,
        ) -> tuple[Sequence[FoundEvidence], EvidencePosition | None]:
            found = await services.evidence.evidence(wanted, position, _MOST)
            return found.evidence, found.next

        if (form := wanted_form(request)) is not None:
            pages = followed_pages(read, before)
            return await exports.respond(request, form, FoundEvidence, "evidence", pages)
        page = await services.evidence.evidence(wanted, before, limit)
        cursor = None if page.next is None else place_text(*page.next)
        return ApiResponse(EvidenceAnswer(page.evidence, cursor))
