"""Decides whether a request with an idempotency key is new, a repeat, or still running."""

from typing import TypeAlias

import msgspec
import structlog

from trade_service.submission.ports import Clock, StoreUnavailable
from trade_service.trading.ports import RequestKeyStore
from trade_service.trading.request_keys import KeptAnswer, KeyClaim, KeyedRequest
from trade_service.trading.trading_settings import IdempotencySettings

_log = structlog.get_logger(__name__)

LEASE_MARGIN_MS = 1000
"""How much longer a key's lease lasts than any request: a later repeat never finds the first one running."""


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
