"""Settings: one frozen tree from defaults < TOML file < environment < command line.

Only `bootstrap` and `cli` import this package; everything else gets plain values from them.
"""

from trade_service.settings.access import AuthSettings, MetricsSettings, RateLimitSettings
from trade_service.settings.errors import SettingsError
from trade_service.settings.load import LoadedSettings, load_settings
from trade_service.settings.model import Settings
from trade_service.settings.report import settings_reference
from trade_service.settings.sending import (
    ExecutionBatchSettings,
    ExecutionServiceSettings,
    RetrySettings,
    SubmissionSettings,
)
from trade_service.settings.surroundings import (
    DatabaseSettings,
    LogSettings,
    PortfolioServiceSettings,
    SecurityServiceSettings,
    ServerSettings,
    TelemetrySettings,
)

__all__ = [
    "AuthSettings",
    "DatabaseSettings",
    "ExecutionBatchSettings",
    "ExecutionServiceSettings",
    "LoadedSettings",
    "LogSettings",
    "MetricsSettings",
    "PortfolioServiceSettings",
    "RateLimitSettings",
    "RetrySettings",
    "SecurityServiceSettings",
    "ServerSettings",
    "Settings",
    "SettingsError",
    "SubmissionSettings",
    "TelemetrySettings",
    "load_settings",
    "settings_reference",
]
