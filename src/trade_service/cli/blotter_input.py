"""The bytes of a blotter: a file, or a pipe that is copied because it is read more than once."""

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from trade_service.cli.output_files import STANDARD_INPUT
from trade_service.cli.running import CommandError

_CHUNK_BYTES = 1 << 20


def open_blotter(name: str) -> BinaryIO:
    """The bytes of a file, or of standard input for `-`."""
    if name != STANDARD_INPUT:
        return Path(name).open("rb")
    # Not sys.stdin itself: the interpreter could not shut down while a thread reads from that.
    return open(sys.stdin.fileno(), "rb", closefd=False)


def require_readable(name: str) -> None:
    """Raises OSError for a file that cannot be opened, before anything is started for it."""
    path = Path(name)
    # Not for a pipe: opening it would wait for its other end.
    if name != STANDARD_INPUT and (path.is_file() or path.is_dir() or not path.exists()):
        path.open("rb").close()


@contextmanager
def repeatable(name: str | None, max_bytes: int) -> Iterator[Callable[[], str | None]]:
    """Yields a function that returns a name which can be read more than once.

    Its call copies anything but a regular file into a temporary one, which vanishes with this process, however
    that ends. Raises CommandError if that has more than `max_bytes`, or if there is no room for it.
    """
    if name is None or (name != STANDARD_INPUT and (not Path(name).exists() or Path(name).is_file())):
        yield lambda: name
        return
    has_links = Path("/proc/self/fd").is_dir()  # They open a file that has no name.
    with tempfile.TemporaryFile() if has_links else tempfile.NamedTemporaryFile() as copy:

        def copied() -> str:
            shown = "standard input" if name == STANDARD_INPUT else name
            try:
                with open_blotter(name) as stream:
                    while chunk := stream.read(_CHUNK_BYTES):
                        if copy.tell() + len(chunk) > max_bytes:
                            raise CommandError(
                                f"{shown} has more than {max_bytes:,} bytes (blotter.max_pipe_bytes): write it to "
                                "a file, and submit that"
                            )
                        copy.write(chunk)
                copy.flush()
            except OSError as error:
                folder = tempfile.gettempdir()
                raise CommandError(
                    f"{shown} cannot be copied to {folder}: {error.strerror}; TMPDIR names another folder"
                ) from error
            return f"/proc/self/fd/{copy.fileno()}" if has_links else str(copy.name)

        yield copied
