"""The number of workers, and the share of each in the settings that they divide."""

import math
import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import msgspec

from trade_service.settings.tree import FIELDS, Settings

_LIMITS_OF_OTHERS = ("database.pool_size", "batch.max_concurrent")
"""Limits that PostgreSQL and the Execution Service are sized for."""
_BODIES = 4 / 3
"""Room for one body of the largest size: a quarter of `server.max_body_memory_bytes` is left to small ones."""


def workers_of(settings: Settings) -> int:
    """The number of workers: `server.workers`, or one for each processor."""
    return settings.server.workers or processors()


def processors(groups: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> int:
    """The number of processors that this process may use, by its mask and its control group (version 2)."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        path = own.read_text("utf-8").rpartition("0::/")[2].strip()
        quota, period = (groups / path / "cpu.max").read_text("utf-8").split()
    except (OSError, ValueError):
        return count
    return count if quota == "max" else max(1, min(count, math.ceil(int(quota) / int(period))))


def share_of(settings: Settings, place: int, workers: int) -> Settings:
    """The settings of one worker. `place` counts from 0: what does not divide evenly goes to the first ones."""
    shares: defaultdict[str, dict[str, object]] = defaultdict(dict)
    for field in FIELDS.values():
        if field.about.share is not None:
            whole = settings.value(field)
            assert isinstance(whole, int | float)
            shares[field.section][field.key] = _share(whole, field.about.share, place, workers)
    server = settings.server
    memory = _share(server.max_body_memory_bytes, math.ceil(_BODIES * server.max_body_bytes), place, workers)
    shares["server"] |= {"workers": workers, "max_body_memory_bytes": memory}
    return msgspec.structs.replace(
        settings,
        **{
            section: msgspec.structs.replace(getattr(settings, section), **values)
            for section, values in shares.items()
        },
    )


def _share(whole: float, least: int, place: int, workers: int) -> float:
    part = (whole - place + workers - 1) // workers if isinstance(whole, int) else whole / workers
    return min(whole, max(least, part))


def exceeded(settings: Settings, workers: int) -> Iterator[str]:
    """Warns of limits that the workers together exceed, since each needs at least one."""
    for name in _LIMITS_OF_OTHERS:
        whole = settings.value(FIELDS[name])
        assert isinstance(whole, int)
        if whole < workers:
            yield f"{name} is {whole}, fewer than the {workers} workers: each has 1"
