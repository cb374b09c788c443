"""API keys: random, shown once, stored as digests.

A key reads `ts_ID_SECRET`. The id finds the row; of the secret only the SHA-256 is stored. That is enough for 256
random bits, which cannot be guessed: a slow hash would add nothing.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from trade_service.domain.access import ApiKey, KnownBy, NotAuthenticated, Principal, Role
from trade_service.single_flight import SingleFlightCache
from trade_service.submission.ports import StoreUnavailable

_KEY = re.compile(r"ts_(?P<id>[0-9a-f]{12})_(?P<secret>[A-Za-z0-9_-]{43})")
_NO_DIGEST = bytes(32)
MISS_PAUSE_S = 1.0
"""Unknown keys cause at most one read in this time."""


class NewKey(NamedTuple):
    """A key that was just created."""

    key: ApiKey
    text: str
    """What its owner sends. It cannot be shown again."""

    def __repr__(self) -> str:
        return f"NewKey({self.key.id})"


def make_key(name: str, role: Role, label: str | None = None, expires_at: datetime | None = None) -> NewKey:
    """Creates a key with that name and role."""
    identity, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    key = ApiKey(identity, name, role, _digest(secret), label, expires_at=expires_at)
    return NewKey(key, f"ts_{identity}_{secret}")


class ApiKeys:
    """Authenticates requests by API key; a revoked or expired key is refused after at most `max_age_s` seconds.

    `read_active` returns the keys that are neither; it may raise StoreUnavailable. `note_use` gets the id of every
    key that is used.
    """

    def __init__(
        self,
        read_active: Callable[[], Awaitable[Sequence[ApiKey]]],
        max_age_s: float,
        note_use: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._note_use = note_use

        async def load() -> dict[str, ApiKey]:
            return {key.id: key for key in await read_active()}

        self._keys = SingleFlightCache(
            "API keys",
            load,
            StoreUnavailable,
            max_age_s=max_age_s,
            pause_s=MISS_PAUSE_S if max_age_s else 0.0,
            stale_s=0.0,
        )

    async def principal(self, credential: str | None) -> Principal:
        """The owner of a valid key; raises NotAuthenticated and StoreUnavailable."""
        if credential is None:
            raise NotAuthenticated("an API key is needed: Authorization: Bearer KEY, or X-API-Key: KEY")
        parts = _KEY.fullmatch(credential)
        if parts is None:
            raise NotAuthenticated("the credential is not an API key of this service")
        identity = parts["id"]
        key = (await self._keys.get(lambda keys: identity in keys)).get(identity)
        known = hmac.compare_digest(_NO_DIGEST if key is None else key.digest, _digest(parts["secret"]))
        if key is None or not known:
            raise NotAuthenticated("the API key is unknown, expired or revoked")
        self._note_use(identity)
        return Principal(key.name, key.role, KnownBy.API_KEY)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
