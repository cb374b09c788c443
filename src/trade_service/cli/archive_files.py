"""`trade-service archive verify` and `search`: the files, and the rows in them."""

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from pathlib import Path

import msgspec
import rich_click as click
from rich.text import Text

from trade_service.bootstrap.running import prepared_database
from trade_service.cli.execution_options import MOMENT, with_offset
from trade_service.cli.running import (
    FINDINGS,
    CommandError,
    config_option,
    json_option,
    print_json,
    result_console,
    run_until_done,
    say,
    settings_for,
)
from trade_service.domain.fields import is_possible_id
from trade_service.settings.tree import Settings
from trade_service.store.archive_folder import ArchiveFolder
from trade_service.store.archive_store import PostgresArchiveStore
from trade_service.trading.archive_model import (
    ArchiveDamaged,
    ArchiveKind,
)
from trade_service.trading.archive_reading import ArchiveCheck, ArchiveQuery, search, verify

_UNREGISTERED_SHOWN = 20
_kinds = click.Choice([kind.value for kind in ArchiveKind])
dir_option = click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the archive.  [default: retention.archive_dir]",
)


def archive_root(settings: Settings, folder: Path | None) -> Path:
    """The archive folder; raises CommandError if none is given or set."""
    root = folder or (settings.retention.archive_dir and Path(settings.retention.archive_dir))
    if not root:
        raise CommandError("there is no archive folder: set retention.archive_dir or give --dir")
    return root.expanduser().absolute()


@click.command(name="verify")
@dir_option
@json_option
@config_option
def verify_files(*, folder: Path | None, as_json: bool, toml_path: Path | None) -> None:
    """Read every archived file, and compare it with its manifest and with what the database removed.

    Exit code 0 if all are there and unchanged, 1 if not.
    """
    settings = settings_for(toml_path)

    async def run() -> ArchiveCheck:
        async with _opened(settings, folder) as (store, files):
            return await verify(store, files)

    check = run_until_done(run)
    if as_json:
        print_json(check)
    else:
        _print_check(check)
    sys.exit(FINDINGS if check.problems else 0)


def _print_check(check: ArchiveCheck) -> None:
    console = result_console()
    for problem in check.problems:
        console.print(Text(f"{problem.name}: {problem.problem}", style="red"), soft_wrap=True)
    for name in check.unregistered[:_UNREGISTERED_SHOWN]:
        note = f"note: {name} is not registered: its rows are still in this database, or in another one"
        console.print(Text(note, style="dim"), soft_wrap=True)
    more = len(check.unregistered) - _UNREGISTERED_SHOWN
    if more > 0:
        console.print(f"note: and {more:,} more", style="dim")
    verdict = f"{len(check.problems):,} are damaged." if check.problems else "All are intact."
    style = "bold red" if check.problems else "bold green"
    console.print(f"{check.files:,} files with {check.rows:,} rows. {verdict}", style=style)


@click.command(name="search")
@click.option("--execution", "executions", type=int, multiple=True, help="Id of an execution; repeatable.")
@click.option("--order", type=int, help="Order id of a trade order.")
@click.option("--service-id", type=int, help="Id at the Execution Service.")
@click.option("--since", type=MOMENT, metavar="TIME", help="Earliest time; UTC unless it has an offset.")
@click.option("--until", type=MOMENT, metavar="TIME", help="Before this time.")
@click.option("--kind", "kinds", type=_kinds, multiple=True, help="Kind of row; repeatable.  [default: all]")
@click.option(
    "--limit", default=1000, show_default=True, type=click.IntRange(1), help="Maximum number of rows."
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document instead of a line for each row."
)
@dir_option
@config_option
def search_files(
    *, executions: tuple[int, ...], order: int | None, service_id: int | None, since: datetime | None,
    until: datetime | None, kinds: tuple[str, ...], limit: int, as_json: bool, folder: Path | None,
    toml_path: Path | None,
) -> None:  # fmt: skip
    """Print the archived rows of executions, an order or a period as JSON lines.

    Each line has the file and the row. All conditions must match; the kinds are executions, their attempts,
    evidence, bulk submissions and entries of the audit log.
    """
    if not (executions or order is not None or service_id is not None or since or until):
        raise click.UsageError("Give --execution, --order, --service-id, --since or --until.")
    settings = settings_for(toml_path)
    wanted = ArchiveQuery(
        kinds=tuple(map(ArchiveKind, kinds)) or tuple(ArchiveKind),
        execution_ids=frozenset(executions) if executions else None,
        since=with_offset(since),
        until=with_offset(until),
    )
    rows: list[ArchivedRow] = []
    show = rows.append if as_json else partial(print_json, indent=-1)
    more = run_until_done(lambda: _search(settings, folder, wanted, order, service_id, limit, show))
    if as_json:
        print_json({"rows": rows, "more": more})
    elif more:
        say(f"trade-service: printed {limit:,} rows, and there are more: raise --limit")


class ArchivedRow(msgspec.Struct, frozen=True):
    """An archived row, as it is in its file."""

    file: str
    kind: ArchiveKind
    row: msgspec.Raw


async def _search(
    settings: Settings, folder: Path | None, wanted: ArchiveQuery, order: int | None, service_id: int | None,
    limit: int, show: Callable[[ArchivedRow], None],
) -> bool:  # fmt: skip
    """Shows up to `limit` rows; returns whether there are more."""
    async with _opened(settings, folder) as (store, files):
        query = await _resolved(store, wanted, order, service_id)
        try:
            async for file, line in search(store, files, query):
                if limit == 0:
                    return True
                show(ArchivedRow(file.name, file.kind, msgspec.Raw(line.encode())))
                limit -= 1
        except ArchiveDamaged as error:
            raise CommandError(
                f"the archive is damaged: {error}; run `trade-service archive verify`"
            ) from None
    return False


async def _resolved(
    store: PostgresArchiveStore, wanted: ArchiveQuery, order: int | None, service_id: int | None
) -> ArchiveQuery:
    """The query, with an order and an Execution Service id resolved to executions."""
    selected = [] if wanted.execution_ids is None else [wanted.execution_ids]
    trade_order_id = None
    if order is not None:
        rows = await store.order(order) if is_possible_id(order) else None
        if rows is None:
            raise CommandError(f"no trade order has the order id {order}")
        selected.append(frozenset(rows.execution_ids))
        trade_order_id = rows.trade_order_id if len(selected) == 1 and service_id is None else None
    if service_id is not None:
        ids = await store.executions_accepted_as(service_id) if is_possible_id(service_id) else []
        selected.append(frozenset(ids))
    ids_of_all = frozenset.intersection(*selected) if selected else None
    return msgspec.structs.replace(wanted, execution_ids=ids_of_all, trade_order_id=trade_order_id)


@asynccontextmanager
async def _opened(
    settings: Settings, folder: Path | None
) -> AsyncIterator[tuple[PostgresArchiveStore, ArchiveFolder]]:
    root = archive_root(settings, folder)
    async with prepared_database(settings, say) as database:
        yield PostgresArchiveStore(database), ArchiveFolder(root)
