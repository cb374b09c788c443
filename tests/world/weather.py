"""What goes wrong in one world, drawn from its seed; when it heals, nothing does any more."""

import random

import msgspec


class Rates(msgspec.Struct):
    """Probabilities of each fault, per occasion."""

    # The way to the Execution Service and back
    not_connected: float = 0.0
    slow_connect: float = 0.0
    lost_request: float = 0.0
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
    # Its answers
    shifted: float = 0.0
    odd_answer: float = 0.0
    # The database
    store_before: float = 0.0
    store_after: float = 0.0
    store_late: float = 0.0
    # Fill reports, of accepted executions; they are no fault
    fill: float = 0.3


class Timing(msgspec.Struct, frozen=True):
    """Seconds of the engine and of the assumption it rests on."""

    connect_s: float = 1.0
    total_s: float = 4.0
    lease_s: float = 6.0
    settle_s: float = 8.0
    wait_s: float = 15.0
    give_up_s: float = 600.0
    poll_s: float = 1.0


class Weather:
    """Dice and rates of one world."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.healed = False
        self.database_away_until = 0.0
        """Virtual time until which the database answers nobody."""
        self._rates = self._draw()

    @property
    def rates(self) -> Rates:
        """The present rates: only fills remain after healing, and what is wrong with an item itself."""
        if not self.healed:
            return self._rates
        return Rates(bad_item=self._rates.bad_item, fill=self._rates.fill)

    def happens(self, rate: float) -> bool:
        """Whether something of that rate happens now."""
        return rate > 0 and self.dice.random() < rate

    def between(self, low: float, high: float) -> float:
        """A number between the two, more often a small one."""
        return low + (high - low) * self.dice.random() ** 3

    def _draw(self) -> Rates:
        """Some worlds are calm, some have one fault often, some have everything."""
        dice = self.dice
        mood = dice.random()
        rates = Rates(fill=dice.choice((0.0, 0.3, 0.9)))
        names = [name for name in Rates.__struct_fields__ if name != "fill"]
        if mood < 0.45:
            chosen = dice.sample(names, dice.randint(1, 3))
            for name in chosen:
                setattr(rates, name, dice.choice((0.1, 0.3, 0.6)))
        elif mood < 0.95:
            for name in names:
                setattr(rates, name, dice.choice((0.0, 0.02, 0.1, 0.2)))
        return rates
