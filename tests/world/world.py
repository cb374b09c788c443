"""A seeded world: several replicas of the real engine on virtual time, in weather that heals.

Invariants hold after every step: nothing is accepted twice, nothing lost, quantities are conserved,
states move legally, and whatever happens downstream was written down before. After healing
everything has to finish.
"""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from tests.world.books import PART, Books, attempts_open
from tests.world.downstream import Downstream, Row
from tests.world.loop import WorldLoop
from tests.world.network import FaultyStore, WorldClock, WorldGateway
from tests.world.ports import MemoryStore
from tests.world.replica import Replica
from tests.world.scenario import PIECE, Told, report_fill, submit_execution, submit_many, submit_orders
from tests.world.weather import Timing, Weather
from trade_service.domain.executions import FINAL, GAVE_BACK, OPEN, SubmissionState, may_become
from trade_service.submission.failure_handler import SPENDS_BUDGET
from trade_service.submission.model import SubmitStatus

TROUBLE_S = 30.0
"""How long it goes wrong."""
HEALING_S = 7200.0
"""How long everything may take to finish afterwards; virtual time costs little."""
LOOK_EVERY_S = 0.5
REPLICAS = 3
"""At most."""

MAY_BE_ACCEPTED = (SubmissionState.CLAIMED, SubmissionState.UNKNOWN)
"""Only while its execution is in one of these may the Execution Service come to accept it."""
SPENDING = tuple(kind for kind, spends in SPENDS_BUDGET.items() if spends)
PROVEN_ABSENT = (SubmissionState.RETRY, SubmissionState.REJECTED, SubmissionState.EXHAUSTED)


class Outcome(msgspec.Struct, frozen=True):
    """What became of a world."""

    seed: int
    failure: str | None
    executions: int
    accepted: int
    calls: int
    kills: int
    pauses: int
    virtual_s: float


