"""Loads the settings: defaults < TOML file < environment < command line."""

import math
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import cast
from urllib.parse import urlsplit

import msgspec

from trade_service.identity.auth_settings import AuthSettings
from trade_service.masking import mask_url, quoted
from trade_service.section import SettingField, is_safe
from trade_service.settings.database_url import parse_database_url
from trade_service.settings.sources import Raw, SettingsError, check_name, read_environment, read_file
from trade_service.settings.tree import FIELDS, SECTIONS, Settings
from trade_service.store.store_settings import StoreSettings
from trade_service.submission.engine_settings import BATCH_LIMIT, ExecutionBatchSettings

_WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_BOOLEANS = {**_WORDS, "1": True, "0": False}
_SIZE_BELOW_ONE = 50
_FILES_OF_TLS = {"sslrootcert", "sslcert", "sslkey", "sslcrl"}
_UNUSED = "execution_service.transient_message_patterns"


class LoadedSettings(msgspec.Struct, frozen=True):
    """The settings, the origin of each by dotted name, the warnings, and the file read, if any.

    An origin is `default`, `environment VARIABLE`, `FILE:section.key` or `command line`; of a value from a file of
    its own it names that, too.
    """

    settings: Settings
    origins: Mapping[str, str]
    warnings: tuple[str, ...]
    file: Path | None


def load_settings(
    environ: Mapping[str, str],
    toml_path: Path | None = None,
    overrides: Mapping[str, object] = MappingProxyType({}),
    given_by: str = "command line",
) -> LoadedSettings:
    """Reads, converts and checks every setting; raises SettingsError at the first invalid value.

    `toml_path` wins over TRADE_SERVICE_CONFIG, which wins over `trade-service.toml` in the working
    directory. `overrides` maps dotted names to values that the program was `given_by` its command line, or by the
    program that embeds it; None means not given.
    """
    file, from_file = read_file(environ, toml_path)
    from_environment, warnings = read_environment(environ)
    raws = {**from_file, **from_environment, **_from_program(overrides, given_by)}
    labels = {name: raws[name].label if name in raws else f"{name} (default)" for name in FIELDS}
    values: dict[str, dict[str, object]] = {section: {} for section in SECTIONS}
    for name, raw in raws.items():
        field = FIELDS[name]
        values[field.section][field.key] = convert(field, raw)
    tree = Settings(**{section: struct(**values[section]) for section, struct in SECTIONS.items()})  # type: ignore[arg-type]
    if _UNUSED in raws:
        warnings.append(
            f"{labels[_UNUSED]} is ignored: a failed item is looked up whatever its message says, unless it is a "
            "known refusal; add refusals of your own with execution_service.refusal_messages"
        )
    batch = _capped(tree.batch, labels, warnings)
    url = raws.get("database.url")
    is_hidden = url is not None and url.from_file
    database = _completed(tree.database, labels, warnings, is_hidden=is_hidden)
    settings = msgspec.structs.replace(tree, batch=batch, database=database)
    _check_pairs(settings, labels)
    _check_auth(settings.auth, labels)
    _check_retention(settings, labels)
    _warn_of_tls(settings, labels, warnings)
    return LoadedSettings(
        settings=settings,
        origins=MappingProxyType({name: raws[name].origin if name in raws else "default" for name in FIELDS}),
        warnings=tuple(warnings),
        file=file,
    )


def _from_program(overrides: Mapping[str, object], given_by: str) -> dict[str, Raw]:
    for name in overrides:
        check_name(name, f"{name} ({given_by})")
    return {
        name: Raw(value, given_by, f"{name} ({given_by})", is_text=isinstance(value, str))
        for name, value in overrides.items()
        if value is not None
    }


def convert(field: SettingField, raw: Raw) -> object:
    """The typed value, in canonical form and within its bounds; raises SettingsError."""
    rule = field.rule()
    if isinstance(raw.value, str) and not _is_unicode(raw.value):
        raise _invalid(field, raw, f"{rule}, in UTF-8")
    try:
        value = _from_text(field, str(raw.value)) if raw.is_text else raw.value
        if field.about.switch is not None and isinstance(value, bool):
            value = field.about.switch if value else 0
        if field.about.zero is not None and value == field.about.zero:
            value = 0
        typed = field.typed(value)
    except msgspec.ValidationError:
        raise _invalid(field, raw, rule) from None
    if isinstance(typed, float) and not math.isfinite(typed):
        raise _invalid(field, raw, rule)
    if field.about.check is None or typed is None:
        return typed
    try:
        return field.about.check(typed)
    except ValueError as error:
        raise _invalid(field, raw, str(error)) from None


def _invalid(field: SettingField, raw: Raw, rule: str) -> SettingsError:
    value = quoted(raw.value, secret=field.about.secret or raw.from_file)
    return SettingsError(f"{raw.label} is {value}: it must be {rule}")


