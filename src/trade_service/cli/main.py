"""The entry point: prepares streams and signals before anything else is imported, then runs the command line."""

import io
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

from trade_service.cli.standard_streams import LossyStream, prepared_streams

DEFECT = 70
"""The program itself failed, and printed where; EX_SOFTWARE of sysexits.h."""
INTERRUPTED = 130
BROKEN_PIPE = 141
OUTPUT_LOST = 74
"""The command did its work, but its result could not be written; EX_IOERR of sysexits.h."""


def main() -> None:
    """Runs the command line."""
    stdout = prepared_streams()
    try:
        for number, code in _ENDINGS.items():
            # Without a handler the kernel drops the signal if this is process 1 of a container. A SIGHUP that is
            # ignored stays so: `nohup` wants it.
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, _end(code))
        from trade_service.cli.commands import run

        code = run(sys.argv[1:])
    except SystemExit as ending:
        code = ending.code if isinstance(ending.code, int) else int(ending.code is not None)
    except Exception:  # noqa: BLE001  # printed, with an exit code of its own
        sys.excepthook(*sys.exc_info())
        code = DEFECT
    except KeyboardInterrupt:
        sys.stderr.write("trade-service: interrupted\n")
        code = INTERRUPTED
    try:
        code = _flushed(stdout, code)
    except KeyboardInterrupt:
        code = INTERRUPTED
    for number in (signal.SIGINT, *_ENDINGS):
        # All is written. The interpreter would restore the default action, and a signal change the exit code.
        signal.signal(number, signal.SIG_IGN)
    sys.exit(code)


_ENDINGS = {signal.SIGTERM: 143} | ({signal.SIGHUP: 129} if hasattr(signal, "SIGHUP") else {})
"""Exit codes by signal, until a command's own handlers are set."""


def _end(code: int) -> Callable[[int, FrameType | None], None]:
    def handler(_: int, __: FrameType | None) -> None:
        sys.exit(code)

    return handler


def _flushed(stdout: LossyStream, code: int) -> int:
    """The exit code, once standard output holds everything; another one if it could not be written."""
    try:
        if not isinstance(sys.stdout, io.TextIOWrapper):
            return BROKEN_PIPE  # click replaces it when a pipe breaks.
        sys.stdout.flush()
    except BrokenPipeError:
        # What is left in the buffer would fail again when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return BROKEN_PIPE
    if stdout.lost is None:
        return code
    sys.stderr.write(f"trade-service: standard output cannot be written: {stdout.lost.strerror}\n")
    return code or OUTPUT_LOST


if __name__ == "__main__":
    main()
