"""What goes wrong in one world, drawn from its seed; when it heals, nothing does any more."""

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
    no_page: float = 0.0
    # Its answers
    shifted: float = 0.0
    odd_answer: float = 0.0
    # The database
    store_before: float = 0.0
    store_after: float = 0.0
    store_late: float = 0.0
    # Rows of the earlier service, and fill reports of accepted executions: they are no faults
    foreign: float = 0.0
    fill: float = 0.3


class Timing(msgspec.Struct, frozen=True):
    """Seconds of the engine and of the assumption it rests on."""

    connect_s: float = 1.0
    total_s: float = 4.0
    margin_s: float = 1.0
    settle_s: float = 8.0
    """The Execution Service commits no later than this after the last moment at which bytes left."""
    wait_s: float = 15.0
    give_up_s: float = 600.0
    poll_s: float = 3.0

    @property
    def call_s(self) -> float:
        """The longest that one call may last."""
        return self.connect_s + self.total_s

    @property
    def lease_s(self) -> float:
        """Of an attempt, as bootstrap derives it."""
        return self.call_s + self.margin_s


_FAULTS = tuple(name for name in Rates.__struct_fields__ if name not in ("foreign", "fill"))
_STORMS = (
    # Faults that have to come together to do harm.
    {"lost_answer": 0.5, "late_commit": 0.6, "slow_request": 0.3},
    {"lost_answer": 0.5, "no_page": 0.8, "late_commit": 0.5},
    {"store_after": 0.2, "store_late": 0.2, "lost_answer": 0.2, "late_commit": 0.3},
    {"unavailable": 0.4, "partial_commit": 0.8, "late_commit": 0.5},
    {"transient_item": 0.4, "shifted": 0.8, "odd_answer": 0.3},
)
MISHAPS = ("kill", "pause", "stumble", "suspend", "stop", "outage", "jump", "storm")
"""What befalls one process, the database, or the Execution Service."""


class Weather:
    """Dice, rates and mishaps of one world."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.healed = False
        self.database_away_until = 0.0
        """Virtual time until which the database answers nobody."""
        self.storm_until = 0.0
        """Virtual time until which the Execution Service takes no orders."""
        self.timing = self._draw_timing()
        self.mishaps = self._draw_mishaps()
        self._rates = self._draw_rates()
        self._calm = Rates(bad_item=self._rates.bad_item, fill=self._rates.fill)

    @property
    def rates(self) -> Rates:
        """The present rates: only fills remain after healing, and what is wrong with an item itself."""
        return self._calm if self.healed else self._rates

    def happens(self, rate: float) -> bool:
        """Whether something of that rate happens now."""
        return rate > 0 and self.dice.random() < rate

    def between(self, low: float, high: float) -> float:
        """A number between the two, more often a small one."""
        return low + (high - low) * self.dice.random() ** 3

    def heal(self) -> None:
        """Ends all troubles."""
        self.healed = True
        self.database_away_until = self.storm_until = 0.0

    def _draw_timing(self) -> Timing:
        dice = self.dice
        return Timing(
            total_s=dice.choice((1.0, 4.0)),
            margin_s=dice.choice((0.2, 1.0)),
            settle_s=dice.choice((2.0, 8.0, 16.0)),
            wait_s=dice.choice((2.0, 15.0)),
            poll_s=dice.choice((2.0, 5.0)),
        )

    def _draw_mishaps(self) -> tuple[str, ...]:
        """What happens in this world, each as often as it is named: nothing, one thing, or everything."""
        dice = self.dice
        mood = dice.random()
        if mood < 0.2:
            return ()
        if mood < 0.5:
            return (dice.choice(MISHAPS),) * dice.randint(1, 6)
        return tuple(dice.choices(MISHAPS, k=dice.randint(1, 10)))

    def _draw_rates(self) -> Rates:
        """Some worlds are calm, some have few faults often, some have everything."""
        dice = self.dice
        rates = Rates(fill=dice.choice((0.0, 0.3, 0.9)), foreign=dice.choice((0.0, 0.0, 0.5)))
        mood = dice.random()
        if mood < 0.3:
            for name in dice.sample(_FAULTS, dice.randint(1, 3)):
                setattr(rates, name, dice.choice((0.1, 0.3, 0.6)))
        elif mood < 0.55:
            for name, rate in dice.choice(_STORMS).items():
                setattr(rates, name, rate)
        elif mood < 0.95:
            for name in _FAULTS:
                setattr(rates, name, dice.choice((0.0, 0.0, 0.05, 0.2)))
        return rates
