"""`trade-service keys`: creates, lists and revokes API keys."""

from datetime import datetime
from pathlib import Path

import rich_click as click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from trade_service.bootstrap.running import prepared_database
from trade_service.cli.running import CommandError, config_option, run_on, say
from trade_service.domain.access import GIVEN_ROLES, Role
from trade_service.identity.api_keys import make_key
from trade_service.store.key_store import PostgresKeys

ROLES = [role.title for role in GIVEN_ROLES]
MAX_NAME_CHARS = 60
_WIDTH = 120


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def keys() -> None:
    """Create, list and revoke API keys (auth.mode api-key)."""


@keys.command()
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), required=True, help="Role that the key grants.")
@config_option
def create(name: str, role: str, toml_path: Path | None) -> None:
    """Create a key for NAME and print it. It is not stored and cannot be shown again."""
    if not (name.isprintable() and name.strip() == name and 1 <= len(name) <= MAX_NAME_CHARS):
        raise CommandError(f"the name must be 1 to {MAX_NAME_CHARS} printable characters, got {name[:80]!r}")
    new = make_key(name, Role[role.upper()])
    run_on(prepared_database, toml_path, lambda database: PostgresKeys(database).add(new.key))
    say(f"Key {new.key.id} for {name}, role {role}. It is shown only once:")
    click.echo(new.text)


@keys.command(name="list")
@config_option
def list_keys(toml_path: Path | None) -> None:
    """List all keys, including revoked ones."""
    table = Table("id", "name", "role", "created", "revoked")
    for key in run_on(prepared_database, toml_path, lambda database: PostgresKeys(database).all()):
        style = "dim" if key.revoked_at else None
        cells = (key.id, key.name, key.role.title, _moment(key.created_at), _moment(key.revoked_at))
        table.add_row(*map(Text, cells), style=style)
    Console(width=_WIDTH).print(table)


@keys.command()
@click.argument("which", metavar="NAME_OR_ID")
@config_option
def revoke(which: str, toml_path: Path | None) -> None:
    """Revoke a key. Every replica refuses it after at most auth.api_key_max_age_s."""
    for key in run_on(prepared_database, toml_path, lambda database: PostgresKeys(database).revoke(which)):
        click.echo(f"Revoked key {key.id} of {key.name}.")


def _moment(moment: datetime | None) -> str:
    return "" if moment is None else moment.strftime("%Y-%m-%d %H:%M")