def _is_unicode(text: str) -> bool:
    """False where the environment held bytes that are not UTF-8: Python substitutes surrogates for those."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _from_text(field: SettingField, text: str) -> object:
    """The value that the text stands for; text that stands for nothing stays and fails the type check."""
    if field.is_list:
        return [part.strip() for part in text.split(",") if part.strip()]
    if field.base is str:
        return text if field.about.secret else text.strip()
    word = text.strip()
    if word.lower() == field.about.zero:
        return 0
    if field.base is bool:
        return _BOOLEANS.get(word.lower(), text)
    if field.about.switch is not None and word.lower() in _WORDS:
        return _WORDS[word.lower()]
    return msgspec.convert(word, field.base, strict=False)


def _capped(
    batch: ExecutionBatchSettings, labels: Mapping[str, str], warnings: list[str]
) -> ExecutionBatchSettings:
    """Sizes within the Execution Service's limit; each correction adds a warning."""
    max_size = batch.max_size if 1 <= batch.max_size <= BATCH_LIMIT else BATCH_LIMIT
    size = min(batch.size if batch.size >= 1 else _SIZE_BELOW_ONE, max_size)
    for name, value, used, upper_rule in (
        (
            "batch.max_size",
            batch.max_size,
            max_size,
            f"the Execution Service takes at most {BATCH_LIMIT} a call",
        ),
        ("batch.size", batch.size, size, f"it must be at most {max_size} (batch.max_size)"),
    ):
        if value != used:
            rule = "it must be at least 1" if value < 1 else upper_rule
            warnings.append(f"{labels[name]} is {quoted(value)}: {rule}, {used} is used")
    return msgspec.structs.replace(batch, size=size, max_size=max_size)


def _completed(
    database: StoreSettings, labels: Mapping[str, str], warnings: list[str], *, is_hidden: bool
) -> StoreSettings:
    """The canonical URL with credentials; those in the URL win over `username` and `password`, with a warning."""
    label = labels["database.url"]
    given = {key: getattr(database, key) for key in ("username", "password")}
    if database.url is None:
        warnings += (
            f"{labels[f'database.{key}']} has no effect without database.url"
            for key, value in given.items()
            if value is not None
        )
        return database
    try:
        url, remarks = parse_database_url(database.url)
    except ValueError as error:
        raise SettingsError(
            f"{label} is {quoted(database.url, secret=is_hidden)}: it must be {error}"
        ) from None
    warnings += (f"{label}: {remark}" for remark in remarks)
    for name in _FILES_OF_TLS & url.parameters.keys():
        _check_readable(url.parameters[name], f"{label}: its {name}")
    for key, value in given.items():
        inside = getattr(url, key)
        if inside is None:
            url = msgspec.structs.replace(url, **{key: value})
        elif value not in (None, inside):
            warnings.append(f"{labels[f'database.{key}']} was ignored: {label} has a {key} and wins")
    return msgspec.structs.replace(database, url=url.text())


def _check_readable(name: str, place: str) -> None:
    """Raises SettingsError; the driver's own error would not name the file, and pass for a silent database."""
    try:
        Path(name).open("rb").close()
    except OSError as error:
        raise SettingsError(f"{place} {name} cannot be read: {error.strerror}") from None


def _check_pairs(settings: Settings, labels: Mapping[str, str]) -> None:
    """Raises SettingsError where two settings contradict each other."""
    for low, high, strictly in (
        ("retry.initial_delay_ms", "retry.max_delay_ms", False),
        ("circuit.minimum_calls", "circuit.window_calls", False),
        ("circuit.open_ms", "circuit.open_max_ms", False),
        ("batch.max_concurrent", "execution_service.max_connections", False),
        ("submission.wait_s", "server.request_timeout_s", True),
    ):
        least, most = (cast(float, settings.value(FIELDS[name])) for name in (low, high))
        if most < least or (most == least and strictly):
            relation = "more than" if strictly else "at least"
            raise SettingsError(
                f"{labels[high]} is {most}: it must be {relation} {labels[low]}, which is {least}"
            )


def _check_auth(auth: AuthSettings, labels: Mapping[str, str]) -> None:
    """Raises SettingsError where tokens are required but cannot be checked."""
    if auth.mode != "jwt":
        return
    label = labels["auth.mode"]
    for key in ("jwt_issuer", "jwt_audience"):
        if getattr(auth, key) is None:
            raise SettingsError(f"{label} is 'jwt': auth.{key} must be set, it says whose tokens are taken")
    if (auth.jwt_keys_file is None) == (auth.jwt_jwks_url is None):
        raise SettingsError(f"{label} is 'jwt': one of auth.jwt_keys_file and auth.jwt_jwks_url must be set")
    if auth.jwt_jwks_url is not None and not is_safe(auth.jwt_jwks_url):
        raise SettingsError(
            f"{labels['auth.jwt_jwks_url']} is {quoted(auth.jwt_jwks_url)}: it must be https unless it is on this "
            "machine, since those keys decide who may trade"
        )


def _check_retention(settings: Settings, labels: Mapping[str, str]) -> None:
    """Raises SettingsError where bulk submissions would be removed before they are archived."""
    days, keep_s = settings.retention.bulk_submissions_days, settings.submission.bulk_keep_s
    if days and days * 86_400 >= keep_s:
        raise SettingsError(
            f"{labels['retention.bulk_submissions_days']} is {days}: it must be fewer days than "
            f"{labels['submission.bulk_keep_s']}, which is {keep_s}, after which they are removed"
        )


def _warn_of_tls(settings: Settings, labels: Mapping[str, str], warnings: list[str]) -> None:
    """Warns where files of TLS have no effect, and where a password travels in plain HTTP."""
    names = settings.portfolio_service.base_url, settings.security_service.base_url
    for section, urls in (("execution_service", [settings.execution_service.base_url]), ("names", names)):
        own = getattr(settings, section)
        named = next((key for key in ("tls_ca", "tls_certificate", "tls_key") if getattr(own, key)), None)
        if named and not any(url.lower().startswith("https:") for url in urls):
            warnings.append(
                f"{labels[f'{section}.{named}']} has no effect: no address of its service is https"
            )
        warnings += (
            f"{mask_url(url)}: its user and password travel in plain HTTP; use https"
            for url in urls
            if urlsplit(url).username is not None and not is_safe(url)
        )
