"""The port FillStore on the world's database."""

from collections.abc import Callable, Sequence

from tests.world.store_books import Books
from tests.world.store_rows import REFERENCE, BookedEvidence, BookedExecution
from trade_service.domain.executions import Fill, SubmissionState
from trade_service.trading.fill_check import FetchedFill, HeldFill, RefusedFill

_S = SubmissionState


class MemoryFillStore:
    """The port FillStore; each method is one statement."""

    def __init__(self, books: Books, on_held: Callable[[Sequence[int]], None]) -> None:
        """`on_held` gets the service ids that were compared."""
        self._books = books
        self._on_held = on_held

    async def begin_fill_check(self, every_s: float) -> int | None:
        books, now = self._books, self._books._now_s()
        if books.fills_checked_at is not None and books.fills_checked_at > now - every_s:
            return None
        books.fills_checked_at = now
        return books.fills_offset

    async def end_fill_check(self, offset: int) -> None:
        self._books.fills_offset = offset

    async def held_fills(self, execution_ids: Sequence[int]) -> list[HeldFill]:
        held = [
            HeldFill(row.id, row.service_id, row.status_id, row.filled, row.quantity, row.version)
            for row in self._books._rows(execution_ids)
            if row.service_id is not None and row.state in (None, _S.ACCEPTED)
        ]
        self._on_held([one.execution_service_id for one in held])
        return held

    async def store_fetched(self, fills: Sequence[FetchedFill]) -> list[int]:
        return [fill.execution_id for fill in fills if self._store(fill)]

    async def new_refusals(self, fills: Sequence[RefusedFill]) -> list[int]:
        return [fill.execution_id for fill in fills if _evidence(fill) not in self._books.evidence]

    async def note_refused(self, fills: Sequence[RefusedFill]) -> None:
        self._books.evidence += map(_evidence, fills)

    def _store(self, fill: FetchedFill) -> bool:
        books = self._books
        row = books.executions.get(fill.execution_id)
        if row is None or not self._is_as_it_was(row, fill):
            return False
        before, state = _fill_of(row), row.state
        row.status_id, row.filled, row.version = fill.status_id, fill.quantity_filled, row.version + 1
        if row.state is not _S.ACCEPTED:
            row.placed = row.quantity
        books.evidence.append(
            BookedEvidence(
                row.id,
                "books",
                "FILL_FETCHED",
                row.attempt_id,
                state,
                _S.ACCEPTED,
                service_id=row.service_id,
                message=fill.message,
            )
        )
        books._become(row, _S.ACCEPTED, None)
        books.on_fetched(row.id, before, _fill_of(row))
        return True

    @staticmethod
    def _is_as_it_was(row: BookedExecution, fill: FetchedFill) -> bool:
        is_same = row.version == fill.version and row.service_id == fill.execution_service_id
        return is_same and row.state in (None, _S.ACCEPTED)


def _fill_of(row: BookedExecution) -> Fill:
    return Fill(REFERENCE.statuses[row.status_id].abbreviation, row.filled)


def _evidence(fill: RefusedFill) -> BookedEvidence:
    return BookedEvidence(
        fill.execution_id,
        "books",
        "FILL_REFUSED",
        None,
        _S.ACCEPTED,
        _S.ACCEPTED,
        service_id=fill.execution_service_id,
        message=fill.message,
    )
