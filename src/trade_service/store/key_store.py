"""API keys in PostgreSQL."""

from typing import Any

from sqlalchemy import LargeBinary, bindparam, text

from trade_service.domain.access import ApiKey, Role
from trade_service.domain.errors import AlreadyExists, NotFound
from trade_service.store.database import Database
from trade_service.store.engine import autocommitted

MAX_KEYS = 10_000
"""Active keys that a process holds at most."""

_COLUMNS = "id, name, role, digest, created_at, revoked_at"
ACTIVE = text(f"SELECT {_COLUMNS} FROM api_key WHERE revoked_at IS NULL ORDER BY name LIMIT {MAX_KEYS}")
ALL = text(f"SELECT {_COLUMNS} FROM api_key ORDER BY created_at, id LIMIT :limit")
ADD = text("""
INSERT INTO api_key (id, name, role, digest) VALUES (:id, :name, :role, :digest)
ON CONFLICT DO NOTHING RETURNING id
""").bindparams(bindparam("digest", type_=LargeBinary))
REVOKE = text(f"""
UPDATE api_key SET revoked_at = now() WHERE (id = :which OR name = :which) AND revoked_at IS NULL
RETURNING {_COLUMNS}
""")


class PostgresKeys:
    """Keeps API keys. Revoked ones stay, to tell who had one."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def active(self) -> list[ApiKey]:
        """Those that were not revoked."""
        async with autocommitted(self._database) as connection:
            return [_key(row) for row in await connection.execute(ACTIVE)]

    async def all(self) -> list[ApiKey]:
        """The oldest ones first."""
        async with autocommitted(self._database) as connection:
            return [_key(row) for row in await connection.execute(ALL, {"limit": MAX_KEYS})]

    async def add(self, key: ApiKey) -> None:
        """Keeps a new one; raises AlreadyExists when an active key has its name."""
        values = {"id": key.id, "name": key.name, "role": key.role.title, "digest": key.digest}
        async with autocommitted(self._database) as connection:
            if (await connection.execute(ADD, values)).first() is None:
                message = f"an active key is named {key.name!r}: revoke it, or choose another name"
                raise AlreadyExists(message, name=key.name)

    async def revoke(self, which: str) -> list[ApiKey]:
        """Revokes the active key of that id or name; raises NotFound."""
        async with autocommitted(self._database) as connection:
            revoked = [_key(row) for row in await connection.execute(REVOKE, {"which": which})]
        if not revoked:
            raise NotFound.of("active API key", which[:80])
        return revoked


def _key(row: Any) -> ApiKey:
    role = Role[row.role.upper()]
    return ApiKey(row.id, row.name, role, bytes(row.digest), row.created_at, row.revoked_at)
