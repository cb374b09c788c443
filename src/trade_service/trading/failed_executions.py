"""Failed executions, rejected or exhausted: grouped by reason, and one by one."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple, Protocol

import msgspec
import structlog

from trade_service.domain.executions import SubmissionState
from trade_service.domain.fields import Moment
from trade_service.submission.ports import Clock, StoreUnavailable

_log = structlog.get_logger(__name__)

MAX_MESSAGE_CHARS = 4000
CHECK_POLL_S = 60.0
"""Interval at which a replica asks whether the daily check is due."""
CHECK_PIECE = 1000
"""Executions that one statement of the check compares."""
CHECK_PAUSE_S = 0.02
"""Between two of them."""


class FailureFilter(msgspec.Struct, frozen=True):
    """Selects failed executions; a field that is None matches all."""

    state: SubmissionState | None = None
    code: str | None = None
    message: str | None = None
    """The whole message; other ids and long numbers in it match too."""
    since: datetime | None = None
    """Failed at this time or later."""
    until: datetime | None = None
    """Failed before this time."""


class FailureGroup(msgspec.Struct, frozen=True, rename="camel"):
    """The executions that failed for one reason."""

    state: SubmissionState
    code: str
    message: str
    """With "…" for each UUID and each number of four digits or more."""
    count: int
    first_at: Moment
    last_at: Moment
    sample_execution_id: int
    """One of them: that with the greatest id."""


class FailedExecution(msgspec.Struct, frozen=True):
    """An execution that is rejected or exhausted, and why."""

    execution_id: int
    trade_order_id: int
    order_id: int
    state: SubmissionState
    code: str
    message: str
    failed_at: datetime
    quantity: Decimal
    security_id: str
    destination: str


class FailurePosition(NamedTuple):
    """The place of a failed execution among those of its filter."""

    at: datetime
    execution_id: int


class FailureReads(Protocol):
    """Failed executions as stored. Every method may raise StoreUnavailable."""

    async def groups(self, wanted: FailureFilter, limit: int) -> tuple[Sequence[FailureGroup], bool]:
        """The largest groups, and whether there are more; code and message of the filter are not used."""

    async def count(self, wanted: FailureFilter) -> int:
        """How many executions match."""

    async def page(
        self, wanted: FailureFilter, before: FailurePosition | None, limit: int
    ) -> tuple[Sequence[FailedExecution], FailurePosition | None]:
        """Up to `limit` of those that failed before a place, the latest first, and where the next page begins."""


class CheckedPiece(NamedTuple):
    """How many executions were compared, and how many of them were listed wrongly."""

    read: int
    corrected: int


class FailureCheckStore(Protocol):
    """The table of failed executions, for its check."""

    async def check(self, limit: int) -> CheckedPiece | None:
        """Compares the next `limit` executions with the table and corrects it; None while no check is due.

        Raises StoreUnavailable.
        """


class FailureCheck:
    """Compares the table of failed executions with all executions, once a day; the replicas take turns.

    Other programs, and replicas of the previous release, end executions without writing the table.
    """

    def __init__(self, store: FailureCheckStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def run(self) -> None:
        """Checks until cancelled; waits while the database is unavailable."""
        while True:
            await self._clock.sleep(CHECK_POLL_S)
            try:
                await self.once()
            except StoreUnavailable as error:
                _log.warning("failure_check_waits_for_database", error=str(error))

    async def once(self) -> int:
        """A check that is due, to its end; returns how many executions were listed wrongly."""
        corrected = 0
        while (piece := await self._store.check(CHECK_PIECE)) is not None:
            corrected += piece.corrected
            if piece.read < CHECK_PIECE:
                break
            await self._clock.sleep(CHECK_PAUSE_S)
        if corrected:
            _log.warning("failed_executions_corrected", executions=corrected)
        return corrected
