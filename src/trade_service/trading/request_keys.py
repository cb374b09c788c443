"""Idempotency keys of clients' requests, so that a repeated request creates and sends nothing again.

A context variable holds the key of the current request: the transaction that creates something for the request
writes the key as well (`store.request_key_store.keyed_transaction`), and no use case or port passes it on. Senders
and recovery run in contexts of their own, without a key.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from hashlib import sha256
from typing import Protocol, TypeAlias

import msgspec
import structlog

from trade_service.submission.ports import Clock, StoreUnavailable
from trade_service.trading.trading_settings import IdempotencySettings

_log = structlog.get_logger(__name__)


def digest(*parts: bytes) -> bytes:
    """32 bytes that identify the parts and their boundaries."""
    sha = sha256()
    for part in parts:
        sha.update(b"%d:" % len(part))
        sha.update(part)
    return sha.digest()


class KeyedRequest(msgspec.Struct, frozen=True):
    """A request with a key."""

    principal: str
    """The key's owner: every principal has a key space of its own."""
    scope: str
    """Method and route: the same key is independent at another route."""
    key: str
    fingerprint: bytes
    """32 bytes made from method, path, query and body, which distinguish a repeat from another request."""

    @property
    def id(self) -> bytes:
        """32 bytes that identify principal, scope and key."""
        return digest(self.principal.encode(), self.scope.encode(), self.key.encode())


class Created(msgspec.Struct, frozen=True):
    """What a transaction created for a request, item by item."""

    ids: tuple[int | None, ...] = ()
    """Ids of orders or executions, depending on the route; None for a refused item."""
    refusals: tuple[str | None, ...] = ()
    """Why each item was refused; empty when none was."""
    name: str | None = None
    """The id of a creation that is not numbered."""

    @property
    def known_ids(self) -> tuple[int, ...]:
        """The ids without the refused items."""
        return tuple(one for one in self.ids if one is not None)

    @property
    def is_nothing(self) -> bool:
        """Whether every item was refused."""
        return not self.known_ids and self.name is None


class KeptAnswer(msgspec.Struct, frozen=True):
    """A response as it was sent, for repeats of the request."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class KeptRequest(msgspec.Struct, frozen=True):
    """The stored state of a key."""

    fingerprint: bytes
    running_ms: int
    """Remaining lease by the database's clock; 0 when no request is working on it."""
    created: Created
    answer: KeptAnswer | None
    """None before the final response, or when that was too large to store."""


class KeyClaim(msgspec.Struct):
    """The exclusive right of a request to work under its key."""

    request: KeyedRequest
    holder: str
    """A UUID that fences off a holder whose lease expired while it was paused."""
    lease_ms: int
    keep_s: int
    tried: bool = False
    """A transaction tried to write the key; `created` is set once it is known to have succeeded."""
    created: Created | None = None
    """What is on record under the key; None before that."""


class KeyTaken(Exception):
    """Another request wrote the key first. Nothing was written."""


KEY_CLAIM: ContextVar[KeyClaim | None] = ContextVar("key_claim", default=None)
"""The claim of the request being served; None when it has no key."""


@contextmanager
def claiming(claim: KeyClaim) -> Iterator[None]:
    """Everything created in this context is recorded under the key of `claim`."""
    token = KEY_CLAIM.set(claim)
    try:
        yield
    finally:
        KEY_CLAIM.reset(token)


def current_key() -> KeyClaim | None:
    """The current request's claim, unless it has no key or the key is already on record."""
    claim = KEY_CLAIM.get()
    return None if claim is None or claim.created is not None else claim


LEASE_MARGIN_MS = 1000
"""How much longer a key's lease lasts than any request: a later repeat never finds the first one running."""


