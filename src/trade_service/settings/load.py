"""Loads the settings: defaults < TOML file < environment < command line."""

import math
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import msgspec

from trade_service.masking import quoted
from trade_service.section import SettingField
from trade_service.settings.rules import cap_batch, check_auth, check_pairs, complete_database, unused
from trade_service.settings.sources import (
    Raw,
    SettingsError,
    read_environment,
    read_file,
    read_overrides,
)
from trade_service.settings.tree import FIELDS, SECTIONS, Settings

_NO_OVERRIDES: Mapping[str, object] = MappingProxyType({})
_WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_BOOLEANS = {**_WORDS, "1": True, "0": False}


class LoadedSettings(msgspec.Struct, frozen=True):
    """The settings, the origin of each by dotted name, the warnings, and the file read, if any.

    An origin is `default`, `environment VARIABLE`, `FILE:section.key` or `command line`.
    """

    settings: Settings
    origins: Mapping[str, str]
    warnings: tuple[str, ...]
    file: Path | None


def load_settings(
    environ: Mapping[str, str],
    toml_path: Path | None = None,
    overrides: Mapping[str, object] = _NO_OVERRIDES,
) -> LoadedSettings:
    """Reads, converts and checks every setting; raises SettingsError at the first invalid value.

    `toml_path` wins over TRADE_SERVICE_CONFIG, which wins over `trade-service.toml` in the working
    directory. `overrides` maps dotted names to values of command-line options; None means not given.
    """
    file, from_file = read_file(environ, toml_path)
    from_environment, warnings = read_environment(environ)
    raws = {**from_file, **from_environment, **read_overrides(overrides)}
    labels = {name: raw.label for name, raw in raws.items()}
    values: dict[str, dict[str, object]] = {section: {} for section in SECTIONS}
    for name, raw in raws.items():
        field = FIELDS[name]
        values[field.section][field.key] = convert(field, raw)
    tree = Settings(**{section: struct(**values[section]) for section, struct in SECTIONS.items()})  # type: ignore[arg-type]
    batch, batch_warnings = cap_batch(tree.batch, labels)
    database, database_warnings = complete_database(tree.database, labels)
    settings = msgspec.structs.replace(tree, batch=batch, database=database)
    check_pairs(settings, labels)
    check_auth(settings.auth, labels)
    return LoadedSettings(
        settings=settings,
        origins=MappingProxyType({name: raws[name].origin if name in raws else "default" for name in FIELDS}),
        warnings=(*warnings, *unused(labels), *batch_warnings, *database_warnings),
        file=file,
    )


def convert(field: SettingField, raw: Raw) -> object:
    """The typed value, in canonical form and within its bounds; raises SettingsError."""
    rule = field.rule()
    if isinstance(raw.value, str) and not _is_unicode(raw.value):
        raise _invalid(field, raw, f"{rule}, in UTF-8")
    try:
        value = _from_text(field, str(raw.value)) if raw.is_text else raw.value
        if field.about.switch is not None and isinstance(value, bool):
            value = field.about.switch if value else 0
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
    value = quoted(raw.value, secret=field.about.secret)
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
    if field.base is bool:
        return _BOOLEANS.get(word.lower(), text)
    if field.about.switch is not None and word.lower() in _WORDS:
        return _WORDS[word.lower()]
    return msgspec.convert(word, field.base, strict=False)
