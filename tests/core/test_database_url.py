"""The database URL: every accepted spelling becomes one form."""

from __future__ import annotations

from urllib.parse import parse_qs, quote, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trade_service.masking import mask_url
from trade_service.settings.load import LoadedSettings, load_settings
from trade_service.settings.sources import SettingsError


def load(url: str, **more: str) -> LoadedSettings:
    return load_settings({"DATABASE_URL": url, **more})


def loaded_or_refused(url: str) -> tuple[str | None, str]:
    try:
        return load(url).settings.database.url, ""
    except SettingsError as error:
        return None, str(error)


@pytest.mark.parametrize(
    ("given_", "normal"),
    [
        ("postgresql://h/d", "postgresql://h/d"),
        ("postgres://u:p@h:1/d", "postgresql://u:p@h:1/d"),
        ("POSTGRES://h/d", "postgresql://h/d"),
        ("postgresql+asyncpg://u@h/d?ssl=require", "postgresql://u@h/d?sslmode=require"),
        ("postgresql://h1:1,h2:2/d?target_session_attrs=primary", None),
        ("postgresql://[::1]:5432/d", None),
        ("postgresql:///d?host=%2Fvar%2Frun", None),
        ("postgresql://u:p@ss@h/d", "postgresql://u:p%40ss@h/d"),
        ("jdbc:postgresql://h:1/d", "postgresql://h:1/d"),
        ("jdbc:postgresql:d", "postgresql://localhost/d"),
        ("jdbc:postgresql://h/d?user=u&password=p%26", "postgresql://u:p%26@h/d"),
        ("jdbc:postgresql://h/d?ssl=true", "postgresql://h/d?sslmode=verify-full"),
        ("jdbc:postgresql://h/d?ssl=false", "postgresql://h/d"),
        ("jdbc:postgresql://h/d?sslmode=require&ssl=true", "postgresql://h/d?sslmode=require"),
        ("jdbc:postgresql://h/d?ApplicationName=x", "postgresql://h/d?application_name=x"),
        ("jdbc:postgresql://h/d?currentSchema=s", "postgresql://h/d?options=-csearch_path%3Ds"),
    ],
)
def test_every_spelling_becomes_one_form(given_: str, normal: str | None) -> None:
    loaded = load(given_)
    assert loaded.settings.database.url == (normal or given_)
    assert loaded.warnings == ()


def test_parameters_without_effect_cause_a_warning() -> None:
    loaded = load("jdbc:postgresql://h/d?prepareThreshold=0&reWriteBatchedInserts=true")
    assert loaded.settings.database.url == "postgresql://h/d"
    assert loaded.warnings == (
        "DATABASE_URL: the JDBC parameter 'prepareThreshold' is ignored, use database.prepared_statements",
        "DATABASE_URL: the JDBC parameter 'reWriteBatchedInserts' is ignored",
    )


@pytest.mark.parametrize(
    ("query", "kept", "ignored"),
    [
        ("sslmode=require&channel_binding=require", "sslmode=require", ["channel_binding"]),
        ("pgbouncer=true&connection_limit=1", "", ["pgbouncer", "connection_limit"]),
        ("connect_timeout=10", "", ["connect_timeout"]),
        ("keepalives=1&keepalives_idle=30", "", ["keepalives", "keepalives_idle"]),
        ("gssencmode=disable", "", ["gssencmode"]),
        ("schema=trading", "options=-csearch_path%3Dtrading", []),
        ("timezone=UTC", "timezone=UTC", []),
    ],
)
def test_parameters_of_hosted_databases_are_used_or_named(query: str, kept: str, ignored: list[str]) -> None:
    loaded = load(f"postgresql://h/d?{query}")
    assert loaded.settings.database.url == f"postgresql://h/d{'?' if kept else ''}{kept}"
    assert [warning.split("'")[1] for warning in loaded.warnings] == ignored


def test_jdbc_names_the_server_to_use() -> None:
    url = load("jdbc:postgresql://a,b:5432/d?targetServerType=secondary").settings.database.url
    assert url == "postgresql://a,b:5432/d?target_session_attrs=standby"


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("postgresql://h/d?require_auth=scram-sha-256", "without the parameter require_auth"),
        ("mysql://h/d", "postgresql://, postgres://, postgresql+asyncpg:// or jdbc:postgresql://"),
        ("jdbc:mysql://h/d", "jdbc:postgresql://"),
        ("h:5432/d", "a PostgreSQL URL"),
        ("postgresql://h", "one database name"),
        ("postgresql://h/a/b", "one database name"),
        ("postgresql://h:0/d", "port from 1 to 65535"),
        ("postgresql://h:65536/d", "port from 1 to 65535"),
        ("postgresql://h:x/d", "port from 1 to 65535"),
        ("postgresql://[h/d", "valid host"),
        ("postgresql://h h/d", "a PostgreSQL URL"),
        ("postgresql://h/d#f", "%23"),
        ("postgresql://h/d?sslmode=maybe", "sslmode is one of disable, allow"),
    ],
)
def test_an_invalid_url_fails_with_the_rule(url: str, part: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(url)
    assert str(caught.value).startswith(f"DATABASE_URL is {mask_url(repr(url))}: it must be ")
    assert part in str(caught.value)


def test_user_and_password_complete_a_url_without_them() -> None:
    environ = {"SPRING_DATASOURCE_USERNAME": "u", "SPRING_DATASOURCE_PASSWORD": "p/w"}
    loaded = load("jdbc:postgresql://h/d", **environ)
    assert loaded.settings.database.url == "postgresql://u:p%2Fw@h/d"
    assert loaded.warnings == ()


def test_user_and_password_in_the_url_win_with_a_warning() -> None:
    environ = {"SPRING_DATASOURCE_USERNAME": "x", "SPRING_DATASOURCE_PASSWORD": "y"}
    loaded = load("postgresql://u:p@h/d", **environ)
    assert loaded.settings.database.url == "postgresql://u:p@h/d"
    assert loaded.warnings == (
        "SPRING_DATASOURCE_USERNAME was ignored: DATABASE_URL has a username and wins",
        "SPRING_DATASOURCE_PASSWORD was ignored: DATABASE_URL has a password and wins",
    )


def test_a_user_without_a_url_causes_a_warning() -> None:
    loaded = load_settings({"SPRING_DATASOURCE_USERNAME": "u"})
    assert loaded.settings.database.url is None
    assert loaded.warnings == ("SPRING_DATASOURCE_USERNAME has no effect without database.url",)


@given(
    user=st.text(min_size=1), password=st.text(), database=st.text(min_size=1).filter(lambda t: "/" not in t)
)
def test_any_user_and_password_survive(user: str, password: str, database: str) -> None:
    login = f"{quote(user, safe='')}:{quote(password, safe='')}"
    loaded = load(f"postgres://{login}@h:5432/{quote(database, safe='')}?application_name=a%20b")
    parts = urlsplit(loaded.settings.database.url or "")
    assert (unquote(parts.username or ""), unquote(parts.password or "")) == (user, password)
    assert unquote(parts.path[1:]) == database
    assert parse_qs(parts.query) == {"application_name": ["a b"]}


@given(tail=st.text())
def test_any_text_loads_or_fails_with_its_name(tail: str) -> None:
    for start in ("postgresql://", "jdbc:postgresql:", "postgres://u:p@h/d?"):
        url, refusal = loaded_or_refused(start + tail)
        assert url is None or loaded_or_refused(url) == (url, "")
        assert url is not None or refusal.startswith("DATABASE_URL is ")
        assert refusal.isprintable()
