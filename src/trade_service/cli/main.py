"""The entry point: prepares signals and streams before anything else is imported, then runs the command line."""

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

DEFECT = 70
"""The program itself failed, and printed where; EX_SOFTWARE of sysexits.h."""
INTERRUPTED = 130
BROKEN_PIPE = 141
OUTPUT_LOST = 74
"""The command did its work, but its result could not be written; EX_IOERR of sysexits.h."""


def main() -> None:
    """Runs the command line."""
    # Without a handler the kernel drops a signal if this is process 1 of a container. One that is ignored stays
    # so: `nohup` wants it.
    by_default = (signal.SIG_DFL, signal.default_int_handler)
    handled = [number for number in _ENDINGS if signal.getsignal(number) in by_default]
    for number in handled:
        signal.signal(number, _exit)
    from trade_service.cli.standard_streams import flush_output, prepared_streams

    stdout = prepared_streams()
    try:
        from trade_service.cli.commands import run

        for number in handled:
            is_interrupt = number is signal.SIGINT
            signal.signal(number, signal.default_int_handler if is_interrupt else _end(_ENDINGS[number]))
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
        lost = flush_output(stdout)
        if isinstance(lost, BrokenPipeError):
            code = BROKEN_PIPE
        elif lost is not None:
            sys.stderr.write(f"trade-service: standard output cannot be written: {lost.strerror}\n")
            code = code or OUTPUT_LOST
    except KeyboardInterrupt:
        code = INTERRUPTED
    for number in _ENDINGS:
        # All is written. The interpreter would restore the default action, and a signal change the exit code.
        signal.signal(number, signal.SIG_IGN)
    sys.exit(code)


_ENDINGS = {signal.SIGINT: INTERRUPTED, signal.SIGTERM: 143} | (
    {signal.SIGHUP: 129} if hasattr(signal, "SIGHUP") else {}
)
"""Exit codes by signal, until a command's own handlers are set."""


def _exit(number: int, _: FrameType | None) -> None:
    """Ends at once: an import can swallow what a handler raises, and there is nothing to undo yet."""
    try:
        if number == signal.SIGINT:
            os.write(2, b"trade-service: interrupted\n")
    finally:
        os._exit(_ENDINGS[signal.Signals(number)])


def _end(code: int) -> Callable[[int, FrameType | None], None]:
    def handler(_: int, __: FrameType | None) -> None:
        sys.exit(code)

    return handler


if __name__ == "__main__":
    main()
