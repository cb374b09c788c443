"""Pushes the registry's metrics as OTLP. Imported only where metrics are pushed."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import cast

import structlog
from opentelemetry.sdk.metrics import export as otlp
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.samples import Sample

_log = structlog.get_logger(__name__)

_CUMULATIVE = otlp.AggregationTemporality.CUMULATIVE
_Labels = frozenset[tuple[str, str]]


class OtlpPush:
    """Pushes all metrics every `every_s` seconds; a failed push is logged and followed by the next one.

    `instance` names the worker whose metrics these are.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        exporter: otlp.MetricExporter,
        version: str,
        every_s: float,
        sleep: Callable[[float], Awaitable[None]],
        instance: str | None = None,
    ) -> None:
        self._registry = registry
        self._exporter = exporter
        own = {"service.instance.id": instance} if instance is not None else {}
        self._resource = Resource.create({"service.name": "trade-service", "service.version": version} | own)
        self._scope = InstrumentationScope("trade_service")
        self._every_s = every_s
        self._sleep = sleep
        self._started_ns = time.time_ns()

    async def run(self) -> None:
        """Pushes until cancelled, each time in a thread."""
        while True:
            await self._sleep(self._every_s)
            result = await asyncio.to_thread(self._exporter.export, self._collected(time.time_ns()))
            if result is not otlp.MetricExportResult.SUCCESS:
                _log.warning("metrics_not_pushed")

    def _collected(self, now_ns: int) -> otlp.MetricsData:
        metrics = [m for family in self._registry.collect() for m in self._converted(family, now_ns)]
        scoped = otlp.ScopeMetrics(scope=self._scope, metrics=metrics, schema_url="")
        resource = otlp.ResourceMetrics(resource=self._resource, scope_metrics=[scoped], schema_url="")
        return otlp.MetricsData([resource])

    def _converted(self, family: Family, now_ns: int) -> Iterator[otlp.Metric]:
        data: otlp.Sum | otlp.Gauge | otlp.Histogram
        match family.type:
            case "counter":
                points = self._numbers(family, now_ns, "_total")
                data = otlp.Sum(points, _CUMULATIVE, is_monotonic=True)
            case "gauge":
                data = otlp.Gauge(self._numbers(family, now_ns, ""))
            case "histogram":
                data = otlp.Histogram(list(self._histograms(family.samples, now_ns)), _CUMULATIVE)
            case _:
                return
        yield otlp.Metric(name=family.name, description=family.documentation, unit="", data=data)

    def _numbers(self, family: Family, now_ns: int, suffix: str) -> list[otlp.NumberDataPoint]:
        return [
            otlp.NumberDataPoint(dict(sample.labels), self._started_ns, now_ns, sample.value)
            for sample in family.samples
            if sample.name == family.name + suffix
        ]

    def _histograms(self, samples: Iterable[Sample], now_ns: int) -> Iterator[otlp.HistogramDataPoint]:
        for labels, parts in _grouped(samples).items():
            bounds = sorted(bound for bound in parts if isinstance(bound, float))
            totals = [round(parts[bound]) for bound in bounds]
            counts = [total - before for total, before in zip(totals, [0, *totals], strict=False)]
            yield otlp.HistogramDataPoint(
                attributes=dict(labels),
                start_time_unix_nano=self._started_ns,
                time_unix_nano=now_ns,
                count=totals[-1] if totals else 0,
                sum=parts.get("sum", 0.0),
                bucket_counts=counts,
                explicit_bounds=bounds[:-1],
                # Optional in OTLP, and Prometheus histograms do not have them.
                min=cast(float, None),
                max=cast(float, None),
            )


def _grouped(samples: Iterable[Sample]) -> Mapping[_Labels, Mapping[float | str, float]]:
    """Cumulative counts by upper bound, and the sum, for each set of labels of a histogram."""
    groups: defaultdict[_Labels, dict[float | str, float]] = defaultdict(dict)
    for sample in samples:
        labels = dict(sample.labels)
        bound = labels.pop("le", None)
        group = groups[frozenset(labels.items())]
        if bound is not None:
            group[float(bound)] = sample.value
        elif sample.name.endswith("_sum"):
            group["sum"] = sample.value
    return groups
