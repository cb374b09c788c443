"""The machine that produced the figures."""

import os
import platform
from pathlib import Path

import msgspec

from trade_service.workers.shares import processors


class Machine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Hardware, system and load."""

    cores: int
    processor: str
    memory_mb: int
    system: str
    python: str
    load_before: float
    """Load average before the start: other work lowers the figures."""


def this_machine() -> Machine:
    """Describes this machine; unknown figures are 0."""
    return Machine(
        cores=processors(),
        processor=_processor(),
        memory_mb=_memory_mb(),
        system=f"{platform.system()} {platform.release()}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        load_before=round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else 0.0,
    )


def described(machine: Machine) -> str:
    """The machine in one line."""
    memory = f", {machine.memory_mb / 1024:.0f} GB" if machine.memory_mb else ""
    return (
        f"{machine.cores} cores ({machine.processor}{memory}), {machine.python}, {machine.system}, "
        f"load before the start {machine.load_before:g}"
    )


def _processor() -> str:
    cpu_info = Path("/proc/cpuinfo")
    if cpu_info.exists():
        for line in cpu_info.read_text("utf-8", "replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory_mb() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1024**2
    except (AttributeError, ValueError, OSError):
        return 0
