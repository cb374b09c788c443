"""Invariants of pauses: nothing paused is claimed, nothing waits for a pause that is over, and no time is lost."""

from collections.abc import Callable

from tests.world.store_books import Books
from tests.world.store_rows import REFERENCE, BookedExecution
from trade_service.domain.executions import SubmissionState

_S = SubmissionState
TOLERANCE_S = 1.0


class PauseWatch:
    """Watches the pauses of one world; `broken` gets what breaks an invariant."""

    def __init__(
        self, books: Books, give_up_s: float, broken: Callable[[str], None], *, clock_is_sound: bool
    ) -> None:
        self._books = books
        self._give_up_s = give_up_s
        self._broken = broken
        self._clock_is_sound = clock_is_sound
        self._since: dict[int, float] = {}
        """When each paused destination was paused."""
        self._over: list[tuple[int, float, float]] = []
        """Destination, beginning and end of past pauses."""

    def after_statement(self) -> None:
        """Notes what began or ended; an attempt waits for the end of a pause only while all it sends is paused."""
        books = self._books
        for destination_id in REFERENCE.destinations:
            since, before = books.paused_since(destination_id), self._since.get(destination_id)
            if since is not None:
                self._since.setdefault(destination_id, since)
            elif before is not None:
                self._over.append((destination_id, before, books.now_s()))
                del self._since[destination_id]
        for attempt in books.attempts.values():
            if attempt.parked_at is not None and attempt.next_action_at is not None:
                for row in books._owned(attempt, (_S.QUEUED, _S.RETRY)):
                    if books.paused_since(row.destination_id) is None:
                        self._broken(f"execution {row.id} waits for the end of a pause that is over")

    def check_claim(self, row: BookedExecution, *, is_requeued: bool) -> None:
        """Nothing paused is claimed; what was paused has the time left that it had, at least."""
        if self._books.paused_since(row.destination_id) is not None:
            self._broken(f"execution {row.id} was claimed while sending to its destination was paused")
        history = self._books.history.get(row.id, ())
        first = next((change.at_s for change in history if change.after is _S.CLAIMED), None)
        if first is None or row.give_up_at is None or is_requeued or not self._clock_is_sound:
            return
        now = self._books.now_s()
        paused_s = sum(
            max(0.0, end - max(first, begin)) for to, begin, end in self._over if to == row.destination_id
        )
        due_s = self._give_up_s - (now - first - paused_s)
        # A budget that was spent before a pause leaves a moment for one more call.
        if paused_s and row.give_up_at - now < due_s - TOLERANCE_S:
            self._broken(
                f"execution {row.id} has {row.give_up_at - now:.0f} s of its time left, not {due_s:.0f} s"
            )
