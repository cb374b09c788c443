"""Shows the settings: the `config` command and docs/settings.md."""

import msgspec

from trade_service.section import SettingField
from trade_service.settings.load import LoadedSettings
from trade_service.settings.sources import CONFIG_VARIABLE, DEFAULT_FILE
from trade_service.settings.tree import FIELDS, SECTIONS

_HEAD = f"""# Settings

Command-line options win over environment variables, which win over the TOML file, which wins over the
defaults. The file is the one named by `--config`, else by `{CONFIG_VARIABLE}`, else `{DEFAULT_FILE}` in the
working directory if it exists; its tables are the sections below. `trade-service config` shows every value
in force and its origin.

- If a setting has several variables, the first one listed wins. An empty variable counts as not set (an
  empty list for a list). In variables, commas separate the items of a list, and booleans are true/false,
  1/0, yes/no or on/off.
- An invalid value, or an unknown key in the file, stops the start with one line that names it. An unknown
  variable that starts with `TRADE_SERVICE_` only causes a warning.
- `batch.size` and `batch.max_size` are corrected with a warning instead: above 100 becomes 100, a size
  below 1 becomes 50, a size above `batch.max_size` becomes `batch.max_size`, and a `batch.max_size` below 1
  becomes 100.
- `retry_failed_individually` also accepts true (3) and false (0).
- `database.url` also accepts `postgres://`, `postgresql+asyncpg://` and `jdbc:postgresql://`. Its user and
  password win over `database.username` and `database.password`. `ssl=true` means `sslmode=verify-full`.
- `execution_service.max_connections` must be at least `batch.max_concurrent`, `retry.max_delay_ms` at least
  `retry.initial_delay_ms`, and `server.request_timeout_s` more than `submission.wait_s`.
"""


class Row(msgspec.Struct, frozen=True):
    """A setting in force; `value` is for people, with secrets masked."""

    name: str
    value: str
    origin: str


def rows(loaded: LoadedSettings) -> list[Row]:
    """Every setting in the order of its declaration."""
    return [
        Row(name, field.show(loaded.settings.value(field)), loaded.origins[name])
        for name, field in FIELDS.items()
    ]


def as_data(loaded: LoadedSettings) -> dict[str, object]:
    """All settings for `--json`: values keep their JSON types, secrets are masked."""
    settings = [
        {"name": name, "value": _plain(field, loaded), "origin": loaded.origins[name]}
        for name, field in FIELDS.items()
    ]
    file = None if loaded.file is None else str(loaded.file)
    return {"file": file, "settings": settings, "warnings": list(loaded.warnings)}


def settings_reference() -> str:
    """docs/settings.md, rendered from the declarations."""
    parts = [_HEAD]
    for section, struct in SECTIONS.items():
        title = " ".join((struct.__doc__ or "").split())
        parts.append(f"\n## {section}\n\n{title}\n\n| setting | environment | default | meaning |\n")
        parts.append("| --- | --- | --- | --- |\n")
        parts += (_line(field) for field in FIELDS.values() if field.section == section)
    return "".join(parts)


def _line(field: SettingField) -> str:
    names = "<br>".join(f"`{name}`" for name in field.env_names)
    default = field.show(field.default)
    value = f"none: {field.about.none}" if field.default is None and field.about.none else f"`{default}`"
    low, high = field.about.low, field.about.high
    limits = "" if low is None or high is None else f" From {low} to {high}."
    return f"| `{field.key}` | {names} | {value} | {field.about.help}{limits} |\n"


def _plain(field: SettingField, loaded: LoadedSettings) -> object:
    value = loaded.settings.value(field)
    if isinstance(value, tuple):
        return list(value)
    return field.show(value) if isinstance(value, str) else value
