"""Showing the settings: masked secrets, the `config` command, docs/settings.md."""

from __future__ import annotations

import json
import pprint
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.pretty import pretty_repr

from trade_service.cli.commands import run
from trade_service.cli.config import config, settings_reference
from trade_service.masking import mask_url
from trade_service.settings.load import load_settings
from trade_service.settings.sources import SettingsError
from trade_service.settings.tree import FIELDS

SECRET = "hunter2secret"
REPOSITORY = Path(__file__).parents[2]


def toml(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "s.toml"
    path.write_text(text, encoding="utf-8")
    return path


def error_of(environ: dict[str, str], toml_path: Path | None = None) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(environ, toml_path)
    return str(caught.value)


# --- secrets ---


SECRET_SOURCES: list[dict[str, str]] = [
    {"DATABASE_URL": f"postgresql://trade:{SECRET}@db:5432/trade"},
    {"DATABASE_URL": f"postgresql://trade@db/trade?password={SECRET}"},
    {"SPRING_DATASOURCE_URL": f"jdbc:postgresql://db/t?user=u&password={SECRET}"},
    {"SPRING_DATASOURCE_URL": "jdbc:postgresql://db/t", "SPRING_DATASOURCE_PASSWORD": SECRET},
    {"SPRING_DATASOURCE_PASSWORD": SECRET},
    {"DATABASE_URL": "postgresql://a:b@db/t", "SPRING_DATASOURCE_PASSWORD": SECRET},
    {"EXECUTION_SERVICE_BASE_URL": f"http://user:{SECRET}@exec:8084"},
    {"EXECUTION_SERVICE_BASE_URL": f"https://{SECRET}@exec:8084"},
    *(
        {"MANAGEMENT_OTLP_METRICS_EXPORT_URL": f"http://o:4318/m?{name}={SECRET}"}
        for name in ("token", "api-key", "apikey", "X-Amz-Signature", "sig", "authorization", "credential")
    ),
]


@pytest.mark.parametrize("environ", SECRET_SOURCES)
def test_no_secret_is_shown_anywhere(environ: dict[str, str]) -> None:
    loaded = load_settings(environ)
    for text in (repr(loaded), str(loaded.settings), pretty_repr(loaded), pprint.pformat(loaded.settings)):
        assert SECRET not in text
    assert "***" in repr(loaded.settings)
    for option in ("--json", None):
        result = CliRunner().invoke(config, [option] if option else [], env=environ)
        assert result.exit_code == 0
        assert "***" in result.output
        assert SECRET not in result.output


@pytest.mark.parametrize(
    "url",
    [
        f"mysql://u:{SECRET}@db/t",
        f"postgresql://u:{SECRET}/x@db/t",
        f"postgresql://u:p@{SECRET}@db:x/t",
        f"postgresql://u:{SECRET}#x@db/t",
        f"postgresql://u:{SECRET}?x@db/t",
        f"postgresql://u:{SECRET}",
        f"postgresql://u:{SECRET}\n@db/t",
        f"postgresql://db:1x/t?password={SECRET}",
        f"u:{SECRET}@db:5432/t",
    ],
)
def test_no_secret_in_an_error(url: str) -> None:
    line = error_of({"DATABASE_URL": url})
    assert SECRET not in line
    assert line.startswith("DATABASE_URL is ")


def test_a_secret_of_a_wrong_type_is_masked(tmp_path: Path) -> None:
    path = toml(tmp_path, "[database]\npassword = 424242")
    assert error_of({}, path) == f"{path}:database.password is ***: it must be a text"
    assert "424242" not in error_of({}, toml(tmp_path, "[database]\nurl = {password = 424242}"))


@pytest.mark.parametrize(
    "url",
    ["http://localhost:8084", "postgresql://h1:5432,h2:5433/db", "http://[::1]:80/x", "postgresql://u@h/d"],
)
def test_a_url_without_a_password_is_shown_as_it_is(url: str) -> None:
    assert mask_url(url) == url


# --- the command and the page ---


def test_config_prints_every_setting_with_its_origin_and_the_warnings() -> None:
    result = CliRunner().invoke(config, [], env={"LOG_LEVEL": "debug", "TRADE_SERVICE_LOG_LEVLE": "info"})
    assert result.exit_code == 0
    line = next(line for line in result.output.splitlines() if "log.level" in line)
    assert "DEBUG" in line
    assert "environment LOG_LEVEL" in line
    for name in FIELDS:
        assert name in result.output
    assert "warning: TRADE_SERVICE_LOG_LEVLE is not a setting" in result.output


def test_config_prints_json_for_machines(tmp_path: Path) -> None:
    path = toml(tmp_path, "[batch]\nsize = 200\n")
    result = CliRunner().invoke(config, ["--json", "--config", str(path)])
    data = json.loads(result.output)
    found = {row["name"]: row for row in data["settings"]}
    assert data["file"] == str(path)
    assert found["batch.size"] == {"name": "batch.size", "value": 100, "origin": f"{path}:batch.size"}
    assert found["server.cors_allow_origins"]["value"] is None
    assert found["database.url"]["value"] is None
    assert len(data["warnings"]) == 1


def test_config_stops_with_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EXECUTION_SERVICE_BATCH_SIZE", "lots")
    assert run(["config"]) == 2
    expected = "trade-service: EXECUTION_SERVICE_BATCH_SIZE is 'lots': it must be a whole number\n"
    assert capsys.readouterr() == ("", expected)


def test_the_page_of_the_documentation_is_up_to_date() -> None:
    page = (REPOSITORY / "docs" / "settings.md").read_text(encoding="utf-8")
    assert page == settings_reference(), "run: trade-service config --docs > docs/settings.md"
    assert CliRunner().invoke(config, ["--docs"]).output == page
    for field in FIELDS.values():
        for name in field.env_names:
            assert f"`{name}`" in page
