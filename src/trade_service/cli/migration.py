"""`trade-service db migrate` and `db adopt`: what a migration would do, and doing it."""

import sys
from pathlib import Path

import msgspec
import rich_click as click

from trade_service.bootstrap.running import open_database
from trade_service.cli.running import (
    NOT_DONE,
    CommandError,
    config_option,
    confirmed,
    print_json,
    require_answer,
    run_on,
    say,
    unasked_json_option,
    yes_option,
)
from trade_service.store.database import Database
from trade_service.store.migrate import (
    BASE,
    HEAD,
    MigrationPreview,
    MigrationReport,
    SchemaState,
    check,
    has_table,
    preview,
    revisions,
)
from trade_service.store.migrate import migrate as migrate_database

_WAITS = {
    "AccessExclusiveLock": "reads and writes wait",
    "ExclusiveLock": "writes wait",
    "ShareRowExclusiveLock": "writes wait",
    "ShareLock": "writes wait",
    "ShareUpdateExclusiveLock": "other changes of the schema wait",
    "RowExclusiveLock": "changes of the schema wait",
    "RowShareLock": "changes of the schema wait",
}
"""What each lock keeps waiting; see PostgreSQL's table of conflicting lock modes."""

dry_run_option = click.option(
    "--dry-run",
    is_flag=True,
    help="Print the SQL and what it locks, then roll back: it takes the locks for as long.",
)


def _target(_: click.Context, parameter: click.Parameter, value: str) -> str:
    known = (HEAD, *revisions(), BASE)
    if value not in known:
        raise click.BadParameter(f"{value} is not one of {', '.join(known)}", param_hint=parameter.opts[0])
    return value


@click.command()
@click.option(
    "--to",
    "target",
    default=HEAD,
    callback=_target,
    metavar="REVISION",
    help="Go forward or back to this revision; base removes all that this service added.  [default: head]",
)
@dry_run_option
@yes_option
@unasked_json_option
@config_option
def migrate(*, target: str, dry_run: bool, yes: bool, as_json: bool, toml_path: Path | None) -> None:
    """Migrate the database to this release, in place; also a database of the legacy service.

    That is refused while a program in database.refused_programs, such as the legacy service, uses it.

    Going back with --to removes what later revisions added, and asks first. It is refused while executions are
    open that only this service knows how to settle.
    """
    if target != HEAD:
        require_answer(as_json=as_json, yes=yes, dry_run=dry_run)
    if dry_run:
        found = run_on(open_database, toml_path, lambda database: preview(database, say, target=target))
        _print_preview(found, as_json=as_json)
        return

    async def work(database: Database) -> MigrationReport | None:
        state = await check(database)
        if _goes_back(state, target) and not confirmed(f"Go back from {state.current} to {target}?", yes=yes):
            return None
        return await migrate_database(database, say, target=target)

    report = run_on(open_database, toml_path, work)
    if report is None:
        click.echo("Nothing was changed.")
        sys.exit(NOT_DONE)
    _print_report(report, as_json=as_json)


@click.command()
@click.option("--check", "only_check", is_flag=True, help="List what would happen, and change nothing.")
@yes_option
@unasked_json_option
@config_option
def adopt(*, only_check: bool, yes: bool, as_json: bool, toml_path: Path | None) -> None:
    """Adopt a database of the legacy service in place: check it, then migrate it.

    The check runs the migration and rolls it back, so it meets whatever would stop it. Stop the legacy service
    first: while it has a session (database.refused_programs), both are refused.
    """
    require_answer(as_json=as_json, yes=yes, dry_run=only_check)

    async def look(database: Database) -> MigrationPreview:
        state = await check(database)
        if state.current is not None:
            raise CommandError(
                f"this service has adopted the database already: it is at revision {state.current}"
            )
        if not await has_table(database, "trade_order"):
            raise CommandError(
                "the database has no tables of the legacy service: `trade-service db migrate` sets up an empty one"
            )
        return await preview(database, say)

    found = run_on(open_database, toml_path, look)
    _print_preview(found, as_json=as_json and only_check)
    if only_check:
        return
    if not confirmed("Adopt this database?", yes=yes):
        click.echo("Nothing was changed.")
        sys.exit(NOT_DONE)
    _print_report(
        run_on(open_database, toml_path, lambda database: migrate_database(database, say)), as_json=as_json
    )


def _goes_back(state: SchemaState, target: str) -> bool:
    return target == BASE or (target != HEAD and target < (state.current or ""))


def _print_report(report: MigrationReport, *, as_json: bool) -> None:
    if as_json:
        print_json({**msgspec.structs.asdict(report), "changed": report.changed})
    elif report.changed:
        click.echo(f"Migrated from {report.before or 'nothing'} to {report.after or 'nothing'}.")
    else:
        click.echo(f"Up to date ({report.after}).")


def _print_preview(found: MigrationPreview, *, as_json: bool) -> None:
    report = found.report
    if as_json:
        print_json(
            {
                **msgspec.structs.asdict(report),
                "changed": report.changed,
                "statements": found.statements,
                "locks": found.locks,
                "took_ms": found.took_ms,
            }
        )
        return
    for statement in found.statements:
        click.echo(f"{statement.strip().rstrip(';')};\n")
    for table, lock in found.locks.items():
        click.echo(f"-- locks {table}: {lock}, {_WAITS.get(lock, 'see the documentation of PostgreSQL')}")
    before, after = report.before or "nothing", report.after or "nothing"
    if report.adopted_unknown:
        click.echo(
            f"-- {report.adopted_unknown:,} legacy executions would be unknown until they are reconciled"
        )
    click.echo(f"-- from {before} to {after} in {found.took_ms:,} ms; rolled back: nothing was changed")
