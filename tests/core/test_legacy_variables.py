"""Settings by the variables of the legacy service, and the rules for its batch size."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trade_service.settings.load import LoadedSettings, load_settings

CONTRACT_ALIASES = {
    "EXECUTION_SERVICE_BASE_URL": ("execution_service.base_url", "http://exec:8084", "http://exec:8084"),
    "EXECUTION_SERVICE_CONNECT_TIMEOUT": ("execution_service.connect_timeout_ms", "111", 111),
    "EXECUTION_SERVICE_READ_TIMEOUT": ("execution_service.read_timeout_ms", "222", 222),
    "EXECUTION_SERVICE_RETRY_MAX_ATTEMPTS": ("retry.max_attempts", "7", 7),
    "EXECUTION_SERVICE_RETRY_INITIAL_DELAY": ("retry.initial_delay_ms", "77", 77),
    "EXECUTION_SERVICE_RETRY_MULTIPLIER": ("retry.multiplier", "1.5", 1.5),
    "EXECUTION_SERVICE_RETRY_MAX_DELAY": ("retry.max_delay_ms", "7000", 7000),
    "EXECUTION_SERVICE_BATCH_SIZE": ("batch.size", "40", 40),
    "EXECUTION_SERVICE_BATCH_MAX_SIZE": ("batch.max_size", "100", 100),
    "EXECUTION_SERVICE_MAX_SIZE": ("batch.max_size", "100", 100),
    "EXECUTION_SERVICE_BATCH_ENABLE_BATCHING": ("batch.enable_batching", "no", False),
    "EXECUTION_SERVICE_ENABLE_BATCHING": ("batch.enable_batching", "FALSE", False),
    "EXECUTION_SERVICE_BATCH_RETRY_FAILED_INDIVIDUALLY": ("batch.retry_failed_individually", "5", 5),
    "EXECUTION_SERVICE_RETRY_FAILED_INDIVIDUALLY": ("batch.retry_failed_individually", "1", 1),
    "EXECUTION_SERVICE_BATCH_METRICS_ENABLED": ("batch.metrics_enabled", "0", False),
    "EXECUTION_SERVICE_METRICS_ENABLED": ("batch.metrics_enabled", "off", False),
    "EXTERNAL_SECURITY_SERVICE_BASE_URL": ("security_service.base_url", "http://s/", "http://s"),
    "EXTERNAL_PORTFOLIO_SERVICE_BASE_URL": ("portfolio_service.base_url", "http://p:1", "http://p:1"),
    "DATABASE_URL": ("database.url", "postgres://db/trade", "postgresql://db/trade"),
    "SPRING_DATASOURCE_URL": ("database.url", "jdbc:postgresql://db:1/t", "postgresql://db:1/t"),
    "LOG_LEVEL": ("log.level", "warn", "WARNING"),
    "MANAGEMENT_OTLP_METRICS_EXPORT_URL": ("telemetry.metrics_url", "http://o:4318/m", "http://o:4318/m"),
    "MANAGEMENT_OTLP_TRACING_EXPORT_URL": ("telemetry.traces_url", "http://o:4318/t", "http://o:4318/t"),
}


def value_of(loaded: LoadedSettings, name: str) -> object:
    section, key = name.split(".")
    return getattr(getattr(loaded.settings, section), key)


@pytest.mark.parametrize("variable", CONTRACT_ALIASES)
def test_every_legacy_variable_name_is_read(variable: str) -> None:
    name, text, expected = CONTRACT_ALIASES[variable]
    loaded = load_settings({variable: text})
    assert value_of(loaded, name) == expected
    assert loaded.origins[name] == f"environment {variable}"


def test_the_native_name_wins_over_the_alias_with_a_warning() -> None:
    loaded = load_settings({"EXECUTION_SERVICE_BATCH_SIZE": "10", "TRADE_SERVICE_BATCH_SIZE": "20"})
    assert loaded.settings.batch.size == 20
    expected = "EXECUTION_SERVICE_BATCH_SIZE was ignored: TRADE_SERVICE_BATCH_SIZE is set as well and wins"
    assert loaded.warnings == (expected,)


# --- the batch size (requirements 2.1 to 2.3) ---


@given(size=st.integers(), max_size=st.integers())
@example(size=100, max_size=100)
@example(size=101, max_size=100)
@example(size=0, max_size=30)
@example(size=60, max_size=0)
def test_batch_sizes_are_always_brought_within_the_limit(size: int, max_size: int) -> None:
    environ = {"EXECUTION_SERVICE_BATCH_SIZE": str(size), "EXECUTION_SERVICE_BATCH_MAX_SIZE": str(max_size)}
    loaded = load_settings(environ)
    batch = loaded.settings.batch
    assert batch.max_size == (max_size if 1 <= max_size <= 100 else 100)
    assert batch.size == min(50 if size < 1 else size, batch.max_size)
    corrected = [
        name
        for name, given_, used in (
            ("EXECUTION_SERVICE_BATCH_MAX_SIZE", max_size, batch.max_size),
            ("EXECUTION_SERVICE_BATCH_SIZE", size, batch.size),
        )
        if given_ != used
    ]
    assert [warning.split(" is ")[0] for warning in loaded.warnings] == corrected


def test_a_lower_maximum_lowers_the_default_size_with_a_warning() -> None:
    loaded = load_settings({"TRADE_SERVICE_BATCH_MAX_SIZE": "30"})
    assert loaded.settings.batch.size == 30
    assert "batch.size (default) is 100" in loaded.warnings[0]


def test_without_batching_a_batch_holds_one() -> None:
    assert load_settings({"EXECUTION_SERVICE_ENABLE_BATCHING": "false"}).settings.batch.effective_size == 1
    assert load_settings({"TRADE_SERVICE_BATCH_SIZE": "7"}).settings.batch.effective_size == 7


@pytest.mark.parametrize(("text", "number"), [("true", 3), ("No", 0), ("1", 1), ("0", 0), ("100", 100)])
def test_retry_failed_individually_takes_a_number_or_a_boolean(text: str, number: int) -> None:
    loaded = load_settings({"EXECUTION_SERVICE_RETRY_FAILED_INDIVIDUALLY": text})
    assert loaded.settings.batch.retry_failed_individually == number
