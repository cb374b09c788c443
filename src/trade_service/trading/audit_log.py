"""The audit log: who changed what, when, and from where. Entries are only ever added.

An entry is written by the transaction that makes the change. `submission.events.REQUESTER` says who asks.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

import msgspec

from trade_service.domain.fields import Moment

MAX_IDS = 10_000
"""Ids of objects that an entry holds."""
SHOWN_IDS = 100
"""Ids of objects that a list shows of each entry."""


class Action(StrEnum):
    """What was done."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    SUBMIT = "submit"
    """Executions were sliced or queued to be sent."""
    FILL = "fill"
    """A fill report was stored."""
    RESOLVE = "resolve"
    REQUEUE = "requeue"
    PAUSE = "pause"
    RESUME = "resume"
    RECOVER = "recover"
    """Open executions of a restored backup were handed to reconciliation."""
    ARCHIVE = "archive"
    """Finished rows left the database for a file."""
    ROTATE = "rotate"
    REVOKE = "revoke"


class ObjectKind(StrEnum):
    """What it was done to."""

    TRADE_ORDER = "tradeOrder"
    EXECUTION = "execution"
    BLOTTER = "blotter"
    TRADE_TYPE = "tradeType"
    DESTINATION = "destination"
    EXECUTION_STATUS = "executionStatus"
    API_KEY = "apiKey"
    LOGGER = "logger"
    SENDING = "sending"
    """To the destinations whose ids the entry has; to all if it has none."""
    ARCHIVE_FILE = "archiveFile"
    AUDIT = "audit"


class AuditEntry(msgspec.Struct, frozen=True, rename="camel"):
    """One change, or one request that changed several objects of a kind."""

    at: Moment
    id: int
    actor: str
    """Empty where nobody was authenticated."""
    known_by: str
    """How the name is known: api-key, token, command, or none."""
    address: str | None
    request_id: str | None
    action: str
    object: str
    object_ids: Sequence[int]
    """The first ones; `objectCount` is the number of all."""
    object_count: int
    trade_order_ids: Sequence[int]
    """Trade orders of the executions, the first ones."""
    object_name: str | None
    details: dict[str, Any] | None


class AuditFilter(msgspec.Struct, frozen=True):
    """Selects entries; a field that is None matches all."""

    actor: str | None = None
    action: Action | None = None
    object: ObjectKind | None = None
    object_id: int | None = None
    """With the object tradeOrder also entries of its executions."""
    since: datetime | None = None
    until: datetime | None = None
    """Entries before this time."""


class AuditPosition(NamedTuple):
    """The place of an entry in the log."""

    at: datetime
    id: int


class AuditPage(msgspec.Struct, frozen=True):
    """Entries, the newest first."""

    entries: tuple[AuditEntry, ...]
    next: AuditPosition | None
    """Where the next page begins; None at the end of the log."""


class AuditEntries(Protocol):
    """The audit log. Every method may raise StoreUnavailable."""

    async def page(self, wanted: AuditFilter, before: AuditPosition | None, limit: int) -> AuditPage:
        """Up to `limit` entries before a place, the newest first.

        A page looks at a bounded number of entries: it may have fewer, or none, and still not be the last.
        """

    async def note(self, action: Action, kind: ObjectKind, name: str, details: Mapping[str, object]) -> None:
        """Adds an entry for a change that is not made in the database."""
