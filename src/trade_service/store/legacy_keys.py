"""Keys of requests in transactions of SQLAlchemy, until every module uses `request_key_store`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from sqlalchemy import Integer, LargeBinary, String, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID
from sqlalchemy.ext.asyncio import AsyncConnection

from trade_service.store import order_sql
from trade_service.store.database import Database
from trade_service.store.engine import autocommitted, transaction
from trade_service.store.request_key_store import Making
from trade_service.trading.request_keys import (
    Created,
    KeyClaim,
    KeyedRequest,
    KeyTaken,
    current_key,
)

_ID = bindparam("id", type_=LargeBinary)
_HOLDER = bindparam("holder", type_=UUID(as_uuid=False))
_LEASE = bindparam("lease_ms", type_=Integer)

INSERT_KEY = text("""
INSERT INTO idempotency_key (id, principal, scope, key, fingerprint, holder, running_until, expires_at)
VALUES (:id, :principal, :scope, :key, :fingerprint, :holder, now() + :lease_ms * interval '1 ms',
        now() + :keep_s * interval '1 s')
ON CONFLICT DO NOTHING
RETURNING true
""").bindparams(
    *(bindparam(name, type_=String) for name in ("principal", "scope", "key")),
    bindparam("fingerprint", type_=LargeBinary),
    bindparam("keep_s", type_=Integer),
    _ID,
    _HOLDER,
    _LEASE,
)
"""Waits for another transaction with the same key, and writes nothing when that one keeps it."""

NOTE_CREATED = text("""
UPDATE idempotency_key SET created = :created WHERE id = :id
""").bindparams(_ID, bindparam("created", type_=JSONB))

FREE_KEY = text("DELETE FROM idempotency_key WHERE id = :id").bindparams(_ID)


@asynccontextmanager
async def legacy_keyed_transaction(database: Database) -> AsyncIterator[tuple[AsyncConnection, Making]]:
    """A transaction that creates what the request being served asks for, and writes the request's key.

    The key comes first: of two transactions with the same one, the later waits for the earlier and then
    raises KeyTaken before it has read or locked anything. The body has to set `created`; when that is
    nothing, the key stays free. Without a key it is a plain transaction.
    """
    claim, making = current_key(), Making()
    async with transaction(database) as connection:
        if claim is not None:
            await _begin(connection, claim)
        yield connection, making
        if claim is not None:
            assert making.created is not None, "a transaction under a key did not tell what it created"
            await _end(connection, claim.request, making.created)
    if claim is not None and making.created is not None and not making.created.is_nothing:
        claim.created = making.created


@asynccontextmanager
async def legacy_keyed_statement(database: Database) -> AsyncIterator[tuple[AsyncConnection, Making]]:
    """The same for what is one statement: without a key it is its own transaction, in one round trip."""
    if current_key() is not None:
        async with legacy_keyed_transaction(database) as both:
            yield both
        return
    async with autocommitted(database) as connection:
        yield connection, Making()


async def _begin(connection: AsyncConnection, claim: KeyClaim) -> None:
    claim.tried = True
    values = {"lease_ms": claim.lease_ms, "keep_s": claim.keep_s, "holder": claim.holder}
    request = claim.request
    values |= msgspec.structs.asdict(request) | _id(request)
    if (await connection.execute(INSERT_KEY, values)).one_or_none() is None:
        raise KeyTaken


async def _end(connection: AsyncConnection, request: KeyedRequest, created: Created) -> None:
    if created.is_nothing:
        await connection.execute(FREE_KEY, _id(request))
        return
    values = {"created": msgspec.to_builtins(created)}
    await connection.execute(NOTE_CREATED, _id(request) | values)


def _id(request: KeyedRequest) -> dict[str, Any]:
    return {"id": request.id}


LOCK_ORDERS = text(order_sql.LOCK_ORDERS).bindparams(bindparam("ids", type_=ARRAY(Integer)))
