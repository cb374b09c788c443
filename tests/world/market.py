"""The market of the seeded world: it fills executions, and sometimes reports fills of what was never sent."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any

from tests.world.downstream import NOT_FILLED, Downstream, Row
from tests.world.invariants import Invariants
from tests.world.loop import WorldLoop
from tests.world.network import WorldClock
from tests.world.replica import Replica
from tests.world.scenario import PIECE, report_fill
from tests.world.store_books import Books
from tests.world.store_rows import DESTINATION, FULL, PART, REFERENCE, BookedExecution
from tests.world.weather import Weather
from trade_service.domain.errors import FillOfUnsent, InvalidInput
from trade_service.domain.executions import Fill, SubmissionState


class Market:
    """Fills what the Execution Service accepted, and has replicas handle the reports."""

    def __init__(
        self,
        loop: WorldLoop,
        weather: Weather,
        downstream: Downstream,
        books: Books,
        invariants: Invariants,
        serving: Callable[[], list[Replica]],
        is_reset_ahead: Callable[[], bool],
    ) -> None:
        self._loop = loop
        self._weather = weather
        self._downstream = downstream
        self._books = books
        self._invariants = invariants
        self._serving = serving
        self._is_reset_ahead = is_reset_ahead
        self._clock = WorldClock(loop, weather, boot=0.0)

    def trade(self, row: Row) -> None:
        """Lets the market fill an execution, once or twice."""
        for _ in range(2):
            if self._weather.happens(self._weather.rates.fill):
                self._loop.call_outside(self._weather.between(0.0, 10), self._fill, row)

    def _fill(self, row: Row) -> None:
        """Books a fill and reports it once to a replica."""
        fill, serving = self._booked(row), self._serving()
        if fill is not None and serving:
            replica, reported = self._weather.dice.choice(serving), self._invariants.filled.add
            replica.spawn(report_fill(replica, row.execution_id, fill, self._weather, reported))

    def _booked(self, row: Row) -> Fill | None:
        dice, downstream = self._weather.dice, self._downstream
        before = downstream.fills.get(row.id, NOT_FILLED).quantity
        if downstream.rows.get(row.id) is not row or row.is_copy or before < 0:
            return None
        quantity = min(PIECE, before + dice.choice((1, 1, 1, PIECE)))
        if self._weather.happens(self._weather.rates.impossible_fill):
            quantity = dice.choice((Decimal(-1), PIECE + 1))
        fill = Fill("FULL" if quantity >= PIECE else "PART", quantity)
        downstream.fills[row.id] = fill
        return fill

    def move_market(self, read: Sequence[int]) -> None:
        """Sometimes fills a row right after it was read, so that the page is outdated when it arrives."""
        row = self._filled_further(read)
        if row is not None:
            self._fill(row)

    def move_market_at_once(self, read: Sequence[int]) -> None:
        """The same, with the report handled before anything else happens."""
        row = self._filled_further(read)
        ours = None if row is None else self._books.executions.get(row.execution_id)
        is_accepted = ours is not None and ours.state is SubmissionState.ACCEPTED
        if row is not None and ours is not None and is_accepted and (fill := self._booked(row)):
            with suppress(InvalidInput):
                self._handle_fill(ours, FULL if fill.status == "FULL" else PART, fill.quantity)
                self._invariants.filled.add(ours.id)

    def _filled_further(self, read: Sequence[int]) -> Row | None:
        rows, fills = self._downstream.rows, self._downstream.fills
        open_ = [i for i in read if i in fills and fills[i].quantity < PIECE]
        if not open_ or not self._weather.happens(self._weather.rates.busy_market):
            return None
        return rows[self._weather.dice.choice(open_)]

    def _handle_fill(self, row: BookedExecution, status_id: int, quantity: Decimal) -> None:
        """Has a replica handle a report at once."""
        settle_ms = round(self._weather.timing.settle_s * 1000)
        look_up = self._books.new_look_up(self._clock.new_attempt_id(), "some replica", row.id, settle_ms)
        self._books.fill(row.id, status_id, quantity, row.version, look_up)

    def fill_some_unsent(self) -> None:
        unsent = [i for i, row in self._books.executions.items() if row.state is SubmissionState.NONE]
        if unsent and self._weather.happens(self._weather.rates.unsent_fill):
            self.fill_unsent(self._weather.dice.choice(unsent))

    def _is_held_as_never_sent(self, row: BookedExecution) -> bool:
        """Whether no call was made for it: its attempts are only queued ones and reconciliations for fills."""
        if row.id in self._invariants.inherited or self._downstream.times_accepted[row.id]:
            return False
        attempts = self._books.attempts.values()
        return all(
            a.state == "queued" or a.code == "FILL_REPORTED" for a in attempts if row.id in a.execution_ids
        )

    def fill_unsent(self, execution_id: int) -> None:
        """A fill of what was never sent is reported, twice as after a 409, and handled at this very moment.

        The books may have what waits to be sent: our database was restored to a state from before that.
        """
        row, dice = self._books.executions[execution_id], self._weather.dice
        if self._is_reset_ahead() or self._downstream.was_reset or not self._is_held_as_never_sent(row):
            return
        if row.state is SubmissionState.QUEUED and dice.random() < 0.5:
            security = self._books.orders[row.order_id].security_id
            destination = REFERENCE.destinations[row.destination_id].abbreviation
            post = post_of(execution_id, security) | {"destination": destination}
            self._downstream.put(post, "before the restore")
            self._downstream.times_accepted[execution_id] = 1
        for _ in range(2):
            try:
                self._handle_fill(row, PART, Decimal(1))
                self._invariants.broken(
                    f"a fill of execution {execution_id}, which was never sent, was believed"
                )
            except FillOfUnsent:
                pass
        self._invariants.after_statement()


def post_of(execution_id: int, security: str) -> dict[str, Any]:
    """An execution as the legacy service sent it."""
    return {
        "tradeType": "BUY",
        "destination": DESTINATION,
        "securityId": security,
        "quantity": Decimal(PIECE),
        "limitPrice": None,
        "tradeServiceExecutionId": execution_id,
    }
