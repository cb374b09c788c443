"""`trade-service config`: shows every setting and where it came from."""

import os
from pathlib import Path

import rich_click as click
from rich.text import Text

from trade_service.cli.running import json_option, print_json, result_console, result_table
from trade_service.section import FILE_SUFFIX, SettingField
from trade_service.settings.load import LoadedSettings, load_settings
from trade_service.settings.sources import API_KEY_VARIABLE, CONFIG_VARIABLE, DEFAULT_FILE
from trade_service.settings.tree import FIELDS, SECTIONS

_WIDTH_WITHOUT_TERMINAL = 160
_FILES = "\n".join(
    f"| `{name}` | {'<br>'.join(f'`{variable}`' for variable in field.file_env_names)} |"
    for name, field in FIELDS.items()
    if field.is_read_from_files
)
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

## Values from files

A setting that is or may hold a secret can be read from a file, as container platforms mount them: add `_FILE` to
a variable, or `_file` to a key of the TOML file, and give the path. Examples: the variable
`DATABASE_PASSWORD_FILE=/run/secrets/db`, or `password_file = "/run/secrets/db"` below `[database]`.

- The file holds the value in one line, in UTF-8, of at most 65,536 bytes. Only the line break at its end is
  dropped.
- A file that cannot be read, is empty or has several lines stops the start with one line that names the variable,
  the file and the rule. The content is never shown.
- A variable and its `_FILE` together are an error, also by different names of one setting.
- Files are read once, at the start. `trade-service config` names the file as the origin.

| setting | variables that name a file |
| --- | --- |
{_FILES}
| key of `trade-service top` and `bench` | `{API_KEY_VARIABLE}{FILE_SUFFIX}` |

Private keys of TLS, and keys that verify tokens, are always files: settings `tls_key` and `auth.jwt_keys_file`.
"""


@click.command(name="config")
@click.option("--config", "toml_path", type=click.Path(path_type=Path), help="TOML file to read.")
@json_option
@click.option("--docs", "as_docs", is_flag=True, hidden=True, help="Print the page docs/settings.md.")
def config(toml_path: Path | None, as_json: bool, as_docs: bool) -> None:
    """Show every setting and where it came from; secrets are masked."""
    if as_docs:
        click.echo(settings_reference(), nl=False)
        return
    loaded = load_settings(os.environ, toml_path)
    if as_json:
        print_json(
            {
                "file": None if loaded.file is None else str(loaded.file),
                "settings": [
                    {"name": name, "value": _plain(field, loaded), "origin": loaded.origins[name]}
                    for name, field in FIELDS.items()
                ],
                "warnings": loaded.warnings,
            }
        )
    else:
        _print_table(loaded)


def _plain(field: SettingField, loaded: LoadedSettings) -> object:
    """Numbers and lists keep their JSON types; secrets in texts are masked."""
    value = loaded.settings.value(field)
    return field.show(value) if isinstance(value, str) else value


def _print_table(loaded: LoadedSettings) -> None:
    console = result_console(_WIDTH_WITHOUT_TERMINAL)
    table = result_table(f"Settings ({loaded.file or 'no file'})", "setting", "value", "from")
    for name, field in FIELDS.items():
        origin = loaded.origins[name]
        value = Text(field.show(loaded.settings.value(field)))
        table.add_row(name, value, Text(origin), style="dim" if origin == "default" else "bold")
    console.print(table)
    for warning in loaded.warnings:
        console.print(Text(f"warning: {warning}", style="yellow"), soft_wrap=True)


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
    divided = "" if field.about.share is None else " Divided among workers."
    return f"| `{field.key}` | {names} | {value} | {field.about.help}{limits}{divided} |\n"
