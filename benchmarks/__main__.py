"""`python -m benchmarks`: `trade-service bench` with further questions, for the make targets `bench*`."""

import sys

from trade_service.bench.runner import QUESTIONS, Question
from trade_service.cli.bench import bench_command

MORE = {
    "engine": Question("benchmarks.engine:engine", "The engine against the bare loop"),
    "callers": Question("benchmarks.coalescing:callers", "Many callers with one execution each"),
    "replicas": Question("benchmarks.replicas:replicas", "Replicas on one PostgreSQL"),
    "table": Question("benchmarks.table_size:table_size", "Few and many executions in the table"),
    "lists": Question("benchmarks.lists:lists", "Pages of short and long lists"),
    "http": Question("benchmarks.http:http", "The API under 100 clients and under overload"),
    "batch": Question("benchmarks.batch_costs:batch", "Where the time of a batch goes"),
    "telemetry": Question("benchmarks.telemetry:telemetry", "The cost of metrics and traces"),
    "start": Question("benchmarks.start:start", "Start-up time"),
}

if __name__ == "__main__":
    bench_command(MORE | {"memory": QUESTIONS["memory"]}).main(prog_name="python -m benchmarks")
    sys.exit()
