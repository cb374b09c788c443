"""The temporary folder of a demo or a benchmark: created, filled, and removed with everything that runs in it."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

from trade_service.store.embedded import delete_data
from trade_service.store.embedded_folder import EmbeddedPostgresError

REMOVE_TRIES = 20
REMOVE_PAUSE_S = 1.0
PREFIX = "trade-service-demo-"
_BLOTTER = "sp500_blotter.csv"


def make_demo_folder(prefix: str = PREFIX) -> Path:
    """A new temporary folder that other users can traverse: under root the database runs as another user."""
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    folder.chmod(0o711)
    return folder


def database_folder(folder: Path) -> Path:
    """Where the database of a demo is."""
    return folder / "postgres"


async def remove_demo_folder(folder: Path) -> None:
    """Stops the database if it still runs, and removes everything.

    A demo that was killed may have left a database that is still being created; this waits for it.
    """
    for _ in range(REMOVE_TRIES):
        try:
            await delete_data(database_folder(folder))
            break
        except EmbeddedPostgresError:
            await asyncio.sleep(REMOVE_PAUSE_S)
    await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def blotter_lines(orders: int) -> Iterator[str]:
    """The shipped blotter, truncated or repeated under new order ids to give `orders` orders, after its header."""
    text = resources.files("trade_service").joinpath("data", _BLOTTER).read_text("utf-8")
    header, *lines = text.splitlines()
    first_id = int(lines[0].partition(",")[0])
    yield header
    for number in range(orders):
        yield f"{first_id + number},{lines[number % len(lines)].partition(',')[2]}"


def write_blotter(folder: Path, orders: int) -> Path:
    """Writes such a blotter."""
    path = folder / _BLOTTER
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{line}\n" for line in blotter_lines(orders))
    return path
