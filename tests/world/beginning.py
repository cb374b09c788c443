"""What a seeded world holds when it begins: orders, executions of the legacy service, rows of another life."""

from tests.world.downstream import CURSED, Downstream
from tests.world.invariants import Invariants
from tests.world.market import Market, post_of
from tests.world.scenario import PIECE, Told
from tests.world.store_books import Books
from tests.world.store_rows import SENT
from tests.world.weather import Weather
from trade_service.domain.executions import SubmissionState

ALIKE = "S"
"""The security of all orders in worlds with one security."""


class Beginning:
    """Fills a new world's database and ledger."""

    def __init__(
        self,
        weather: Weather,
        downstream: Downstream,
        books: Books,
        told: Told,
        invariants: Invariants,
        market: Market,
    ) -> None:
        self._weather = weather
        self._downstream = downstream
        self._books = books
        self._told = told
        self._invariants = invariants
        self._market = market

    def make(self, *, known_floor: bool, is_direct: bool) -> list[int]:
        """Makes everything; returns the ids of the orders.

        `known_floor`: the low-water id is always known; `is_direct`: new executions are claimed by the statement
        that writes them.
        """
        weather = self._weather
        strangers = self._put_strangers(known_floor=known_floor)
        few = not (weather.is_total_outage or weather.is_poisoned)
        order_ids = self._make_orders(
            weather.dice.randint(1, 8) if few else 8, strangers, is_direct=is_direct
        )
        if weather.manners.alike:
            # An id is used twice only by what was made before the ledger was first read.
            self._books.last_execution_id = max(self._books.last_execution_id, *strangers, 0)
        return order_ids

    def _put_strangers(self, *, known_floor: bool) -> frozenset[int]:
        """Rows of another life of our database, whose ids happen to be those of ours: returns these.

        Their terms are ours too where only the floor tells them apart, so where it is always known.
        """
        weather = self._weather
        if weather.manners.impossible_row:
            self._downstream.put_impossible()
        security = ALIKE if weather.manners.alike and known_floor else "OLD"
        ids = range(1, weather.dice.choice((1, 1, 4, 12)))
        for execution_id in ids:
            self._downstream.put(post_of(execution_id, security), "another life")
        return frozenset(ids)

    def _make_orders(self, count: int, strangers: frozenset[int], *, is_direct: bool) -> list[int]:
        dice, rates = self._weather.dice, self._weather.rates
        order_ids = []
        for number in range(count):
            security = ALIKE if self._weather.manners.alike else f"S{number}"
            if self._weather.is_poisoned and not number:
                security = dice.choice(CURSED)
            elif self._weather.happens(rates.bad_item):
                security = dice.choice(("BAD", "BAD!", "POISON", *CURSED))
            # One order that has too little left sends the whole submission past the direct claim.
            quantity = PIECE * dice.randint(1, 4) * (4 if is_direct else 1)
            order_id = self._books.add_order(quantity, security)
            order_ids.append(order_id)
            if dice.random() < 0.5:
                execution_id = self._books.add_execution(order_id, PIECE)
                self._told.asked[order_id] += 1
                if execution_id not in strangers and self._weather.happens(rates.legacy):
                    self._make_legacy(execution_id, security)
        return order_ids

    def _make_legacy(self, execution_id: int, security: str) -> None:
        """Makes a legacy row, which may have been sent, with or without a trace in the row."""
        row = self._books.executions[execution_id]
        kind = self._weather.dice.choice(
            ("sent", "sent meanwhile", "lost", "lost otherwise", "never sent", "taken")
        )
        self._invariants.inherited.add(execution_id)
        row.state = SubmissionState.NONE if kind == "sent meanwhile" else None
        if kind == "never sent":
            return
        post = post_of(execution_id, security)
        if kind in ("lost otherwise", "taken"):
            # The earlier service sent something else than it stored; or it is another life's. Nobody can tell.
            post |= self._weather.dice.choice(({"quantity": PIECE + 1}, {"destination": "RBC"}))
            self._invariants.puzzling.add(execution_id)
        if kind == "taken":
            self._downstream.put(post, "another life")
            return
        remote = self._downstream.put(post, "the legacy service")
        self._downstream.times_accepted[execution_id] = 1
        self._market.trade(remote)
        if kind == "sent":
            row.service_id, row.status_id = remote.id, SENT
        elif kind == "sent meanwhile":
            row.placed = row.quantity
