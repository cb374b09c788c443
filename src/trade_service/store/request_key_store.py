"""Keys of requests on PostgreSQL: written by the transaction that creates, read by repeats."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from sqlalchemy import Integer, LargeBinary, String, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB, UUID
from sqlalchemy.ext.asyncio import AsyncConnection

from trade_service.store.database import Database
from trade_service.store.direct import Fetch, direct_transaction, fetch_by
from trade_service.store.engine import autocommitted, transaction
from trade_service.trading.request_keys import (
    Created,
    KeptAnswer,
    KeptRequest,
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

FIND_KEY = text("""
SELECT fingerprint, ceil(extract(epoch FROM greatest(running_until - now(), interval '0')) * 1000)::int,
       created, status, headers, body
FROM idempotency_key
WHERE id = :id
""").bindparams(_ID)

TAKE_OVER_KEY = text("""
UPDATE idempotency_key
SET holder = :holder, running_until = now() + :lease_ms * interval '1 ms'
WHERE id = :id AND status IS NULL AND running_until <= now()
""").bindparams(_ID, _HOLDER, _LEASE)

KEEP_ANSWER = text("""
UPDATE idempotency_key
SET status = :status, headers = :headers, body = :body
WHERE id = :id AND holder = :holder AND status IS NULL
""").bindparams(
    bindparam("status", type_=Integer),
    bindparam("headers", type_=JSONB),
    bindparam("body", type_=LargeBinary),
    _ID,
    _HOLDER,
)

LET_GO_KEY = text("""
UPDATE idempotency_key SET running_until = now() WHERE id = :id AND holder = :holder AND status IS NULL
""").bindparams(_ID, _HOLDER)

REMOVE_OLD_KEYS = text("""
WITH old AS MATERIALIZED (
    SELECT id
    FROM idempotency_key
    WHERE id = ANY(ARRAY(
        -- Asked for without a condition the oldest are read off the index; else all old ones would be sorted.
        SELECT id
        FROM (SELECT id, expires_at FROM idempotency_key ORDER BY expires_at LIMIT :limit) oldest
        WHERE expires_at <= now()))
    FOR UPDATE SKIP LOCKED
)
DELETE FROM idempotency_key WHERE id = ANY(ARRAY(SELECT id FROM old))
""").bindparams(bindparam("limit", type_=Integer))


class Making:
    """What a transaction tells of its work, for the key that it is done under."""

    def __init__(self) -> None:
        self.created: Created | None = None


@asynccontextmanager
async def keyed_transaction(database: Database) -> AsyncIterator[tuple[AsyncConnection, Making]]:
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
async def keyed_statement(database: Database) -> AsyncIterator[tuple[AsyncConnection, Making]]:
    """The same for what is one statement: without a key it is its own transaction, in one round trip."""
    if current_key() is not None:
        async with keyed_transaction(database) as both:
            yield both
        return
    async with autocommitted(database) as connection:
        yield connection, Making()


@asynccontextmanager
async def keyed_fetching(database: Database) -> AsyncIterator[tuple[Fetch, Making]]:
    """The same for direct statements: without a key the whole transaction goes straight to the driver."""
    if current_key() is not None:
        async with keyed_transaction(database) as (connection, making):
            yield fetch_by(connection), making
        return
    async with direct_transaction(database) as fetch:
        yield fetch, Making()


class PostgresRequestKeyStore:
    """The port RequestKeyStore on PostgreSQL; see there for what each method promises."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, request: KeyedRequest) -> KeptRequest | None:
        """See RequestKeyStore."""
        async with autocommitted(self._database) as connection:
            row = (await connection.execute(FIND_KEY, _id(request))).one_or_none()
        if row is None:
            return None
        fingerprint, running_ms, created, status, headers, body = row
        answer = None if status is None else KeptAnswer(status, headers, body)
        return KeptRequest(fingerprint, running_ms, msgspec.convert(created, Created), answer)

    async def take_over(self, claim: KeyClaim) -> bool:
        """See RequestKeyStore."""
        values = {"lease_ms": claim.lease_ms, "holder": claim.holder}
        async with autocommitted(self._database) as connection:
            return (await connection.execute(TAKE_OVER_KEY, _id(claim.request) | values)).rowcount == 1

    async def keep(self, claim: KeyClaim, answer: KeptAnswer) -> None:
        """See RequestKeyStore."""
        values = {**msgspec.structs.asdict(answer), "holder": claim.holder}
        async with autocommitted(self._database) as connection:
            await connection.execute(KEEP_ANSWER, _id(claim.request) | values)

    async def let_go(self, claim: KeyClaim) -> None:
        """See RequestKeyStore."""
        async with autocommitted(self._database) as connection:
            await connection.execute(LET_GO_KEY, _id(claim.request) | {"holder": claim.holder})

    async def remove_old(self, limit: int) -> int:
        """See RequestKeyStore."""
        async with autocommitted(self._database) as connection:
            return (await connection.execute(REMOVE_OLD_KEYS, {"limit": limit})).rowcount


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
