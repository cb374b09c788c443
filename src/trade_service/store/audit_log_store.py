"""The audit log in PostgreSQL, where a trigger refuses all but INSERT."""

from collections.abc import Mapping, Sequence

import msgspec

from trade_service.store.database import Database, Session
from trade_service.store.statements import load
from trade_service.submission.events import REQUESTER
from trade_service.trading.audit_log import (
    MAX_IDS,
    SHOWN_IDS,
    Action,
    AuditEntry,
    AuditFilter,
    AuditPage,
    AuditPosition,
    ObjectKind,
)

_SQL = load("audit_log")
_LOOKED_AT = 50_000
"""Entries that one page looks at: the time of a page is bounded, however few match."""


async def record(
    session: Session,
    action: Action,
    kind: ObjectKind,
    ids: Sequence[int] = (),
    *,
    trade_order_ids: Sequence[int] = (),
    name: str | None = None,
    details: Mapping[str, object] | None = None,
) -> None:
    """Adds an entry of the present caller in the transaction of `session`, unless its changes are not audited."""
    caller = REQUESTER.get()
    if caller.is_audited:
        await session.execute(
            _SQL["add"],
            **msgspec.structs.asdict(caller),
            action=action,
            object=kind,
            object_ids=ids[:MAX_IDS],
            trade_order_ids=trade_order_ids[:MAX_IDS],
            object_name=name,
            details=details if len(ids) <= MAX_IDS else {**(details or {}), "count": len(ids)},
        )


class PostgresAuditEntries:
    """The port AuditEntries on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, wanted: AuditFilter, before: AuditPosition | None, limit: int) -> AuditPage:
        at, identity = before or (None, None)
        values = msgspec.structs.asdict(wanted)
        values |= {"before_at": at, "before_id": identity, "looked_at": _LOOKED_AT, "shown": SHOWN_IDS}
        rows = await self._database.fetch(_SQL["page"], limit=limit, **values)
        entries = tuple(AuditEntry(*row) for row in rows)
        if len(entries) == limit:
            return AuditPage(entries, AuditPosition(entries[-1].at, entries[-1].id))
        last = await self._database.fetch_row(_SQL["last_looked_at"], **values)
        return AuditPage(entries, None if last is None else AuditPosition(*last))

    async def note(self, action: Action, kind: ObjectKind, name: str, details: Mapping[str, object]) -> None:
        async with self._database.session() as session:
            await record(session, action, kind, name=name, details=details)


def changed_fields(old: msgspec.Struct, new: msgspec.Struct | None = None) -> dict[str, object]:
    """What a change did, for its entry: each field that differs, as it was and as it is.

    Without `new` all fields, as they were.
    """
    before = msgspec.structs.asdict(old)
    if new is None:
        return {_camel(name): value for name, value in before.items()}
    after = msgspec.structs.asdict(new)
    return {_camel(name): [before[name], after[name]] for name in before if before[name] != after[name]}


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))
