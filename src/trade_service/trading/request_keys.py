"""Idempotency keys of clients' requests, so that a repeated request creates and sends nothing again.

A context variable holds the key of the current request: the transaction that creates something for the request
writes the key as well (`store.request_key_store.keyed_transaction`), and no use case or port passes it on. Senders
and recovery run in contexts of their own, without a key.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from hashlib import sha256

import msgspec


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


_CLAIM: ContextVar[KeyClaim | None] = ContextVar("key_claim", default=None)


@contextmanager
def claiming(claim: KeyClaim) -> Iterator[None]:
    """Everything created in this context is recorded under the key of `claim`."""
    token = _CLAIM.set(claim)
    try:
        yield
    finally:
        _CLAIM.reset(token)


def current_key() -> KeyClaim | None:
    """The current request's claim, unless it has no key or the key is already on record."""
    claim = _CLAIM.get()
    return None if claim is None or claim.created is not None else claim
