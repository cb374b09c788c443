"""Presets: how much a run measures, from seconds for a smoke test to a whole night."""

from typing import TypeVar

import msgspec

DEFAULT_SIZE = 100
LATENCY_MS = 20.0
"""Call latency of the Execution Service where a question needs one: a network hop and some work."""

T = TypeVar("T")


class Preset(msgspec.Struct, frozen=True, kw_only=True):
    """How often and how long each figure is measured."""

    name: str
    repetitions: int = 3
    limit_s: float = 0.3
    """A run starts no further batch after this time."""
    most: int = 12_000
    """Maximum number of executions per run."""
    warm_up: int = 1_000

    def pick(self, quick: T, default: T, full: T) -> T:
        """The value for this preset."""
        return {"quick": quick, "full": full}.get(self.name, default)


DEFAULT = Preset(name="default")
QUICK = Preset(name="quick", repetitions=1, limit_s=0.05, most=500, warm_up=100)
FULL = Preset(name="full", repetitions=7, limit_s=1.5, most=60_000, warm_up=10_000)
PRESETS = {preset.name: preset for preset in (DEFAULT, QUICK, FULL)}
