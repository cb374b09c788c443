"""Settings of everything around the submission: server, database, other services, logs, telemetry."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated

from trade_service.settings import checks
from trade_service.settings.fields import Section, about


class ServerSettings(Section, frozen=True, kw_only=True):
    """The HTTP server."""

    host: Annotated[str, about("Address to listen on; 0.0.0.0 for all.", min_length=1)] = "127.0.0.1"
    port: Annotated[int, about("Port to listen on; 0 takes a free one.", ge=0, le=65535)] = 8082
    max_body_bytes: Annotated[
        int, about("Largest request body that is read.", ge=1_000, le=1_000_000_000)
    ] = 10_000_000
    max_header_bytes: Annotated[int, about("Largest request head that is read.", ge=1_024, le=1_048_576)] = (
        65_536
    )
    request_timeout_s: Annotated[
        float, about("Longest time a request may take; more than submission.wait_s.", ge=0.1, le=3600)
    ] = 30.0
    shutdown_grace_s: Annotated[
        float, about("Longest time a stop waits for what is in flight.", ge=0, le=3600)
    ] = 20.0
    max_concurrent_requests: Annotated[
        int, about("Requests served at once; more are answered with 503.", ge=1, le=100_000)
    ] = 2000
    cors_allow_origins: (
        Annotated[
            tuple[str, ...],
            about(
                "Origins whose pages may call; * for all.",
                check=checks.origins,
                none="* when auth.mode is chosen, else pages of this machine",
            ),
        ]
        | None
    ) = None

    @property
    def is_loopback(self) -> bool:
        """Whether only programs of this machine reach the address."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


class IdempotencySettings(Section, frozen=True, kw_only=True):
    """Keys that clients give to their requests (Idempotency-Key)."""

    keep_s: Annotated[
        int, about("How long a key and its answer are kept; a day at least.", ge=86_400, le=31_536_000)
    ] = 86_400
    max_answer_bytes: Annotated[
        int,
        about(
            "Largest answer that is kept; of a larger one repeats get the present state.", ge=0, le=10_000_000
        ),
    ] = 262_144
    sweep_s: Annotated[float, about("Pause between two removals of old records.", ge=1, le=86_400)] = 60.0
    sweep_limit: Annotated[int, about("Old records removed with one statement.", ge=1, le=100_000)] = 1000


class DatabaseSettings(Section, frozen=True, kw_only=True):
    """PostgreSQL. After loading, `url` is complete: postgresql://user:password@host:port/database?params."""

    url: (
        Annotated[
            str,
            about(
                "Database to use: postgresql://user:password@host:5432/database.",
                env=("DATABASE_URL", "SPRING_DATASOURCE_URL"),
                none="the embedded PostgreSQL",
            ),
        ]
        | None
    ) = None
    username: (
        Annotated[
            str,
            about(
                "User, where the URL names none.", env=("SPRING_DATASOURCE_USERNAME",), none="as the URL says"
            ),
        ]
        | None
    ) = None
    password: (
        Annotated[
            str,
            about(
                "Password, where the URL has none.",
                env=("SPRING_DATASOURCE_PASSWORD",),
                none="as the URL says",
                secret=True,
            ),
        ]
        | None
    ) = None
    pool_size: Annotated[int, about("Connections a process keeps at most.", ge=1, le=500)] = 8
    pool_timeout_s: Annotated[float, about("Longest wait for a free connection.", ge=0.1, le=600)] = 10.0
    connect_timeout_s: Annotated[float, about("Longest wait for a new connection.", ge=0.1, le=600)] = 10.0
    statement_timeout_s: Annotated[float, about("Longest time a statement may take.", ge=0.1, le=3600)] = 30.0
    prepared_statements: Annotated[
        bool, about("Keep prepared statements; false behind PgBouncer in transaction mode.")
    ] = True
    allow_data_loss: Annotated[
        bool,
        about(
            "Start even if the server may lose what it committed: fsync off, unlogged tables. For tests only."
        ),
    ] = False
    data_dir: (
        Annotated[
            str, about("Folder of the embedded PostgreSQL.", min_length=1, none="the user's data folder")
        ]
        | None
    ) = None

    @property
    def data_path(self) -> Path | None:
        """`data_dir` as a path, a leading ~ replaced by the home directory."""
        return None if self.data_dir is None else Path(self.data_dir).expanduser()


class SecurityServiceSettings(Section, frozen=True, kw_only=True):
    """Where the names of securities come from."""

    base_url: Annotated[
        str,
        about(
            "Address of the security service.",
            env=("EXTERNAL_SECURITY_SERVICE_BASE_URL",),
            check=checks.base_url,
        ),
    ] = "http://localhost:8000"


