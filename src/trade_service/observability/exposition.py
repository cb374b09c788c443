"""All metrics at one moment, in the forms in which they are shown."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, Self, cast

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.samples import Sample


class Exposition(NamedTuple):
    """All metrics at one moment, and their text."""

    metrics: Sequence[Metric]
    text: bytes

    @classmethod
    def of(cls, collect: Callable[[], Iterable[Metric]]) -> Self:
        """Collects and renders them, which takes a tenth of a second where many routes were called."""
        metrics = tuple(collect())
        return cls(metrics, generate_latest(cast(CollectorRegistry, cls(metrics, b""))))

    def collect(self) -> Sequence[Metric]:
        """As of a registry, for the renderer."""
        return self.metrics

    def names(self) -> list[str]:
        """The names of all metrics, sorted."""
        return sorted(map(_name, self.metrics))

    def read(self, name: str, tags: Mapping[str, str]) -> dict[str, object] | None:
        """One metric in the form of Spring's Actuator, summed over the series with these tags; None if unknown."""
        found = next((metric for metric in self.metrics if _name(metric) == name), None)
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
    total = "TOTAL_TIME" if "_seconds" in metric.name else "TOTAL"
    wanted = {
        "histogram": {"COUNT": f"{metric.name}_count", total: f"{metric.name}_sum"},
        "counter": {"COUNT": f"{metric.name}_total"},
    }.get(metric.type, {"VALUE": metric.name})
    return [
        {"statistic": statistic, "value": sum(sample.value for sample in samples if sample.name == name)}
        for statistic, name in wanted.items()
    ]


def _tags(samples: Sequence[Sample], given: Mapping[str, str]) -> list[dict[str, object]]:
    values: dict[str, set[str]] = {}
    for sample in samples:
        for tag, value in sample.labels.items():
            if tag != "le" and tag not in given:
                values.setdefault(tag, set()).add(value)
    return [{"tag": tag, "values": sorted(found)} for tag, found in sorted(values.items())]
