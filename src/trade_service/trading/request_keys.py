"""Keys that clients give to their requests, so that a repeat creates and sends nothing again.

The key of the request that is being served stands in a context variable: whichever transaction creates
something for it writes the key with it (`store.request_key_store.keyed_transaction`), and no use case or port
has to pass it on. The tasks that send and recover run in contexts of their own and know of no key.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from hashlib import sha256

import msgspec


def digest(*parts: bytes) -> bytes:
    """32 bytes that no other parts have."""
    sha = sha256()
    for part in parts:
        sha.update(b"%d:" % len(part))
        sha.update(part)
    return sha.digest()


class KeyedRequest(msgspec.Struct, frozen=True):
    """A request that came with a key."""

    principal: str
    """Whose key it is: every principal has names of its own."""
    scope: str
    """Method and route: the same key means something else at another route."""
    key: str
    fingerprint: bytes
    """32 bytes made from method, path, query and body: what tells a repeat from another request."""

    @property
    def id(self) -> bytes:
        """32 bytes that stand for principal, scope and key."""
        return digest(self.principal.encode(), self.scope.encode(), self.key.encode())


class Created(msgspec.Struct, frozen=True):
    """What a transaction made of a request, item by item."""

    ids: tuple[int | None, ...] = ()
    """Of orders or executions, as the route knows; None for an item that was refused."""
    refusals: tuple[str | None, ...] = ()
    """Why an item was refused; empty when none was."""
    name: str | None = None
    """Of what has an id that is no number."""

    @property
    def known_ids(self) -> tuple[int, ...]:
        """The ids of what was created."""
        return tuple(one for one in self.ids if one is not None)

    @property
    def is_nothing(self) -> bool:
        """Whether every item was refused."""
        return not self.known_ids and self.name is None


class KeptAnswer(msgspec.Struct, frozen=True):
    """An answer as it was given, for whoever asks again."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class KeptRequest(msgspec.Struct, frozen=True):
    """What the store knows of a key."""

    fingerprint: bytes
    running_ms: int
    """How long its lease still lasts by the database's clock; 0 when nobody works on it."""
    created: Created
    answer: KeptAnswer | None
    """None while no final answer is known, or when it was too large to be kept."""


class KeyClaim(msgspec.Struct):
    """A request's right to be the one that works under its key."""

    request: KeyedRequest
    holder: str
    """A UUID: fences off one whose lease passed while it was paused."""
    lease_ms: int
    keep_s: int
    tried: bool = False
    """A transaction tried to write the key: whether it did is not known before `created` is set."""
    created: Created | None = None
    """What is on record under the key; None while nothing is."""


class KeyTaken(Exception):
    """Another request wrote the key first. Nothing was written."""


_CLAIM: ContextVar[KeyClaim | None] = ContextVar("key_claim", default=None)


@contextmanager
def claiming(claim: KeyClaim) -> Iterator[None]:
    """What is created inside is created under the key of `claim`."""
    token = _CLAIM.set(claim)
    try:
        yield
    finally:
        _CLAIM.reset(token)


def current_key() -> KeyClaim | None:
    """The claim of the request being served, unless it has no key or the key is on record already."""
    claim = _CLAIM.get()
    return None if claim is None or claim.created is not None else claim
