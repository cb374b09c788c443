"""Faults of one world, drawn from its seed; none occur after it heals."""

import random

import msgspec


class Rates(msgspec.Struct):
    """Probabilities of each fault, per occasion."""

    # The way to the Execution Service and back
    not_connected: float = 0.0
    slow_connect: float = 0.0
    lost_request: float = 0.0
    slow_request: float = 0.0
    copied_request: float = 0.0
    lost_answer: float = 0.0
    reset: float = 0.0
    slow_answer: float = 0.0
    # The Execution Service
    throttled: float = 0.0
    unavailable: float = 0.0
    error_500: float = 0.0
    late_commit: float = 0.0
    partial_commit: float = 0.0
    transient_item: float = 0.0
    bad_item: float = 0.0
    refused_whole: float = 0.0
    redirected: float = 0.0
    phantom: float = 0.0
    """Publication to the market before a failed transaction, which a stated assumption excludes."""
    # Its listing
    no_page: float = 0.0
    stale_page: float = 0.0
    short_page: float = 0.0
    other_sender: float = 0.0
    deleted_row: float = 0.0
    # Its reports of fills
    report_lost: float = 0.0
    impossible_fill: float = 0.0
    unsent_fill: float = 0.0
    # Its answers
    shifted: float = 0.0
    odd_answer: float = 0.0
    # The database
    store_before: float = 0.0
    store_after: float = 0.0
    store_late: float = 0.0
    # Rows of the legacy service, fill reports of accepted executions, fills while the ledger is read: no faults
    legacy: float = 0.0
    fill: float = 0.3
    busy_market: float = 0.0


class Timing(msgspec.Struct, frozen=True):
    """Times of the engine and of its assumptions, in seconds."""

    connect_s: float = 1.0
    total_s: float = 4.0
    margin_s: float = 1.0
    settle_s: float = 8.0
    """The longest time between the last byte of a call and its commit."""
    wait_s: float = 15.0
    give_up_s: float = 600.0
    circuit_calls: int = 5
    """The least number of calls that open the circuit."""
    answered_settle_s: float | None = None
    """The longest time to a commit after a 500 of its handler that does not mention the transaction."""
    poll_s: float = 3.0

    @property
    def call_s(self) -> float:
        """The longest duration of a call."""
        return self.connect_s + self.total_s

    @property
    def lease_s(self) -> float:
        """The lease of an attempt, as settings derive it."""
        return self.call_s + self.margin_s


_FILLS = ("fill", "busy_market", "report_lost", "impossible_fill", "unsent_fill")
"""Drawn separately, in addition to other faults."""
_FAULTS = tuple(name for name in Rates.__struct_fields__ if name not in ("legacy", *_FILLS))
_STORMS = (
    # Faults that have to come together to do harm.
    {"lost_answer": 0.5, "late_commit": 0.6, "slow_request": 0.3},
    {"lost_answer": 0.5, "no_page": 0.8, "late_commit": 0.5},
    {"store_after": 0.2, "store_late": 0.2, "lost_answer": 0.2, "late_commit": 0.3},
    {"unavailable": 0.4, "partial_commit": 0.8, "late_commit": 0.5},
    {"lost_answer": 0.4, "stale_page": 0.5, "late_commit": 0.3},
    {"unavailable": 0.6, "partial_commit": 1.0, "late_commit": 0.9},
    {"transient_item": 0.4, "shifted": 0.8, "odd_answer": 0.3},
    {"transient_item": 0.5, "error_500": 0.2, "late_commit": 0.3},
)
_HABITS = (
    # What harms only beside other faults, so that it is drawn for itself.
    {"other_sender": 0.7, "deleted_row": 0.8},
    {"other_sender": 0.7, "deleted_row": 0.8, "lost_answer": 0.5, "late_commit": 0.5},
    {"other_sender": 0.5, "short_page": 0.3},
    {"short_page": 0.7, "lost_answer": 0.5},
    {"odd_answer": 0.7},
    {"redirected": 0.2},
)
HABIT_RATE = 0.2
REFUSALS = (401, 403, 404, 405, 415)
LONG_REFUSAL_RATE = 0.04
"""Share of worlds in which a wrong configuration outlasts an execution's time budget."""
POISONED_RATE = 0.08
"""Share of worlds with an execution that makes every batch with it fail."""
TOTAL_OUTAGE_RATE = 0.06
"""Share of worlds in which the only fault is that all calls fail for a time."""
MISHAPS = ("kill", "pause", "stumble", "suspend", "stop", "outage", "jump", "storm", "refusal")
"""Mishaps of a process, the database, or the Execution Service."""


class Manners(msgspec.Struct, frozen=True):
    """Permanent behaviour of a world's Execution Service."""

    pads: bool
    """Its listing pads security ids with blanks."""
    rounds: bool
    """Its listing rounds offsets down to a whole page."""
    alike: bool
    """All orders are for one security, so that executions differ only in their ids."""
    favourite: int | None
    """The number of the only kind of odd answer that it gives; None: any."""
    impossible_row: bool
    """Its ledger has a row with an impossible id."""


