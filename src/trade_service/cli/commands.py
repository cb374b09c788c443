"""The command `trade-service`: its subcommands are imported only when they run."""

import gc
import importlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import rich_click as click
from click.exceptions import NoArgsIsHelpError
from click.shell_completion import CompletionItem

from trade_service import __version__
from trade_service.cli.ending_signals import HeldSignals
from trade_service.cli.main import BROKEN_PIPE, INTERRUPTED, OUTPUT_LOST

UNUSABLE = 2
PROGRAM = "trade-service"
COMPLETE_VARIABLE = "_TRADE_SERVICE_COMPLETE"
"""Set by the shell's script when it asks for completions."""

GROUPS = {
    "Daily work": {
        "serve": ("trade_service.cli.serve", "Serve the HTTP API until stopped."),
        "submit": (
            "trade_service.cli.submit",
            "Submit a blotter file, or everything that was never submitted.",
        ),
        "top": (
            "trade_service.cli.top",
            "Watch a running service: throughput, latency, failures and their reasons.",
        ),
        "audit": ("trade_service.cli.audit", "Prove that nothing was lost and nothing was accepted twice."),
    },
    "Troubleshooting": {
        "list": ("trade_service.cli.list_command", "List executions by state, code, order and time."),
        "unknowns": (
            "trade_service.cli.unknowns",
            "List executions with an unknown outcome, and what each waits for.",
        ),
        "show": ("trade_service.cli.unknowns", "Show the history of an execution, or of those of an order."),
        "resolve": ("trade_service.cli.unknowns", "Resolve an unknown outcome manually."),
        "requeue": ("trade_service.cli.requeue", "Submit rejected or exhausted executions again."),
        "pause": ("trade_service.cli.pause", "Stop sending, to all destinations or to one."),
        "resume": ("trade_service.cli.pause", "Resume sending."),
        "recover": ("trade_service.cli.audit", "Recover a database that was restored from a backup."),
    },
    "Trying it out": {
        "demo": (
            "trade_service.cli.demo",
            "Submit 5,000 orders through a faulty Execution Service, then audit the result.",
        ),
        "sample": ("trade_service.cli.sample", "Write an example blotter."),
        "simulate": ("trade_service.cli.simulate", "Run an Execution Service simulator with seeded faults."),
        "bench": ("trade_service.cli.bench", "Benchmark this machine and write a report."),
    },
    "Administration": {
        "db": ("trade_service.cli.db", "Manage the database: status, migrate, adopt, start, reset."),
        "archive": ("trade_service.cli.archive", "Move finished rows to files; verify and search them."),
        "keys": ("trade_service.cli.keys", "Create, list, rotate and revoke API keys."),
        "config": ("trade_service.cli.config", "Show every setting and where it came from."),
        "completion": ("trade_service.cli.completion", "Print the completion script of a shell."),
    },
}
"""The groups of the help page: for each command its module and its summary."""
ATTRIBUTES = {"list": "list_executions"}
"""The names of commands in their modules, where those differ."""
COMMANDS = {name: place for group in GROUPS.values() for name, place in group.items()}


class LazyGroup(click.RichGroup):
    """A group that lists its commands without importing them."""

    _listing = False

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """The commands, in the order of the help page."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command of that name; on the help page only its name and summary."""
        if cmd_name not in COMMANDS:
            return None
        module, summary = COMMANDS[cmd_name]
        if self._listing:
            return click.Command(cmd_name, help=summary)
        gc.disable()  # It would take a fifth of the time and find nothing, since modules stay loaded.
        try:
            with HeldSignals():  # A library may swallow what a signal raises in the middle of its import.
                loaded = importlib.import_module(module)
        finally:
            gc.freeze()
            gc.enable()
        command: click.Command = getattr(loaded, ATTRIBUTES.get(cmd_name, cmd_name))
        return command

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the help page from the summaries."""
        with self._summaries():
            super().format_help(ctx, formatter)  # type: ignore[arg-type]  # the base narrows both

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Completes the name of a command from the summaries, so that the Tab key answers at once."""
        with self._summaries():
            return super().shell_complete(ctx, incomplete)

    @contextmanager
    def _summaries(self) -> Iterator[None]:
        self._listing = True
        try:
            yield
        finally:
            self._listing = False


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.rich_config(
    help_config=click.RichHelpConfiguration(
        command_groups={
            "trade-service": [{"name": name, "commands": list(group)} for name, group in GROUPS.items()]
        }
    )
)
@click.version_option(__version__, prog_name=PROGRAM)
def cli() -> None:
    """Takes trade orders, slices them into executions and submits those in bulk: nothing lost, nothing twice."""


def run(arguments: Sequence[str]) -> int:
    """Runs one command and returns its exit code; an expected failure prints one line."""
    try:
        code = cli.main(
            args=list(arguments),
            prog_name=PROGRAM,
            complete_var=COMPLETE_VARIABLE,
            standalone_mode=False,
        )
    except NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return UNUSABLE
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx is not None else "trade-service"
        return _fail(f"{error.format_message()} See `{path} --help`.", UNUSABLE)
    except click.ClickException as error:
        return _fail(error.format_message(), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        # Without an import: of a package whose import was interrupted, only half would be found.
        click.echo("trade-service: interrupted", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        return BROKEN_PIPE
    except Exception as error:
        from trade_service.cli.failures import expected_message, is_lost_output

        message = expected_message(error)
        if message is None:
            raise
        return _fail(message, OUTPUT_LOST if is_lost_output(error) else UNUSABLE)
    return code if isinstance(code, int) else 0


def _fail(message: str, code: int) -> int:
    from trade_service.cli.running import wrapped
    from trade_service.domain.fields import escaped

    click.echo(wrapped(f"trade-service: {escaped(' '.join(message.split()))}"), err=True)
    return code
