"""Computes what `trade-service top` shows from two scrapes of a service's metrics. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Protocol

import msgspec
from prometheus_client.parser import text_string_to_metric_families

Key = tuple[str, frozenset[tuple[str, str]]]


class _Grown(Protocol):
    def __call__(self, name: str, **labels: str) -> float: ...


class Scrape(msgspec.Struct, frozen=True):
    """The samples of one scrape."""

    at_s: float
    """Of a monotonic clock."""
    samples: Mapping[Key, float]

    @classmethod
    def of(cls, text: str, at_s: float) -> "Scrape":
        """Parses the Prometheus text format; raises ValueError for anything else."""
        samples = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }
        return cls(at_s, samples)

    def has(self, name: str) -> bool:
        """Whether there is a sample of that name."""
        return any(n == name for n, _ in self.samples)

    def total(self, name: str, **labels: str) -> float:
        """The sum of all samples of that name that have these labels."""
        wanted = labels.items()
        return sum(
            value for (n, have), value in self.samples.items() if n == name and wanted <= dict(have).items()
        )

    def by(self, name: str, label: str) -> dict[str, float]:
        """The sum for each value of one label."""
        sums: defaultdict[str, float] = defaultdict(float)
        for (n, have), value in self.samples.items():
            if n == name:
                sums[dict(have).get(label, "")] += value
        return dict(sums)


class Figures(msgspec.Struct, frozen=True):
    """Rates per second between two scrapes, and gauges of the second."""

    accepted_rate: float
    failed_rate: float
    recovered_rate: float
    """Accepted only after a retry or reconciliation; the latter are not in `accepted_rate`."""
    calls_rate: float
    requests_rate: float
    executions_a_batch: float | None
    """Between the scrapes; None when no batch was sent."""
    stage_ms: Mapping[str, float]
    """Mean time of each stage of a batch that occurred."""
    open_executions: Mapping[str, float]
    queue: float
    queue_limit: float
    in_flight: float
    concurrency_limit: float
    circuit: str
    oldest_unknown_s: float
    alarms: float
    reasons: tuple[tuple[str, float], ...]
    """Codes other than OK with their counts since the service started, the most frequent first."""

    @classmethod
    def between(cls, before: Scrape, after: Scrape) -> "Figures":
        """The figures at `after`. A service that was restarted in between counts from zero."""
        elapsed_s = max(after.at_s - before.at_s, 1e-9)

        def grown(name: str, **labels: str) -> float:
            now, then = after.total(name, **labels), before.total(name, **labels)
            return now - then if now >= then else now

        executions = "trade_service_executions_total"
        accepted = grown(executions, state="accepted")
        failed = grown(executions, state="rejected") + grown("trade_service_exhausted_executions_total")
        batches = grown("trade_service_batch_size_count")
        circuit = after.by("trade_service_circuit_state", "state")
        reasons = after.by(executions, "code")
        return cls(
            accepted_rate=accepted / elapsed_s,
            failed_rate=failed / elapsed_s,
            recovered_rate=grown("trade_service_recovered_executions_total") / elapsed_s,
            calls_rate=grown("trade_service_calls_total") / elapsed_s,
            requests_rate=grown("http_requests_total") / elapsed_s,
            executions_a_batch=grown("trade_service_batch_size_sum") / batches if batches else None,
            stage_ms=_stage_ms(grown),
            open_executions=after.by("trade_service_open_executions", "state"),
            queue=after.total("trade_service_queue_executions"),
            queue_limit=after.total("trade_service_queue_limit"),
            in_flight=after.total("trade_service_batches_in_flight"),
            concurrency_limit=after.total("trade_service_concurrency_limit"),
            circuit=next((state for state, value in circuit.items() if value), "unknown"),
            oldest_unknown_s=after.total("trade_service_oldest_unknown_seconds"),
            alarms=after.total("trade_service_alarms_total"),
            reasons=_most(reasons.items()),
        )


STAGES = ("queue", "claim", "call", "record")
SHOWN_REASONS = 8


def _stage_ms(grown: _Grown) -> dict[str, float]:
    name = "trade_service_batch_duration_seconds"
    counts = {stage: grown(f"{name}_count", stage=stage) for stage in STAGES}
    return {
        stage: grown(f"{name}_sum", stage=stage) / count * 1000 for stage, count in counts.items() if count
    }


def _most(counts: Iterable[tuple[str, float]]) -> tuple[tuple[str, float], ...]:
    reasons = [(code, count) for code, count in counts if code != "OK" and count]
    return tuple(sorted(reasons, key=lambda one: (-one[1], one[0]))[:SHOWN_REASONS])
