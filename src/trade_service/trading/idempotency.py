"""Requests with a key: whether one may begin, is a repeat, or is still running."""

from typing import TypeAlias

import msgspec
import structlog

from trade_service.submission.ports import Clock, StoreUnavailable
from trade_service.trading.ports import RequestKeyStore
from trade_service.trading.request_keys import KeptAnswer, KeyClaim, KeyedRequest

_log = structlog.get_logger(__name__)


class IdempotencyPolicy(msgspec.Struct, frozen=True):
    """Times and bounds of keys."""

    lease_ms: int
    """Longer than any request takes: a repeat that comes later finds nobody at work."""
    keep_s: int
    max_answer_bytes: int
    """A larger answer is put together anew from what was created."""


class Reused(msgspec.Struct, frozen=True):
    """The key belongs to a request that asked for something else."""


class StillRunning(msgspec.Struct, frozen=True):
    """The first request with this key, or a repeat of it, is being served."""

    left_ms: int
    """How long its lease still lasts."""


KeyStatus: TypeAlias = KeyClaim | KeptAnswer | Reused | StillRunning
"""How a request stands: a claim without `created` is the first of its key, one with `created` goes on from
what is on record."""


class IdempotentRequests:
    """At most one request works under a key, on whichever replica; repeats get its answer."""

    def __init__(self, store: RequestKeyStore, clock: Clock, policy: IdempotencyPolicy) -> None:
        self._store = store
        self._clock = clock
        self._policy = policy

    async def key_status(self, request: KeyedRequest) -> KeyStatus:
        """What is to become of a request. Raises StoreUnavailable.

        Nothing is written for a new key before something is created under it; of two that come at the same
        moment the later transaction raises KeyTaken.
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
        return claim if await self._store.take_over(claim) else StillRunning(self._policy.lease_ms)

    async def keep(self, claim: KeyClaim, answer: KeptAnswer) -> None:
        """Keeps the final answer for repeats. A store that does not answer only costs them some work."""
        if len(answer.body) > self._policy.max_answer_bytes:
            await self.let_go(claim)
            return
        try:
            await self._store.keep(claim, answer)
        except StoreUnavailable as error:
            _log.warning("answer_not_kept", key=claim.request.key, error=str(error))

    async def let_go(self, claim: KeyClaim) -> None:
        """No final answer came of it: the next repeat need not wait for the lease to pass."""
        if not claim.tried and claim.created is None:
            return
        try:
            await self._store.let_go(claim)
        except StoreUnavailable as error:
            _log.warning("key_not_let_go", key=claim.request.key, error=str(error))

    def _claim(self, request: KeyedRequest) -> KeyClaim:
        policy = self._policy
        return KeyClaim(request, self._clock.new_attempt_id(), policy.lease_ms, policy.keep_s)
