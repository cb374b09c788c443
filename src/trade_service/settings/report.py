"""Shows the settings: the `config` command and docs/settings.md."""

import msgspec

from trade_service.section import SettingField
from trade_service.settings.load import LoadedSettings
from trade_service.settings.model import FIELDS, SECTIONS
from trade_service.settings.sources import CONFIG_VARIABLE, DEFAULT_FILE

_HEAD = f"""# Settings

Defaults < the TOML file < environment variables < options of the command line. The file is the one that
`--config` names, else the one that `{CONFIG_VARIABLE}` names, else `{DEFAULT_FILE}` in the working
directory if there is one; its tables are the sections below. `trade-service config` shows every value in
force and where it came from.

- Of several variables for one setting the first listed wins; an empty variable counts as not set (an empty
  list for a list). In variables, lists are separated by commas; booleans are true/false, 1/0, yes/no or
  on/off.
- A wrong value or an unknown key in the file stops the start with one line that names it. An unknown
  variable beginning with `TRADE_SERVICE_` is only warned of.
- `batch.size` and `batch.max_size` are corrected with a warning instead: above 100 becomes 100, a size below
  1 becomes 50, a size above `batch.max_size` becomes that, a `batch.max_size` below 1 becomes 100.
- `retry_failed_individually` also takes true (3) and false (0).
- `database.url` also takes `postgres://`, `postgresql+asyncpg://` and `jdbc:postgresql://`. User and password
  in it win over `database.username` and `database.password`. `ssl=true` means `sslmode=verify-full`.
- `execution_service.max_connections` is at least `batch.max_concurrent`, `retry.max_delay_ms` at least
  `retry.initial_delay_ms`, `server.request_timeout_s` more than `submission.wait_s`.
"""


class Row(msgspec.Struct, frozen=True):
    """One setting in force; `value` is for people, secrets masked."""

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
    """The same for machines: values keep their JSON types, secrets are masked."""
    settings = [
        {"name": name, "value": _plain(field, loaded), "origin": loaded.origins[name]}
        for name, field in FIELDS.items()
    ]
    file = None if loaded.file is None else str(loaded.file)
    return {"file": file, "settings": settings, "warnings": list(loaded.warnings)}


def settings_reference() -> str:
    """The page docs/settings.md, in Markdown, rendered from the declarations."""
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
