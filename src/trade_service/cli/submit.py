"""`trade-service submit`: a blotter file, or everything that was never submitted."""

import contextlib
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import rich_click as click
from rich.console import Console

from trade_service.bootstrap.running import prepared_database, running_services
from trade_service.bootstrap.services import Services
from trade_service.cli.blotter_source import (
    CHUNK_LINES,
    BlotterSource,
    blotter_source,
    kept,
    require_readable,
)
from trade_service.cli.command_error import CommandError
from trade_service.cli.pipeline import Submitting, check_blotter
from trade_service.cli.progress import shown_progress
from trade_service.cli.running import config_option, run_until_done, say, settings_for
from trade_service.cli.summary import (
    print_bad_lines,
    print_dry_run,
    print_outcomes,
    print_sentence,
    result_console,
)
from trade_service.cli.tally import ErrorFile, Survived, Tally
from trade_service.settings.model import Settings
from trade_service.store.blotter_preview import BlotterPreview, never_submitted
from trade_service.store.reference_store import PostgresReferenceReads
from trade_service.trading.blotter_file import HeaderError, LineRules

WAIT_S = 600.0
NOT_ALL_ACCEPTED = 1


@click.command()
@click.argument("file", required=False)
@click.option("--all-new", is_flag=True, help="Submit all executions that no attempt ever owned.")
@click.option("--strict", is_flag=True, help="Check all lines first, and send nothing if one is bad.")
@click.option("--dry-run", is_flag=True, help="Check all lines, also against the database; write nothing.")
@click.option(
    "--errors",
    "errors_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write all bad lines to this file, as CSV.",
)
@click.option(
    "--wait-s",
    default=WAIT_S,
    show_default=True,
    type=click.FloatRange(min=0),
    help="Longest wait for an execution's outcome; then it counts as pending.",
)
@config_option
def submit(
    file: str | None, all_new: bool, strict: bool, dry_run: bool, errors_path: Path | None, wait_s: float,
    toml_path: Path | None,
) -> None:  # fmt: skip
    """Submit a blotter FILE (CSV; - reads standard input), or all that was never submitted.

    Each line is an order: order_id, portfolio_id, order_type, security_id, quantity, destination, and
    limit_price, trade_timestamp, blotter where wanted. Running the same file again takes up where it
    stopped; nothing is sent twice. Exit code 0 only if every line was good and every execution accepted.
    """
    if (file is None) != all_new:
        raise click.UsageError("Name a FILE (or - for standard input), or give --all-new, and not both.")
    if all_new and (strict or dry_run or errors_path):
        raise click.UsageError("--strict, --dry-run and --errors go with a FILE, not with --all-new.")
    if file is not None:
        require_readable(file)
    settings = settings_for(toml_path, quiet_level="ERROR").settings
    command = _Submit(settings, errors_path, wait_s)
    if file is None:
        sys.exit(run_until_done(command.all_new))
    with kept(file) if strict else contextlib.nullcontext(file) as name:
        sys.exit(run_until_done(lambda: command.blotter(name, file, strict=strict, dry_run=dry_run)))


class _Submit:
    """One run of the command."""

    def __init__(self, settings: Settings, errors_path: Path | None, wait_s: float) -> None:
        self._settings = settings
        self._errors_path = errors_path
        self._wait_s = wait_s
        self._tally = Tally()
        self._survived = Survived()
        self._out = result_console()
        self._err = Console(stderr=True)

    async def blotter(self, name: str, shown: str, *, strict: bool, dry_run: bool) -> int:
        """Checks or submits a file; the exit code."""
        try:
            with ErrorFile(self._errors_path) as errors:
                if strict or dry_run:
                    code = await self._check(name, errors, dry_run=dry_run)
                    if dry_run or code:
                        return code
                    self._tally = Tally()
                return await self._submit_file(name, errors)
        except HeaderError as error:
            raise CommandError(f"{shown} cannot be read: {error}") from None

    async def all_new(self) -> int:
        """Submits what was never submitted; the exit code."""
        with ErrorFile(None) as errors:
            async with running_services(self._settings, say) as services:
                pages = never_submitted(services.engine, CHUNK_LINES)
                return await self._drive(services, errors, lambda work: work.submit_ids(pages))

    async def _submit_file(self, name: str, errors: ErrorFile) -> int:
        async with running_services(self._settings, say) as services:
            reference = await services.references.get()
            rules = LineRules.of(reference, self._settings.execution_service.trade_types)
            async with blotter_source(name, rules) as source:
                self._tell_ignored(source)
                return await self._drive(services, errors, lambda work: work.submit_blotter(source))

    async def _drive(
        self, services: Services, errors: ErrorFile, work: Callable[[Submitting], Awaitable[None]]
    ) -> int:
        began = time.monotonic()
        services.events.subscribe(self._survived)
        try:
            async with shown_progress(self._tally, self._survived, self._err):
                await work(Submitting(services, self._tally, errors, self._wait_s))
        finally:
            self._report(time.monotonic() - began)
        return 0 if self._tally.is_all_good else NOT_ALL_ACCEPTED

    async def _check(self, name: str, errors: ErrorFile, *, dry_run: bool) -> int:
        async with prepared_database(self._settings, say) as engine:
            reference = await PostgresReferenceReads(engine).load()
            rules = LineRules.of(reference, self._settings.execution_service.trade_types)
            async with blotter_source(name, rules) as source:
                self._tell_ignored(source)
                checked = await check_blotter(source, BlotterPreview(engine), self._tally, errors)
        print_bad_lines(self._tally, self._out, self._errors_name)
        if dry_run:
            print_dry_run(self._tally, checked, reference, self._out)
        elif self._tally.bad_lines:
            self._out.print("Nothing was sent, since --strict was given.", style="bold red")
        return NOT_ALL_ACCEPTED if self._tally.bad_lines else 0

    def _report(self, elapsed_s: float) -> None:
        tally = self._tally
        print_outcomes(tally, self._out)
        print_bad_lines(tally, self._out, self._errors_name)
        print_sentence(tally, elapsed_s, self._out)
        open_ones = tally.executions - tally.told
        if open_ones:
            say(
                f"trade-service: stopped while {open_ones:,} executions had no result. Nothing is lost: the "
                "same command takes up where it stopped, and sends nothing twice"
            )

    def _tell_ignored(self, source: BlotterSource) -> None:
        if source.header.ignored:
            say(f"trade-service: warning: unknown columns are ignored: {', '.join(source.header.ignored)}")

    @property
    def _errors_name(self) -> str | None:
        return None if self._errors_path is None else str(self._errors_path)
