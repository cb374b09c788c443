"""API keys in PostgreSQL."""

from collections.abc import Iterable

import asyncpg

from trade_service.domain.access import ApiKey, Role
from trade_service.domain.errors import AlreadyExists, NotFound
from trade_service.store.database import Database
from trade_service.store.statements import load

SQL = load("api_keys")
MAX_KEYS = 10_000
"""The most active keys that a process holds."""


class PostgresKeys:
    """Stores API keys. Raises StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def active(self) -> list[ApiKey]:
        """All keys that are not revoked, by name."""
        return _keys(await self._database.fetch(SQL["active"], limit=MAX_KEYS))

    async def all(self) -> list[ApiKey]:
        """All keys, the oldest first."""
        return _keys(await self._database.fetch(SQL["all"], limit=MAX_KEYS))

    async def add(self, key: ApiKey) -> None:
        """Stores a new key; raises AlreadyExists when an active key has its name."""
        added = await self._database.fetch_value(
            SQL["add"], id=key.id, name=key.name, role=key.role.title, digest=key.digest
        )
        if added is None:
            message = f"an active key is named {key.name!r}: revoke it, or choose another name"
            raise AlreadyExists(message, name=key.name)

    async def revoke(self, which: str) -> list[ApiKey]:
        """Revokes the active keys with this id or name; raises NotFound."""
        revoked = _keys(await self._database.fetch(SQL["revoke"], which=which))
        if not revoked:
            raise NotFound.of("active API key", which[:80])
        return revoked


def _keys(rows: Iterable[asyncpg.Record]) -> list[ApiKey]:
    return [
        ApiKey(identity, name, Role[role.upper()], digest, created_at, revoked_at)
        for identity, name, role, digest, created_at, revoked_at in rows
    ]
