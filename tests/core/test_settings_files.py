"""Settings whose value stands in a file of its own, as container platforms mount secrets."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from trade_service.cli.config import config
from trade_service.cli.top import top
from trade_service.section import FILE_SUFFIX, SettingField, http_url, root_url
from trade_service.settings.load import load_settings
from trade_service.settings.sources import SettingsError
from trade_service.settings.tree import FIELDS

SECRET = "hunter2secret"
IN_FILES = [field for field in FIELDS.values() if field.is_read_from_files]
_TEXTS = {"database.url": f"postgresql://u:{SECRET}@h/d"}
URL = {"DATABASE_URL": "postgresql://u@h/d"}


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text(f"{SECRET}\n", encoding="utf-8")
    return path


def error_of(environ: dict[str, str], toml_path: Path | None = None) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(environ, toml_path)
    line = str(caught.value)
    assert "\n" not in line
    assert SECRET not in line
    return line


@pytest.mark.parametrize("field", IN_FILES, ids=lambda field: field.name)
def test_every_name_of_a_secret_may_name_a_file(field: SettingField, tmp_path: Path) -> None:
    text = _TEXTS.get(field.name, SECRET if field.about.check is None else f"https://{SECRET}@h")
    path = tmp_path / "value"
    path.write_text(f"{text}\r\n", encoding="utf-8")
    plain = load_settings({field.env_names[0]: text}).settings
    for variable in field.file_env_names:
        loaded = load_settings({variable: str(path)})
        assert loaded.settings.value(field) == plain.value(field)
        assert loaded.origins[field.name] == f"environment {variable} (file {path})"
        if field.name != "database.username":
            assert SECRET in loaded.settings.secrets()
            assert SECRET not in repr(loaded)


def test_every_address_and_every_secret_may_stand_in_a_file() -> None:
    addresses = {name for name, field in FIELDS.items() if field.about.check in (root_url, http_url)}
    secrets = {name for name, field in FIELDS.items() if field.about.secret}
    named = {field.name for field in IN_FILES}
    assert named == addresses | secrets | {"database.url", "database.username"}
    assert {"DATABASE_PASSWORD_FILE", "SPRING_DATASOURCE_PASSWORD_FILE"} < {
        *FIELDS["database.password"].file_env_names
    }
    values = {name for field in FIELDS.values() for name in field.env_names}
    assert values.isdisjoint(name for field in IN_FILES for name in field.file_env_names)


def test_a_password_from_a_file_completes_the_address(secret_file: Path) -> None:
    loaded = load_settings(URL | {"DATABASE_PASSWORD_FILE": str(secret_file)})
    assert loaded.settings.database.url == f"postgresql://u:{SECRET}@h/d"
    assert loaded.warnings == ()


def test_only_the_line_break_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text(" a b\t \n", encoding="utf-8")
    assert load_settings({"DATABASE_PASSWORD_FILE": str(path)}).settings.database.password == " a b\t "


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"", "is empty: it must hold the value"),
        (b" \n", "is empty: it must hold the value"),
        (f"{SECRET}\n\n".encode(), "must hold one line: the value and nothing else"),
        (f"{SECRET}\nmore".encode(), "must hold one line: the value and nothing else"),
        (b"a\0b", "must hold one line: the value and nothing else"),
        (b"abc\xff", "must hold text in UTF-8, which byte 3 is not"),
    ],
)
def test_a_wrong_file_fails_with_its_name_and_the_rule(tmp_path: Path, content: bytes, rule: str) -> None:
    path = tmp_path / "password"
    path.write_bytes(content)
    assert error_of({"DATABASE_PASSWORD_FILE": str(path)}) == f"DATABASE_PASSWORD_FILE: '{path}' {rule}"


def test_a_file_that_cannot_be_read_fails(tmp_path: Path) -> None:
    missing, large = tmp_path / "missing", tmp_path / "large"
    large.write_bytes(b"x" * 65_537)
    start = "DATABASE_PASSWORD_FILE: "
    assert (
        error_of({"DATABASE_PASSWORD_FILE": str(missing)})
        == f"{start}'{missing}' cannot be read: No such file or directory"
    )
    assert "Is a directory" in error_of({"DATABASE_PASSWORD_FILE": str(tmp_path)})
    assert "not be larger than 65536 bytes" in error_of({"DATABASE_PASSWORD_FILE": str(large)})


@pytest.mark.parametrize("variable", ["DATABASE_URL_FILE", "EXECUTION_SERVICE_BASE_URL_FILE"])
def test_the_content_of_a_wrong_file_is_never_shown(secret_file: Path, variable: str) -> None:
    assert error_of({variable: str(secret_file)}).startswith(
        f"{variable} (file {secret_file}) is ***: it must be"
    )


def test_a_value_and_a_file_together_fail(secret_file: Path, tmp_path: Path) -> None:
    both = {"SPRING_DATASOURCE_PASSWORD": "x", "TRADE_SERVICE_DATABASE_PASSWORD_FILE": str(secret_file)}
    assert error_of(both) == (
        "SPRING_DATASOURCE_PASSWORD and TRADE_SERVICE_DATABASE_PASSWORD_FILE are both set: set only one of them, "
        "both stand for database.password"
    )
    toml = tmp_path / "s.toml"
    toml.write_text(f'[database]\npassword = "x"\npassword_file = "{secret_file}"\n', encoding="utf-8")
    assert error_of({}, toml).startswith(f"{toml}:database.password and password_file are both set")


def test_an_empty_variable_is_ignored_and_the_first_of_two_files_wins(secret_file: Path) -> None:
    loaded = load_settings(
        {
            "TRADE_SERVICE_DATABASE_PASSWORD_FILE": " ",
            "DATABASE_PASSWORD_FILE": str(secret_file),
            "SPRING_DATASOURCE_PASSWORD_FILE": "missing",
        }
    )
    assert loaded.settings.database.password == SECRET
    assert loaded.warnings[:2] == (
        "TRADE_SERVICE_DATABASE_PASSWORD_FILE is empty and was ignored",
        "SPRING_DATASOURCE_PASSWORD_FILE was ignored: DATABASE_PASSWORD_FILE is set as well and wins",
    )


def test_the_settings_file_may_name_a_file_and_the_environment_wins(
    secret_file: Path, tmp_path: Path
) -> None:
    toml = tmp_path / "s.toml"
    toml.write_text(f'[database]\npassword_file = "{secret_file}"\n', encoding="utf-8")
    loaded = load_settings(URL, toml)
    assert loaded.settings.database.password == SECRET
    assert loaded.origins["database.password"] == f"{toml}:database.password_file (file {secret_file})"
    assert load_settings({"DATABASE_PASSWORD": "env"}, toml).settings.database.password == "env"
    toml.write_text("[database]\npassword_file = 7\n", encoding="utf-8")
    assert error_of({}, toml).endswith("database.password_file is 7: it must be the path of a file")
    toml.write_text("[server]\nhost_file = 'x'\n", encoding="utf-8")
    assert "there is no setting 'server.host_file'" in error_of({}, toml)


def test_config_shows_the_file_and_not_its_content(secret_file: Path) -> None:
    environ = URL | {"DATABASE_PASSWORD_FILE": str(secret_file)}
    result = CliRunner().invoke(config, ["--json"], env=environ)
    rows = {row["name"]: row for row in json.loads(result.output)["settings"]}
    assert rows["database.password"] == {
        "name": "database.password",
        "value": "***",
        "origin": f"environment DATABASE_PASSWORD_FILE (file {secret_file})",
    }
    assert SECRET not in result.output


def test_the_key_of_a_command_may_stand_in_a_file(monkeypatch: pytest.MonkeyPatch, secret_file: Path) -> None:
    used: list[str | None] = []
    monkeypatch.setattr(top, "callback", lambda **options: used.append(options["key"]))
    in_file = {f"TRADE_SERVICE_API_KEY{FILE_SUFFIX}": str(secret_file)}
    for arguments, environ in (
        ([], in_file),
        (["--key", "given"], in_file | {"TRADE_SERVICE_API_KEY": "x"}),
        ([], {"TRADE_SERVICE_API_KEY": "variable"}),
        ([], {}),
    ):
        assert CliRunner().invoke(top, arguments, env=environ).exit_code == 0
    assert used == [SECRET, "given", "variable", None]
    refused = CliRunner().invoke(top, [], env=in_file | {"TRADE_SERVICE_API_KEY": "x"})
    assert "TRADE_SERVICE_API_KEY_FILE are both set" in str(refused.exception)
