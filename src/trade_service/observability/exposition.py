"""What a registry holds: as Prometheus reads it, and metric by metric as Spring's Actuator tells it."""

from collections.abc import Mapping, Sequence

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.samples import Sample

_LESS_OR_EQUAL = "le"


class Exposition:
    """Reads a registry."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def text(self) -> bytes:
        """All of it, in Prometheus' text format."""
        return generate_latest(self._registry)

    def names(self) -> list[str]:
        """The names of all metrics, sorted."""
        return sorted(_name(metric) for metric in self._registry.collect())

    def read(self, name: str, tags: Mapping[str, str]) -> dict[str, object] | None:
        """One metric, summed over the series that have these tags; None when there is none."""
        found = next((metric for metric in self._registry.collect() if _name(metric) == name), None)
        if found is None:
            return None
        samples = [sample for sample in found.samples if tags.items() <= sample.labels.items()]
        if tags and not samples:
            return None
        return {
            "name": name,
            "description": found.documentation,
            "baseUnit": "seconds" if "_seconds" in name else None,
            "measurements": _measurements(found, samples),
            "availableTags": _tags(samples, tags),
        }


def _name(metric: Metric) -> str:
    return f"{metric.name}_total" if metric.type == "counter" else metric.name


def _measurements(metric: Metric, samples: Sequence[Sample]) -> list[dict[str, object]]:
    def summed(name: str) -> float:
        return sum(sample.value for sample in samples if sample.name == name)

    if metric.type == "histogram":
        total = "TOTAL_TIME" if "_seconds" in metric.name else "TOTAL"
        return [
            {"statistic": "COUNT", "value": summed(f"{metric.name}_count")},
            {"statistic": total, "value": summed(f"{metric.name}_sum")},
        ]
    statistic = "COUNT" if metric.type == "counter" else "VALUE"
    return [{"statistic": statistic, "value": summed(_name(metric))}]


def _tags(samples: Sequence[Sample], given: Mapping[str, str]) -> list[dict[str, object]]:
    values: dict[str, set[str]] = {}
    for sample in samples:
        for tag, value in sample.labels.items():
            if tag != _LESS_OR_EQUAL and tag not in given:
                values.setdefault(tag, set()).add(value)
    return [{"tag": tag, "values": sorted(found)} for tag, found in sorted(values.items())]
