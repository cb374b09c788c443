"""Direct submission: executions are claimed by the statement that writes them, where a sender is free."""

import asyncio
from functools import partial

from trade_service.submission.admission import Admission
from trade_service.submission.circuit import CircuitState
from trade_service.submission.downstream_gate import DownstreamGate
from trade_service.submission.model import Claim, NewAttempt
from trade_service.submission.ports import StoreUnavailable
from trade_service.submission.sender import Senders
from trade_service.submission.service import BulkExecutionSubmissionService, ClaimNew
from trade_service.submission.waiters import Waiter, Waiters


class DirectSubmission:
    """Spares new executions the queue: a batch then costs two statements and one call, from the order to SENT."""

    def __init__(
        self,
        service: BulkExecutionSubmissionService,
        senders: Senders,
        waiters: Waiters,
        admission: Admission,
        gate: DownstreamGate,
    ) -> None:
        self._service = service
        self._senders = senders
        self._waiters = waiters
        self._admission = admission
        self._gate = gate

    async def submit(self, size: int, write_and_claim: ClaimNew) -> Waiter | None:
        """Has executions written, claimed and sent; returns once they are claimed, with their waiter.

        None if nothing was written, since no sender is free, the circuit is not closed, the ledger is in doubt, or
        `write_and_claim` wrote nothing: they are to be queued. Raises what `write_and_claim` raises. What is
        claimed is sent even if the caller goes away.
        """
        if not self._is_allowed():
            return None
        claimed: asyncio.Future[Waiter | None] = asyncio.get_running_loop().create_future()
        if not self._senders.start(partial(self._run, size, write_and_claim, claimed), size):
            return None
        try:
            return await claimed
        except asyncio.CancelledError:
            if claimed.done() and not claimed.cancelled() and claimed.exception() is None:
                waiter = claimed.result()
                if waiter is not None:
                    self._waiters.leave(waiter)
            raise

    def _is_allowed(self) -> bool:
        """As far as this process knows; the statement asks the database."""
        return self._gate.is_open and self._admission.circuit.breaker.state is CircuitState.CLOSED

    async def _run(
        self, size: int, write_and_claim: ClaimNew, claimed: "asyncio.Future[Waiter | None]"
    ) -> None:
        try:
            await self._service.process_new(size, partial(self._claim, write_and_claim, claimed))
        finally:
            if not claimed.done():
                claimed.set_result(None)

    async def _claim(
        self, write_and_claim: ClaimNew, claimed: "asyncio.Future[Waiter | None]", attempt: NewAttempt
    ) -> Claim | None:
        """Registers the waiter before anything else can happen to the executions."""
        try:
            claim = await write_and_claim(attempt)
        except BaseException as error:
            # Whether it was written is not known: the caller must not write it again.
            if not claimed.done():
                is_error = isinstance(error, Exception)
                claimed.set_exception(error if is_error else StoreUnavailable("stopped while writing"))
            raise
        if claim is not None and not claimed.done():
            waiter = Waiter()
            self._waiters.join(waiter, (item.execution_id for item in claim.items))
            claimed.set_result(waiter)
        return claim
