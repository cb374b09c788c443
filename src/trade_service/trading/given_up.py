"""How executions came to be given up: for whoever reads the log without the journal at hand."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from trade_service.submission.model import AttemptId


class Try(msgspec.Struct, frozen=True):
    """One attempt at an execution, as its journal tells it."""

    attempt_id: AttemptId
    started_at: datetime
    kind: str | None
    code: str | None
    http_status: int | None
    findings: tuple[str, ...]
    """Codes of what was found out of this execution, in order."""


class GivenUpReads(Protocol):
    """Reads the attempts of executions that were given up."""

    async def tries_of(self, execution_ids: Sequence[int]) -> Mapping[int, Sequence[Try]]:
        """By execution its attempts since it was first claimed, the oldest first; raises StoreUnavailable."""
        ...
