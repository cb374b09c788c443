"""`trade-service config`: shows every setting and where it came from."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import msgspec
import rich_click as click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from trade_service.settings.load import LoadedSettings, load_settings
from trade_service.settings.report import as_data, rows, settings_reference
from trade_service.settings.sources import SettingsError

_WIDTH_WITHOUT_TERMINAL = 160
_EXIT_BAD_SETTINGS = 2


@click.command(name="config")
@click.option("--config", "toml_path", type=click.Path(path_type=Path), help="TOML file to read.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option("--docs", "as_docs", is_flag=True, hidden=True, help="Print the page docs/settings.md.")
def config(toml_path: Path | None, as_json: bool, as_docs: bool) -> None:
    """Show every setting and where it came from; secrets are masked."""
    if as_docs:
        click.echo(settings_reference(), nl=False)
        return
    try:
        loaded = load_settings(os.environ, toml_path)
    except SettingsError as error:
        click.echo(f"trade-service: {error}", err=True)
        sys.exit(_EXIT_BAD_SETTINGS)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(as_data(loaded))))
    else:
        _print_table(loaded)


def _print_table(loaded: LoadedSettings) -> None:
    console = Console(width=None if sys.stdout.isatty() else _WIDTH_WITHOUT_TERMINAL)
    table = Table(title=f"Settings ({loaded.file or 'no file'})", title_justify="left")
    for heading in ("setting", "value", "from"):
        table.add_column(heading, overflow="fold")
    for row in rows(loaded):
        style = "dim" if row.origin == "default" else "bold"
        table.add_row(row.name, Text(row.value), Text(row.origin), style=style)
    console.print(table)
    for warning in loaded.warnings:
        console.print(Text(f"warning: {warning}", style="yellow"), soft_wrap=True)
