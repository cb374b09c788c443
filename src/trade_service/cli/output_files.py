"""Files that a command writes: never over its input, written beside the target and renamed at the end."""

import codecs
import io
import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from trade_service.cli.running import CommandError

STANDARD_INPUT = "-"


def require_separate(outputs: Sequence[Path | None], source: str | None) -> None:
    """Raises CommandError if an output is the input, or another output, by whatever name or link."""
    names: list[str | Path] = [*([] if source is None else [source]), *filter(None, outputs)]
    seen: dict[object, str | Path] = {}
    for name in names:
        identity = _identity(name, is_input=name is source)
        if identity is not None and identity in seen:
            raise CommandError(f"{name} is the same file as {seen[identity]}: nothing was read or written")
        seen[identity] = name


def _identity(name: str | Path, *, is_input: bool) -> object:
    """What two names of one file have in common; None for devices and pipes, which may be written twice."""
    try:
        facts = os.fstat(0) if is_input and name == STANDARD_INPUT else Path(name).stat()
    except OSError:
        return os.path.realpath(name)
    return (facts.st_dev, facts.st_ino) if stat.S_ISREG(facts.st_mode) else None


class OutputLost(OSError):
    """A file of results cannot be written on; it has the rows so far, the last one perhaps in part."""


class _Output(io.FileIO):
    """A file whose errors name it."""

    def __init__(self, file: int | Path, shown: Path) -> None:
        super().__init__(file, "w")
        self._shown = str(shown)

    def write(self, data: Any, /) -> int:
        """As the base. Raises OutputLost, and BrokenPipeError."""
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputLost(error.errno, error.strerror, self._shown) from error


@contextmanager
def written(path: Path) -> Iterator[BinaryIO]:
    """A stream whose bytes become the file at the end; what is no regular file is written directly.

    If the body fails, what it wrote replaces the file all the same: rows of a command that was interrupted are
    true. If it wrote nothing, the old file stays.
    """
    target = Path(os.path.realpath(path))
    if _is_direct(path, target):
        with io.BufferedWriter(_Output(path, path)) as stream:
            yield stream
        return
    beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o666
    try:
        fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}") from error
    is_kept = True
    try:
        with io.BufferedWriter(_Output(fd, path)) as stream:
            try:
                yield stream
            except BaseException:
                is_kept = stream.tell() > 0
                raise
    finally:
        if is_kept:
            beside.replace(target)
        else:
            beside.unlink()


def text_of(stream: BinaryIO) -> codecs.StreamWriter:
    """A text writer on a binary stream; the stream stays open when an interrupt discards the writer."""
    return codecs.getwriter("utf-8")(stream)


def _is_direct(path: Path, target: Path) -> bool:
    """Whether it cannot be replaced: a device, a pipe, or a descriptor that the caller opened."""
    text = str(path)
    return text.startswith(("/dev/", "/proc/")) or (target.exists() and not target.is_file())
