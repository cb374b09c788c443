"""BulkSubmissions: up to 10,000 executions by id, sent now or in the background, and their progress."""

from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from trade_service.domain.errors import InvalidInput, TooMany
from trade_service.domain.executions import is_possible_id
from trade_service.submission.model import AttemptId, BulkSubmitResult
from trade_service.submission.origin import SUBMISSION_ID
from trade_service.submission.ports import Clock
from trade_service.trading.bulk_model import BulkAttempt, BulkItem, BulkProgress, BulkSubmissionId
from trade_service.trading.execution_use_cases import MAX_BATCH, ExecutionService
from trade_service.trading.listing.model import Filter
from trade_service.trading.listing.service import ListService

_log = structlog.get_logger(__name__)

MAX_EXECUTIONS = 10_000
MAX_PAGE = 1000
_FIELD = "executionIds"


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

        Executions in state `none` become `queued` under the tickets, up to 100 under each; rows of the
        earlier service are taken over. `by_recovery` leaves them to any process's recovery at once, else
        they are left to this process for a while.
        """
        ...

    async def execution_ids(self, submission_id: BulkSubmissionId) -> list[int]:
        """What was asked for, in the order of the request; raises NotFound."""
        ...

    async def progress(self, submission_id: BulkSubmissionId) -> BulkProgress:
        """How far it is; raises NotFound."""
        ...

    async def items(
        self, submission_id: BulkSubmissionId, request_indexes: Sequence[int] | range
    ) -> list[BulkItem]:
        """The executions at these places of the request, in the order given; places past the end are left out."""
        ...

    async def settled(self, submission_id: BulkSubmissionId, seen: int, limit: int) -> list[int]:
        """The places of executions that settled after the first `seen` ones did, oldest first, at most `limit`.

        The order is the same for everybody and for ever. Raises NotFound.
        """
        ...

    async def attempts(
        self, submission_id: BulkSubmissionId, after: AttemptId | None, limit: int
    ) -> list[BulkAttempt]:
        """Up to `limit` attempts since the submission that had an execution of it, in the order of their ids,
        from the one behind `after`."""
        ...

    async def remove_old(self, keep_s: float, limit: int) -> int:
        """Removes up to `limit` submissions older than `keep_s`; returns how many."""
        ...


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
            message = f"filter: must be met by at most {MAX_EXECUTIONS} executions that were never sent; "
            raise TooMany(
                f"{message}got more, nothing was sent, narrow it down", field="filter", limit=MAX_EXECUTIONS
            )
        return ids

    async def start(self, execution_ids: Sequence[int]) -> BulkSubmissionId:
        """The same without waiting: the intent is durable, and all replicas share the work.

        Raises as `submit` does.
        """
        submission_id = await self._begin(execution_ids, by_recovery=True)
        self._wake_recovery(0)
        return submission_id

    async def progress(self, submission_id: BulkSubmissionId) -> BulkProgress:
        """How far a bulk submission is; raises NotFound."""
        return await self._store.progress(submission_id)

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
        submission_id, *tickets = (self._clock.new_attempt_id() for _ in range(1 + -(-len(ids) // MAX_BATCH)))
        await self._store.begin(submission_id, ids, tickets, by_recovery=by_recovery)
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