class Weather:
    """Random numbers, rates and mishaps of one world."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.healed = False
        self.database_away_until = 0.0
        """Virtual time until which the database is down."""
        self.databases = 1
        """Number of databases: one more after each restore."""
        self.fresh_until = 0.0
        """Virtual time until which no listing is stale."""
        self.storm_until = 0.0
        """Virtual time until which the Execution Service is down."""
        self.refused_until = 0.0
        """Virtual time until which every call is refused with `refusal`."""
        self.refusal = self.dice.choice(REFUSALS)
        self.outage_until = 0.0
        """Virtual time until which every call fails and commits nothing."""
        self.outage_is_silent = self.dice.random() < 0.3
        kind = self.dice.random()
        self.has_long_refusal = kind < LONG_REFUSAL_RATE
        self.is_total_outage = LONG_REFUSAL_RATE <= kind < LONG_REFUSAL_RATE + TOTAL_OUTAGE_RATE
        self.is_poisoned = kind >= 1 - POISONED_RATE
        self.timing = self._draw_timing()
        self.mishaps = self._draw_mishaps()
        self._rates = self._draw_rates()
        flip = self.dice.choice
        coin = (False, True)
        self.manners = Manners(
            flip(coin),
            flip(coin),
            alike=flip(coin),
            favourite=flip((None, flip(range(100)))),
            impossible_row=flip((False,) * 4 + (True,)),
        )
        if self.is_poisoned:
            self._rates = Rates(fill=self._rates.fill)
        if self.is_total_outage or self.has_long_refusal:
            self.mishaps, self._rates = (), Rates(lost_answer=self.dice.choice((0.0, 0.1)))
            self._rates.lost_answer *= self.has_long_refusal
        self._calm = Rates(bad_item=self._rates.bad_item, fill=self._rates.fill)

    @property
    def rates(self) -> Rates:
        """The present rates; after healing only fills and faults of single items remain."""
        return self._calm if self.healed else self._rates

    @property
    def database_is_sound(self) -> bool:
        """Whether the database and the processes work in time."""
        rates = self._rates
        faulty = rates.store_before or rates.store_after or rates.store_late
        return not faulty and {"outage", "pause", "stumble", "suspend"}.isdisjoint(self.mishaps)

    def happens(self, rate: float) -> bool:
        """Draws whether an event of that rate happens now."""
        return rate > 0 and self.dice.random() < rate

    def between(self, low: float, high: float) -> float:
        """Draws a number between the two, with small ones more likely."""
        return low + (high - low) * self.dice.random() ** 3

    def heal(self) -> None:
        """Ends all faults."""
        self.healed = True
        self.database_away_until = self.storm_until = self.outage_until = 0.0
        if not self.has_long_refusal:
            self.refused_until = 0.0

    def _draw_timing(self) -> Timing:
        dice = self.dice
        return Timing(
            total_s=dice.choice((1.0, 4.0)),
            margin_s=dice.choice((0.2, 1.0)),
            settle_s=dice.choice((2.0, 8.0, 16.0)),
            wait_s=dice.choice((2.0, 15.0)),
            poll_s=dice.choice((2.0, 5.0)),
            answered_settle_s=dice.choice((None, 0.3)),
            give_up_s=90.0 if self.has_long_refusal else 600.0,
            # Else probes, which take one execution each, would find the one at fault.
            circuit_calls=40 if self.is_poisoned else 5,
        )

    def _draw_mishaps(self) -> tuple[str, ...]:
        """Draws the mishaps of this world: none, one kind, or several."""
        dice = self.dice
        mood = dice.random()
        if mood < 0.2:
            return ()
        if mood < 0.5:
            return (dice.choice(MISHAPS),) * dice.randint(1, 6)
        return tuple(dice.choices(MISHAPS, k=dice.randint(1, 10)))

    def _draw_rates(self) -> Rates:
        """Draws rates: no faults, few frequent ones, or all."""
        dice = self.dice
        rates = Rates(
            fill=dice.choice((0.0, 0.3, 0.9)),
            legacy=dice.choice((0.0, 0.5)),
            busy_market=dice.choice((0.0, 0.2, 0.5)),
            report_lost=dice.choice((0.0, 0.3, 0.8)),
            impossible_fill=dice.choice((0.0, 0.0, 0.0, 0.2)),
            unsent_fill=dice.choice((0.0, 0.0, 0.3, 0.8)),
        )
        mood = dice.random()
        if mood < 0.3:
            for name in dice.sample(_FAULTS, dice.randint(1, 3)):
                setattr(rates, name, dice.choice((0.1, 0.3, 0.6)))
        elif mood < 0.65:
            storm = dice.choice(_STORMS)
            for name, rate in storm.items():
                setattr(rates, name, rate)
            if "late_commit" in storm:
                # The settle time by a clock that jumps is over too early just when it matters.
                self.mishaps += ("jump",) * 8
            if "slow_request" in storm:
                # The last permitted moment to write matters only to requests that are slow as well.
                self.mishaps += ("stumble",) * 8
        elif mood < 0.95:
            for name in _FAULTS:
                setattr(rates, name, dice.choice((0.0, 0.0, 0.05, 0.2)))
        for habit in _HABITS:
            if mood < 0.95 and dice.random() < HABIT_RATE:
                for name, rate in habit.items():
                    setattr(rates, name, rate)
        return rates
