"""The tree of all settings. A setting's type, range, default and meaning stand in its declaration."""

from __future__ import annotations

import msgspec

from trade_service.settings.access import AuthSettings, MetricsSettings, RateLimitSettings
from trade_service.settings.fields import Field, Section, fields_of
from trade_service.settings.sending import (
    CircuitSettings,
    ExecutionBatchSettings,
    ExecutionServiceSettings,
    FillSettings,
    RetrySettings,
    SubmissionSettings,
)
from trade_service.settings.surroundings import (
    DatabaseSettings,
    IdempotencySettings,
    ListSettings,
    LogSettings,
    NamesSettings,
    PortfolioServiceSettings,
    SecurityServiceSettings,
    ServerSettings,
    TelemetrySettings,
)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The whole tree. `Settings()` holds the defaults; `load_settings` reads and checks the rest."""

    server: ServerSettings = ServerSettings()
    auth: AuthSettings = AuthSettings()
    rate_limit: RateLimitSettings = RateLimitSettings()
    database: DatabaseSettings = DatabaseSettings()
    execution_service: ExecutionServiceSettings = ExecutionServiceSettings()
    batch: ExecutionBatchSettings = ExecutionBatchSettings()
    retry: RetrySettings = RetrySettings()
    circuit: CircuitSettings = CircuitSettings()
    submission: SubmissionSettings = SubmissionSettings()
    fills: FillSettings = FillSettings()
    idempotency: IdempotencySettings = IdempotencySettings()
    security_service: SecurityServiceSettings = SecurityServiceSettings()
    portfolio_service: PortfolioServiceSettings = PortfolioServiceSettings()
    names: NamesSettings = NamesSettings()
    lists: ListSettings = ListSettings()
    log: LogSettings = LogSettings()
    metrics: MetricsSettings = MetricsSettings()
    telemetry: TelemetrySettings = TelemetrySettings()

    @property
    def settle_time_ms(self) -> int:
        """`submission.settle_time_ms`, or twice the read time-out where it is not set."""
        if self.submission.settle_time_ms is not None:
            return self.submission.settle_time_ms
        return 2 * self.execution_service.read_timeout_ms

    @property
    def slow_call_ms(self) -> int:
        """`circuit.slow_call_ms`, or half the read time-out where it is not set."""
        if self.circuit.slow_call_ms is not None:
            return self.circuit.slow_call_ms
        return max(1, self.execution_service.read_timeout_ms // 2)


SECTIONS: dict[str, type[Section]] = {
    info.name: type(info.default) for info in msgspec.structs.fields(Settings)
}

FIELDS: dict[str, Field] = {
    field.name: field for section, struct in SECTIONS.items() for field in fields_of(section, struct)
}
