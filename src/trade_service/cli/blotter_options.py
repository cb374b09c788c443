"""The options that say how a blotter is to be read."""

from collections.abc import Iterable
from zoneinfo import ZoneInfo

import rich_click as click

from trade_service.blotter.option_pairs import (
    DATE_ORDERS,
    DECIMAL_SIGNS,
    columns_to_fields,
    fields_to_values,
)
from trade_service.blotter.reader import ReadOptions
from trade_service.cli.running import options

reading_options = options(
    click.option(
        "--map", "mapping", multiple=True, metavar="COLUMN=FIELD",
        help="Read a field from this column; without a field, ignore the column. May be repeated.",
    ),
    click.option(
        "--set", "constants", multiple=True, metavar="FIELD=VALUE",
        help="Use one value for all lines, such as destination=JPM. May be repeated.",
    ),
    click.option("--decimal", type=click.Choice(list(DECIMAL_SIGNS)), help="The decimal sign of all numbers."),
    click.option("--dates", type=click.Choice(DATE_ORDERS), help="What dates such as 03/04/2026 begin with."),
    click.option("--time-zone", help="The zone of times without an offset, such as Europe/Berlin."),
    click.option("--encoding", help="The encoding, such as cp1252, where it is not UTF-8 or UTF-16."),
    click.option("--sheet", help="The sheet of a workbook that has several."),
)  # fmt: skip


def read_options(
    mapping: Iterable[str], constants: Iterable[str], decimal: str | None, dates: str | None,
    time_zone: str | None, encoding: str | None, sheet: str | None,
) -> ReadOptions:  # fmt: skip
    """What the options say about a file. Raises click.UsageError."""
    try:
        zone = None if time_zone is None else ZoneInfo(time_zone)
    except (KeyError, ValueError, OSError):
        raise click.UsageError(f"--time-zone: there is no time zone {time_zone!r}.") from None
    try:
        columns, values = columns_to_fields("--map", mapping), fields_to_values("--set", constants)
    except ValueError as error:
        raise click.UsageError(f"{error}.") from None
    return ReadOptions(
        mapping=columns,
        constants=values,
        decimal=None if decimal is None else DECIMAL_SIGNS[decimal],
        dates=dates,
        time_zone=zone,
        encoding=encoding,
        sheet=sheet,
    )
