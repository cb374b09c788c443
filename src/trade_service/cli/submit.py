"""`trade-service submit`: submits a blotter file, or everything that was never submitted."""

import asyncio
import contextlib
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import rich_click as click
from rich.console import Console

from trade_service.blotter.order_rows import LineRules
from trade_service.blotter.reader import ReadOptions
from trade_service.blotter.records import FileRefused, Layout
from trade_service.bootstrap.container import Services
from trade_service.bootstrap.running import prepared_database, running_services
from trade_service.cli.blotter_options import read_options, reading_options
from trade_service.cli.blotter_submission import (
    CHUNK_LINES,
    BlotterSource,
    Submitting,
    check_blotter,
    kept,
    require_readable,
)
from trade_service.cli.running import (
    CommandError,
    config_option,
    confirmed,
    result_console,
    run_as_user,
    say,
    settings_for,
    yes_option,
)
from trade_service.cli.submit_view import (
    print_bad_lines,
    print_dry_run,
    print_outcomes,
    print_sentence,
    shown_progress,
)
from trade_service.cli.tally import Incidents, Tally, error_writer
from trade_service.domain.reference import ReferenceData
from trade_service.settings.tree import Settings
from trade_service.store.known_orders import BlotterPreview, never_submitted
from trade_service.store.reference_store import PostgresReferenceReads

WAIT_S = 600.0
NOT_ALL_ACCEPTED = 1


@click.command()
@click.argument("file", required=False)
@click.option("--all-new", is_flag=True, help="Submit all executions that were never submitted.")
@click.option("--strict", is_flag=True, help="Check all lines first; send nothing if one is bad.")
@click.option("--dry-run", is_flag=True, help="Check all lines, also against the database; change nothing.")
@click.option(
    "--errors",
    "errors_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write all bad lines to this CSV file.",
)
@click.option(
    "--wait-s",
    default=WAIT_S,
    show_default=True,
    type=click.FloatRange(min=0),
    help="How long to wait for an execution's outcome; after that it counts as pending.",
)
@reading_options
@yes_option
@config_option
def submit(
    file: str | None, all_new: bool, strict: bool, dry_run: bool, errors_path: Path | None, wait_s: float,
    yes: bool, toml_path: Path | None, **reading: Any,
) -> None:  # fmt: skip
    """Submit a blotter FILE, or everything that was never submitted.

    FILE is delimited text, JSON lines, an xlsx or ods workbook, or Parquet; - reads standard input.
    Each line is an order: order_id, portfolio_id, order_type, security_id, quantity, destination, and optionally
    limit_price, trade_timestamp, blotter. Columns are found by their usual names, or by --map. A detected reading
    such as a decimal comma must be confirmed. Run the same file again to continue where it stopped; nothing is
    sent twice. Exit code 0 only if every line was good and every execution was accepted.
    """
    if (file is None) != all_new:
        raise click.UsageError("Name a FILE (or - for standard input), or give --all-new, and not both.")
    if all_new and (strict or dry_run or errors_path):
        raise click.UsageError("--strict, --dry-run and --errors go with a FILE, not with --all-new.")
    if file is not None:
        require_readable(file)
    settings = settings_for(toml_path)
    command = _Submit(settings, errors_path, wait_s, read_options(**reading), is_confirmed=yes)
    if file is None:
        sys.exit(run_as_user(settings, command.all_new))
    is_read_twice = strict or settings.blotter.max_batch_value is not None
    with kept(file) if is_read_twice else contextlib.nullcontext(file) as name:
        blotter = partial(command.blotter, name, file, strict=strict, dry_run=dry_run)
        sys.exit(run_as_user(settings, blotter))


