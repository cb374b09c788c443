"""Ctrl-C, SIGTERM and SIGHUP: what handles them, and when they end a command."""

import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, NoReturn, Self

ENDING_SIGNALS = (
    signal.SIGINT, signal.SIGTERM, *((signal.SIGHUP,) if hasattr(signal, "SIGHUP") else ()),
)  # fmt: skip


def raise_ending(number: signal.Signals) -> NoReturn:
    """Ends the command with the exit code of a signal."""
    if number is signal.SIGINT:
        raise KeyboardInterrupt
    sys.stderr.write(f"trade-service: stopped by {number.name}\n")
    sys.exit(128 + number)


@contextmanager
def signals_handled(act: Callable[[signal.Signals], None]) -> Iterator[None]:
    """Calls `act` at Ctrl-C, SIGTERM and SIGHUP until the block ends. Those that are ignored stay so (`nohup`)."""
    before = {number: signal.getsignal(number) for number in ENDING_SIGNALS}
    handled = {number: handler for number, handler in before.items() if handler is not signal.SIG_IGN}
    try:
        for number in handled:
            signal.signal(number, lambda got, _: act(signal.Signals(got)))
        yield
    finally:
        _restore(handled)


def _restore(handlers: Mapping[signal.Signals, Any]) -> None:
    try:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    except BaseException:  # A restored handler may end the command before the others are restored.
        _restore(handlers)
        raise


class HeldSignals:
    """While files are written, Ctrl-C, SIGTERM and SIGHUP end the block in `released` and nothing else.

    The files around that block are always opened and finished whole; a signal that arrives meanwhile takes effect
    afterwards. The first signal ends the block, and later ones cannot cut its ending short.
    """

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._waiting: list[signal.Signals] = []
        self._is_released = False

    def __enter__(self) -> Self:
        self._stack.enter_context(signals_handled(self._note))
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._stack.close()
        if self._waiting and kind is None:
            raise_ending(self._waiting[0])

    @contextmanager
    def released(self) -> Iterator[None]:
        """Signals end this block."""
        self._is_released = True
        try:
            if self._waiting:
                raise_ending(self._waiting[0])
            yield
        finally:
            self._is_released = False

    def _note(self, number: signal.Signals) -> None:
        self._waiting.append(number)
        if self._is_released:
            self._is_released = False
            raise_ending(number)
