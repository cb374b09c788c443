"""`trade-service submit`: submits a blotter file, or everything that was never submitted."""

import sys
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import rich_click as click
from rich.console import Console

from trade_service.blotter.file_refusals import FileRefused
from trade_service.blotter.order_limits import batch_error, unpriced_warning
from trade_service.blotter.order_rows import LineRules
from trade_service.blotter.reader import ReadOptions
from trade_service.blotter.records import Layout
from trade_service.blotter.repeats import RepeatRules
from trade_service.bootstrap.container import Services
from trade_service.bootstrap.running import prepared_database, running_services
from trade_service.cli.blotter_input import repeatable, require_readable
from trade_service.cli.blotter_options import read_options, reading_options
from trade_service.cli.blotter_submission import (
    CHUNK_LINES,
    BlotterSource,
    NothingGoesOut,
    Submitting,
    check_blotter,
    first_reading,
)
from trade_service.cli.ending_signals import HeldSignals
from trade_service.cli.first_look import require_open, require_present
from trade_service.cli.output_files import require_separate
from trade_service.cli.preview import print_preview
from trade_service.cli.result_files import ResultFiles, result_files
from trade_service.cli.running import (
    CommandError,
    config_option,
    confirmed,
    console_for,
    json_option,
    options,
    print_json,
    require_answer,
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
from trade_service.store.database import Database
from trade_service.store.known_orders import (
    ExecutionLimits,
    PostgresKnownOrders,
    never_submitted,
    unsent_groups,
)
from trade_service.store.reference_store import PostgresReferenceReads
from trade_service.trading.blotter_preview import Preview
from trade_service.trading.line_results import OUTCOME

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
        help="Write the refused lines to a file of these kinds; correct it and submit it again.",
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
    json_option,
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
    require_answer(as_json=as_json, yes=yes, dry_run=dry_run)
    require_separate((errors_path, results_path, rejects_path), file)
    if file is not None:
        require_readable(file)
    chosen = SubmitOptions(
        strict, dry_run, errors_path, results_path, rejects_path, skip_rejected, wait_for_service, wait_s, as_json,
        yes,
    )  # fmt: skip
    settings = settings_for(toml_path)
    with (
        HeldSignals() as signals,
        repeatable(file, settings.blotter.max_pipe_bytes) as copied,
        result_files(results_path, rejects_path) as files,
        error_writer(errors_path) as write_errors,
        signals.released(),
    ):
        command = _Submit(settings, chosen, read_options(**reading), files, write_errors)
        try:
            sys.exit(command.run(copied))
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
        self._out = console_for(as_json=options.as_json)
        self._is_previewed = not options.yes or options.strict or options.dry_run
        self._is_said = False
        self._repeats: RepeatRules | None = None
        self._over_limits = 0
        self._version: object = None

    def run(self, copied: Callable[[], str | None]) -> int:
        """Returns the exit code; `copied` gives the name of the file. Raises FileRefused and CommandError."""
        options, settings = self._options, self._settings
        with_service = not (options.dry_run or options.wait_for_service)
        run_until_done(lambda: require_present(settings, with_service=with_service))
        name = copied()
        preview, tally = run_until_done(lambda: self._look(name))
        if self._is_previewed:
            what = "orders" if name is not None else "executions"
            self._show(preview, tally, what)
            if options.dry_run or (options.strict and tally.bad_lines):
                return NOT_ALL_ACCEPTED if tally.bad_lines or preview.over_limits else 0
            if preview.to_send and not confirmed(f"Send these {preview.to_send:,} {what}?", yes=options.yes):
                say("trade-service: nothing was sent")
                return NOT_ALL_ACCEPTED
        return run_as_user(settings, lambda: self._send(name))

    async def _look(self, name: str | None) -> tuple[Preview, Tally]:
        """Reads all that would be sent: what is refused anywhere is refused before the first order is sent."""
        is_final = self._options.dry_run or self._options.strict
        tally = Tally(self._write_errors) if is_final else Tally()
        limits = self._settings.blotter
        async with prepared_database(self._settings, say) as database:
            reference = await PostgresReferenceReads(database).load()
            preview = Preview(reference, self._settings.execution_service.trade_types, limits)
            if name is None:
                await self._look_for_unsent(database, preview)
                return preview, tally
            self._check_version(name)
            first = await first_reading(name, self._rules(reference), self._reading)
            self._repeats = first.repeats
            if not self._is_previewed:
                if first.unpriced and limits.bound_values:
                    say(f"trade-service: warning: {unpriced_warning(first.unpriced, limits)}")
                return preview, tally
            source = await self._open(name, reference)
            if is_final:
                self._begin_files(source.layout)
            files = self._files if is_final else None
            await check_blotter(source, PostgresKnownOrders(database), preview, tally, files)
        _say_outside(source)
        return preview, tally

    async def _look_for_unsent(self, database: Database, preview: Preview) -> None:
        groups = await unsent_groups(database, self._execution_limits)
        preview.add_unsent(groups)
        self._over_limits = preview.over_limits
        if groups and (wrong := batch_error(groups[0].value_of_all, self._settings.blotter)):
            raise CommandError(f"nothing was sent of the executions that were never submitted: {wrong}")

    @property
    def _execution_limits(self) -> ExecutionLimits:
        limits = self._settings.blotter
        quantity, value = (
            None if one is None else Decimal(one)
            for one in (limits.max_order_quantity, limits.max_order_value)
        )
        return ExecutionLimits(quantity, value, limits.require_limit_price)

    def _show(self, preview: Preview, tally: Tally, what: str) -> None:
        options = self._options
        print_preview(preview, what, self._out)
        is_written = options.dry_run or options.strict  # Else it is written when the orders are sent.
        print_bad_lines(tally, self._out, options.errors_path, is_written=is_written)
        if options.dry_run:
            print_dry_run(tally, preview, what, self._out)
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
            await require_open(services.gate, insists=self._options.wait_for_service)
            if name is None:
                self._files.begin(())
                tally.over_limits = self._over_limits
                pages = never_submitted(services.database, CHUNK_LINES, self._execution_limits)
                return await self._drive(services, tally, lambda work: work.submit_ids(pages))
            source = await self._open(name, await services.references.get())
            self._begin_files(source.layout)
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
        submitting = Submitting(
            services, tally, options.wait_s, files, skips_refused=options.skip_rejected,
            insists=options.wait_for_service,
        )  # fmt: skip
        obstacle, is_whole = "", False
        try:
            async with shown_progress(tally, incidents, Console(stderr=True)):
                await work(submitting)
            is_whole = True
        except* NothingGoesOut as group:
            obstacle = str(group.exceptions[0])
        finally:
            self._report(tally, time.monotonic() - began, is_whole=is_whole)
        if obstacle:
            say(f"trade-service: nothing is sent now: {obstacle}")
        return 0 if tally.is_all_good else NOT_ALL_ACCEPTED

    def _begin_files(self, layout: Layout) -> None:
        self._files.begin(layout.header)
        self._write_errors(())

    def _check_version(self, name: str) -> None:
        facts = Path(name).stat()
        version = facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns
        if self._version not in (None, version):
            raise FileRefused("it changed after it was checked: nothing was sent")
        self._version = version

    def _rules(self, reference: ReferenceData) -> LineRules:
        return LineRules.of(reference, self._settings.execution_service.trade_types, self._settings.blotter)

    async def _open(self, name: str, reference: ReferenceData) -> BlotterSource:
        self._check_version(name)
        source = await BlotterSource.open(name, self._rules(reference), self._reading, self._repeats)
        if not self._is_said:
            _say_layout(source.layout)
        self._is_said = True
        return source

    def _report(self, tally: Tally, elapsed_s: float, *, is_whole: bool) -> None:
        if self._options.as_json:
            print_json(summary_of(tally, elapsed_s))
        print_outcomes(tally, self._out)
        if not self._is_previewed:
            print_bad_lines(tally, self._out, self._options.errors_path)
        print_for_person(tally, self._out)
        print_sentence(tally, elapsed_s, self._out, is_whole=is_whole)
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
    if ignored := [name for name in layout.ignored if name not in OUTCOME]:
        say(f"trade-service: warning: unknown columns are ignored: {', '.join(ignored)}")
    for doubt in layout.doubts:
        say(f"trade-service: detected: {doubt}")


def _say_outside(source: BlotterSource) -> None:
    if source.outside is not None:
        say(f"trade-service: warning: {source.outside}")
