"""The port PauseStore on the world's database."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from tests.world.store_books import Books
from tests.world.store_rows import EPOCH, REFERENCE, BookedExecution, BookedPause
from trade_service.domain.executions import SubmissionState
from trade_service.trading.pausing import ALL_DESTINATIONS, Pause, PauseOrder, UnsentCounts

_S = SubmissionState


class MemoryPauseStore:
    """The port PauseStore; each method is one transaction, and atomic."""

    def __init__(self, books: Books) -> None:
        self._books = books

    async def pauses(self) -> tuple[Pause, ...]:
        return tuple(
            Pause(
                one.id,
                one.destination_id or None,
                REFERENCE.destinations[one.destination_id].abbreviation if one.destination_id else None,
                one.reason,
                one.paused_by,
                EPOCH + timedelta(seconds=one.paused_at),
            )
            for one in self._books.pauses
        )

    async def destination_ids(self, abbreviation: str) -> Sequence[int]:
        return [one.id for one in REFERENCE.destinations.values() if one.abbreviation == abbreviation]

    async def waiting(self, attempts: int) -> Mapping[int, UnsentCounts]:
        books, found = self._books, dict[int, UnsentCounts]()
        due = [one for one in books.attempts.values() if one.next_action_at is not None]
        for attempt in sorted(due, key=lambda one: one.next_action_at or 0.0)[:attempts]:
            for row in books._owned(attempt, (_S.QUEUED, _S.RETRY, _S.CLAIMED)):
                is_claimed = row.state is _S.CLAIMED
                one = UnsentCounts(int(not is_claimed), int(is_claimed))
                found[row.destination_id] = found.get(row.destination_id, UnsentCounts()) + one
        return found

    async def pause(self, destination_ids: Sequence[int], order: PauseOrder) -> bool:
        books = self._books
        new = set(destination_ids) - {one.destination_id for one in books.pauses}
        last = max((one.id for one in books.pauses), default=0)
        books.pauses += [
            BookedPause(number, one, order.reason, order.actor, books.now_s())
            for number, one in enumerate(sorted(new), last + 1)
        ]
        return bool(new)

    async def resume(self, destination_ids: Sequence[int], order: PauseOrder) -> bool:
        del order
        books = self._books
        kept = [one for one in books.pauses if one.destination_id not in destination_ids]
        if len(kept) == len(books.pauses):
            return False
        for attempt in books.attempts.values():
            if attempt.next_action_at is not None and attempt.state != "queued":
                for row in books._owned(attempt, (_S.CLAIMED, _S.RETRY, _S.UNKNOWN)):
                    if row.destination_id in destination_ids or ALL_DESTINATIONS in destination_ids:
                        self._stop_budget(row)
        books.pauses = kept
        self._wake()
        return True

    def _stop_budget(self, row: BookedExecution) -> None:
        """It goes on when the execution is claimed again."""
        self._books._pause_budget(row)

    def _wake(self) -> None:
        now = self._books.now_s()
        for attempt in self._books.attempts.values():
            if attempt.next_action_at is not None and (
                attempt.parked_at is not None or attempt.state == "queued"
            ):
                attempt.next_action_at = min(attempt.next_action_at, now)
                attempt.observer = attempt.parked_at = None
