"""The table of faults, and the plan that picks one for each call. Pure and seeded.

A script names a fault as ``name`` or ``name:argument``; the table explains the argument.
"""

from collections import deque
from collections.abc import Iterable, Mapping, MutableSequence
from enum import Enum
from types import MappingProxyType
from typing import Any, Final, Protocol

from msgspec import Struct


class RandomSource(Protocol):
    """The randomness that the behaviour needs, such as ``random.Random(seed)``."""

    def random(self) -> float: ...

    def randrange(self, start: int, stop: int) -> int: ...

    def shuffle(self, x: MutableSequence[Any]) -> None: ...


class Commit(Enum):
    """Which valid items of a call are committed."""

    NONE = "none"
    ALL = "all"
    PART = "part"
    MAYBE = "all or none, at random"
    LATE = "all, some time after the call"


class Channel(Enum):
    """What reaches the client."""

    RESULTS = "the answer"
    ERROR = "an error body"
    REFUSE = "a reset before the body is read"
    RESET = "a reset after the body was read"
    HANG = "nothing until the client disconnects"
    TRUNCATED = "half of the answer, then the connection closes"
    GARBAGE_HTML = "201 with a page of HTML"
    GARBAGE_JSON = "201 with invalid JSON"
    HUGE = "201 with an endless body"


class Fault(Struct, frozen=True):
    """One row of the table. ``per_item``: its rate applies per item, not per call."""

    name: str
    commit: Commit
    channel: Channel
    status: int
    text: str
    per_item: bool = False


class Step(Struct, frozen=True):
    """The fault of one call; only scripts give an ``argument``."""

    fault: Fault
    argument: float | None = None
    scripted: bool = False


class FaultPlanError(ValueError):
    """An invalid rate or script; the message names the entry and the rule."""


def _rows() -> Iterable[Fault]:
    c, ch = Commit, Channel
    yield Fault("ok", c.ALL, ch.RESULTS, 0, "no fault")
    yield Fault("slow", c.ALL, ch.RESULTS, 0, "slow answer; argument: milliseconds")
    yield Fault("refuse", c.NONE, ch.REFUSE, 0, "connection reset before the body is read")
    yield Fault("reset_before", c.NONE, ch.RESET, 0, "body read, nothing committed, connection reset")
    yield Fault("reset_after", c.ALL, ch.RESET, 0, "committed, connection reset")
    yield Fault(
        "hang_before", c.NONE, ch.HANG, 0, "nothing committed, no answer until the client disconnects"
    )
    yield Fault("hang_after", c.ALL, ch.HANG, 0, "committed, no answer until the client disconnects")
    yield Fault("late_commit", c.LATE, ch.HANG, 0, "no answer, committed later; argument: milliseconds")
    yield Fault("error_500_before", c.NONE, ch.ERROR, 500, "nothing committed, 500")
    yield Fault("error_500_partial", c.PART, ch.ERROR, 500, "some committed, 500; argument: how many")
    yield Fault("error_500_after", c.ALL, ch.ERROR, 500, "committed, 500")
    yield Fault("error_503", c.NONE, ch.ERROR, 503, "nothing committed, 503")
    yield Fault("error_503_after", c.ALL, ch.ERROR, 503, "committed, 503")
    for status in (502, 504):
        name = f"gateway_{status}"
        yield Fault(name, c.MAYBE, ch.ERROR, status, f"{status} from a gateway; committed or not, at random")
        yield Fault(f"{name}_before", c.NONE, ch.ERROR, status, f"{status} from a gateway, nothing committed")
        yield Fault(f"{name}_after", c.ALL, ch.ERROR, status, f"{status} from a gateway, committed")
        yield Fault(
            f"{name}_late", c.LATE, ch.ERROR, status, f"{status}, committed later; argument: milliseconds"
        )
    yield Fault("throttle_429", c.NONE, ch.ERROR, 429, "429 with Retry-After; argument: seconds")
    yield Fault("unauthorized_401", c.NONE, ch.ERROR, 401, "401")
    yield Fault("forbidden_403", c.NONE, ch.ERROR, 403, "403")
    yield Fault("not_found_404", c.NONE, ch.ERROR, 404, "404")
    yield Fault("too_large_413", c.NONE, ch.ERROR, 413, "413")
    yield Fault("unprocessable_422", c.NONE, ch.ERROR, 422, "422")
    yield Fault(
        "redirect_307", c.NONE, ch.ERROR, 307, "307 to the same path; following it creates the executions"
    )
    yield Fault("malformed_400", c.NONE, ch.ERROR, 400, "whole request rejected, without results")
    yield Fault("truncated", c.ALL, ch.TRUNCATED, 0, "committed, answer truncated in mid-body")
    yield Fault("garbage", c.ALL, ch.GARBAGE_HTML, 201, "committed, 201 with a page of HTML")
    yield Fault("garbage_json", c.ALL, ch.GARBAGE_JSON, 201, "committed, 201 with invalid JSON")
    yield Fault("huge", c.ALL, ch.HUGE, 201, "committed, 201 with an endless body")
    yield from _answer_rows()


