"""`python -m benchmarks`: `trade-service bench` with further questions, for the make targets `bench*`."""

from trade_service.bench.runner import QUESTIONS, Question
from trade_service.cli.bench import bench_command

MORE = {
    "engine": Question("benchmarks.engine:engine", "The engine against the bare loop"),
    "callers": Question("benchmarks.callers:callers", "Many callers with one execution each"),
    "replicas": Question("benchmarks.replicas:replicas", "Replicas on one PostgreSQL"),
    "workers": Question("benchmarks.workers:workers", "Workers of one service"),
    "table": Question("benchmarks.table_size:table_size", "Few and many executions in the table"),
    "large": Question("benchmarks.large:large", "Years of data"),
    "soak": Question("benchmarks.soak:soak", "An hour of steady load"),
    "archive": Question("benchmarks.archive:archive", "Submissions beside archiving"),
    "lists": Question("benchmarks.lists:lists", "Pages of short and long lists"),
    "exports": Question("benchmarks.exports:exports", "Exports of long lists"),
    "consoles": Question("benchmarks.consoles:consoles", "What open consoles cost"),
    "http": Question("benchmarks.http:http", "The API under 100 clients"),
    "batch": Question("benchmarks.batch_costs:batch", "Where the time of a batch goes"),
    "telemetry": Question("benchmarks.telemetry:telemetry", "The cost of metrics and traces"),
    "start": Question("benchmarks.start:start", "Start-up time"),
}

if __name__ == "__main__":
    shipped = {key: QUESTIONS[key] for key in ("memory", "load")}
    bench_command(MORE | shipped).main(prog_name="python -m benchmarks")
