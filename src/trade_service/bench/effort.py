"""How much is measured: seconds for a test, minutes by default, everything on demand."""

import msgspec

DEFAULT_SIZE = 100
LATENCY_MS = 20.0
"""Of the Execution Service where a scenario needs one: what a call over a network with some work costs."""


class Effort(msgspec.Struct, frozen=True, kw_only=True):
    """What a run measures, and how often and how long."""

    name: str
    repetitions: int = 3
    limit_s: float = 0.3
    """No run begins a batch after this time."""
    most: int = 12_000
    """Executions of a run at most."""
    warm_up: int = 1_000
    latencies_ms: tuple[float, ...] = (0, 1, 5, 20, 50)
    sizes: tuple[int, ...] = (1, 5, 10, 25, 50, 75, 100)
    size_latencies_ms: tuple[float, ...] = (0, LATENCY_MS)
    concurrency: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64)
    callers: tuple[int, ...] = (1, 10, 100, 1_000, 2_000)
    memory_sizes: tuple[int, ...] = (1_000, 10_000, 100_000)
    load_orders: int = 10_000
    load_step_s: float = 2.0
    load_shares: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0, 1.5, 3.0, 0.5, 0.25, 0.25)
    """Of the capacity that was found before: the offered rates, one after the other."""
    replicas: tuple[int, ...] = (1, 2, 4)
    replica_executions: int = 20_000
    table_rows: tuple[int, ...] = (0, 200_000, 1_000_000)


DEFAULT = Effort(name="default")
QUICK = Effort(
    name="quick",
    repetitions=1,
    limit_s=0.05,
    most=500,
    warm_up=100,
    latencies_ms=(20,),
    sizes=(50, 100),
    size_latencies_ms=(0,),
    concurrency=(1, 4),
    callers=(1, 200),
    memory_sizes=(1_000,),
    load_orders=1_000,
    load_step_s=0.3,
    load_shares=(0.5, 4.0, 0.5),
    replicas=(2,),
    replica_executions=500,
    table_rows=(2_000, 4_000),
)
FULL = Effort(
    name="full",
    repetitions=7,
    limit_s=1.5,
    most=60_000,
    warm_up=10_000,
    sizes=(1, 2, 3, 5, 7, 10, 15, 20, 25, 35, 50, 60, 75, 90, 100),
    callers=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000),
    memory_sizes=(1_000, 10_000, 100_000, 1_000_000),
    load_step_s=10.0,
    load_shares=(0.1, 0.25, 0.5, 0.75, 0.9, 1.0, 1.25, 1.5, 2.0, 3.0, 1.0, 0.75, 0.5, 0.25),
    replica_executions=100_000,
    table_rows=(10_000, 100_000, 1_000_000, 10_000_000),
)
