"""A blotter file read ahead by a thread of its own, so that the loop never waits for a disk or a pipe."""

import asyncio
import concurrent.futures
import contextlib
import os
import shutil
import stat
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec

from trade_service.trading.blotter_file import BlotterReader, Header, HeaderError, LineError, LineRules
from trade_service.trading.model import BlotterLine

STANDARD_INPUT = "-"
CHUNK_LINES = 500
_CHUNKS_AHEAD = 2


class Chunk(msgspec.Struct, frozen=True):
    """Some lines of a file, as they were read."""

    good: list[BlotterLine]
    errors: list[LineError]
    count: int
    share_read: float | None
    """How much of the file has been read by now, 0..1; None when its length is not known."""


class BlotterSource:
    """The chunks of one file. Its header has been read and is good."""

    def __init__(self, header: Header, queue: "asyncio.Queue[Header | Chunk | Exception]") -> None:
        self.header = header
        self._queue = queue

    async def chunks(self) -> AsyncIterator[Chunk]:
        """All chunks up to the end of the file; raises OSError when it cannot be read on."""
        while True:
            item = await self._queue.get()
            if isinstance(item, Exception):
                raise item
            if not isinstance(item, Chunk) or not item.count:
                return
            yield item


@asynccontextmanager
async def blotter_source(name: str, rules: LineRules) -> AsyncIterator[BlotterSource]:
    """Opens a file, or standard input for `-`. Raises HeaderError and OSError."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[Header | Chunk | Exception] = asyncio.Queue(_CHUNKS_AHEAD)
    stopped = threading.Event()

    def put(item: Header | Chunk | Exception) -> None:
        putting = queue.put(item)
        try:
            asyncio.run_coroutine_threadsafe(putting, loop).result()
        except RuntimeError:
            putting.close()
            raise

    def read() -> None:
        # The loop may end while we wait for it: then nobody wants the rest.
        with contextlib.suppress(RuntimeError, concurrent.futures.CancelledError):
            try:
                with open_blotter(name) as stream:
                    _read_chunks(stream, rules, put, stopped)
            except (OSError, HeaderError) as error:
                put(error)

    # A daemon: a read from a silent pipe cannot be interrupted, and must not keep the process.
    threading.Thread(target=read, name="blotter", daemon=True).start()
    try:
        first = await queue.get()
        if isinstance(first, Exception):
            raise first
        assert isinstance(first, Header)
        yield BlotterSource(first, queue)
    finally:
        stopped.set()
        while not queue.empty():
            queue.get_nowait()


def _read_chunks(
    stream: BinaryIO, rules: LineRules, put: Callable[[Header | Chunk], None], stopped: threading.Event
) -> None:
    facts = os.fstat(stream.fileno())
    size = facts.st_size if stat.S_ISREG(facts.st_mode) else 0
    reader = BlotterReader(stream, rules)
    put(reader.header)
    while not stopped.is_set():
        good, errors, count = reader.read(CHUNK_LINES)
        share = min(1.0, stream.tell() / size) if size else None
        put(Chunk(good, errors, count, share))
        if not count:
            return


@contextmanager
def open_blotter(name: str) -> Iterator[BinaryIO]:
    """The bytes of a file, or of standard input for `-`."""
    if name != STANDARD_INPUT:
        with Path(name).open("rb") as stream:
            yield stream
    else:
        # Not sys.stdin itself: the interpreter could not shut down while a thread reads from that.
        with open(sys.stdin.fileno(), "rb", closefd=False) as stream:
            yield stream


def require_readable(name: str) -> None:
    """Raises OSError for a file that cannot be opened, before anything is started for it."""
    path = Path(name)
    # A pipe is left alone: to open it is to wait for its other end.
    if name != STANDARD_INPUT and (path.is_file() or path.is_dir() or not path.exists()):
        path.open("rb").close()


@contextmanager
def kept(name: str) -> Iterator[str]:
    """A name that can be read twice: what is no regular file is copied into a temporary one first."""
    if name != STANDARD_INPUT and (not Path(name).exists() or Path(name).is_file()):
        yield name
        return
    with tempfile.NamedTemporaryFile(prefix="trade-service-") as copy:
        with open_blotter(name) as stream:
            shutil.copyfileobj(stream, copy)
        copy.flush()
        yield copy.name