def _answer_rows() -> Iterable[Fault]:
    """Faults in the results only: hazards 3 to 5 of the Execution Service's contract, and failing items."""
    for name, text in (
        ("no_results_201", "an answer without results; argument: 0 missing, 1 null, 2 empty"),
        (
            "shifted_index",
            "an item fails in the database and shifts later successes by one; argument: which item",
        ),
        ("fewer_results", "results are missing; argument: how many"),
        ("repeated_index", "a result repeats another's index"),
        ("index_out_of_range", "a result has an index outside the request"),
        ("wrong_counts", "successful and failed disagree with the results"),
        ("missing_execution", "a success without its execution"),
        ("reordered_results", "a correct answer with its results in another order"),
    ):
        yield Fault(name, Commit.ALL, Channel.RESULTS, 0, text)
    for name, text in (
        ("item_fail_transient", "an item fails for a transient reason; argument: which item"),
        ("item_fail_permanent", "an item fails for a permanent reason; argument: which item"),
    ):
        yield Fault(name, Commit.ALL, Channel.RESULTS, 0, text, per_item=True)


FAULTS: Final[Mapping[str, Fault]] = MappingProxyType({fault.name: fault for fault in _rows()})
OK: Final = Step(FAULTS["ok"])


def _fault(name: str) -> Fault:
    try:
        return FAULTS[name]
    except KeyError:
        raise FaultPlanError(f"unknown fault {name!r}; known are {', '.join(FAULTS)}") from None


def parse_step(entry: str) -> Step:
    """Parses a script entry such as ``"reset_after"`` or ``"slow:250"``. Raises `FaultPlanError`."""
    name, colon, argument = entry.partition(":")
    fault = _fault(name.strip())
    if not colon:
        return Step(fault, None, scripted=True)
    try:
        value = float(argument)
    except ValueError:
        raise FaultPlanError(f"script entry {entry!r}: {argument!r} is not a number") from None
    if not 0 <= value <= 1_000_000_000:
        raise FaultPlanError(f"script entry {entry!r}: the argument must be between 0 and 1000000000")
    return Step(fault, value, scripted=True)


def check_rates(rates: Mapping[str, float]) -> None:
    """Raises `FaultPlanError` for an unknown fault, a rate outside 0..1, or call rates that exceed 1 in total."""
    total = 0.0
    for name, rate in rates.items():
        fault = _fault(name)
        if not 0 <= rate <= 1:
            raise FaultPlanError(f"rate of fault {name!r} must be between 0 and 1, got {rate}")
        total += 0 if fault.per_item else rate
    if total > 1 + 1e-9:
        raise FaultPlanError(f"the rates of call faults must not add up to more than 1, got {total:g}")


class FaultPlan:
    """Picks the fault of each call: the script's entries in order, then by rate.

    Raises `FaultPlanError` for invalid rates or script entries.
    """

    def __init__(self, rng: RandomSource, rates: Mapping[str, float], script: Iterable[str]) -> None:
        self._dice = rng
        self.set_rates(rates)
        self.set_script(script)

    @property
    def rates(self) -> dict[str, float]:
        """The active rates by fault."""
        return dict(self._rates)

    @property
    def script_left(self) -> list[str]:
        """The faults of the remaining script entries."""
        return [step.fault.name for step in self._script]

    def set_rates(self, rates: Mapping[str, float]) -> None:
        """Replaces the rates, or keeps them and raises `FaultPlanError`."""
        check_rates(rates)
        self._rates = {name: rate for name, rate in rates.items() if rate > 0}
        self._ceilings: list[tuple[float, Step]] = []
        self._item_rates: list[tuple[float, str]] = []
        ceiling = item_ceiling = 0.0
        for name, rate in self._rates.items():
            if FAULTS[name].per_item:
                item_ceiling += rate
                self._item_rates.append((item_ceiling, name))
            else:
                ceiling += rate
                self._ceilings.append((ceiling, Step(FAULTS[name])))

    def set_script(self, script: Iterable[str]) -> None:
        """Replaces the script, or keeps it and raises `FaultPlanError`."""
        self._script = deque([parse_step(entry) for entry in script])

    def next_step(self) -> Step:
        """The fault of the next call."""
        if self._script:
            return self._script.popleft()
        if not self._ceilings:
            return OK
        roll = self._dice.random()
        return next((step for ceiling, step in self._ceilings if roll < ceiling), OK)

    def item_faults(self, step: Step, items: int) -> dict[int, str]:
        """Item faults of one call by index. A scripted call ignores the rates."""
        if step.scripted:
            if not step.fault.per_item or not items:
                return {}
            chosen = self._dice.randrange(0, items) if step.argument is None else int(step.argument)
            return {min(chosen, items - 1): step.fault.name}
        if not self._item_rates:
            return {}
        found: dict[int, str] = {}
        for index in range(items):
            roll = self._dice.random()
            name = next((name for ceiling, name in self._item_rates if roll < ceiling), None)
            if name is not None:
                found[index] = name
        return found
