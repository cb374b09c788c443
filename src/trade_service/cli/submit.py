"""`trade-service submit`: submits a blotter file, or everything that was never submitted."""

import contextlib
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
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
from trade_service.cli.first_look import require_present
from trade_service.cli.output_files import require_separate
from trade_service.cli.preview import Preview, print_preview
from trade_service.cli.result_files import ResultFiles, result_files
from trade_service.cli.running import (
    CommandError,
    config_option,
    confirmed,
    options,
    print_json,
    result_console,
    run_as_user,
    run_until_done,
    say,
    settings_for,
    yes_option,
)
from trade_service.cli.submit_view import (
    print_bad_lines,
    print_dry_run,
    print_for_person,
    print_outcomes,
    print_sentence,
    shown_progress,
    summary_of,
)
from trade_service.cli.tally import Incidents, Tally, WriteErrors, error_writer
from trade_service.domain.reference import ReferenceData
from trade_service.settings.tree import Settings
from trade_service.store.known_orders import BlotterPreview, never_submitted, unsent_groups
from trade_service.store.reference_store import PostgresReferenceReads

WAIT_S = 600.0
NOT_ALL_ACCEPTED = 1
_OUTPUT = click.Path(path_type=Path, dir_okay=False)


class SubmitOptions(msgspec.Struct, frozen=True):
    """What the command line says beside the file and how it is read."""

    strict: bool
    dry_run: bool
    errors_path: Path | None
    results_path: Path | None
    rejects_path: Path | None
    skip_rejected: bool
    wait_for_service: bool
    wait_s: float
    as_json: bool
    yes: bool


_submitting = options(
    click.option("--all-new", is_flag=True, help="Submit all executions that were never submitted."),
    click.option("--strict", is_flag=True, help="Check all lines first; send nothing if one is bad."),
    click.option("--dry-run", is_flag=True, help="Check all lines, also against the database; change nothing."),
    click.option(
        "--results", "results_path", type=_OUTPUT,
        help="Write the result of each line, beside the input's own columns, to this .csv, .jsonl or .parquet.",
    ),
    click.option(
        "--rejects", "rejects_path", type=_OUTPUT,
        help="Write the lines that were refused to such a file; mend it and submit it again.",
    ),
    click.option("--errors", "errors_path", type=_OUTPUT, help="Write all bad lines to this CSV file, by error."),
    click.option(
        "--skip-rejected", is_flag=True,
        help="Leave out orders that an earlier run sent and the Execution Service refused.",
    ),
    click.option(
        "--wait-for-service", is_flag=True,
        help="Do not end if the Execution Service is away: queue everything and wait for it.",
    ),
    click.option(
        "--wait-s", default=WAIT_S, show_default=True, type=click.FloatRange(min=0),
        help="How long to wait for an execution's outcome; after that it counts as pending.",
    ),
    click.option("--json", "as_json", is_flag=True, help="Print the result as JSON."),
)  # fmt: skip


@click.command()
@click.argument("file", required=False)
@_submitting
@reading_options
@yes_option
@config_option
def submit(
    file: str | None, all_new: bool, toml_path: Path | None, strict: bool, dry_run: bool,
    errors_path: Path | None, results_path: Path | None, rejects_path: Path | None, skip_rejected: bool,
    wait_for_service: bool, wait_s: float, as_json: bool, yes: bool, **reading: Any,
) -> None:  # fmt: skip
    """Submit a blotter FILE, or everything that was never submitted.

    FILE is delimited text, JSON lines, an xlsx or ods workbook, or Parquet; - reads standard input.
    Each line is an order: order_id, portfolio_id, order_type, security_id, quantity, destination, and optionally
    limit_price, trade_timestamp, blotter. Columns are found by their usual names, or by --map.

    Shows what would be sent and asks on a terminal; elsewhere give --yes. Ends within five seconds if the database
    or the Execution Service is away. Run the same file again to continue where it stopped; nothing is sent twice.

    Exit codes: 0 every line was good and every execution is accepted; 1 some are not, or nothing was sent; 2 it
    could not begin; 130, 143 and 129 it was interrupted: run it again.
    """
    if (file is None) != all_new:
        raise click.UsageError("Name a FILE (or - for standard input), or give --all-new, and not both.")
    if all_new and (strict or errors_path or rejects_path or skip_rejected):
        raise click.UsageError(
            "--strict, --errors, --rejects and --skip-rejected go with a FILE, not with --all-new."
        )
    require_separate((errors_path, results_path, rejects_path), file)
    if file is not None:
        require_readable(file)
    chosen = SubmitOptions(
        strict, dry_run, errors_path, results_path, rejects_path, skip_rejected, wait_for_service, wait_s, as_json,
        yes,
    )  # fmt: skip
    settings = settings_for(toml_path)
    reads_twice = not yes or strict or settings.blotter.max_batch_value is not None
    with (
        kept(file) if file is not None and reads_twice else contextlib.nullcontext(file) as name,
        result_files(results_path, rejects_path) as files,
        error_writer(errors_path) as write_errors,
    ):
        command = _Submit(settings, chosen, read_options(**reading), files, write_errors)
        try:
            sys.exit(command.run(name))
        except FileRefused as error:
            raise CommandError(f"{file} cannot be read: {error}") from None


