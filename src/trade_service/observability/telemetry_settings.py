"""Settings of logs, metrics and traces."""

from typing import Annotated, Literal

from trade_service.section import Section, Setting, http_url, root_url

RoleName = Literal["anyone", "reader", "trader", "operator"]

_LEVELS = {level: level for level in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")}
_LEVELS |= {"TRACE": "DEBUG", "WARN": "WARNING", "FATAL": "CRITICAL"}
"""Levels of the standard library, and the spellings of other frameworks."""


def _level(value: str) -> str:
    level = _LEVELS.get(value.strip().upper())
    if level is None:
        raise ValueError("one of DEBUG, INFO, WARNING (or WARN), ERROR, CRITICAL")
    return level


def _format(value: str) -> str:
    chosen = value.strip().lower()
    if chosen not in {"auto", "json", "console"}:
        raise ValueError("one of auto, json, console")
    return chosen


class LogSettings(Section, frozen=True):
    """Logs."""

    level: Annotated[
        str, Setting("DEBUG, INFO, WARNING, ERROR or CRITICAL.", env=("LOG_LEVEL",), check=_level)
    ] = "INFO"
    format: Annotated[str, Setting("json, console, or auto: console on a terminal.", check=_format)] = "auto"
    failure_lines: Annotated[
        int,
        Setting("Failures with the same code logged individually per window; more are counted.", 0, 100_000),
    ] = 20
    failure_window_s: Annotated[
        float, Setting("Length of that window; the count is logged at its end.", 0.1, 3600)
    ] = 10.0


class MetricsSettings(Section, frozen=True):
    """Metrics of requests and connections, and who may read them."""

    enabled: Annotated[bool, Setting("Collect metrics.")] = True
    role: Annotated[
        RoleName, Setting("Role required for /metrics, /actuator/prometheus and /actuator/metrics.")
    ] = "reader"
    public: Annotated[bool, Setting("Let anyone read them: for scrapers without credentials.")] = False


class TelemetrySettings(Section, frozen=True):
    """Where metrics and traces are pushed (OTLP over HTTP); OpenTelemetry reads further OTEL_* variables."""

    endpoint: Annotated[
        str | None,
        Setting(
            "OTLP address; /v1/traces and /v1/metrics are appended where no address of their own is set.",
            env=("OTEL_EXPORTER_OTLP_ENDPOINT",),
            check=root_url,
            none="nothing is pushed",
            may_hold_secret=True,
        ),
    ] = None
    metrics_url: Annotated[
        str | None,
        Setting(
            "OTLP address for metrics.",
            env=("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "MANAGEMENT_OTLP_METRICS_EXPORT_URL"),
            check=http_url,
            none="from endpoint",
            may_hold_secret=True,
        ),
    ] = None
    traces_url: Annotated[
        str | None,
        Setting(
            "OTLP address for traces.",
            env=("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "MANAGEMENT_OTLP_TRACING_EXPORT_URL"),
            check=http_url,
            none="from endpoint",
            may_hold_secret=True,
        ),
    ] = None
    headers: Annotated[
        str | None,
        Setting(
            "Headers of both, such as authorization=Bearer%20KEY; commas separate them.",
            env=("OTEL_EXPORTER_OTLP_HEADERS",),
            none="no further headers",
            secret=True,
        ),
    ] = None
    metrics_headers: Annotated[
        str | None,
        Setting(
            "Headers for metrics.",
            env=("OTEL_EXPORTER_OTLP_METRICS_HEADERS",),
            none="as headers",
            secret=True,
        ),
    ] = None
    traces_headers: Annotated[
        str | None,
        Setting(
            "Headers for traces.", env=("OTEL_EXPORTER_OTLP_TRACES_HEADERS",), none="as headers", secret=True
        ),
    ] = None
    push_every_ms: Annotated[
        int, Setting("Interval of metric pushes.", 100, 3_600_000, env=("OTEL_METRIC_EXPORT_INTERVAL",))
    ] = 60_000
    backlog_every_s: Annotated[
        float, Setting("Interval at which open executions are counted for gauges.", 0.1, 3600)
    ] = 10.0

    @property
    def effective_metrics_url(self) -> str | None:
        """Where metrics are pushed to; None for nowhere."""
        return self.metrics_url or self._under_endpoint("/v1/metrics")

    @property
    def effective_traces_url(self) -> str | None:
        """Where traces are exported to; None for nowhere."""
        return self.traces_url or self._under_endpoint("/v1/traces")

    def _under_endpoint(self, path: str) -> str | None:
        return None if self.endpoint is None else self.endpoint + path
