"""A seeded world: several replicas of the real engine on virtual time, in weather that heals.

Invariants hold after every step: nothing is accepted twice, nothing lost, quantities are conserved,
states move legally, and whatever happens downstream was written down before. After healing
everything must finish.
"""

from typing import Any

from tests.world.beginning import Beginning
from tests.world.downstream import OTHERS_POST, Downstream, Row
from tests.world.invariants import Invariants, Outcome
from tests.world.loop import PROCESS, WorldLoop
from tests.world.market import Market
from tests.world.network import FaultyStore, WorldClock, WorldGateway
from tests.world.odd_answers import IMPOSSIBLE_ID
from tests.world.pause_watch import PauseWatch
from tests.world.pausing import Pausing
from tests.world.replica import Replica
from tests.world.scenario import (
    Told,
    recover_database,
    requeue_all,
    submit_execution,
    submit_many,
    submit_orders,
)
from tests.world.store import MemoryStore, PreviousReleaseStore
from tests.world.store_books import Books
from tests.world.store_downstream import MemoryDownstreamStore
from tests.world.store_fills import MemoryFillStore
from tests.world.store_operators import MemoryOperatorStore
from tests.world.store_pauses import MemoryPauseStore
from tests.world.weather import Weather
from trade_service.domain.executions import SubmissionState

TROUBLE_S = 30.0
"""Duration of the faults, in seconds."""
HEALING_S = 7200.0
"""Limit of the time to finish afterwards, in virtual seconds."""
LOOK_EVERY_S = 0.5
REPLICAS = 3
"""At most."""
RESET_RATE = 0.15
"""Share of worlds in which the Execution Service's database is reset."""
OTHERS_RATE = 0.1
"""Share of worlds in which other systems send so much that our rows are not among the newest."""
OTHERS = 30
HIGH_ID = 10_000
"""First id after a reset in some worlds, so low that new ids stay below old ones."""
RESTORE_RATE = 0.08
"""Share of the other worlds in which our database is restored from a backup."""
PREVIOUS_RATE = 0.1
"""Share of the rest in which some replicas run the previous release."""
CALLS_AFTER_RESTORE = 6
READ_S = 10.0
"""Limit of the time to read the ledger after a restore."""
RECOVER_EVERY_S = 20.0
"""How often an operator checks whether readiness names `trade-service recover`."""

Mishap = tuple[str, int]
"""A mishap of the first process, and its step."""


