"""A seeded world: several replicas of the real engine on virtual time, in weather that heals.

Invariants hold after every step: nothing is accepted twice, nothing lost, quantities are conserved,
states move legally, and whatever happens downstream was written down before. After healing
everything has to finish.
"""

from decimal import Decimal
from typing import Any

from tests.world.downstream import Downstream, Row
from tests.world.invariants import Invariants, Outcome
from tests.world.loop import WorldLoop
from tests.world.network import FaultyStore, WorldClock, WorldGateway
from tests.world.replica import Replica
from tests.world.scenario import (
    PIECE,
    Told,
    report_fill,
    requeue_all,
    submit_execution,
    submit_many,
    submit_orders,
)
from tests.world.store import MemoryStore
from tests.world.store_books import Books
from tests.world.store_operators import MemoryOperatorStore
from tests.world.store_rows import DESTINATION, SENT
from tests.world.weather import Weather
from trade_service.domain.executions import SubmissionState

TROUBLE_S = 30.0
"""How long it goes wrong."""
HEALING_S = 7200.0
"""How long everything may take to finish afterwards; virtual time costs little."""
LOOK_EVERY_S = 0.5
REPLICAS = 3
"""At most."""
RESET_RATE = 0.05
"""In how many worlds the Execution Service's database is made anew."""
HIGH_ID = 10_000
"""Where ids begin in those worlds: an alarm is promised only while the new ids are below the old."""

Mishap = tuple[str, int]
"""What befalls the first process, and at which of its steps."""


