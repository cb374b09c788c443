"""`trade-service sample`: writes an example blotter."""

from pathlib import Path

import rich_click as click

from trade_service.cli.demo_folder import blotter_lines
from trade_service.cli.ending_signals import HeldSignals
from trade_service.cli.output_files import written
from trade_service.cli.running import CommandError, json_option, print_json

ORDERS = 20


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), default=Path("blotter.csv"))
@click.option(
    "--orders", default=ORDERS, show_default=True, type=click.IntRange(1, 1_000_000), help="Number of orders."
)
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
@json_option
def sample(*, file: Path, orders: int, force: bool, as_json: bool) -> None:
    """Write an example blotter to FILE (blotter.csv): orders on real tickers, to try `submit` with."""
    if file.exists() and not force:
        raise CommandError(f"{file} exists: name another file, or give --force to replace it")
    with HeldSignals(), written(file) as stream:
        for line in blotter_lines(orders):
            stream.write(f"{line}\n".encode())
    if as_json:
        print_json({"file": str(file), "orders": orders})
        return
    click.echo(f"Wrote {orders:,} orders to {file}. Try `trade-service submit {file} --dry-run`.")
