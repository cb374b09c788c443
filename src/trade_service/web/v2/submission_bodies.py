"""Bodies that clients of bulk submissions send and read."""

from collections.abc import Iterable
from typing import Any

import msgspec

from trade_service.domain.instants import Moment
from trade_service.submission.model import BulkSubmitResult, ExecutionSubmitResult, SubmitStatus
from trade_service.trading.bulk_model import BulkAttempt, BulkItem, BulkProgress
from trade_service.web.integers import Int32

RUNNING, FINISHED = "RUNNING", "FINISHED"


class ExecutionsSubmit(msgspec.Struct, rename="camel"):
    """Which executions are to be sent: ids, or a filter; exactly one of the two."""

    execution_ids: list[Int32] | None = None
    filter: dict[str, Any] | None = None


class ExecutionResultAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """What became of one execution. What is pending is no failure, and goes on by itself."""

    request_index: int
    execution_id: int
    status: str
    code: str
    message: str
    submission_state: str | None
    execution_service_id: int | None

    @classmethod
    def of(cls, result: ExecutionSubmitResult) -> "ExecutionResultAnswer":
        """The result as clients read it."""
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
    """What became of all executions that were asked for, in request order."""

    submission_id: str
    status: str
    message: str
    total_requested: int
    successful: int
    failed: int
    pending: int
    """Of the successful, those whose outcome is still open."""
    results: list[ExecutionResultAnswer]

    @classmethod
    def of(cls, submission_id: str, bulk: BulkSubmitResult) -> "ExecutionsSubmitAnswer":
        """Sums up as the batch of trade orders does."""
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
    """How far a bulk submission is."""

    submission_id: str
    status: str
    created_at: Moment
    total_requested: int
    successful: int
    failed: int
    pending: int

    @classmethod
    def of(cls, progress: BulkProgress) -> "ProgressAnswer":
        """The progress as clients read it; here what is pending counts as neither."""
        return cls(
            progress.submission_id,
            FINISHED if progress.is_finished else RUNNING,
            progress.created_at,
            progress.total_requested,
            progress.successful,
            progress.failed,
            progress.pending,
        )


class SubmissionPagination(msgspec.Struct, frozen=True, rename="camel"):
    """Where a page of results stands among all of them."""

    total_elements: int
    total_pages: int
    current_page: int
    page_size: int
    has_next: bool
    has_previous: bool

    @classmethod
    def of(cls, total: int, offset: int, limit: int) -> "SubmissionPagination":
        """The same fields as every page of version 2."""
        pages = -(-total // limit)
        return cls(total, pages, offset // limit, limit, offset + limit < total, offset > 0)


class SubmissionAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """A bulk submission and a page of its results, in request order."""

    submission_id: str
    status: str
    created_at: Moment
    total_requested: int
    successful: int
    failed: int
    pending: int
    results: list[ExecutionResultAnswer]
    pagination: SubmissionPagination

    @classmethod
    def of(
        cls, progress: BulkProgress, items: Iterable[BulkItem], offset: int, limit: int
    ) -> "SubmissionAnswer":
        """One page."""
        told = ProgressAnswer.of(progress)
        return cls(
            told.submission_id,
            told.status,
            told.created_at,
            told.total_requested,
            told.successful,
            told.failed,
            told.pending,
            [ExecutionResultAnswer.of(item.result()) for item in items],
            SubmissionPagination.of(told.total_requested, offset, limit),
        )


class SubmissionAttemptsAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """Attempts of a bulk submission, oldest first."""

    attempts: list[BulkAttempt]
    next_after: str | None

    @classmethod
    def of(cls, attempts: list[BulkAttempt], limit: int) -> "SubmissionAttemptsAnswer":
        """A page of at most `limit`; there may be more behind a full one."""
        return cls(attempts, attempts[-1].attempt_id if len(attempts) == limit else None)
