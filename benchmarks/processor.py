"""Processor time by who used it."""

import psutil


def processor_s(*names: str) -> dict[str, float]:
    """Seconds that living processes have used, by the first of the names that is part of their command."""
    spent_s = dict.fromkeys(names, 0.0)
    for process in psutil.process_iter(["name", "cmdline", "cpu_times"]):
        command = f"{process.info['name']} {' '.join(process.info['cmdline'] or ())}"
        spent = process.info["cpu_times"]
        name = next((name for name in names if name in command), None)
        if name is not None and spent is not None:
            spent_s[name] += spent.user + spent.system
    return spent_s