class _Submit:
    """One run of the command."""

    def __init__(
        self, settings: Settings, errors_path: Path | None, wait_s: float, options: ReadOptions, *,
        is_confirmed: bool,
    ) -> None:  # fmt: skip
        self._options = options
        self._is_confirmed = is_confirmed
        self._settings = settings
        self._errors_path = errors_path
        self._wait_s = wait_s
        self._out = result_console()

    async def blotter(self, name: str, shown: str, *, strict: bool, dry_run: bool) -> int:
        """Checks or submits a file; returns the exit code."""
        try:
            with error_writer(self._errors_path) as write_errors:
                if strict or dry_run:
                    code = await self._check(name, Tally(write_errors), dry_run=dry_run)
                    if dry_run or code:
                        return code
                elif self._settings.blotter.max_batch_value is not None:
                    await self._read_through(name)
                return await self._submit_file(name, Tally(write_errors))
        except FileRefused as error:
            raise CommandError(f"{shown} cannot be read: {error}") from None

    async def all_new(self) -> int:
        """Submits what was never submitted; returns the exit code."""
        async with running_services(self._settings, say) as services:
            pages = never_submitted(services.database, CHUNK_LINES)
            return await self._drive(services, Tally(), lambda work: work.submit_ids(pages))

    async def _submit_file(self, name: str, tally: Tally) -> int:
        async with running_services(self._settings, say) as services:
            source = await self._open(name, await services.references.get())
            await self._confirm(source.layout)
            try:
                return await self._drive(services, tally, lambda work: work.submit_blotter(source))
            finally:
                _say_outside(source)

    async def _drive(
        self, services: Services, tally: Tally, work: Callable[[Submitting], Awaitable[None]]
    ) -> int:
        began = time.monotonic()
        incidents = Incidents()
        services.events.subscribe(incidents)
        try:
            async with shown_progress(tally, incidents, Console(stderr=True)):
                await work(Submitting(services, tally, self._wait_s))
        finally:
            self._report(tally, time.monotonic() - began)
        return 0 if tally.is_all_good else NOT_ALL_ACCEPTED

    async def _check(self, name: str, tally: Tally, *, dry_run: bool) -> int:
        async with prepared_database(self._settings, say) as engine:
            reference = await PostgresReferenceReads(engine).load()
            source = await self._open(name, reference)
            checked = await check_blotter(source, BlotterPreview(engine), tally)
        _say_outside(source)
        print_bad_lines(tally, self._out, self._errors_path)
        if dry_run:
            print_dry_run(tally, checked, reference, self._out)
        elif tally.bad_lines:
            self._out.print("Nothing was sent because of --strict.", style="bold red")
        return NOT_ALL_ACCEPTED if tally.bad_lines else 0

    async def _read_through(self, name: str) -> None:
        """Reads all of a file, so that one of too great a value is refused before its first order is sent."""
        async with prepared_database(self._settings, say) as engine:
            rules = self._rules(await PostgresReferenceReads(engine).load())
            async for _ in (await BlotterSource.open(name, rules, self._options)).chunks():
                pass

    def _rules(self, reference: ReferenceData) -> LineRules:
        return LineRules.of(reference, self._settings.execution_service.trade_types, self._settings.blotter)

    async def _open(self, name: str, reference: ReferenceData) -> BlotterSource:
        source = await BlotterSource.open(name, self._rules(reference), self._options)
        _say_layout(source.layout)
        return source

    async def _confirm(self, layout: Layout) -> None:
        """Asks a person to confirm what was detected. Raises CommandError if it is not confirmed."""
        if layout.doubts and not self._is_confirmed:
            question = "Submit the file as it is read?"
            self._is_confirmed = await asyncio.to_thread(confirmed, question, yes=False)
            if not self._is_confirmed:
                raise CommandError("nothing was sent, since its reading was not confirmed")

    def _report(self, tally: Tally, elapsed_s: float) -> None:
        print_outcomes(tally, self._out)
        print_bad_lines(tally, self._out, self._errors_path)
        print_sentence(tally, elapsed_s, self._out)
        unfinished = tally.executions - tally.finished
        if unfinished:
            say(
                f"trade-service: stopped while {unfinished:,} executions had no result. Nothing is lost: run the "
                "same command again to continue; nothing is sent twice"
            )


def _say_layout(layout: Layout) -> None:
    """Says how a file is read, where that is not plain from its own names."""
    renamed = [f"{field} from {name!r}" for field, name in layout.fields.items() if name.lower() != field]
    if renamed or layout.constants or layout.doubts or layout.header_line > 1:
        parts = [layout.form, f"header at {layout.header_line}", *renamed]
        parts += [f"{field} is {value!r}" for field, value in layout.constants.items()]
        say(f"trade-service: reading: {', '.join(parts)}")
    if layout.ignored:
        say(f"trade-service: warning: unknown columns are ignored: {', '.join(layout.ignored)}")
    for doubt in layout.doubts:
        say(f"trade-service: detected: {doubt}")


def _say_outside(source: BlotterSource) -> None:
    if source.outside is not None:
        say(f"trade-service: warning: {source.outside}")