class World:
    """One run; `run` tells what came of it."""

    def __init__(self, seed: int, mishap: Mishap | None = None) -> None:
        self.seed = seed
        self.loop = WorldLoop()
        self.weather = Weather(seed)
        self._mishap = mishap
        dice = self.weather.dice
        self._database_offset_s = 1_000_000.0
        self._is_to_be_reset = dice.random() < RESET_RATE
        first_id = HIGH_ID if self._is_to_be_reset else dice.choice((0, 50, HIGH_ID))
        self.downstream = Downstream(self.loop, self.weather, first_id)
        self.books = Books(self._now_s)
        self.told = Told()
        self._batch_size = dice.choice((1, 3, 5, 10))
        self._max_attempts = dice.choice((2, 5, 5))
        self.invariants = Invariants(self.loop, self.books, self.downstream, self.told, self._max_attempts)
        self.downstream.on_commit = self._on_commit
        self._replicas: list[Replica | None] = [None] * dice.randint(1, REPLICAS)
        self._births = 0
        self._kills = 0
        self._pauses = 0
        self._put_strangers()
        self._order_ids = self._make_orders(dice.randint(1, 8))

    def run(self) -> Outcome:
        """Runs to the end, or to the first broken invariant."""
        try:
            self._plan()
            self._finish(looking_in_s=TROUBLE_S + LOOK_EVERY_S)
            if self.invariants.failure is None:
                # Callers in processes that slept until now are still to be answered, and what they asked for.
                self.loop.run(self.loop.time() + 2 * self.weather.timing.wait_s)
                self._finish(looking_in_s=0.0)
                self.invariants.check_end()
        finally:
            self.loop.close()
        return Outcome(
            self.seed,
            self.invariants.failure,
            len(self.books.executions),
            sum(self.downstream.times_accepted.values()),
            self.downstream.calls,
            self._kills,
            self._pauses,
            self.loop.time(),
        )

    def _finish(self, *, looking_in_s: float) -> None:
        self.loop.call_outside(looking_in_s, self._look)
        if not self.loop.run(TROUBLE_S + HEALING_S):
            open_ = self.invariants.open()
            self.invariants.broken(f"not finished {HEALING_S:g} s after healing: {open_}")

    def _look(self) -> None:
        if self.invariants.is_over():
            self.loop.stop()
        else:
            self.loop.call_outside(LOOK_EVERY_S, self._look)

    # How it begins

    def _put_strangers(self) -> None:
        """Rows of another life of our database, whose ids happen to be those of ours."""
        for execution_id in range(1, self.weather.dice.choice((1, 1, 4, 12))):
            self.downstream.put(_post(execution_id, "OLD"), "another life")

    def _make_orders(self, count: int) -> list[int]:
        dice, rates = self.weather.dice, self.weather.rates
        order_ids = []
        for number in range(count):
            security = f"S{number}"
            if self.weather.happens(rates.bad_item):
                security = dice.choice(("BAD", "BAD!", "POISON"))
            quantity = PIECE * dice.randint(1, 4)
            order_id = self.books.add_order(quantity, security)
            order_ids.append(order_id)
            if dice.random() < 0.5:
                execution_id = self.books.add_execution(order_id, PIECE)
                if self.weather.happens(rates.foreign):
                    self._make_foreign(execution_id, security)
        return order_ids

    def _make_foreign(self, execution_id: int, security: str) -> None:
        """The earlier service wrote this row, and may have sent it, whether the row tells or not."""
        row = self.books.executions[execution_id]
        kind = self.weather.dice.choice(("sent", "sent meanwhile", "lost", "never sent"))
        self.invariants.inherited.add(execution_id)
        row.state = SubmissionState.NONE if kind == "sent meanwhile" else None
        if kind == "never sent":
            return
        remote = self.downstream.put(_post(execution_id, security), "the earlier service")
        self.downstream.times_accepted[execution_id] = 1
        if kind == "sent":
            row.service_id, row.status_id = remote.id, SENT
        elif kind == "sent meanwhile":
            row.placed = row.quantity

    def _plan(self) -> None:
        dice = self.weather.dice
        for index in range(len(self._replicas)):
            self.loop.call_outside(dice.random(), self._start, index)
        for _ in range(dice.randint(4, 24)):
            self.loop.call_outside(1 + dice.random() * (TROUBLE_S - 5), self._call)
        for what in self.weather.mishaps:
            self.loop.call_outside(dice.random() * TROUBLE_S, self._befall, what)
        self.loop.call_outside(TROUBLE_S, self._heal)

    # What happens

    def _now_s(self) -> float:
        """The database's clock."""
        return self.loop.time() + self._database_offset_s

    def _start(self, index: int) -> None:
        present = self._replicas[index]
        if present is not None and present.serves:
            return
        self._births += 1
        name = f"replica-{index}-{self._births}"
        clock = WorldClock(self.loop, self.weather, boot=1000.0 * self._births)
        store = MemoryStore(
            self.books, name, clock.new_attempt_id, round(self.weather.timing.settle_s * 1000)
        )
        operators = MemoryOperatorStore(self.books, clock.new_attempt_id, self._now_s)
        watch = self.invariants.after_statement
        replica = Replica(
            name,
            self.loop,
            clock,
            WorldGateway(self.loop, self.weather, self.downstream, clock),
            FaultyStore(self.loop, self.weather, store, watch),
            FaultyStore(self.loop, self.weather, operators, watch),
            self.weather.timing,
            batch_size=self._batch_size,
            max_attempts=self._max_attempts,
        )
        replica.events.subscribe(self.invariants.listen)
        replica.process.on_death = lambda: self._restart(index)
        replica.process.on_pause = lambda: self._resume_later(replica)
        self._replicas[index] = replica
        if self._mishap is not None and self._births == 1:
            what, step = self._mishap
            replica.process.befall(what, step)

    def _restart(self, index: int) -> None:
        self._kills += 1
        pause_s = 0.1 if self.weather.healed else self.weather.between(0.1, 15)
        self.loop.call_outside(pause_s, self._start, index)

    def _resume_later(self, replica: Replica) -> None:
        """A pause may outlast the lease, the settle time, and the healing."""
        self._pauses += 1
        timing = self.weather.timing
        pause_s = self.weather.dice.uniform(0.1, 2 * (timing.lease_s + timing.settle_s))
        self.loop.call_outside(pause_s, self.loop.resume, replica.process)

    def _serving(self) -> list[Replica]:
        return [replica for replica in self._replicas if replica is not None and replica.serves]

    def _call(self) -> None:
        """Some caller asks some replica for something; often others ask others for the same."""
        dice = self.weather.dice
        kind = dice.choice(("orders", "orders", "one", "one", "many", "many", "requeue"))
        known = sorted(self.books.executions)
        ids = [dice.choice(known) for _ in range(dice.randint(1, 6))] if known else []
        orders = dice.sample(self._order_ids, dice.randint(1, len(self._order_ids)))
        for _ in range(dice.choice((1, 1, 2, 3))):
            serving = self._serving()
            if not serving:
                return
            replica = dice.choice(serving)
            if kind == "requeue":
                replica.spawn(requeue_all(replica, self.told))
            elif kind == "orders":
                replica.spawn(submit_orders(replica, orders, self.told))
            elif kind == "one" and ids:
                replica.spawn(submit_execution(replica, ids[0], self.told))
            elif ids:
                replica.spawn(submit_many(replica, ids, self.told))

    def _befall(self, what: str) -> None:
        """Something happens to a process, to the database or its clock, or to the Execution Service."""
        dice, weather, now = self.weather.dice, self.weather, self.loop.time()
        serving = self._serving()
        if what == "outage":
            weather.database_away_until = now + weather.between(0.1, 12)
        elif what == "jump":
            self._database_offset_s += dice.choice((-1, 1)) * weather.between(0.1, 600)
        elif what == "storm":
            weather.storm_until = now + weather.between(0.5, 12)
        elif serving:
            replica = dice.choice(serving)
            if what == "stop":
                replica.stop()
            elif what == "stumble":
                replica.gateway.stumbles = True
            else:
                replica.process.befall(what, dice.randint(1, 200))

    def _heal(self) -> None:
        self.weather.heal()
        for index, replica in enumerate(self._replicas):
            if replica is None or not replica.serves:
                self._start(index)
            else:
                replica.gateway.stumbles = False
                replica.process.die_at = replica.process.pause_at = None

    def _on_commit(self, row: Row) -> None:
        self.invariants.after_commit(row)
        if self._is_to_be_reset and self.weather.dice.random() < 0.3:
            self.loop.call_outside(self.weather.between(0, 1), self._reset)
        if self.weather.happens(self.weather.rates.fill):
            self.loop.call_outside(self.weather.between(0.0, 10), self._fill, row.execution_id)

    def _reset(self) -> None:
        """Once some id was on record: before, nobody could tell new ids from old."""
        if self._is_to_be_reset and self.books.last_top_id():
            self._is_to_be_reset = False
            self.downstream.lose_everything()

    def _fill(self, execution_id: int) -> None:
        serving = self._serving()
        if serving:
            replica = self.weather.dice.choice(serving)
            replica.spawn(report_fill(replica, execution_id, self.invariants.filled.add))


def _post(execution_id: int, security: str) -> dict[str, Any]:
    """What the earlier service sent."""
    return {
        "tradeType": "BUY",
        "destination": DESTINATION,
        "securityId": security,
        "quantity": Decimal(PIECE),
        "limitPrice": None,
        "tradeServiceExecutionId": execution_id,
    }
