"""The folder of a demo: made, filled, and removed with all that runs in it."""

import asyncio
import shutil
import tempfile
from importlib import resources
from pathlib import Path

from trade_service.store.embedded import EmbeddedPostgresError, delete_data

REMOVE_TRIES = 20
REMOVE_PAUSE_S = 1.0
PREFIX = "trade-service-demo-"
_BLOTTER = "sp500_blotter.csv"


def make_demo_folder(prefix: str = PREFIX) -> Path:
    """A new temporary folder; others may pass it, since for root the database runs as another user."""
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    folder.chmod(0o711)
    return folder


def database_folder(folder: Path) -> Path:
    """Where a demo's database lies."""
    return folder / "postgres"


async def remove_demo_folder(folder: Path) -> None:
    """Stops the database of a demo if it still runs, and removes everything.

    A demo that was killed may have left a database that is just being created: that is waited for.
    """
    for _ in range(REMOVE_TRIES):
        try:
            await delete_data(database_folder(folder))
            break
        except EmbeddedPostgresError:
            await asyncio.sleep(REMOVE_PAUSE_S)
    await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def write_blotter(folder: Path, orders: int) -> Path:
    """The shipped blotter, cut or repeated under new order ids to so many orders."""
    text = resources.files("trade_service").joinpath("data", _BLOTTER).read_text("utf-8")
    header, *lines = text.splitlines()
    first_id = int(lines[0].partition(",")[0])
    path = folder / _BLOTTER
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(f"{header}\n")
        for number in range(orders):
            rest = lines[number % len(lines)].partition(",")[2]
            file.write(f"{first_id + number},{rest}\n")
    return path
