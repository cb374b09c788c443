"""What is open now, over all replicas: for gauges and for people."""

from typing import Protocol

import msgspec

from trade_service.domain.executions import SubmissionState


class Backlog(msgspec.Struct, frozen=True):
    """Executions whose outcome is open."""

    executions: dict[SubmissionState, int]
    """How many are in each of the open states."""
    oldest_unknown_s: float
    """Seconds since the attempt began that the oldest unknown execution belongs to; 0 when there is none."""
    retry_overdue_s: float
    """Seconds for which a due retry has waited to be picked up; 0 when none is due."""


class BacklogReads(Protocol):
    """Reads the backlog."""

    async def read(self) -> Backlog:
        """The backlog of this moment; raises StoreUnavailable."""
        ...
