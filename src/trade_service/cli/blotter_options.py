"""The options that say how a blotter is to be read."""

from collections.abc import Iterable, Mapping
from zoneinfo import ZoneInfo

import rich_click as click

from trade_service.blotter.number_dialect import COMMA, POINT
from trade_service.blotter.reader import ReadOptions
from trade_service.cli.running import options

_SIGNS = {"point": POINT, "comma": COMMA}

reading_options = options(
    click.option(
        "--map", "mapping", multiple=True, metavar="COLUMN=FIELD",
        help="Read a field from this column; without a field, ignore the column. May be repeated.",
    ),
    click.option(
        "--set", "constants", multiple=True, metavar="FIELD=VALUE",
        help="Use one value for all lines, such as destination=JPM. May be repeated.",
    ),
    click.option("--decimal", type=click.Choice(list(_SIGNS)), help="The decimal sign of all numbers."),
    click.option("--dates", type=click.Choice(["day", "month"]), help="What dates such as 03/04/2026 begin with."),
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
    return ReadOptions(
        mapping=_pairs("--map", "COLUMN=FIELD", mapping),
        constants=_pairs("--set", "FIELD=VALUE", constants),
        decimal=None if decimal is None else _SIGNS[decimal],
        dates=dates,
        time_zone=zone,
        encoding=encoding,
        sheet=sheet,
    )


def _pairs(option: str, form: str, texts: Iterable[str]) -> Mapping[str, str]:
    pairs: dict[str, str] = {}
    for text in texts:
        # A column's name may hold an equals sign, the name of a field never does.
        name, sign, value = text.rpartition("=") if option == "--map" else text.partition("=")
        if not sign or not name:
            raise click.UsageError(f"{option} must be {form}; got {text!r}.")
        if name in pairs:
            raise click.UsageError(f"{option} names {name!r} twice.")
        pairs[name] = value
    return pairs
