"""`trade-service archive`: moves finished rows to files."""

import sys
from collections.abc import Sequence
from pathlib import Path

import rich_click as click

from trade_service.bootstrap.running import prepared_database
from trade_service.cli.archive_files import archive_root, dir_option, search_files, verify_files
from trade_service.cli.running import (
    NOT_DONE,
    CommandError,
    config_option,
    confirmed,
    print_json,
    require_answer,
    result_console,
    result_table,
    run_as_user,
    say,
    say_result,
    settings_for,
    unasked_json_option,
    yes_option,
)
from trade_service.settings.tree import Settings
from trade_service.store.archive_folder import ArchiveFolder
from trade_service.store.archive_store import PostgresArchiveStore
from trade_service.submission.clock import SystemClock
from trade_service.trading.archive_model import (
    ArchiveBusy,
    ArchiveDamaged,
    ArchiveKind,
)
from trade_service.trading.archiving import (
    Archived,
    Archiver,
)


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--dry-run", is_flag=True, help="Count what is due; change nothing.")
@dir_option
@unasked_json_option
@yes_option
@config_option
@click.pass_context
def archive(
    context: click.Context, *, dry_run: bool, folder: Path | None, as_json: bool, yes: bool,
    toml_path: Path | None,
) -> None:  # fmt: skip
    """Move finished rows that are past their retention (settings `retention`) to files.

    Writes compressed JSON lines with a manifest and a checksum, reads them back, and only then removes the rows, a
    file at a time, with pauses for submissions. Open rows stay. An interrupted run loses nothing: the next one
    completes it. Exit code 0 if everything that was due was archived.
    """
    if context.invoked_subcommand is not None:
        return
    require_answer(as_json=as_json, yes=yes, dry_run=dry_run)
    settings = settings_for(toml_path)
    done = run_as_user(settings, lambda: _archive(settings, folder, dry_run=dry_run, yes=yes))
    if done is None:
        say_result("Nothing was changed.")
        sys.exit(NOT_DONE)
    if as_json:
        print_json(done)
    else:
        _print_done(done, dry_run=dry_run)
    sys.exit(NOT_DONE if any(one.left for one in done) else 0)


async def _archive(
    settings: Settings, folder: Path | None, *, dry_run: bool, yes: bool
) -> list[Archived] | None:
    root = archive_root(settings, folder)
    async with prepared_database(settings, say) as database:
        archiver = Archiver(
            PostgresArchiveStore(database), ArchiveFolder(root), settings.retention, SystemClock()
        )
        if not dry_run:
            say(f"Rows past their retention ({_retention(settings)}) go to {root}.")
            if not confirmed("Archive them, and remove them from the database?", yes=yes):
                return None
        try:
            return await archiver.run(_say_progress, dry_run=dry_run)
        except (ArchiveBusy, ArchiveDamaged) as error:
            raise CommandError(str(error)) from None


def _retention(settings: Settings) -> str:
    days = ((kind, getattr(settings.retention, f"{kind}_days")) for kind in ArchiveKind)
    kept = [f"{kind.replace('_', ' ')} after {days} days" for kind, days in days if days]
    return ", ".join(kept) or "nothing is ever due"


def _say_progress(one: Archived) -> None:
    say(f"{one.kind}: {one.rows:,} rows in {one.files:,} files ...")


def _print_done(done: Sequence[Archived], *, dry_run: bool) -> None:
    table = result_table(None, "rows", "kept", "due>" if dry_run else "archived>", "files>", "changed, left>")
    for one in done:
        kept = f"{one.keep_days} days" if one.keep_days else "for ever"
        table.add_row(one.kind, kept, f"{one.rows:,}", f"{one.files:,}", f"{one.left:,}")
    result_console().print(table)


archive.add_command(verify_files)
archive.add_command(search_files)