class PortfolioServiceSettings(Section, frozen=True, kw_only=True):
    """Where the names of portfolios come from."""

    base_url: Annotated[
        str,
        about(
            "Address of the portfolio service.",
            env=("EXTERNAL_PORTFOLIO_SERVICE_BASE_URL",),
            check=checks.base_url,
        ),
    ] = "http://localhost:8001"


class NamesSettings(Section, frozen=True, kw_only=True):
    """The names of portfolios and securities in lists; they are kept in the database."""

    wait_ms: Annotated[
        int,
        about(
            "Longest time a request waits for names, all told; ids stand in for those that are late.",
            ge=0,
            le=10_000,
        ),
    ] = 1_000
    ttl_s: Annotated[
        float, about("A name that a list shows is asked for again when it is older.", ge=1, le=604_800)
    ] = 300.0
    timeout_ms: Annotated[
        int, about("Longest time of a call to either of the two services.", ge=10, le=60_000)
    ] = 2_000
    max_connections: Annotated[int, about("Calls to each of the two services at once.", ge=1, le=1_000)] = 16
    max_kept: Annotated[
        int, about("Names of each kind that the database keeps, the newest.", ge=1_000, le=10_000_000)
    ] = 200_000
    poll_s: Annotated[
        float, about("Pause between two rounds that name what trade orders point to.", ge=0.1, le=86_400)
    ] = 60.0


class ListSettings(Section, frozen=True, kw_only=True):
    """The totals of lists."""

    counted_up_to: Annotated[
        int,
        about(
            "Totals up to this are counted for every page, unless that takes long; others are remembered.",
            ge=1,
            le=1_000_000,
        ),
    ] = 10_000
    count_wait_ms: Annotated[
        int,
        about(
            "Longest time a list waits for its total; it goes on being counted, and an estimate stands in. "
            "What takes longer to count is remembered, however small it is.",
            ge=10,
            le=10_000,
        ),
    ] = 250
    total_fresh_s: Annotated[
        float,
        about("A remembered total is counted again, in the background, when it is older.", ge=0, le=3_600),
    ] = 5.0
    total_max_age_s: Annotated[
        float,
        about("An older total counts as an estimate, until the rows are counted again.", ge=0, le=86_400),
    ] = 60.0


class LogSettings(Section, frozen=True, kw_only=True):
    """Logs."""

    level: Annotated[
        str,
        about("DEBUG, INFO, WARNING, ERROR or CRITICAL.", env=("LOG_LEVEL",), check=checks.log_level),
    ] = "INFO"
    format: Annotated[
        str, about("json, console, or auto: console on a terminal.", check=checks.log_format)
    ] = "auto"
    failure_lines: Annotated[
        int,
        about(
            "Executions that fail with the same code and get a line in one window; more are counted.",
            ge=0,
            le=100_000,
        ),
    ] = 20
    failure_window_s: Annotated[
        float, about("Length of that window; what was counted is told at its end.", ge=0.1, le=3600)
    ] = 10.0


class TelemetrySettings(Section, frozen=True, kw_only=True):
    """Where metrics and traces are pushed (OTLP, HTTP); more OTEL_* variables are read by OpenTelemetry."""

    endpoint: (
        Annotated[
            str,
            about(
                "OTLP address that /v1/traces and /v1/metrics are appended to, for what has none of its own.",
                env=("OTEL_EXPORTER_OTLP_ENDPOINT",),
                none="nothing is pushed",
                check=checks.base_url,
            ),
        ]
        | None
    ) = None
    metrics_url: (
        Annotated[
            str,
            about(
                "OTLP address for metrics.",
                env=("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "MANAGEMENT_OTLP_METRICS_EXPORT_URL"),
                none="from endpoint",
                check=checks.http_url,
            ),
        ]
        | None
    ) = None
    traces_url: (
        Annotated[
            str,
            about(
                "OTLP address for traces.",
                env=("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "MANAGEMENT_OTLP_TRACING_EXPORT_URL"),
                none="from endpoint",
                check=checks.http_url,
            ),
        ]
        | None
    ) = None
    push_every_ms: Annotated[
        int,
        about(
            "Pause between two pushes of metrics.", env=("OTEL_METRIC_EXPORT_INTERVAL",), ge=100, le=3_600_000
        ),
    ] = 60_000
    backlog_every_s: Annotated[
        float, about("Pause between two counts of the open executions, for gauges.", ge=0.1, le=3600)
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
