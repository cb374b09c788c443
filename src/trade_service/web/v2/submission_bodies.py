"""Request and response bodies of bulk submissions."""

from collections.abc import Iterable
from typing import Any

import msgspec

from trade_service.domain.instants import Moment
from trade_service.submission.model import BulkSubmitResult, ExecutionSubmitResult, SubmitStatus
from trade_service.trading.bulk_model import BulkAttempt, BulkItem, BulkProgress
from trade_service.web.integers import Int32

RUNNING, FINISHED = "RUNNING", "FINISHED"


class ExecutionsSubmit(msgspec.Struct, rename="camel"):
    """Executions to send: ids or a filter, exactly one of the two."""

    execution_ids: list[Int32] | None = None
    filter: dict[str, Any] | None = None


class ExecutionResultAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """The outcome of one execution. A pending one is no failure, and continues by itself."""

    request_index: int
    execution_id: int
    status: str
    code: str
    message: str
    submission_state: str | None
    execution_service_id: int | None

    @classmethod
    def of(cls, result: ExecutionSubmitResult) -> "ExecutionResultAnswer":
        """Presents a result."""
        good = result.status in (SubmitStatus.SUCCESS, SubmitStatus.PENDING)
        return cls(
            request_index=result.request_index,
            execution_id=result.execution_id,
            status="SUCCESS" if good else "FAILURE",
            code=result.code,
            message=result.message,
            submission_state=None if result.state is None else str(result.state),
            execution_service_id=result.execution_service_id,
        )


class ExecutionsSubmitAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """The outcomes of all executions, in request order."""

    submission_id: str
    status: str
    message: str
    total_requested: int
    successful: int
    failed: int
    pending: int
    """The number of successful ones whose outcome is still open."""
    results: list[ExecutionResultAnswer]

    @classmethod
    def of(cls, submission_id: str, bulk: BulkSubmitResult) -> "ExecutionsSubmitAnswer":
        """Presents a result; pending executions count as successful, as in a batch of trade orders."""
        successful = bulk.successful + bulk.pending
        return cls(
            submission_id,
            bulk.status,
            bulk.message,
            bulk.total_requested,
            successful,
            bulk.failed,
            bulk.pending,
            [ExecutionResultAnswer.of(result) for result in bulk.results],
        )


class ProgressAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """The progress of a bulk submission."""

    submission_id: str
    status: str
    created_at: Moment
    total_requested: int
    successful: int
    failed: int
    pending: int

    @classmethod
    def of(cls, progress: BulkProgress) -> "ProgressAnswer":
        """Presents the progress; pending executions count as neither successful nor failed."""
        return ProgressAnswer(
            progress.submission_id,
            FINISHED if progress.is_finished else RUNNING,
            progress.created_at,
            progress.total_requested,
            progress.successful,
            progress.failed,
            progress.pending,
        )


class SubmissionPagination(msgspec.Struct, frozen=True, rename="camel"):
    """The position of a page of results."""

    total_elements: int
    total_pages: int
    current_page: int
    page_size: int
    has_next: bool
    has_previous: bool

    @classmethod
    def of(cls, total: int, offset: int, limit: int) -> "SubmissionPagination":
        """Counts pages."""
        pages = -(-total // limit)
        return cls(total, pages, offset // limit, limit, offset + limit < total, offset > 0)


class SubmissionAnswer(ProgressAnswer, frozen=True):
    """A bulk submission and a page of its results, in request order."""

    results: list[ExecutionResultAnswer]
    pagination: SubmissionPagination

    @classmethod
    def page(
        cls, progress: BulkProgress, items: Iterable[BulkItem], offset: int, limit: int
    ) -> "SubmissionAnswer":
        """Presents one page."""
        return cls(
            **msgspec.structs.asdict(ProgressAnswer.of(progress)),
            results=[ExecutionResultAnswer.of(item.result()) for item in items],
            pagination=SubmissionPagination.of(progress.total_requested, offset, limit),
        )


class SubmissionAttemptsAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """Attempts of a bulk submission, oldest first."""

    attempts: list[BulkAttempt]
    next_after: str | None

    @classmethod
    def of(cls, attempts: list[BulkAttempt], limit: int) -> "SubmissionAttemptsAnswer":
        """A page of at most `limit`; there may be more behind a full one."""
        return cls(attempts, attempts[-1].attempt_id if len(attempts) == limit else None)
