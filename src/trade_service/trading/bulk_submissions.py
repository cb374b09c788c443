"""BulkSubmissions: up to 10,000 executions by id, sent now or in the background, and their progress."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

import msgspec
import structlog

from trade_service.domain.errors import InvalidInput, TooMany
from trade_service.domain.executions import FINAL, QUANTITY_RETURNED, SubmissionState
from trade_service.domain.fields import is_possible_id
from trade_service.submission.codes import OutcomeCode
from trade_service.submission.events import SUBMISSION_ID
from trade_service.submission.model import (
    ALREADY,
    PENDING_MESSAGE,
    AttemptId,
    BulkSubmitResult,
    ExecutionSubmitResult,
    NotClaimed,
    SubmitStatus,
)
from trade_service.submission.ports import Clock
from trade_service.trading.execution_use_cases import MAX_BATCH, ExecutionService
from trade_service.trading.listing.model import Filter
from trade_service.trading.listing.service import ListService
from trade_service.trading.operating import AttemptRecord, Found

_log = structlog.get_logger(__name__)

MAX_EXECUTIONS = 10_000
MAX_PAGE = 1000
_FIELD = "executionIds"

BulkSubmissionId = str
"""A UUID, version 7: it contains the time of its creation."""

_UNSENT_MESSAGE = (
    "created by the legacy service and proven absent at the Execution Service: submit it again to send it"
)
_STATUS_OF = {
    SubmissionState.NONE: SubmitStatus.FAILED,
    SubmissionState.ACCEPTED: SubmitStatus.SUCCESS,
    SubmissionState.REJECTED: SubmitStatus.FAILED,
    SubmissionState.EXHAUSTED: SubmitStatus.RETRY_EXHAUSTED,
}
SETTLED = FINAL | {SubmissionState.NONE}
"""States in which an execution stays until someone acts."""


class BulkProgress(msgspec.Struct, frozen=True):
    """The progress of a bulk submission, by the current states of its executions."""

    submission_id: BulkSubmissionId
    created_at: datetime
    total_requested: int
    successful: int
    failed: int
    pending: int

    @property
    def is_finished(self) -> bool:
        """Whether it stays as it is until someone acts."""
        return self.pending == 0


class ListedSubmission(BulkProgress, frozen=True):
    """A bulk submission in a list."""

    created_by: str | None
    """None where nobody was authenticated, or the audit log has no entry (any more)."""
    finished_at: datetime | None
    """When the last answer for its executions was recorded; None while one is pending."""
    is_blotter: bool
    """Whether it was sent as a file, whose rows are kept."""


class SubmissionPage(msgspec.Struct, frozen=True):
    """Bulk submissions, the newest first."""

    submissions: tuple[ListedSubmission, ...]
    next_before: BulkSubmissionId | None
    """The last one that was looked at; None if there is no older one."""


class BulkFinding(Found, frozen=True, rename="camel"):
    """What an attempt established about one execution of a bulk submission."""

    execution_id: int


class BulkAttempt(AttemptRecord, frozen=True, rename="camel"):
    """One attempt that sent executions of a bulk submission, possibly among others."""

    execution_ids: tuple[int, ...]
    """Those of this submission."""
    outcomes: tuple[BulkFinding, ...]
    """Of these, in the order in which they were found."""


class BulkItem(msgspec.Struct, frozen=True):
    """The current state of one execution of a bulk submission."""

    request_index: int
    """Its place in the request, from 0."""
    execution_id: int
    state: SubmissionState | None
    """None when there is no such execution (any more)."""
    execution_service_id: int | None = None
    code: str | None = None
    """Code and message of the last finding, if any."""
    message: str | None = None
    withdrawn: str | None = None
    """The status that keeps it from being sent."""

    def result(self) -> ExecutionSubmitResult:
        """The status in the terms of a single submission."""
        state = self.state
        if state is None or self.withdrawn is not None:
            refused = ExecutionSubmitResult.not_claimed(
                NotClaimed(self.execution_id, state, withdrawn=self.withdrawn)
            )
            assert refused is not None
            return msgspec.structs.replace(refused, request_index=self.request_index)
        code, message = self._last_finding(state)
        return ExecutionSubmitResult(
            execution_id=self.execution_id,
            status=_STATUS_OF.get(state, SubmitStatus.PENDING),
            state=state,
            code=code,
            message=message,
            execution_service_id=self.execution_service_id,
            request_index=self.request_index,
        )

    def _last_finding(self, state: SubmissionState) -> tuple[str, str]:
        if state is SubmissionState.ACCEPTED:
            return OutcomeCode.OK, "accepted"
        if state is SubmissionState.NONE:
            return OutcomeCode.PROVEN_ABSENT, _UNSENT_MESSAGE
        if state in QUANTITY_RETURNED:
            return self.code or ALREADY[state], self.message or f"was {state} before"
        return self.code or OutcomeCode.PENDING, self.message or PENDING_MESSAGE


class BulkSubmissionStore(Protocol):
    """Bulk submissions as stored. Every method may raise StoreUnavailable."""

    async def begin(
        self,
        submission_id: BulkSubmissionId,
        execution_ids: Sequence[int],
        queued_attempt_ids: Sequence[AttemptId],
        *,
        by_recovery: bool,
    ) -> None:
        """Writes the submission and makes the intent durable: one transaction, with the request's key if any.

        Executions in state `none` become `queued` under these attempts, up to 100 under each; legacy rows are
        adopted. `by_recovery` leaves them to any process's recovery at once, else they are left to this process
        for a while.
        """

    async def execution_ids(self, submission_id: BulkSubmissionId) -> list[int]:
        """The executions in the order of the request; raises NotFound."""

    async def progress(self, submission_id: BulkSubmissionId) -> BulkProgress:
        """Its progress; raises NotFound."""

    async def page(
        self, finished: bool | None, before: BulkSubmissionId | None, limit: int
    ) -> SubmissionPage:
        """Up to `limit` submissions older than `before`, the newest first; `finished` selects by progress.

        A page reads a bounded number of executions: it may have fewer, or none, and still not be the last.
        """

    async def items(
        self, submission_id: BulkSubmissionId, request_indexes: Sequence[int] | range
    ) -> list[BulkItem]:
        """The executions at these places of the request, in the order given; places past the end are left out."""

    async def settled(self, submission_id: BulkSubmissionId, seen: int, limit: int) -> list[int]:
        """The places of executions that settled after the first `seen` ones did, oldest first, at most `limit`.

        The order never changes. Raises NotFound.
        """

    async def attempts(
        self, submission_id: BulkSubmissionId, after: AttemptId | None, limit: int
    ) -> list[BulkAttempt]:
        """Up to `limit` attempts since the submission that had an execution of it, in the order of their ids,
        from the one behind `after`."""

    async def remove_old(self, keep_s: float, limit: int) -> int:
        """Removes up to `limit` submissions older than `keep_s`; returns how many."""


class BulkSubmissions:
    """Submits many executions at once and reports their progress, from any replica."""

    def __init__(
        self,
        store: BulkSubmissionStore,
        executions: ExecutionService,
        lists: ListService,
        clock: Clock,
        wake_recovery: Callable[[int], None],
    ) -> None:
        self._store = store
        self._executions = executions
        self._lists = lists
        self._clock = clock
        self._wake_recovery = wake_recovery

    async def submit(
        self, execution_ids: Sequence[int], wait_s: float | None = None
    ) -> tuple[BulkSubmissionId, BulkSubmitResult]:
        """Sends up to 10,000 executions and returns their results in the caller's order.

        What is not final within `wait_s` is PENDING and goes on in the background. Raises InvalidInput for
        an id given twice, TooMany.
        """
        submission_id = await self._begin(execution_ids, by_recovery=False)
        token = SUBMISSION_ID.set(submission_id)
        try:
            return submission_id, await self._executions.submit_executions(execution_ids, wait_s)
        finally:
            SUBMISSION_ID.reset(token)

    async def resume(self, submission_id: BulkSubmissionId, wait_s: float | None = None) -> BulkSubmitResult:
        """The results of a submission that began before; nothing is sent twice. Raises NotFound."""
        execution_ids = await self._store.execution_ids(submission_id)
        return await self._executions.submit_executions(execution_ids, wait_s)

    async def matching(self, filters: Sequence[Filter]) -> list[int]:
        """The executions that meet the filters and were never sent; raises TooMany when they are over 10,000."""
        ids = await self._lists.unsent_ids(filters, MAX_EXECUTIONS)
        if len(ids) > MAX_EXECUTIONS:
            raise TooMany(
                f"filter: must be met by at most {MAX_EXECUTIONS} executions that were never sent; got more, "
                "nothing was sent, narrow it down",
                field="filter",
                limit=MAX_EXECUTIONS,
            )
        return ids

    async def start(self, execution_ids: Sequence[int]) -> BulkSubmissionId:
        """The same without waiting: the intent is durable, and all replicas share the work.

        Raises as `submit` does.
        """
        submission_id = await self._begin(execution_ids, by_recovery=True)
        self._wake_recovery(0)
        return submission_id

    def new_id(self) -> BulkSubmissionId:
        """The id of a new bulk submission."""
        return self._clock.new_attempt_id()

    async def progress(self, submission_id: BulkSubmissionId) -> BulkProgress:
        """The progress of a bulk submission; raises NotFound."""
        return await self._store.progress(submission_id)

    async def page(
        self, finished: bool | None, before: BulkSubmissionId | None, limit: int
    ) -> SubmissionPage:
        """Bulk submissions, the newest first, as the store finds them; `finished` None means all."""
        return await self._store.page(finished, before, limit)

    async def items(
        self, submission_id: BulkSubmissionId, request_indexes: Sequence[int] | range
    ) -> list[BulkItem]:
        """The states of the executions at these places of the request; raises NotFound."""
        return await self._store.items(submission_id, request_indexes)

    async def settled_since(self, submission_id: BulkSubmissionId, seen: int, limit: int) -> list[BulkItem]:
        """Executions in the order in which they settled, from the one after the first `seen`; raises NotFound."""
        places = await self._store.settled(submission_id, seen, limit)
        return await self._store.items(submission_id, places) if places else []

    async def attempts(
        self, submission_id: BulkSubmissionId, after: AttemptId | None, limit: int
    ) -> list[BulkAttempt]:
        """The attempts that sent its executions, oldest first, from the one behind `after`; raises NotFound."""
        await self._store.progress(submission_id)
        return await self._store.attempts(submission_id, after, limit)

    async def _begin(self, execution_ids: Sequence[int], *, by_recovery: bool) -> BulkSubmissionId:
        ids = checked_ids(execution_ids)
        submission_id, *attempt_ids = (
            self._clock.new_attempt_id() for _ in range(1 + -(-len(ids) // MAX_BATCH))
        )
        await self._store.begin(submission_id, ids, attempt_ids, by_recovery=by_recovery)
        _log.info("bulk_submission_begun", submission_id=submission_id, executions=len(ids))
        return submission_id


def checked_ids(execution_ids: Sequence[int]) -> Sequence[int]:
    """`execution_ids` when they may be submitted together; raises InvalidInput, TooMany."""
    if len(execution_ids) > MAX_EXECUTIONS:
        message = f"{_FIELD}: must be at most {MAX_EXECUTIONS}; got {len(execution_ids)}, nothing was sent"
        raise TooMany(message, field=_FIELD, value=len(execution_ids), limit=MAX_EXECUTIONS)
    seen: set[int] = set()
    for index, execution_id in enumerate(execution_ids):
        if execution_id in seen:
            raise InvalidInput.of(_FIELD, execution_id, "must name each execution once").at(index, _FIELD)
        if not is_possible_id(execution_id):
            raise InvalidInput.of(_FIELD, execution_id, "must be ids of executions").at(index, _FIELD)
        seen.add(execution_id)
    return execution_ids