class RequestKeyStore(Protocol):
    """Stored keys and responses. A key itself is written by the transaction that creates something under it.

    Every method may raise StoreUnavailable.
    """

    async def find(self, request: KeyedRequest) -> KeptRequest | None:
        """The state of the request's key; None when it is free."""

    async def take_over(self, claim: KeyClaim) -> bool:
        """Makes the claim the holder of a key that no request works on; False when one does."""

    async def keep(self, claim: KeyClaim, answer: KeptAnswer) -> None:
        """Stores the final answer, unless the claim is no longer the holder."""

    async def let_go(self, claim: KeyClaim) -> None:
        """Ends the claim's lease, if it is the holder."""

    async def remove_old(self, limit: int) -> int:
        """Removes up to `limit` keys whose time is over, oldest first; returns how many."""


class Reused(msgspec.Struct, frozen=True):
    """The key belongs to a different request."""


class StillRunning(msgspec.Struct, frozen=True):
    """Another request with this key is being served."""

    left_ms: int
    """The remaining time of its lease."""


KeyStatus: TypeAlias = KeyClaim | KeptAnswer | Reused | StillRunning
"""The status of a key. A claim without `created` belongs to the first request, one with `created` continues from
what is on record."""


class IdempotentRequests:
    """Lets one request at a time work under a key, over all replicas; repeats get its response."""

    def __init__(
        self, store: RequestKeyStore, clock: Clock, settings: IdempotencySettings, request_timeout_s: float
    ) -> None:
        self._store = store
        self._clock = clock
        self._settings = settings
        self._lease_ms = round(request_timeout_s * 1000) + LEASE_MARGIN_MS

    async def key_status(self, request: KeyedRequest) -> KeyStatus:
        """The status of a request's key. Raises StoreUnavailable.

        A new key is written together with what is created under it; of two simultaneous requests the later
        transaction raises KeyTaken.
        """
        kept = await self._store.find(request)
        if kept is None:
            return self._claim(request)
        if kept.fingerprint != request.fingerprint:
            return Reused()
        if kept.answer is not None:
            return kept.answer
        if kept.running_ms > 0:
            return StillRunning(kept.running_ms)
        claim = self._claim(request)
        claim.created = kept.created
        return claim if await self._store.take_over(claim) else StillRunning(self._lease_ms)

    async def keep(self, claim: KeyClaim, answer: KeptAnswer) -> None:
        """Stores the final response for repeats; if the store is unavailable, they have to rebuild it."""
        if len(answer.body) > self._settings.max_answer_bytes:
            await self.let_go(claim)
            return
        try:
            await self._store.keep(claim, answer)
        except StoreUnavailable as error:
            _log.warning("answer_not_kept", key=claim.request.key, error=str(error))

    async def let_go(self, claim: KeyClaim) -> None:
        """Releases a claim without a final response, so that the next repeat need not wait for the lease."""
        if not claim.tried and claim.created is None:
            return
        try:
            await self._store.let_go(claim)
        except StoreUnavailable as error:
            _log.warning("key_not_let_go", key=claim.request.key, error=str(error))

    def _claim(self, request: KeyedRequest) -> KeyClaim:
        return KeyClaim(request, self._clock.new_attempt_id(), self._lease_ms, self._settings.keep_s)


class Sweep:
    """Removes one kind of expired record in bounded batches; every replica runs it.

    `remove_old` removes up to the given number with one statement and returns how many it removed.
    """

    def __init__(
        self,
        what: str,
        remove_old: Callable[[int], Awaitable[int]],
        settings: IdempotencySettings,
        clock: Clock,
    ) -> None:
        self._what = what
        self._remove_old = remove_old
        self._settings = settings
        self._clock = clock

    async def run(self) -> None:
        """Removes until cancelled; waits while the database is unavailable."""
        while True:
            await self._clock.sleep(self._settings.sweep_s)
            try:
                if removed := await self.once():
                    _log.info("old_records_removed", records=self._what, removed=removed)
            except StoreUnavailable as error:
                _log.warning("sweep_waits_for_database", records=self._what, error=str(error))

    async def once(self) -> int:
        """Removes everything that has expired by now; returns how many records."""
        total, limit = 0, self._settings.sweep_limit
        while (removed := await self._remove_old(limit)) == limit:
            total += removed
        return total + removed
