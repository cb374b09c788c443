"""Idempotency keys of requests on PostgreSQL."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from trade_service.store.database import Database, Session
from trade_service.store.statements import load
from trade_service.trading.request_keys import (
    Created,
    KeptAnswer,
    KeptRequest,
    KeyClaim,
    KeyedRequest,
    KeyTaken,
    current_key,
)

_SQL = load("request_keys")


class Making:
    """What a transaction creates, for the key of its request."""

    def __init__(self) -> None:
        self.created: Created | None = None


@asynccontextmanager
async def keyed_transaction(database: Database) -> AsyncIterator[tuple[Session, Making]]:
    """A transaction that creates what the current request asks for, and writes the request's key.

    The key comes first: of two transactions with the same one, the later waits for the earlier and then
    raises KeyTaken before it has read or locked anything. The body has to set `created`; when that is
    nothing, the key stays free. Without a key it is a plain transaction.
    """
    claim, making = current_key(), Making()
    async with database.transaction() as session:
        if claim is None:
            yield session, making
            return
        await _insert_key(session, claim)
        yield session, making
        created = making.created
        assert created is not None, "a transaction under a key did not set what it created"
        if created.is_nothing:
            await session.execute(_SQL["free_key"], id=claim.request.id)
        else:
            await session.execute(_SQL["note_created"], id=claim.request.id, created=created)
    if not created.is_nothing:
        claim.created = created


@asynccontextmanager
async def keyed_statement(database: Database) -> AsyncIterator[tuple[Session, Making]]:
    """The same for a single statement: without a key it is its own transaction, in one round trip."""
    if current_key() is not None:
        async with keyed_transaction(database) as both:
            yield both
        return
    async with database.session() as session:
        yield session, Making()


class PostgresRequestKeyStore:
    """The port RequestKeyStore on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, request: KeyedRequest) -> KeptRequest | None:
        row = await self._database.fetch_row(_SQL["find_key"], id=request.id)
        if row is None:
            return None
        fingerprint, running_ms, created, status, headers, body = row
        answer = None if status is None else KeptAnswer(status, headers, body)
        return KeptRequest(fingerprint, running_ms, msgspec.convert(created, Created), answer)

    async def take_over(self, claim: KeyClaim) -> bool:
        taken = await self._database.execute(
            _SQL["take_over_key"], id=claim.request.id, lease_ms=claim.lease_ms, holder=claim.holder
        )
        return taken == 1

    async def keep(self, claim: KeyClaim, answer: KeptAnswer) -> None:
        await self._database.execute(
            _SQL["keep_answer"], id=claim.request.id, holder=claim.holder, **msgspec.structs.asdict(answer)
        )

    async def let_go(self, claim: KeyClaim) -> None:
        await self._database.execute(_SQL["let_go_key"], id=claim.request.id, holder=claim.holder)

    async def remove_old(self, limit: int) -> int:
        return await self._database.execute(_SQL["remove_old_keys"], limit=limit)


async def _insert_key(session: Session, claim: KeyClaim) -> None:
    claim.tried = True
    request = claim.request
    inserted = await session.execute(
        _SQL["insert_key"],
        id=request.id,
        holder=claim.holder,
        lease_ms=claim.lease_ms,
        keep_s=claim.keep_s,
        **msgspec.structs.asdict(request),
    )
    if not inserted:
        raise KeyTaken
