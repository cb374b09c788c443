"""Runs worlds one after another."""

from collections.abc import Iterable
from unittest import mock

import msgspec
import structlog

from tests.world.invariants import Outcome
from tests.world.world import Mishap, World
from trade_service.submission import listing_walk
from trade_service.trading import fill_check

PAGE = 10


class Tally(msgspec.Struct):
    """Counts results of worlds."""

    worlds: int = 0
    executions: int = 0
    accepted: int = 0
    calls: int = 0
    kills: int = 0
    pauses: int = 0
    virtual_s: float = 0.0
    failures: list[tuple[int, str]] = msgspec.field(default_factory=list)

    def count(self, outcome: Outcome) -> None:
        """Adds one world."""
        self.worlds += 1
        self.executions += outcome.executions
        self.accepted += outcome.accepted
        self.calls += outcome.calls
        self.kills += outcome.kills
        self.pauses += outcome.pauses
        self.virtual_s += outcome.virtual_s
        if outcome.failure is not None:
            self.failures.append((outcome.seed, outcome.failure))

    def add(self, other: "Tally") -> None:
        """Adds another tally."""
        self.worlds += other.worlds
        self.executions += other.executions
        self.accepted += other.accepted
        self.calls += other.calls
        self.kills += other.kills
        self.pauses += other.pauses
        self.virtual_s += other.virtual_s
        self.failures += other.failures

    def summary(self, elapsed_s: float) -> str:
        """The result in one line."""
        return (
            f"{self.worlds:,} worlds in {elapsed_s:.1f} s ({self.worlds / elapsed_s:,.1f}/s, "
            f"{self.virtual_s / 3600:,.1f} virtual hours): {self.executions:,} executions, {self.calls:,} calls, "
            f"{self.accepted:,} accepted, {self.kills:,} kills, {self.pauses:,} pauses; "
            f"{len(self.failures)} failed"
        )


def run_seeds(seeds: Iterable[int], *, until_failure: bool = False) -> Tally:
    """Runs a world for each seed, silently; with `until_failure` only until the first that fails."""
    return run_worlds(((seed, None) for seed in seeds), until_failure=until_failure)


def run_worlds(worlds: Iterable[tuple[int, Mishap | None]], *, until_failure: bool = False) -> Tally:
    """Runs worlds with one more mishap of the first process."""
    tally = Tally()
    structlog.configure(
        logger_factory=structlog.ReturnLoggerFactory(), processors=[_drop], cache_logger_on_first_use=False
    )
    try:
        # Books of a few dozen rows shall fill several pages.
        with mock.patch.object(listing_walk, "PAGE", PAGE), mock.patch.object(fill_check, "PAGE", PAGE):
            for seed, mishap in worlds:
                tally.count(World(seed, mishap).run())
                if until_failure and tally.failures:
                    break
    finally:
        structlog.reset_defaults()
    return tally


def _drop(_logger: object, _method: str, _event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    raise structlog.DropEvent
