"""Settings: precedence, rules and one-line errors."""

from __future__ import annotations

import typing
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trade_service.section import SettingField
from trade_service.settings.load import convert, load_settings
from trade_service.settings.sources import Raw, SettingsError
from trade_service.settings.tree import FIELDS, Settings

NUMERIC = [field for field in FIELDS.values() if field.base in (int, float)]
_TEXTS = {
    "server.base_path": "/trade",
    "database.prepared_statements": "false",
    "database.url": "postgresql://h/d",
    "server.allowed_hosts": "h",
}


def text_for(field: SettingField) -> str:
    """A text that the setting accepts."""
    if field.name in _TEXTS:
        return _TEXTS[field.name]
    if typing.get_origin(field.base) is typing.Literal:
        return str(typing.get_args(field.base)[0])
    if field.default is None:
        return "100" if field.base is int else "http://h"
    return ",".join(field.default) if field.is_list else str(field.default)


def toml(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "s.toml"
    path.write_text(text, encoding="utf-8")
    return path


def error_of(environ: dict[str, str], toml_path: Path | None = None, **overrides: object) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(environ, toml_path, overrides)
    text = str(caught.value)
    assert "\n" not in text
    return text


# --- precedence and origins ---


def test_without_any_source_everything_is_the_default() -> None:
    loaded = load_settings({})
    assert loaded.settings == Settings()
    assert set(loaded.origins.values()) == {"default"}
    assert set(loaded.origins) == set(FIELDS)
    assert loaded.warnings == ()


def test_command_line_over_environment_over_file_over_default(tmp_path: Path) -> None:
    path = toml(tmp_path, "[server]\nport = 1\nhost = 'a'\n[retry]\nmultiplier = 3\nmax_attempts = 9\n")
    environ = {"TRADE_SERVICE_SERVER_PORT": "2", "TRADE_SERVICE_SERVER_HOST": "b"}
    loaded = load_settings(environ, path, {"server.port": 3, "retry.max_attempts": None})
    assert (loaded.settings.server.port, loaded.settings.server.host) == (3, "b")
    assert (loaded.settings.retry.multiplier, loaded.settings.retry.max_attempts) == (3.0, 9)
    assert loaded.origins["server.port"] == "command line"
    assert loaded.origins["server.host"] == "environment TRADE_SERVICE_SERVER_HOST"
    assert loaded.origins["retry.multiplier"] == f"{path}:retry.multiplier"
    assert loaded.origins["log.level"] == "default"


@pytest.mark.parametrize("field", FIELDS.values(), ids=lambda field: field.name)
def test_every_setting_has_a_native_variable_and_a_meaning(field: SettingField) -> None:
    native = f"TRADE_SERVICE_{field.section}_{field.key}".upper()
    assert load_settings({native: text_for(field)}).origins[field.name] == f"environment {native}"
    assert field.about.help.endswith(".")


def test_the_file_is_found_by_option_variable_or_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, port in (("trade-service.toml", 1), ("variable.toml", 2), ("option.toml", 3)):
        Path(name).write_text(f"[server]\nport = {port}\n", encoding="utf-8")
    variable = {"TRADE_SERVICE_CONFIG": "variable.toml"}
    assert load_settings({}).settings.server.port == 1
    assert load_settings(variable).settings.server.port == 2
    assert load_settings(variable, Path("option.toml")).settings.server.port == 3
    assert load_settings({}).origins["server.port"] == "trade-service.toml:server.port"
    assert "TRADE_SERVICE_CONFIG: 'no.toml' cannot be read" in error_of({"TRADE_SERVICE_CONFIG": "no.toml"})
    assert "--config" in error_of({}, Path("no.toml"))


def test_a_program_that_embeds_the_service_gives_values_by_name() -> None:
    loaded = load_settings({}, None, {"server.port": "3"}, "argument")
    assert (loaded.settings.server.port, loaded.origins["server.port"]) == (3, "argument")
    with pytest.raises(SettingsError) as caught:
        load_settings({}, None, {"server.prot": 3}, "argument")
    assert str(caught.value) == (
        "server.prot (argument): there is no setting 'server.prot'; did you mean server.port?"
    )


# --- wrong values ---


@given(field=st.sampled_from(NUMERIC), text=st.text() | st.floats().map(str) | st.integers().map(str))
@example(field=FIELDS["batch.size"], text="9" * 5000)
@example(field=FIELDS["batch.size"], text="1.5")
@example(field=FIELDS["retry.multiplier"], text="nan")
@example(field=FIELDS["submission.wait_s"], text="inf")
@example(field=FIELDS["server.port"], text="\udcff")
def test_any_text_for_a_number_loads_or_fails_with_its_name(field: SettingField, text: str) -> None:
    variable = field.env_names[-1]
    try:
        value = convert(field, Raw(text, f"environment {variable}", variable, is_text=True))
    except SettingsError as error:
        line = str(error)
        assert line.startswith(f"{variable} is ")
        assert field.rule() in line
        assert line.isprintable()
        assert len(line) < 300
    else:
        assert type(value) is field.base
        word = text.strip().lower()
        if word not in {"true", "false", "yes", "no", "on", "off"}:
            assert float(word) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    ("variable", "text", "line"),
    [
        (
            "EXECUTION_SERVICE_BATCH_SIZE",
            "lots",
            "EXECUTION_SERVICE_BATCH_SIZE is 'lots': it must be a whole number",
        ),
        (
            "TRADE_SERVICE_SERVER_PORT",
            "65536",
            "TRADE_SERVICE_SERVER_PORT is '65536': it must be a whole number from 0 to 65535",
        ),
        (
            "TRADE_SERVICE_SUBMISSION_WAIT_S",
            "25.1",
            "TRADE_SERVICE_SUBMISSION_WAIT_S is '25.1': it must be a number from 0 to 25",
        ),
        (
            "EXECUTION_SERVICE_ENABLE_BATCHING",
            "ja",
            "EXECUTION_SERVICE_ENABLE_BATCHING is 'ja': it must be true or false",
        ),
        (
            "LOG_LEVEL",
            "loud",
            "LOG_LEVEL is 'loud': it must be one of DEBUG, INFO, WARNING (or WARN), ERROR, CRITICAL",
        ),
    ],
)
def test_an_invalid_variable_fails_with_one_line(variable: str, text: str, line: str) -> None:
    assert error_of({variable: text}) == line


