"""API keys in PostgreSQL. Every change is recorded in the audit log."""

from collections.abc import Iterable, Mapping

import asyncpg

from trade_service.domain.access import ApiKey, Role
from trade_service.domain.errors import AlreadyExists, NotFound
from trade_service.store.audit_log_store import record
from trade_service.store.database import Database, Session
from trade_service.store.statements import load
from trade_service.trading.audit_log import Action, ObjectKind

SQL = load("api_keys")
MAX_KEYS = 10_000
"""The most active keys that a process holds."""


class PostgresKeys:
    """Stores API keys. Raises StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def active(self) -> list[ApiKey]:
        """All keys that are neither revoked nor expired, by name."""
        return _keys(await self._database.fetch(SQL["active"], limit=MAX_KEYS))

    async def all(self) -> list[ApiKey]:
        """All keys, the oldest first."""
        return _keys(await self._database.fetch(SQL["all"], limit=MAX_KEYS))

    async def current(self, name: str) -> ApiKey:
        """The newest key of that name, which may have expired; raises NotFound."""
        keys = _keys(await self._database.fetch(SQL["current"], name=name))
        if not keys:
            raise NotFound.of("active API key", name[:80])
        return keys[0]

    async def add(self, key: ApiKey) -> None:
        """Stores a new key; raises AlreadyExists when an active key has its name."""
        async with self._database.transaction() as session:
            await session.execute(SQL["free_name"], name=key.name)
            await _insert(session, key)
            await record(session, Action.CREATE, ObjectKind.API_KEY, name=key.name, details=_details(key))

    async def rotate(self, old: ApiKey, new: ApiKey, overlap_s: float) -> ApiKey:
        """Stores `new` in the place of `old`, which ends after the overlap; returns it as it is then.

        Raises NotFound when it was rotated or revoked in the meantime.
        """
        async with self._database.transaction() as session:
            rows = await session.fetch(SQL["replace"], id=old.id, new_id=new.id, overlap_s=overlap_s)
            if not rows:
                raise NotFound.of("active API key", old.id)
            await _insert(session, new)
            (replaced,) = _keys(rows)
            details = _details(new) | {"replaces": old.id, "replacedExpiresAt": replaced.expires_at}
            await record(session, Action.ROTATE, ObjectKind.API_KEY, name=new.name, details=details)
        return replaced

    async def revoke(self, which: str) -> list[ApiKey]:
        """Revokes the active keys with this id or name; raises NotFound."""
        async with self._database.transaction() as session:
            revoked = _keys(await session.fetch(SQL["revoke"], which=which))
            if not revoked:
                raise NotFound.of("active API key", which[:80])
            details = {"ids": [key.id for key in revoked]}
            await record(session, Action.REVOKE, ObjectKind.API_KEY, name=revoked[0].name, details=details)
        return revoked

    async def note_used(self, used_ago_s: Mapping[str, float]) -> None:
        """Records when keys were last used: how many seconds ago, by id."""
        ids, ago_s = list(used_ago_s), list(used_ago_s.values())
        await self._database.execute(SQL["note_used"], ids=ids, ago_s=ago_s)


async def _insert(session: Session, key: ApiKey) -> None:
    added = await session.fetch_value(SQL["add"], **key._asdict() | {"role": key.role.title})
    if added is None:
        message = f"an active key is named {key.name!r}: revoke it, or choose another name"
        raise AlreadyExists(message, name=key.name)


def _details(key: ApiKey) -> dict[str, object]:
    return {"id": key.id, "role": key.role.title, "label": key.label, "expiresAt": key.expires_at}


def _keys(rows: Iterable[asyncpg.Record]) -> list[ApiKey]:
    return [ApiKey(identity, name, Role[role.upper()], *fields) for identity, name, role, *fields in rows]
