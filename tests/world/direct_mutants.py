"""Planted mistakes in slicing and claiming by one statement."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import msgspec

from tests.world import store_books
from tests.world.planting import Patch, replace
from tests.world.store_books import Books
from tests.world.store_rows import REFERENCE
from trade_service.domain.orders import Slice, SliceOrder, Submission, TradeOrder, slicer
from trade_service.domain.reference import ReferenceData
from trade_service.submission.admission import DirectSubmission
from trade_service.submission.model import Claim
from trade_service.submission.ports import StoreUnavailable
from trade_service.submission.service import Batch, BulkExecutionSubmissionService

_slice_and_claim = Books.slice_and_claim


def claim_unjournalled(self: Books, submissions: Any, attempt: Any, *rest: Any) -> Any:
    """Claims new executions without writing an attempt."""
    claimed = _slice_and_claim(self, submissions, attempt, *rest)
    self.attempts.pop(attempt.attempt_id, None)
    return claimed


@contextmanager
def in_doubt() -> Iterator[None]:
    """Claims new executions even while the ledger is in doubt."""
    with (
        mock.patch.object(Books, "_may_claim_new", return_value=True),
        mock.patch.object(DirectSubmission, "_is_allowed", return_value=True),
    ):
        yield


def slice_anything(_reference: ReferenceData) -> SliceOrder:
    """Ignores the verdict that an order has too little quantity left."""

    def slice_order(order: TradeOrder, submission: Submission) -> Slice:
        plenty = msgspec.structs.replace(order, quantity=order.quantity + 1000)
        piece = slicer(REFERENCE)(plenty, submission)
        return Slice(msgspec.structs.replace(piece.order, quantity=order.quantity), piece.execution)

    return slice_order


_process_claimed = BulkExecutionSubmissionService._process_claimed


async def begin_after_claim(self: Any, batch: Batch, claim: Claim) -> Any:
    """Starts the deadline for the first byte after the claim instead of before it."""
    batch.began = self._clock.monotonic()
    return await _process_claimed(self, batch, claim)


_claim_new = BulkExecutionSubmissionService._claim_new


async def write_again(self: Any, attempt: Any, write_and_claim: Any, claimed: Any) -> Any:
    """Treats a claim whose commit got no answer as not written, so that the caller writes it again."""

    async def written(attempt: Any) -> Any:
        try:
            return await write_and_claim(attempt)
        except StoreUnavailable:
            return None

    return await _claim_new(self, attempt, written, claimed)


DIRECT_MUTANTS: dict[str, Patch] = {
    "a direct claim is not journalled": replace(Books, "slice_and_claim", claim_unjournalled),
    "a direct claim ignores a ledger in doubt": in_doubt,
    "a direct claim ignores the verdict": replace(store_books, "slicer", slice_anything),
    "the deadline is taken after the claim": replace(
        BulkExecutionSubmissionService, "_process_claimed", begin_after_claim
    ),
    "a lost direct claim is written again": replace(
        BulkExecutionSubmissionService, "_claim_new", write_again
    ),
}