@pytest.mark.parametrize(
    "text",
    ["localhost:8084", "ftp://h", "http://", "http://h:99999", "http://h/?q", "http://h /", "http://[h"],
)
def test_an_invalid_base_url_fails(text: str) -> None:
    assert error_of({"EXECUTION_SERVICE_BASE_URL": text}).startswith("EXECUTION_SERVICE_BASE_URL is ")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("[server]\nport = 70000", "server.port is 70000: it must be a whole number from 0 to 65535"),
        ("[server]\nport = 80.0", "server.port is 80.0: it must be a whole number"),
        ("[server]\nport = true", "server.port is True: it must be a whole number"),
        ("[server]\nport = '80'", "server.port is '80': it must be a whole number"),
        ("[retry]\nmultiplier = nan", "retry.multiplier is nan: it must be a number from 1 to 100"),
        ("[server]\nprot = 1", "there is no setting 'server.prot'; did you mean server.port?"),
        ("[sevrer]\nport = 1", "there is no setting 'sevrer'; did you mean server?"),
        ("port = 1", "there is no setting 'port'; did you mean server.port?"),
        ("[log]\nbase_url = 'http://h'", "did you mean execution_service.base_url?"),
        ("server = 1", "server is 1: it must be a table, [server]"),
        ("[server\n", "this is not valid TOML"),
        (f"[server]\nport = {'9' * 5000}", "this is not valid TOML"),
        ("[execution_service]\ntrade_types = []", "it must be a list of texts, not empty"),
        ("[execution_service]\ntransient_message_patterns = [' ']", "none of them blank"),
        ("[server]\ncors_allow_origins = '*'", "cors_allow_origins is '*': it must be a list of texts"),
    ],
)
def test_an_invalid_file_fails_with_one_line_that_names_it(tmp_path: Path, text: str, part: str) -> None:
    path = toml(tmp_path, text)
    line = error_of({}, path)
    assert line.startswith(f"{path}:")
    assert part in line


