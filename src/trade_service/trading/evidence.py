"""The search for evidence: what was found beside the attempts, and what operators decided."""

from datetime import datetime
from typing import NamedTuple, Protocol

import msgspec

from trade_service.trading.operating import Evidence


class FoundEvidence(Evidence, frozen=True, rename="camel"):
    """Evidence about one execution."""

    execution_id: int


class EvidenceFilter(msgspec.Struct, frozen=True):
    """Selects evidence; a field that is None matches all."""

    execution_id: int | None = None
    code: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    """Found before this time."""


class EvidencePosition(NamedTuple):
    """The place of a piece of evidence in the order of discovery."""

    at: datetime
    id: int


class EvidencePage(msgspec.Struct, frozen=True):
    """Evidence, the latest first."""

    evidence: tuple[FoundEvidence, ...]
    next: EvidencePosition | None
    """Where the next page begins; None at the end."""


class EvidenceReads(Protocol):
    """Evidence as stored."""

    async def evidence(
        self, wanted: EvidenceFilter, before: EvidencePosition | None, limit: int
    ) -> EvidencePage:
        """Up to `limit` pieces before a place, the latest first. Raises StoreUnavailable.

        A page looks at a bounded number: it may have fewer, or none, and still not be the last.
        """
