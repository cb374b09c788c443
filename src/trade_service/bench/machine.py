"""The machine that the figures come from."""

import os
import platform
from pathlib import Path

from trade_service.bench.results import Machine


def this_machine() -> Machine:
    """Cores, processor, memory and load; what the system does not tell is 0 or its plain name."""
    return Machine(
        cores=_cores(),
        processor=_processor(),
        memory_mb=_memory_mb(),
        system=f"{platform.system()} {platform.release()}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        load_before=round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else 0.0,
    )


def described(machine: Machine) -> str:
    """One line."""
    memory = f", {machine.memory_mb / 1024:.0f} GB" if machine.memory_mb else ""
    return (
        f"{machine.cores} cores ({machine.processor}{memory}), {machine.python}, {machine.system}, "
        f"load before the start {machine.load_before:g}"
    )


def _cores() -> int:
    """Those that this process may use, which a container may limit."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


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