def test_a_binary_or_oversized_file_fails(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_bytes(b"[log]\n\xff")
    assert "byte 6 is not UTF-8" in error_of({}, path)
    path.write_bytes(b"#" * 1_000_001)
    assert "larger than" in error_of({}, path)
    assert "cannot be read" in error_of({}, tmp_path)


@pytest.mark.parametrize(
    ("environ", "line"),
    [
        (
            {"EXECUTION_SERVICE_RETRY_MAX_DELAY": "10"},
            "EXECUTION_SERVICE_RETRY_MAX_DELAY is 10: it must be at least retry.initial_delay_ms (default), "
            "which is 1000",
        ),
        (
            {"TRADE_SERVICE_SERVER_REQUEST_TIMEOUT_S": "25"},
            "TRADE_SERVICE_SERVER_REQUEST_TIMEOUT_S is 25.0: it must be more than submission.wait_s "
            "(default), which is 25.0",
        ),
        (
            {"TRADE_SERVICE_CIRCUIT_MINIMUM_CALLS": "21"},
            "circuit.window_calls (default) is 20: it must be at least TRADE_SERVICE_CIRCUIT_MINIMUM_CALLS, "
            "which is 21",
        ),
        (
            {"TRADE_SERVICE_CIRCUIT_OPEN_MAX_MS": "1999"},
            "TRADE_SERVICE_CIRCUIT_OPEN_MAX_MS is 1999: it must be at least circuit.open_ms (default), "
            "which is 2000",
        ),
        (
            {"TRADE_SERVICE_BATCH_MAX_CONCURRENT": "33"},
            "execution_service.max_connections (default) is 32: it must be at least "
            "TRADE_SERVICE_BATCH_MAX_CONCURRENT, which is 33",
        ),
        (
            {"TRADE_SERVICE_RETENTION_BULK_SUBMISSIONS_DAYS": "7"},
            "TRADE_SERVICE_RETENTION_BULK_SUBMISSIONS_DAYS is 7: it must be fewer days than "
            "submission.bulk_keep_s (default), which is 604800, after which they are removed",
        ),
    ],
)
def test_contradicting_settings_fail(environ: dict[str, str], line: str) -> None:
    assert error_of(environ) == line


def test_a_slow_call_takes_half_the_read_time_out_by_default() -> None:
    half, given = {"EXECUTION_SERVICE_READ_TIMEOUT": "9000"}, {"TRADE_SERVICE_CIRCUIT_SLOW_CALL_MS": "70"}
    assert load_settings(half).settings.engine.effective_circuit.slow_call_ms == 4500
    assert load_settings(given).settings.engine.effective_circuit.slow_call_ms == 70


# --- unknown, empty and foreign variables ---


@pytest.mark.parametrize(
    ("variable", "hint"),
    [
        ("TRADE_SERVICE_BATCHSIZE", "; did you mean TRADE_SERVICE_BATCH_SIZE?"),
        ("TRADE_SERVICE_PORT", "; did you mean TRADE_SERVICE_SERVER_PORT?"),
        ("TRADE_SERVICE_EXECUTION_SERVICE_BATCH_SIZE", "; did you mean EXECUTION_SERVICE_BATCH_SIZE?"),
        ("TRADE_SERVICE_ZZZZ", ""),
    ],
)
def test_an_unknown_variable_with_our_prefix_causes_a_warning(variable: str, hint: str) -> None:
    assert load_settings({variable: "1"}).warnings == (f"{variable} is not a setting and was ignored{hint}",)


def test_service_links_of_kubernetes_are_not_settings() -> None:
    links = {
        "TRADE_SERVICE_SERVICE_HOST": "10.0.0.7",
        "TRADE_SERVICE_SERVICE_PORT": "8082",
        "TRADE_SERVICE_SERVICE_PORT_HTTP": "8082",
        "TRADE_SERVICE_PORT": "tcp://10.0.0.7:8082",
        "TRADE_SERVICE_SERVER_PORT": "tcp://10.0.0.8:8082",
        "TRADE_SERVICE_PORT_8082_TCP": "tcp://10.0.0.7:8082",
        "TRADE_SERVICE_PORT_8082_TCP_ADDR": "10.0.0.7",
        "TRADE_SERVICE_DB_SERVICE_HOST": "10.0.0.8",
    }
    assert load_settings(links).warnings == ()


def test_an_empty_variable_is_not_set_but_an_empty_list_is_empty() -> None:
    loaded = load_settings({"TRADE_SERVICE_BATCH_SIZE": " ", "EXECUTION_SERVICE_BATCH_SIZE": "7"})
    assert loaded.settings.batch.size == 7
    assert loaded.warnings == ("TRADE_SERVICE_BATCH_SIZE is empty and was ignored",)
    origins = load_settings({"TRADE_SERVICE_SERVER_CORS_ALLOW_ORIGINS": ""})
    assert origins.settings.server.cors_allow_origins == ()
    several = load_settings({"TRADE_SERVICE_SERVER_CORS_ALLOW_ORIGINS": "http://a:1, https://b"})
    assert several.settings.server.cors_allow_origins == ("http://a:1", "https://b")
    assert "without a path" in error_of({"TRADE_SERVICE_SERVER_CORS_ALLOW_ORIGINS": "http://a/b"})


# --- time-outs derived from others ---


def test_derived_time_outs_follow_the_others() -> None:
    settings = load_settings({"EXECUTION_SERVICE_READ_TIMEOUT": "2000"}).settings
    assert settings.execution_service.effective_total_timeout_ms == 17_000
    assert settings.engine.settle_ms == 4000
    environ = {
        "TRADE_SERVICE_SUBMISSION_SETTLE_TIME_MS": "5",
        "TRADE_SERVICE_EXECUTION_SERVICE_TOTAL_TIMEOUT_MS": "6",
    }
    settings = load_settings(environ).settings
    assert (settings.engine.settle_ms, settings.execution_service.effective_total_timeout_ms) == (5, 6)


def test_a_tilde_is_the_home_directory() -> None:
    settings = load_settings({"TRADE_SERVICE_DATABASE_DATA_DIR": "~/pg"}).settings
    assert settings.database.data_path == Path.home() / "pg"
    assert Settings().database.data_path is None


def test_settings_are_frozen() -> None:
    with pytest.raises(AttributeError):
        Settings().server.port = 1  # type: ignore[misc]


def test_transient_message_patterns_are_ignored_with_a_warning() -> None:
    loaded = load_settings({"TRADE_SERVICE_EXECUTION_SERVICE_TRANSIENT_MESSAGE_PATTERNS": "gremlins"})
    (warning,) = loaded.warnings
    assert "TRANSIENT_MESSAGE_PATTERNS" in warning
    assert "is ignored" in warning
    assert "refusal_messages" in warning


@pytest.mark.parametrize("text", ["*", " ** ", "known,*"])
def test_a_refusal_message_that_matches_everything_fails(text: str) -> None:
    with pytest.raises(SettingsError, match="none of them blank or of"):
        load_settings({"TRADE_SERVICE_EXECUTION_SERVICE_REFUSAL_MESSAGES": text})
