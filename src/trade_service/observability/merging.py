"""Merges the metrics of several processes: counts are added, and each gauge follows a rule."""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

import msgspec
from prometheus_client import Metric

_Rule: TypeAlias = Callable[[float, float], float]


def _sum(one: float, other: float) -> float:
    return one + other


_GAUGES: Mapping[str, _Rule] = {
    "trade_service_circuit_state": max,
    "trade_service_last_success_timestamp_seconds": max,
    # Every process reads these from the database, for all replicas.
    "trade_service_open_executions": max,
    "trade_service_oldest_unknown_seconds": max,
    "trade_service_retry_overdue_seconds": max,
    "trade_service_pauses": max,
    "trade_service_backlog_readable": min,
}
"""How gauges that are not added are merged."""

_LASTING = frozenset(
    {
        "trade_service_last_success_timestamp_seconds",
        "trade_service_listener_failures",
        "trade_service_listener_missed_events",
    }
)
"""Gauges that keep the values of ended processes."""


class _Family(msgspec.Struct, array_like=True):
    """A metric and its samples: name, labels and value."""

    name: str
    kind: str
    meaning: str
    samples: list[tuple[str, dict[str, str], float]]


_decoder = msgspec.msgpack.Decoder(list[_Family])


def encoded_metrics(collect: Callable[[], Iterable[Metric]], past: bytes) -> bytes:
    """This process's metrics, encoded for `merged_metrics`; `past` has those of ended processes, or is empty."""
    own = msgspec.msgpack.encode([_encoded(metric) for metric in collect()])
    return msgspec.msgpack.encode(list(map(_encoded, merged_metrics([own], [past])))) if past else own


def merged_metrics(alive: Iterable[bytes], ended: Iterable[bytes]) -> list[Metric]:
    """One metric for each name. Of ended processes only counts are kept."""
    metrics: dict[str, Metric] = {}
    values: dict[str, dict[tuple[str, frozenset[tuple[str, str]]], float]] = {}
    for is_alive, group in ((True, alive), (False, ended)):
        for encoded in group:
            for family in _decoder.decode(encoded):
                if is_alive or family.kind != "gauge" or family.name in _LASTING:
                    metrics.setdefault(family.name, Metric(family.name, family.meaning, family.kind))
                    _add(values.setdefault(family.name, {}), family)
    for name, samples in values.items():
        for (sample, labels), value in samples.items():
            metrics[name].add_sample(sample, dict(sorted(labels)), value)
    return list(metrics.values())


def _add(values: dict[tuple[str, frozenset[tuple[str, str]]], float], family: _Family) -> None:
    rule = _GAUGES.get(family.name, _sum)
    for name, labels, value in family.samples:
        key = (name, frozenset(labels.items()))
        if key not in values:
            values[key] = value
        else:
            values[key] = (min if name.endswith("_created") else rule)(values[key], value)


def _encoded(metric: Metric) -> _Family:
    samples = [(sample.name, dict(sample.labels), sample.value) for sample in metric.samples]
    return _Family(metric.name, metric.type, metric.documentation, samples)