class World:
    """One run; `run` tells what came of it."""

    def __init__(self, seed: int, timing: Timing | None = None) -> None:
        self.seed = seed
        self.loop = WorldLoop()
        self.weather = Weather(seed)
        self.timing = timing or Timing()
        dice = self.weather.dice
        self._database_offset_s = 1_000_000.0
        self.downstream = Downstream(self.loop, self.weather, self.timing, dice.choice((0, 50, 10_000)))
        self.downstream.on_commit = self._on_commit
        self.books = Books(lambda: self.loop.time() + self._database_offset_s)
        self.books.on_change = self._on_change
        self.told = Told()
        self._batch_size = dice.choice((1, 3, 5, 10))
        self._max_attempts = dice.choice((2, 5, 5))
        self._replicas: list[Replica | None] = [None] * dice.randint(1, REPLICAS)
        self._births = 0
        self._kills = 0
        self._pauses = 0
        self._failure: str | None = None
        self._look_again_at = TROUBLE_S + LOOK_EVERY_S
        self._filled: set[int] = set()
        self._order_ids = self._make_orders(dice.randint(1, 8))

    def run(self) -> Outcome:
        """Runs to the end, or to the first broken invariant."""
        try:
            self._plan()
            self._finish()
            # Callers in processes that slept until now are still to be answered, and what they asked for.
            self.loop.run(self.loop.time() + 2 * self.timing.wait_s, lambda: self._failure is not None)
            self._finish()
            self._check_end()
        finally:
            self.loop.close()
        return Outcome(
            self.seed,
            self._failure,
            len(self.books.executions),
            len(self.downstream.rows),
            self.downstream.calls,
            self._kills,
            self._pauses,
            self.loop.time(),
        )

    def _finish(self) -> None:
        if not self.loop.run(TROUBLE_S + HEALING_S, self._is_over):
            self._break(f"not finished {HEALING_S:g} s after healing: {self._open()}")

    # What happens, and when

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
                self.books.add_execution(order_id, PIECE)
        return order_ids

    def _plan(self) -> None:
        dice = self.weather.dice
        for index in range(len(self._replicas)):
            self.loop.call_outside(dice.random(), self._start, index)
        for _ in range(dice.randint(4, 24)):
            self.loop.call_outside(1 + dice.random() * (TROUBLE_S - 5), self._call)
        if dice.random() < 0.8:
            for _ in range(dice.randint(0, 10)):
                self.loop.call_outside(dice.random() * TROUBLE_S, self._befall)
        self.loop.call_outside(TROUBLE_S, self._heal)

    def _start(self, index: int) -> None:
        present = self._replicas[index]
        if present is not None and present.serves:
            return
        self._births += 1
        name = f"replica-{index}-{self._births}"
        clock = WorldClock(self.loop, self.weather, boot=1000.0 * self._births)
        replica = Replica(
            name,
            self.loop,
            clock,
            WorldGateway(self.loop, self.weather, self.timing, self.downstream, clock),
            FaultyStore(self.loop, self.weather, MemoryStore(self.books, name)),
            self.timing,
            batch_size=self._batch_size,
            max_attempts=self._max_attempts,
        )
        replica.process.on_death = lambda: self._restart(index)
        replica.process.on_pause = lambda: self._resume_later(replica)
        self._replicas[index] = replica

    def _restart(self, index: int) -> None:
        self._kills += 1
        pause_s = 0.1 if self.weather.healed else self.weather.between(0.1, 15)
        self.loop.call_outside(pause_s, self._start, index)

    def _resume_later(self, replica: Replica) -> None:
        """A pause may outlast the lease, the settle time, and the healing."""
        self._pauses += 1
        pause_s = self.weather.dice.uniform(0.1, 2 * (self.timing.lease_s + self.timing.settle_s))
        self.loop.call_outside(pause_s, self.loop.resume, replica.process)

    def _serving(self) -> list[Replica]:
        return [replica for replica in self._replicas if replica is not None and replica.serves]

    def _call(self) -> None:
        """Some caller asks some replica for something; often others ask others for the same."""
        dice = self.weather.dice
        kind = dice.choice(("orders", "one", "many"))
        known = sorted(self.books.executions)
        ids = [dice.choice(known) for _ in range(dice.randint(1, 6))] if known else []
        orders = dice.sample(self._order_ids, dice.randint(1, len(self._order_ids)))
        for _ in range(dice.choice((1, 1, 2, 3))):
            serving = self._serving()
            if not serving:
                return
            replica = dice.choice(serving)
            if kind == "orders":
                replica.spawn(submit_orders(replica, orders, self.told))
            elif kind == "one" and ids:
                replica.spawn(submit_execution(replica, ids[0], self.told))
            elif ids:
                replica.spawn(submit_many(replica, ids, self.told))

    def _befall(self) -> None:
        """Something happens to a process, to the database, or to its clock."""
        dice, weather = self.weather.dice, self.weather
        serving = self._serving()
        what = dice.choice(("kill", "kill", "pause", "pause", "stop", "outage", "jump"))
        if what == "outage":
            weather.database_away_until = self.loop.time() + weather.between(0.1, 12)
        elif what == "jump":
            self._database_offset_s += dice.choice((-1, 1)) * weather.between(0.1, 600)
        elif serving:
            replica = dice.choice(serving)
            if what == "kill":
                replica.process.die_at = replica.process.steps + dice.randint(1, 300)
            elif what == "stop":
                replica.stop()
            elif dice.random() < 0.5:
                replica.gateway.stumbles = True
            else:
                replica.process.pause_at = replica.process.steps + dice.randint(1, 300)

    def _heal(self) -> None:
        self.weather.healed = True
        self.weather.database_away_until = 0.0
        for index, replica in enumerate(self._replicas):
            if replica is None or not replica.serves:
                self._start(index)
            else:
                replica.process.die_at = replica.process.pause_at = None

    # What has to hold

    def _on_commit(self, row: Row) -> None:
        execution_id = row.execution_id
        times = self.downstream.times_accepted[execution_id]
        if times > 1:
            self._break(
                f"execution {execution_id} was accepted {times} times, now by attempt {row.attempt_id}"
            )
        attempt = self.books.attempts.get(row.attempt_id)
        if attempt is None or execution_id not in attempt.execution_ids:
            self._break(
                f"execution {execution_id} was accepted by attempt {row.attempt_id}, which nobody wrote down"
            )
        state = self.books.executions[execution_id].state
        if state not in MAY_BE_ACCEPTED:
            self._break(f"execution {execution_id} was accepted while it was {state}")
        if self.weather.happens(self.weather.rates.fill):
            self.loop.call_outside(self.weather.between(0.0, 10), self._fill, execution_id)

    def _on_change(self, execution_id: int, before: SubmissionState, after: SubmissionState) -> None:
        if before is not after and not may_become(before, after):
            self._break(f"execution {execution_id} went from {before} to {after}")
        accepted = self.downstream.times_accepted[execution_id]
        if after is SubmissionState.ACCEPTED and not accepted:
            self._break(f"execution {execution_id} is called accepted and was not")
        if after in PROVEN_ABSENT and accepted:
            self._break(f"execution {execution_id} was accepted and is called {after}")

    def _fill(self, execution_id: int) -> None:
        serving = self._serving()
        if serving:
            replica = self.weather.dice.choice(serving)
            replica.spawn(report_fill(replica, execution_id, self._filled.add))

    def _is_over(self) -> bool:
        if self._failure is not None:
            return True
        if self.loop.time() < self._look_again_at:
            return False
        self._look_again_at = self.loop.time() + LOOK_EVERY_S
        return not self._open()

    def _open(self) -> Mapping[int | str, str]:
        """What is not final yet, and attempts that are not closed."""
        open_: dict[int | str, str] = {
            i: str(one.state) for i, one in self.books.executions.items() if one.state in OPEN
        }
        return open_ or dict.fromkeys(attempts_open(self.books.attempts), "attempt not closed")

    def _check_end(self) -> None:
        if self.loop.failures:
            self._break(self.loop.failures[0])
        for execution_id, one in self.books.executions.items():
            accepted = self.downstream.times_accepted[execution_id]
            if (one.state is SubmissionState.ACCEPTED) != bool(accepted):
                self._break(f"execution {execution_id} ended {one.state} and was accepted {accepted} times")
            spent = sum(
                execution_id in a.execution_ids and a.kind in SPENDING for a in self.books.attempts.values()
            )
            if spent > self._max_attempts:
                self._break(f"execution {execution_id} spent {spent} of {self._max_attempts} attempts")
            if execution_id in self._filled and one.status_id != PART:
                self._break(f"the fill of execution {execution_id} was overwritten by status {one.status_id}")
        self._check_quantities()
        self._check_told()

    def _check_quantities(self) -> None:
        for order in self.books.orders.values():
            held = sum(
                (
                    e.quantity
                    for e in self.books.executions.values()
                    if e.order_id == order.id and e.state not in GAVE_BACK
                ),
                Decimal(0),
            )
            if order.quantity_sent != held:
                self._break(
                    f"order {order.id} says {order.quantity_sent} was sent, its executions hold {held}"
                )
            if held > order.quantity:
                self._break(f"order {order.id} of {order.quantity} was overrun: {held} was sent")

    def _check_told(self) -> None:
        for contradiction in self.told.contradictions:
            self._break(contradiction)
        for execution_id, status in self.told.final.items():
            accepted = bool(self.downstream.times_accepted[execution_id])
            if accepted != (status is SubmitStatus.SUCCESS):
                self._break(f"a caller was told {status} of execution {execution_id}, accepted: {accepted}")
        for execution_id in self.told.promised:
            if self.books.executions[execution_id].state not in FINAL:
                self._break(f"execution {execution_id} was promised and forgotten")

    def _break(self, failure: str) -> None:
        """The first broken invariant counts; the rest may follow from it."""
        if self._failure is None:
            self._failure = f"{failure} (at {self.loop.time():.3f} s)"
