"""`trade-service db`: status, migration, start and deletion of the database."""

import asyncio
import sys
from collections.abc import Collection, Mapping
from pathlib import Path

import rich_click as click

from trade_service.bootstrap.running import data_dir, open_database
from trade_service.cli.migration import adopt, migrate
from trade_service.cli.running import (
    NOT_DONE,
    CommandError,
    announce,
    config_option,
    confirmed,
    described,
    json_option,
    print_json,
    require_answer,
    run_until_done,
    run_until_stopped,
    say,
    settings_for,
    unasked_json_option,
    yes_option,
)
from trade_service.settings.tree import Settings
from trade_service.store.embedded import EmbeddedPostgres, delete_data, is_running
from trade_service.store.migrate import check
from trade_service.store.reports import contents_of, server_of


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def db() -> None:
    """Manage the database: the embedded PostgreSQL, or the one that DATABASE_URL names."""


@db.command()
@json_option
@config_option
def status(*, as_json: bool, toml_path: Path | None) -> None:
    """Show which database is used, its version, its migrations and its contents."""
    settings = settings_for(toml_path)
    facts: dict[str, object] = {"database": described(settings)}
    folder = None if settings.database.url is not None else data_dir(settings)
    is_created = folder is None or (folder.is_dir() and any(folder.iterdir()))
    if folder is not None:
        facts["server"] = "running" if is_created and is_running(folder) else "not running"
    if is_created:
        _print_status(facts, as_json=as_json, only=("database", "server"))
        run_until_done(lambda: _add_status(settings, facts))
        _print_status(facts, as_json=as_json, but=("database", "server"))
    else:
        facts["state"] = "not created yet: `trade-service serve`, `submit` or `db migrate` creates it"
        _print_status(facts, as_json=as_json)
    if as_json:
        print_json(facts)


db.add_command(migrate)
db.add_command(adopt)


@db.command()
@json_option
@config_option
def start(*, as_json: bool, toml_path: Path | None) -> None:
    """Run the embedded PostgreSQL until stopped, for psql and other programs."""
    settings = settings_for(toml_path)
    _refuse_external(settings, "start it with its own tools.")
    run_until_stopped(lambda stopping: _keep_running(settings, stopping, as_json=as_json))


@db.command()
@unasked_json_option
@yes_option
@config_option
def reset(*, as_json: bool, yes: bool, toml_path: Path | None) -> None:
    """Delete the database of the embedded PostgreSQL, with all orders and executions."""
    require_answer(as_json=as_json, yes=yes)
    settings = settings_for(toml_path)
    _refuse_external(settings, "drop and create it with its own tools, then run `trade-service db migrate`.")
    folder = data_dir(settings)
    is_there = folder.exists()
    if not is_there and not as_json:
        click.echo(f"There is nothing to delete: {folder} does not exist.")
        return
    if not confirmed(f"Delete the database in {folder}, with all orders and executions?", yes=yes):
        click.echo("Nothing was deleted.")
        sys.exit(NOT_DONE)
    if is_there:
        run_until_done(lambda: delete_data(folder))
    if as_json:
        print_json({"folder": str(folder), "deleted": is_there})
    else:
        click.echo(f"Deleted the database in {folder}.")


def _refuse_external(settings: Settings, advice: str) -> None:
    if settings.database.url is not None:
        raise CommandError(
            f"this is for the embedded PostgreSQL, but the settings name {described(settings)}: {advice}"
        )


def _print_status(
    facts: Mapping[str, object], *, as_json: bool, only: Collection[str] = (), but: Collection[str] = ()
) -> None:
    """Prints facts one by one, a mapping as lines of its own; nothing for programs."""
    for name, value in facts.items() if not as_json else ():
        if (only and name not in only) or name in but:
            continue
        if isinstance(value, Mapping):
            for part, count in value.items():
                click.echo(f"  {part:<11}{count:,}")
        else:
            click.echo(f"{name:<13}{value:,}" if isinstance(value, int) else f"{name:<13}{value}")


async def _add_status(settings: Settings, facts: dict[str, object]) -> None:
    async with open_database(settings, say) as engine:
        version, name = await server_of(engine)
        state = await check(engine)
        facts["version"] = f"PostgreSQL {version}, database {name}"
        facts |= {"pooler": engine.pooler} if engine.pooler else {}
        if not state.known:
            facts["migrations"] = f"at {state.current}, set by a later release"
        elif state.pending:
            now = "none yet" if state.current is None else f"at {state.current}"
            facts["migrations"] = f"{now}, this release needs {state.needed}: run `trade-service db migrate`"
            return
        else:
            facts["migrations"] = f"up to date ({state.current})"
        contents = await contents_of(engine)
    facts["orders"] = contents.trade_orders
    facts["executions"] = sum(contents.executions.values())
    facts["by state"] = dict(contents.executions)
    facts["attempts"] = f"{contents.attempts:,}, open {contents.open_attempts:,}"


async def _keep_running(settings: Settings, stopping: asyncio.Event, *, as_json: bool) -> None:
    folder = data_dir(settings)
    async with EmbeddedPostgres.running(folder, progress=say) as server:
        text = f"PostgreSQL {server.version} is running in {folder}; Ctrl-C stops it."
        facts = {"version": server.version, "folder": str(folder), "database_url": server.dsn}
        announce(
            f"{text}\npsql '{server.dsn}'\nDATABASE_URL={server.dsn}",
            facts if as_json else None,
        )
        await stopping.wait()
