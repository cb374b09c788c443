"""The simulator's settings: profile, latency, faults, seed."""

import re
from collections.abc import Iterable
from fnmatch import translate

import msgspec
from msgspec import Struct, field

from execution_simulator.faults import FaultPlanError, check_rates, parse_step
from execution_simulator.profiles import PROFILES, ProfileName

_MAX_POISON = 100
_MAX_POISON_LENGTH = 100


class SimulatorSettings(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Settings of one simulator. Raises `FaultPlanError` (a ``ValueError``) naming the invalid value.

    - ``profile``: ``real`` or ``published`` (`profiles`).
    - ``faults``: rates 0..1 by fault (`faults.FAULTS`), per call, or per item for item faults.
    - ``script``: faults of the first calls in order, each ``"name"`` or ``"name:argument"``.
    - ``lookup_faults``, ``lookup_script``: the same for GET calls.
    - ``latency_jitter``: share 0..1 by which latencies vary in either direction.
    - ``capacity``: calls in flight beyond which answers slow down and, beyond twice that, turn 5xx (0: unlimited).
    - ``refuse_bad_items``: an invalid item fails the whole request instead of itself.
    - ``page_aligned_offsets``: offsets round down to multiples of the limit in profile ``published`` too.
    - ``poison``: patterns (``*``, ``?``, ``[...]``) of security ids whose rows fail in the database: the whole
      batch gets 500, and nothing of it is committed.
    """

    profile: ProfileName = "real"
    seed: int = 1
    first_id: int = 1
    call_latency_ms: float = 0.0
    item_latency_ms: float = 0.0
    lookup_latency_ms: float = 0.0
    latency_jitter: float = 0.0
    faults: dict[str, float] = field(default_factory=dict)
    script: list[str] = field(default_factory=list)
    lookup_faults: dict[str, float] = field(default_factory=dict)
    lookup_script: list[str] = field(default_factory=list)
    refuse_bad_items: bool = False
    page_aligned_offsets: bool = False
    poison: list[str] = field(default_factory=list)
    capacity: int = 0
    slow_ms: float = 2_000.0
    late_commit_ms: float = 1_000.0
    retry_after_s: int = 1
    huge_bytes: int = 64 * 1024 * 1024

    def __post_init__(self) -> None:
        check_rates(self.faults)
        check_rates(self.lookup_faults)
        for entry in (*self.script, *self.lookup_script):
            parse_step(entry)
        if self.profile not in PROFILES:
            raise FaultPlanError(f"profile must be {' or '.join(PROFILES)}, got {self.profile}")
        poison_pattern(self.poison)
        _check_range("first_id", self.first_id, 1, 2**31 - 1)
        _check_range("latency_jitter", self.latency_jitter, 0, 1)
        for name in ("call_latency_ms", "item_latency_ms", "lookup_latency_ms", "slow_ms", "late_commit_ms"):
            _check_range(name, getattr(self, name), 0, 3_600_000)
        _check_range("capacity", self.capacity, 0, 1_000_000)
        _check_range("retry_after_s", self.retry_after_s, 0, 3_600)
        _check_range("huge_bytes", self.huge_bytes, 1, 2**40)


class FaultChange(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Body of ``PUT /simulator/faults``: fields that are present replace the active plan, others keep it."""

    faults: dict[str, float] | None = None
    script: list[str] | None = None
    lookup_faults: dict[str, float] | None = None
    lookup_script: list[str] | None = None


def _check_range(name: str, value: float, lowest: float, highest: float) -> None:
    if not lowest <= value <= highest:
        raise FaultPlanError(f"{name} must be between {lowest:g} and {highest:g}, got {value:g}")


def poison_pattern(patterns: Iterable[str]) -> re.Pattern[str] | None:
    """One expression that matches ids of any pattern; None without patterns. Raises `FaultPlanError`."""
    wanted = list(patterns)
    if len(wanted) > _MAX_POISON:
        raise FaultPlanError(f"poison takes at most {_MAX_POISON} patterns, got {len(wanted)}")
    for pattern in wanted:
        if not 0 < len(pattern) <= _MAX_POISON_LENGTH:
            raise FaultPlanError(f"poison {pattern!r} must have 1 to {_MAX_POISON_LENGTH} characters")
    return re.compile("|".join(map(translate, wanted))) if wanted else None


def parse_fault_rates(entries: Iterable[str]) -> dict[str, float]:
    """Parses ``["reset_after=0.01,slow=0.1", "huge=0.2"]`` to rates by fault. Raises `FaultPlanError`."""
    rates: dict[str, float] = {}
    for entry in (part.strip() for text in entries for part in text.split(",") if part.strip()):
        name, _, rate = entry.partition("=")
        try:
            rates[name.strip()] = float(rate)
        except ValueError:
            raise FaultPlanError(
                f"fault {entry!r} must be written name=rate, such as reset_after=0.01"
            ) from None
    check_rates(rates)
    return rates


_change_decoder = msgspec.json.Decoder(FaultChange)


def decode_change(body: bytes) -> FaultChange:
    """Raises ``msgspec.DecodeError`` if the body is not a change of faults."""
    return _change_decoder.decode(body)
