"""Single submissions that arrive while others are being claimed are claimed together, by the next statement.

Under load one statement, one call and one record thus serve many callers. A caller that comes alone never waits.
"""

import asyncio
from collections.abc import Sequence
from contextvars import Context
from functools import partial

import msgspec

from trade_service.domain.access import Requester
from trade_service.domain.fields import is_possible_id
from trade_service.domain.orders import Submission
from trade_service.submission.admission import DirectSubmission
from trade_service.submission.events import REQUESTER, Origins
from trade_service.submission.model import Claim, NewAttempt
from trade_service.submission.ports import StoreUnavailable
from trade_service.submission.waiters import Waiter
from trade_service.trading.model import StoredExecution
from trade_service.trading.ports import OrderStore, StaleReference
from trade_service.trading.reference import ReferenceCache

PATIENCE_S = 0.05
"""How long a submission waits for a free sender before it is queued, which makes it durable."""
MAX_TOGETHER = 100


class _Caller(msgspec.Struct, eq=False):
    submission: Submission
    requester: Requester
    origins: Origins
    sent: "asyncio.Future[tuple[StoredExecution, Waiter] | None]"


class SingleSubmissions:
    """One claim at a time: the callers that arrive meanwhile share the next one. Used on one loop.

    Each is judged for itself: one that breaks a rule does not affect the others.
    """

    def __init__(self, store: OrderStore, references: ReferenceCache, direct: DirectSubmission) -> None:
        self._store = store
        self._references = references
        self._direct = direct
        self._waiting: dict[_Caller, None] = {}
        self._claiming: Sequence[_Caller] | None = None
        self._in_flight = 0

    async def submit(self, submission: Submission) -> tuple[StoredExecution, Waiter] | None:
        """The execution, claimed, with its waiter; None if nothing was written and it is to be queued.

        Raises StoreUnavailable. What is claimed is sent even if the caller goes away.
        """
        if not is_possible_id(submission.trade_order_id):
            return None
        loop = asyncio.get_running_loop()
        caller = _Caller(submission, REQUESTER.get(), Origins.now(), loop.create_future())
        self._waiting[caller] = None
        self._claim_next(is_alone=len(self._waiting) == 1)
        patience = loop.call_later(PATIENCE_S, self._give_up, caller) if caller in self._waiting else None
        try:
            return await caller.sent
        except asyncio.CancelledError:
            self._waiting.pop(caller, None)
            if caller.sent.done() and not caller.sent.cancelled() and caller.sent.exception() is None:
                sent = caller.sent.result()
                if sent is not None:
                    self._direct.leave(sent[1])
            raise
        finally:
            if patience is not None:
                patience.cancel()

    def _claim_next(self, *, is_alone: bool = False) -> None:
        """Starts a claim of those who wait, unless one is under way or no sender is free.

        It runs in a context of its own, except for a caller that `is_alone`.
        """
        if self._claiming is not None or not self._waiting:
            return
        group = self._next_group()
        origins = [caller.origins for caller in group]
        write, ended = partial(self._write, group), partial(self._end, group)
        start = partial(self._direct.start, origins, write, ended)
        if start() if is_alone else Context().run(start):
            self._claiming = group
            self._in_flight += 1
            for caller in group:
                del self._waiting[caller]
        elif not self._in_flight:  # Nothing would start them later.
            for caller in list(self._waiting):
                self._give_up(caller)

    def _next_group(self) -> list[_Caller]:
        """The first in line, with each order once."""
        group: dict[int, _Caller] = {}
        for caller in self._waiting:
            if len(group) == MAX_TOGETHER:
                break
            group.setdefault(caller.submission.trade_order_id, caller)
        return list(group.values())

    async def _write(self, group: Sequence[_Caller], attempt: NewAttempt) -> Claim | None:
        try:
            return await self._slice_and_claim(group, attempt)
        except BaseException as error:
            # It may have been written: the callers must not write it again.
            known = error if isinstance(error, Exception) else StoreUnavailable("stopped while writing")
            for caller in group:
                if not caller.sent.done():
                    caller.sent.set_exception(known)
            raise
        finally:
            self._claiming = None
            self._claim_next()

    async def _slice_and_claim(self, group: Sequence[_Caller], attempt: NewAttempt) -> Claim | None:
        """Registers the waiters before anything else can happen to the executions."""
        submissions = [caller.submission for caller in group]
        destinations = {submission.destination_id for submission in submissions}
        reference = await self._references.current(lambda data: destinations <= data.destinations.keys())
        requesters = [caller.requester for caller in group]
        try:
            claimed = await self._store.slice_and_claim(submissions, attempt, reference, requesters)
        except StaleReference:
            return None
        if claimed is None:
            return None
        written = {one.execution.trade_order_id: one for one in claimed.slices}
        for caller in group:
            stored = written.get(caller.submission.trade_order_id)
            if not caller.sent.done():
                result = None if stored is None else (stored, self._direct.join(stored.execution.id))
                caller.sent.set_result(result)
        return claimed.claim

    def _end(self, group: Sequence[_Caller]) -> None:
        """The claim of `group` was recorded, has failed, or was not made."""
        self._in_flight -= 1
        if self._claiming is group:
            self._claiming = None
        for caller in group:
            if not caller.sent.done():
                caller.sent.set_result(None)
        # Its sender is free a moment later.
        asyncio.get_running_loop().call_soon(self._claim_next)

    def _give_up(self, caller: _Caller) -> None:
        if caller in self._waiting:
            del self._waiting[caller]
            if not caller.sent.done():
                caller.sent.set_result(None)
