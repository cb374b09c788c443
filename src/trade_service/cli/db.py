"""`trade-service db`: status, migration, start and deletion of the database."""

import asyncio
import sys
from pathlib import Path

import rich_click as click

from trade_service.bootstrap.running import data_dir, open_database
from trade_service.cli.running import (
    NOT_DONE,
    CommandError,
    announce,
    config_option,
    confirmed,
    described,
    run_on,
    run_until_done,
    run_until_stopped,
    say,
    settings_for,
    yes_option,
)
from trade_service.settings.tree import Settings
from trade_service.store.database import Database
from trade_service.store.embedded import EmbeddedPostgres, delete_data, is_running
from trade_service.store.migrate import check
from trade_service.store.migrate import migrate as migrate_database
from trade_service.store.reports import contents_of, server_of


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def db() -> None:
    """Manage the database: the embedded PostgreSQL, or the one that DATABASE_URL names."""


@db.command()
@config_option
def status(toml_path: Path | None) -> None:
    """Show which database is used, its version, its migrations and its contents."""
    settings = settings_for(toml_path)
    click.echo(f"database     {described(settings)}")
    if settings.database.url is None:
        folder = data_dir(settings)
        if not folder.is_dir() or not any(folder.iterdir()):
            click.echo(
                "state        not created yet: `trade-service serve`, `submit` or `db migrate` creates it"
            )
            return
        click.echo(f"server       {'running' if is_running(folder) else 'not running'}")
    run_until_done(lambda: _print_status(settings))


@db.command()
@config_option
def migrate(toml_path: Path | None) -> None:
    """Migrate the database to this release, in place; also a database of the legacy service."""
    run_on(open_database, toml_path, _migrate)


@db.command()
@config_option
def start(toml_path: Path | None) -> None:
    """Run the embedded PostgreSQL until stopped, for psql and other programs."""
    settings = settings_for(toml_path)
    _refuse_external(settings, "start it with its own tools.")
    run_until_stopped(lambda stopping: _keep_running(settings, stopping))


@db.command()
@yes_option
@config_option
def reset(*, yes: bool, toml_path: Path | None) -> None:
    """Delete the database of the embedded PostgreSQL, with all orders and executions."""
    settings = settings_for(toml_path)
    _refuse_external(settings, "drop and create it with its own tools, then run `trade-service db migrate`.")
    folder = data_dir(settings)
    if not folder.exists():
        click.echo(f"There is nothing to delete: {folder} does not exist.")
        return
    if not confirmed(f"Delete the database in {folder}, with all orders and executions?", yes=yes):
        click.echo("Nothing was deleted.")
        sys.exit(NOT_DONE)
    run_until_done(lambda: delete_data(folder))
    click.echo(f"Deleted the database in {folder}.")


def _refuse_external(settings: Settings, advice: str) -> None:
    if settings.database.url is not None:
        raise CommandError(
            f"this is for the embedded PostgreSQL, but the settings name {described(settings)}: {advice}"
        )


async def _print_status(settings: Settings) -> None:
    async with open_database(settings, say) as engine:
        version, name = await server_of(engine)
        state = await check(engine)
        click.echo(f"version      PostgreSQL {version}, database {name}")
        if not state.known:
            click.echo(f"migrations   at {state.current}, set by a later release")
        elif state.pending:
            now = "none yet" if state.current is None else f"at {state.current}"
            click.echo(
                f"migrations   {now}, this release needs {state.needed}: run `trade-service db migrate`"
            )
            return
        else:
            click.echo(f"migrations   up to date ({state.current})")
        contents = await contents_of(engine)
    click.echo(f"orders       {contents.trade_orders:,}")
    click.echo(f"executions   {sum(contents.executions.values()):,}")
    for submission_state, count in contents.executions.items():
        click.echo(f"  {submission_state:<11}{count:,}")
    click.echo(f"attempts     {contents.attempts:,}, open {contents.open_attempts:,}")


async def _migrate(database: Database) -> None:
    report = await migrate_database(database, say)
    before = report.before or "nothing"
    click.echo(
        f"Migrated from {before} to {report.after}." if report.changed else f"Up to date ({report.after})."
    )


async def _keep_running(settings: Settings, stopping: asyncio.Event) -> None:
    async with EmbeddedPostgres.running(data_dir(settings), progress=say) as server:
        announce(f"PostgreSQL {server.version} is running in {data_dir(settings)}; Ctrl-C stops it.")
        announce(f"psql '{server.dsn}'")
        announce(f"DATABASE_URL={server.dsn}")
        await stopping.wait()
