"""Standard streams that stop no work: closed, full or broken ones, and characters that an encoding lacks."""

import codecs
import io
import os
import select
import stat
import sys
from typing import TextIO

STALL_S = 1.0
"""How long a log line waits for room in a full pipe. After a vain wait, lines are dropped until there is room."""


class LossyStream(io.FileIO):
    """A standard stream that cannot stop the work: it drops what it cannot write, and remembers the error.

    Only a closed pipe on standard output ends a command. A log pipe that is open but not read must not stop the
    service either: see `STALL_S`.
    """

    def __init__(self, number: int) -> None:
        mode = os.fstat(number).st_mode
        own = _unblocked(number) if number == 2 and stat.S_ISFIFO(mode) else number
        super().__init__(own, "w", closefd=False)
        self.lost: OSError | None = None
        """The first failure to write."""
        self._may_drop = number == 2 and (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode))
        self._is_stalled = False

    def write(self, data: bytes) -> int:  # type: ignore[override]  # the base also takes arrays
        """Writes all of the data, or drops the rest of it."""
        rest = memoryview(data)
        try:
            while rest and self._has_room():
                # A writable pipe takes this much without blocking.
                count = super().write(rest[: select.PIPE_BUF] if self._may_drop else rest)
                if count is None and self._may_drop:  # Another process filled it first.
                    self._is_stalled = True
                    break
                if count is None:  # The descriptor is non-blocking.
                    select.select([], [self], [])
                rest = rest[count or 0 :]
        except OSError as error:
            if isinstance(error, BrokenPipeError) and self.fileno() == 1:
                raise
            self.lost = self.lost or error
        return len(data)

    def _has_room(self) -> bool:
        if not self._may_drop:
            return True
        ready = bool(select.select([], [self], [], 0 if self._is_stalled else STALL_S)[1])
        self._is_stalled = not ready
        return ready


def _unblocked(number: int) -> int:
    """A non-blocking descriptor of our own for a pipe that workers and other processes may write to as well."""
    try:
        return os.open(f"/proc/self/fd/{number}", os.O_WRONLY | os.O_NONBLOCK)
    except OSError:  # No /proc, or the pipe has no reader.
        return number


def prepared_streams() -> LossyStream:
    """Makes all three standard streams usable, however the process was started; returns standard output."""
    fd = os.open(os.devnull, os.O_RDWR)
    while fd <= 2:  # Closed: the next file or socket would take the number, and get our output.
        os.set_inheritable(fd, True)  # noqa: FBT003  # it takes no keyword
        fd = os.open(os.devnull, os.O_RDWR)
    os.close(fd)
    stdout, stderr = map(LossyStream, (1, 2))
    encodings = [_encoding(stream) for stream in (sys.stdout, sys.stderr)]
    errors = "trade-service"  # A character that the encoding lacks must not stop the work either.
    codecs.register_error(errors, _plain)
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(stdout), encodings[0], errors, line_buffering=stdout.isatty()
    )
    sys.stderr = io.TextIOWrapper(stderr, encodings[1], errors, line_buffering=True, write_through=True)
    return stdout


def flush_output(stdout: LossyStream) -> OSError | None:
    """Flushes standard output; returns why it did not take everything."""
    try:
        if not isinstance(sys.stdout, io.TextIOWrapper):
            return BrokenPipeError()  # click replaces it when a pipe breaks.
        sys.stdout.flush()
    except BrokenPipeError as error:
        # What is left in the buffer would fail again when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return error
    return stdout.lost


_PLAIN = {"…": "...", "–": "-", "—": "-", "×": "x", "·": "-", "’": "'"}


def _plain(error: UnicodeError) -> tuple[str | bytes, int]:
    if isinstance(error, UnicodeEncodeError) and error.object[error.start] in _PLAIN:
        return _PLAIN[error.object[error.start]], error.start + 1
    return codecs.backslashreplace_errors(error)


def _encoding(stream: TextIO | None) -> str:
    return "ascii" if _is_c_locale() else getattr(stream, "encoding", None) or "utf-8"


def _is_c_locale() -> bool:
    """Whether the user asked for plain ASCII. Without any locale, as in containers, UTF-8 is written."""
    chosen = next(filter(None, map(os.environ.get, ("LC_ALL", "LC_CTYPE", "LANG"))), "")
    return chosen in ("C", "POSIX")
