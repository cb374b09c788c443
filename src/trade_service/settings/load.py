"""Put the sources together: defaults < TOML file < environment < command line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import msgspec

from trade_service.settings.convert import convert
from trade_service.settings.model import FIELDS, SECTIONS, Settings
from trade_service.settings.rules import cap_batch, check_auth, check_together, complete_database, unused
from trade_service.settings.sources import read_environment, read_file, read_overrides

_NO_OVERRIDES: Mapping[str, object] = MappingProxyType({})


class LoadedSettings(msgspec.Struct, frozen=True):
    """The settings, where each came from (by dotted name), what to warn of, and the file read, if any.

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
    """Read, convert and check every setting. Pure apart from reading the file.

    `toml_path` wins over TRADE_SERVICE_CONFIG, which wins over `trade-service.toml` in the working
    directory. `overrides` maps dotted names to values of command-line options; None counts as not given.
    Raises SettingsError at the first value that is wrong.
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
    check_together(settings, labels)
    check_auth(settings.auth, labels)
    return LoadedSettings(
        settings=settings,
        origins=MappingProxyType({name: raws[name].origin if name in raws else "default" for name in FIELDS}),
        warnings=(*warnings, *unused(labels), *batch_warnings, *database_warnings),
        file=file,
    )