class World:
    """One world; `run` returns its result."""

    def __init__(self, seed: int, mishap: Mishap | None = None) -> None:
        self.seed = seed
        self.loop = WorldLoop()
        self.weather = Weather(seed)
        self._mishap = mishap
        dice = self.weather.dice
        self._database_offset_s = 1_000_000.0
        self._is_to_be_reset = dice.random() < RESET_RATE
        may_restore = not (self._is_to_be_reset or self.weather.is_total_outage)
        self._restores = may_restore and dice.random() < RESTORE_RATE
        self._has_previous = not (self._is_to_be_reset or self._restores) and dice.random() < PREVIOUS_RATE
        self._is_direct = seed % 3 != 0
        """Whether new executions are claimed by the statement that writes them, in processes of this release."""
        self._backup: dict[str, Any] = {}
        self._closed_until = 0.0
        first_id = dice.choice((0, 50, HIGH_ID))
        self.downstream = Downstream(self.loop, self.weather, first_id)
        self.books = Books(self._now_s)
        self.told = Told()
        self._batch_size = dice.choice((1, 3, 5, 10))
        if self.weather.is_total_outage or self.weather.is_poisoned:
            self._batch_size = 5
        self._max_attempts = dice.choice((2, 5, 5))
        self.invariants = Invariants(
            self.loop, self.books, self.downstream, self.told, self._max_attempts, self.weather
        )
        self.market = Market(
            self.loop,
            self.weather,
            self.downstream,
            self.books,
            self.invariants,
            self._serving,
            lambda: self._is_to_be_reset,
        )
        self.downstream.on_commit = self._on_commit
        self.invariants.has_previous_release = self._has_previous
        if self.weather.database_is_sound:
            self.books.on_sign = self._on_sign
        self.downstream.on_list = self.market.move_market
        self.books.on_change = self._on_change
        self._pausing = Pausing(seed, self.loop, self.books, self._serving, self.weather.timing.give_up_s)
        if self._pausing.happens:
            self.invariants.pauses = PauseWatch(
                self.books,
                self.weather.timing.give_up_s,
                self.invariants.broken,
                clock_is_sound="jump" not in self.weather.mishaps,
            )
        replicas = 1 if self.weather.is_total_outage else dice.randint(1, REPLICAS)
        self._replicas: list[Replica | None] = [None] * replicas
        self._births = 0
        self._kills = 0
        self._pauses = 0
        beginning = Beginning(
            self.weather, self.downstream, self.books, self.told, self.invariants, self.market
        )
        # A look-up with floor 0 cannot tell strangers apart: after a recovery, or a fill of what was never sent.
        known_floor = not (self._is_to_be_reset or self._restores or self.weather.rates.unsent_fill)
        self._order_ids = beginning.make(known_floor=known_floor, is_direct=self._is_direct)

    def run(self) -> Outcome:
        """Runs until the end or the first broken invariant."""
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
        if self.invariants.is_over() and self.loop.time() > self._closed_until + READ_S:
            self.loop.stop()
        else:
            self.loop.call_outside(LOOK_EVERY_S, self._look)

    # What is to come

    def _plan(self) -> None:
        dice = self.weather.dice
        for index in range(len(self._replicas)):
            self.loop.call_outside(dice.random(), self._start, index)
        for _ in range(dice.randint(4, 24)):
            self.loop.call_outside(1 + dice.random() * (TROUBLE_S - 5), self._call)
        if self.weather.has_long_refusal:
            self.loop.call_outside(dice.random() * TROUBLE_S, self._refuse_for_long)
        if self.weather.is_total_outage:
            self.weather.outage_until = TROUBLE_S
        if dice.random() < OTHERS_RATE:
            self.loop.call_outside(dice.random() * TROUBLE_S, self._put_others)
        for _ in range(4):
            self.loop.call_outside(dice.random() * TROUBLE_S, self.market.fill_some_unsent)
        self._pausing.plan(TROUBLE_S)
        for what in self.weather.mishaps:
            self.loop.call_outside(dice.random() * TROUBLE_S, self._befall, what)
        self.loop.call_outside(TROUBLE_S, self._heal)
        self.loop.call_outside(RECOVER_EVERY_S, self._recover)
        if self._restores:
            self.loop.call_outside(1 + dice.random() * 8, self._back_up)

    # What happens

    def _now_s(self) -> float:
        """The database's time."""
        return self.loop.time() + self._database_offset_s

    def _start(self, index: int) -> None:
        present = self._replicas[index]
        if present is not None and present.lives:
            return
        if self.loop.time() < self._closed_until:
            self.loop.call_outside(self._closed_until - self.loop.time(), self._start, index)
            return
        self._births += 1
        name = f"replica-{index}-{self._births}"
        clock = WorldClock(self.loop, self.weather, boot=1000.0 * self._births)
        is_previous = self._has_previous and self.weather.dice.random() < 0.5
        settle_ms = round(self.weather.timing.settle_s * 1000)
        store = MemoryStore(self.books, name, clock.new_attempt_id, settle_ms)
        if is_previous:
            floor_id = max((i for i in self.downstream.rows if i < IMPOSSIBLE_ID), default=0)
            store = PreviousReleaseStore(self.books, name, clock.new_attempt_id, settle_ms, floor_id)
        fills = MemoryFillStore(self.books, self.market.move_market_at_once)
        operators = MemoryOperatorStore(self.books, clock.new_attempt_id, self._now_s)
        watch = self.invariants.after_statement
        replica = Replica(
            name,
            self.loop,
            clock,
            WorldGateway(self.loop, self.weather, self.downstream, clock, self._id_that_listings_may_lack),
            FaultyStore(self.loop, self.weather, store, watch),
            FaultyStore(self.loop, self.weather, operators, watch),
            FaultyStore(self.loop, self.weather, MemoryDownstreamStore(self.books), watch),
            FaultyStore(self.loop, self.weather, fills, watch),
            FaultyStore(self.loop, self.weather, MemoryPauseStore(self.books), watch),
            self.weather.timing,
            batch_size=self._batch_size,
            max_attempts=self._max_attempts,
            direct=self._is_direct and not is_previous,
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
        """Sends a request to a replica, often together with the same request to others."""
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
                replica.spawn(submit_orders(replica, orders, self.told, self._pausing.destination_id))
            elif kind == "one" and ids:
                replica.spawn(submit_execution(replica, ids[0], self.told))
            elif ids:
                replica.spawn(submit_many(replica, ids, self.told))

    def _befall(self, what: str) -> None:
        """Causes a mishap of a process, the database or its clock, or the Execution Service."""
        dice, weather, now = self.weather.dice, self.weather, self.loop.time()
        serving = self._serving()
        if what == "outage":
            weather.database_away_until = now + weather.between(0.1, 12)
        elif what == "jump":
            self._database_offset_s += dice.choice((-1, 1)) * weather.between(0.1, 600)
        elif what == "storm":
            weather.storm_until = now + weather.between(0.5, 12)
        elif what == "refusal":
            weather.refused_until = max(weather.refused_until, now + weather.between(0.5, 25))
        elif serving:
            replica = dice.choice(serving)
            if what == "stop":
                replica.stop()
            elif what == "stumble":
                replica.gateway.stumbles = True
            else:
                replica.process.befall(what, dice.randint(1, 200))

    def _refuse_for_long(self) -> None:
        """Refuses calls for longer than any time budget."""
        timing = self.weather.timing
        self.weather.refused_until = self.loop.time() + timing.give_up_s * (1 + self.weather.dice.random())

    def _heal(self) -> None:
        self.weather.heal()
        for index, replica in enumerate(self._replicas):
            if replica is None or not replica.lives:
                self._start(index)
            else:
                replica.gateway.stumbles = False
                replica.process.die_at = replica.process.pause_at = None

    def _on_commit(self, row: Row) -> None:
        self.invariants.after_commit(row)
        if self._is_to_be_reset and self.weather.dice.random() < 0.3:
            self.loop.call_outside(self.weather.between(0, 1), self._reset)
        self.market.trade(row)

    def _on_sign(self) -> None:
        process = PROCESS.get()
        self.invariants.note_sign(lambda: process is not None and not process.dead)

    def _reset(self) -> None:
        """Resets the ledger, but not before an id was recorded: until then new ids look like old ones."""
        if self._is_to_be_reset and self.books.downstream.first_execution_id is not None:
            self._is_to_be_reset = False
            newest = max(self.downstream.ever)
            self.downstream.lose_everything()
            if newest < HIGH_ID and self.weather.happens(0.5):
                # Before anybody looks, new ids have passed all that were known.
                self.loop.call_outside(self.weather.between(0, 5), self.downstream.overtake, newest)

    def _id_that_listings_may_lack(self) -> int:
        """A known id; 0 while the ledger is suspected, since a second look always gets a fresh listing."""
        downstream = self.books.downstream
        return 0 if downstream.suspicion else downstream.high_water_id

    def _back_up(self) -> None:
        if self.books.downstream.base_url is None:
            # A database that has never read the ledger has nothing by which to tell that it is old.
            self.loop.call_outside(1.0, self._back_up)
            return
        self._backup = self.books.backup()
        self.loop.call_outside(0.5 + self.weather.dice.random() * 10, self._restore)

    def _restore(self) -> None:
        """Restores the database, and starts replicas only after all calls of the lost one have settled."""
        timing = self.weather.timing
        self._closed_until = self.loop.time() + timing.lease_s + timing.settle_s + 1
        for index, replica in enumerate(self._replicas):
            if replica is not None and replica.lives:
                self.loop.kill(replica.process)
            else:
                self._start(index)
        self.invariants.forget_what_was_lost()
        for _ in range(CALLS_AFTER_RESTORE):
            at = self._closed_until + self.weather.between(1, 40)
            self.loop.call_outside(at - self.loop.time(), self._call)
        self.books.restore(self._backup)
        self.weather.databases += 1

    def _recover(self) -> None:
        """Runs the command that readiness names, as an operator."""
        serving = self._serving()
        if self.books.downstream.blocked_reason is not None and serving:
            replica = self.weather.dice.choice(serving)
            replica.spawn(recover_database(replica, self.books, self.told))
        self.loop.call_outside(RECOVER_EVERY_S, self._recover)

    def _put_others(self) -> None:
        """Adds many executions of other systems."""
        for _ in range(OTHERS):
            self.downstream.put(OTHERS_POST, "another system")

    def _on_change(self, execution_id: int, before: SubmissionState, after: SubmissionState) -> None:
        self.invariants.on_change(execution_id, before, after)
        waits = after in (SubmissionState.QUEUED, SubmissionState.RETRY)
        if waits and self.weather.happens(self.weather.rates.unsent_fill):
            self.loop.call_outside(0.0, self.market.fill_unsent, execution_id)
