"""How long an observer has watched attempts by its own clock: absence counts only after that.

The database's clock alone decides nothing: it may jump ahead while a call is under way.
"""

from collections.abc import Iterable

from trade_service.submission.model import AttemptId, DueAttempt
from trade_service.submission.ports import Clock


class ObservationClock:
    """When this process first saw each attempt, in seconds of the boot clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._under_way: dict[AttemptId, float] = {}
        self._since: dict[tuple[AttemptId, bool], float] = {}
        self._claimed_at: dict[AttemptId, float] = {}

    def note_under_way(self, attempt_ids: Iterable[AttemptId]) -> None:
        """Takes the calls that are under way now, all of them.

        The lease of one that is lost is then over by our own clock about when it is by the database's, and not a
        whole lease after it was found lost.
        """
        now = self._clock.monotonic()
        self._under_way = {attempt_id: self._under_way.get(attempt_id, now) for attempt_id in attempt_ids}

    def begin(self, attempt: DueAttempt) -> None:
        """Watches an attempt from now on, or from when its call was first seen under way."""
        now = self._clock.monotonic()
        since = self._under_way.get(attempt.attempt_id, now) if attempt.lease_ms else now
        self._since.setdefault(_watched_as(attempt), since)
        self._claimed_at.setdefault(attempt.attempt_id, now - attempt.age_s)

    def claimed_at(self, attempt: DueAttempt) -> float:
        """When the attempt was claimed, unless the database's clock jumped since: no proof rests on it."""
        return self._claimed_at.get(attempt.attempt_id, self._clock.monotonic())

    def left_ms(self, attempt: DueAttempt) -> int:
        """How much longer it has to be watched: 0 or less when absence counts.

        The settle time; and before it a whole lease where its owner did not record, since until then bytes of
        the call may leave.
        """
        now = self._clock.monotonic()
        watched_s = now - self._since.get(_watched_as(attempt), now)
        return attempt.lease_ms + attempt.settle_ms - round(watched_s * 1000)

    def forget(self, attempt_id: AttemptId) -> None:
        """Ends the watch of an attempt that is closed."""
        self._claimed_at.pop(attempt_id, None)
        for recorded in (False, True):
            self._since.pop((attempt_id, recorded), None)


def _watched_as(attempt: DueAttempt) -> tuple[AttemptId, bool]:
    """An attempt is watched anew once its owner recorded after all: until then bytes may have left."""
    return attempt.attempt_id, not attempt.lease_ms