class _Submit:
    """One run of the command: look whether all is there, preview, ask, send."""

    def __init__(
        self, settings: Settings, options: SubmitOptions, reading: ReadOptions, files: ResultFiles,
        write_errors: WriteErrors,
    ) -> None:  # fmt: skip
        self._settings = settings
        self._options = options
        self._reading = reading
        self._files = files
        self._write_errors = write_errors
        self._out = Console(quiet=True) if options.as_json else result_console()
        self._is_previewed = False
        self._is_said = False

    def run(self, name: str | None) -> int:
        """Returns the exit code. Raises FileRefused and CommandError."""
        options, settings = self._options, self._settings
        with_service = not (options.dry_run or options.wait_for_service)
        run_until_done(lambda: require_present(settings, with_service=with_service))
        if not options.yes or options.strict or options.dry_run:
            preview, tally = run_until_done(lambda: self._look(name))
            self._is_previewed = True
            what = "orders" if name is not None else "executions"
            self._show(preview, tally, what)
            if options.dry_run or (options.strict and tally.bad_lines):
                return NOT_ALL_ACCEPTED if tally.bad_lines else 0
            if preview.to_send and not confirmed(f"Send these {preview.to_send:,} {what}?", yes=options.yes):
                say("trade-service: nothing was sent")
                return NOT_ALL_ACCEPTED
        elif name is not None and (settings.blotter.max_batch_value is not None or Path(name).is_file()):
            run_until_done(lambda: self._read_through(name))
        return run_as_user(settings, lambda: self._send(name))

    async def _look(self, name: str | None) -> tuple[Preview, Tally]:
        is_final = self._options.dry_run or self._options.strict
        tally = Tally(self._write_errors) if is_final else Tally()
        async with prepared_database(self._settings, say) as database:
            reference = await PostgresReferenceReads(database).load()
            preview = Preview(reference, self._settings.execution_service.trade_types)
            if name is None:
                preview.add_unsent(await unsent_groups(database))
                return preview, tally
            source = await self._open(name, reference)
            if is_final:
                self._files.begin(source.layout.header)
            files = self._files if is_final else None
            await check_blotter(source, BlotterPreview(database), preview, tally, files)
        _say_outside(source)
        return preview, tally

    def _show(self, preview: Preview, tally: Tally, what: str) -> None:
        options = self._options
        print_preview(preview, what, self._out)
        print_bad_lines(tally, self._out, options.errors_path)
        if options.dry_run:
            print_dry_run(tally, preview, self._out)
            if options.as_json:
                print_json(
                    {"dry_run": True, **preview.as_json(), "lines": tally.lines, "bad_lines": tally.bad_lines}
                )
        elif options.strict and tally.bad_lines:
            self._out.print("Nothing was sent because of --strict.", style="bold red")
            if options.as_json:
                print_json(summary_of(tally, 0.0))

    async def _send(self, name: str | None) -> int:
        tally = Tally(self._write_errors)
        async with running_services(self._settings, say) as services:
            if name is None:
                self._files.begin(())
                pages = never_submitted(services.database, CHUNK_LINES)
                return await self._drive(services, tally, lambda work: work.submit_ids(pages))
            source = await self._open(name, await services.references.get())
            self._files.begin(source.layout.header)
            try:
                return await self._drive(services, tally, lambda work: work.submit_blotter(source))
            finally:
                if not self._is_previewed:
                    _say_outside(source)

    async def _drive(
        self, services: Services, tally: Tally, work: Callable[[Submitting], Awaitable[None]]
    ) -> int:
        began, incidents, options = time.monotonic(), Incidents(), self._options
        services.events.subscribe(incidents)
        files = self._files if self._files.is_wanted else None
        submitting = Submitting(services, tally, options.wait_s, files, skips_refused=options.skip_rejected)
        try:
            async with shown_progress(tally, incidents, Console(stderr=True)):
                await work(submitting)
        finally:
            self._report(tally, time.monotonic() - began)
        return 0 if tally.is_all_good else NOT_ALL_ACCEPTED

    async def _read_through(self, name: str) -> None:
        """Reads all of a file, so that one that is refused anywhere is refused before its first order is sent."""
        async with prepared_database(self._settings, say) as engine:
            rules = self._rules(await PostgresReferenceReads(engine).load())
            async for _ in (await BlotterSource.open(name, rules, self._reading)).chunks():
                pass

    def _rules(self, reference: ReferenceData) -> LineRules:
        return LineRules.of(reference, self._settings.execution_service.trade_types, self._settings.blotter)

    async def _open(self, name: str, reference: ReferenceData) -> BlotterSource:
        source = await BlotterSource.open(name, self._rules(reference), self._reading)
        if not self._is_said:
            _say_layout(source.layout)
        self._is_said = True
        return source

    def _report(self, tally: Tally, elapsed_s: float) -> None:
        if self._options.as_json:
            print_json(summary_of(tally, elapsed_s))
        print_outcomes(tally, self._out)
        if not self._is_previewed:
            print_bad_lines(tally, self._out, self._options.errors_path)
        print_for_person(tally, self._out)
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
