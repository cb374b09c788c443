"""The settings tree: composes the sections that the components declare."""

from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

import msgspec

from trade_service.blotter.order_limits import OrderLimits
from trade_service.http_server.connection_settings import ConnectionSettings
from trade_service.identity.auth_settings import AuthSettings
from trade_service.masking import is_secret_parameter
from trade_service.observability.telemetry_settings import LogSettings, MetricsSettings, TelemetrySettings
from trade_service.section import Section, SettingField, fields_of
from trade_service.store.store_settings import StoreSettings
from trade_service.submission.engine_settings import (
    CircuitSettings,
    EngineSettings,
    ExecutionBatchSettings,
    ExecutionServiceSettings,
    RetrySettings,
    SubmissionSettings,
)
from trade_service.trading.trading_settings import (
    AuditLogSettings,
    FillSettings,
    IdempotencySettings,
    ListSettings,
    NamesSettings,
    PortfolioServiceSettings,
    RetentionSettings,
    SecurityServiceSettings,
)
from trade_service.web.web_settings import ApiSettings, RateLimitSettings, ServerSettings


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings. `Settings()` holds the defaults; `load_settings` reads the sources."""

    server: ServerSettings = ServerSettings()
    connections: ConnectionSettings = ConnectionSettings()
    auth: AuthSettings = AuthSettings()
    api: ApiSettings = ApiSettings()
    rate_limit: RateLimitSettings = RateLimitSettings()
    database: StoreSettings = StoreSettings()
    execution_service: ExecutionServiceSettings = ExecutionServiceSettings()
    batch: ExecutionBatchSettings = ExecutionBatchSettings()
    retry: RetrySettings = RetrySettings()
    circuit: CircuitSettings = CircuitSettings()
    submission: SubmissionSettings = SubmissionSettings()
    fills: FillSettings = FillSettings()
    idempotency: IdempotencySettings = IdempotencySettings()
    audit_log: AuditLogSettings = AuditLogSettings()
    retention: RetentionSettings = RetentionSettings()
    security_service: SecurityServiceSettings = SecurityServiceSettings()
    portfolio_service: PortfolioServiceSettings = PortfolioServiceSettings()
    names: NamesSettings = NamesSettings()
    lists: ListSettings = ListSettings()
    blotter: OrderLimits = OrderLimits()
    log: LogSettings = LogSettings()
    metrics: MetricsSettings = MetricsSettings()
    telemetry: TelemetrySettings = TelemetrySettings()

    @property
    def engine(self) -> EngineSettings:
        """The sections of the submission engine."""
        return EngineSettings(
            execution_service=self.execution_service,
            batch=self.batch,
            retry=self.retry,
            circuit=self.circuit,
            submission=self.submission,
        )

    def value(self, field: SettingField) -> object:
        """The value of a setting."""
        return getattr(getattr(self, field.section), field.key)

    def secrets(self) -> frozenset[str]:
        """Secret settings, and the secret parts of addresses and headers, encoded and decoded."""
        found: set[str] = set()
        for field in FIELDS.values():
            value = self.value(field)
            if isinstance(value, str):
                found |= {value} if field.about.secret else set(_secrets_in_address(value))
        telemetry = self.telemetry
        for headers in (telemetry.headers, telemetry.metrics_headers, telemetry.traces_headers):
            found |= set(_secrets_in_headers(headers or ""))
        return frozenset({*found, *map(unquote, found)} - {""})


SECTIONS: dict[str, type[Section]] = {
    info.name: type(info.default) for info in msgspec.structs.fields(Settings)
}

FIELDS: dict[str, SettingField] = {
    field.name: field for section, struct in SECTIONS.items() for field in fields_of(section, struct)
}


def _secrets_in_address(text: str) -> Iterator[str]:
    if "://" not in text:
        return
    parts = urlsplit(text)
    login = parts.netloc.rpartition("@")[0]
    user, _, password = login.partition(":")
    yield password
    if parts.scheme in {"http", "https"} and not password:
        yield user
    for pair in parts.query.split("&"):  # not decoded, since libraries log addresses as they were given
        name, _, value = pair.partition("=")
        if is_secret_parameter(name):
            yield value


def _secrets_in_headers(text: str) -> Iterator[str]:
    """The values, and whole entries that lack a name: a library that rejects such an entry quotes it."""
    for part in text.split(","):
        name, equals, value = part.partition("=")
        yield (value if equals else name).strip()
