"""/api/v2/audits: audits of the database and of both books, run in the background."""

import uuid
from typing import Annotated, Self

import msgspec
from litestar import Controller, Response
from litestar.openapi.spec import OpenAPIType, Schema
from litestar.openapi.spec.enums import OpenAPIFormat
from litestar.params import FromPath, JSONBody

from trade_service.domain.errors import DomainError, InvalidInput, NotFound
from trade_service.domain.fields import Moment
from trade_service.trading.audit import Balance, Finding, FindingKind
from trade_service.trading.audit_runs import MAX_LISTED, AuditRun, Book, RunStatus
from trade_service.web.access import OPERATOR, READER, get, post
from trade_service.web.dependencies import Services
from trade_service.web.openapi.schemas import one_of
from trade_service.web.parameters import read_count, read_once
from trade_service.web.responses import ApiResponse
from trade_service.web.routing import HttpRequest, documented, integer, location, query

DEFAULT_LISTED = 20


class AuditPost(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """What to audit."""

    book: Annotated[str, one_of(*Book)] = Book.BOTH
    """`database` audits this database alone, `both` also compares it with the Execution Service's ledger."""

    def to_domain(self) -> Book:
        """The book; raises InvalidInput."""
        if self.book not in set(Book):
            raise InvalidInput.of("book", self.book[:40], f"must be {' or '.join(Book)}")
        return Book(self.book)


class FindingAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """One thing that is wrong."""

    kind: str
    message: str
    execution_ids: list[int]
    trade_order_id: int | None

    @classmethod
    def of(cls, finding: Finding) -> Self:
        is_order = finding.kind is FindingKind.QUANTITY
        ids = [] if is_order or finding.id is None else [finding.id]
        return cls(finding.kind, finding.message, ids, finding.id if is_order else None)


class AuditRunAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """An audit without its findings."""

    id: str
    book: Annotated[str, one_of(*Book)]
    status: Annotated[str, one_of(*RunStatus)]
    """FAILED proves nothing: `message` says why."""
    started_at: Moment
    finished_at: Moment | None
    started_by: str | None
    replica: str
    ledger_rows: int | None
    """How many executions of the ledger were compared so far."""
    message: str
    balance: Balance | None
    """Null while it runs, and if it failed."""
    counts: dict[str, int]
    """How many findings there are of each kind, exactly."""
    notes: dict[str, int]
    """What is worth a mention but not wrong."""

    @classmethod
    def of(cls, run: AuditRun, **further: object) -> Self:
        report = run.report
        return cls(
            run.id, run.book, run.status, run.started_at, run.finished_at, run.started_by, run.replica,
            run.ledger_rows, run.message,
            None if report is None else report.balance,
            {} if report is None else report.counts,
            {} if report is None else report.notes,
            **further,
        )  # fmt: skip


class AuditAnswer(AuditRunAnswer, frozen=True):
    """An audit with its findings."""

    findings: list[FindingAnswer]
    """The first of each kind."""


class AuditsAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """A page of audits, the newest first."""

    audits: list[AuditRunAnswer]
    next_cursor: str | None
    """The `cursor` of the next page; null at the end."""


_PAGE = (
    query("limit", f"Audits of a page; {DEFAULT_LISTED} when left out.", integer(1, MAX_LISTED)),
    query(
        "cursor",
        "The `nextCursor` of the page before.",
        Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.UUID),
    ),
)
_STARTS = documented(answers={202: AuditRunAnswer}, errors=(409,), headers=("Location",))


class AuditController(Controller):
    """Audits in the background."""

    path = "/audits"
    tags = ("Operators",)

    @post("/", status_code=202, opt=OPERATOR | _STARTS)
    async def start(
        self, request: HttpRequest, services: Services, data: JSONBody[AuditPost]
    ) -> Response[AuditRunAnswer]:
        """Starts an audit on the replica that answers: 202 at once, and Location has its address.

        409 while one runs. It reads whole tables, and of `both` the whole ledger: that may take minutes.
        """
        run = await services.audits.start(data.to_domain())
        return ApiResponse(
            AuditRunAnswer.of(run), 202, {"Location": location(request, f"/api/v2/audits/{run.id}")}
        )

    @get("/", opt=READER | documented(parameters=_PAGE))
    async def page(self, request: HttpRequest, services: Services) -> Response[AuditsAnswer]:
        """Lists audits without their findings, the newest first."""
        limit, cursor = (
            read_count(request, "limit", DEFAULT_LISTED, 1, MAX_LISTED),
            read_once(request, "cursor"),
        )
        rule = "must be a nextCursor of this list, as it was answered"
        before = _uuid(cursor, InvalidInput.of("cursor", cursor[:40], rule)) if cursor else None
        runs = await services.audits.page(before, limit + 1)
        next_cursor = runs[limit - 1].id if len(runs) > limit else None
        return ApiResponse(AuditsAnswer([AuditRunAnswer.of(run) for run in runs[:limit]], next_cursor))

    @get("/{audit_id:str}", opt=READER)
    async def read(self, services: Services, audit_id: FromPath[str]) -> Response[AuditAnswer]:
        """How an audit stands, with its findings once it is finished."""
        run = await services.audits.get(_uuid(audit_id, NotFound.of("audit", audit_id[:40])))
        findings = [] if run.report is None else run.report.findings
        return ApiResponse(AuditAnswer.of(run, findings=[FindingAnswer.of(one) for one in findings]))


def _uuid(text: str, error: DomainError) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise error from None
