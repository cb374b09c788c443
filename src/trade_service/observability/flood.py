"""A flood of equal lines: the first of a time window are written, the others counted for its end. Pure."""

import msgspec


class HeldBack(msgspec.Struct, frozen=True):
    """What was not written of one kind."""

    kind: str
    count: int
    window_s: float


class _Window(msgspec.Struct):
    ends_at: float
    seen: int = 0


class Flood:
    """Lets `lines` of each kind through in every `window_s` seconds. Kinds have to be few: codes, never texts."""

    def __init__(self, lines: int, window_s: float) -> None:
        self._lines = lines
        self._window_s = window_s
        self._windows: dict[str, _Window] = {}

    def admits(self, kind: str, now: float) -> bool:
        """Whether one more of a kind is written. Ask for `ended` first: here windows only begin."""
        window = self._windows.setdefault(kind, _Window(now + self._window_s))
        window.seen += 1
        return window.seen <= self._lines

    def ended(self, now: float) -> list[HeldBack]:
        """What the windows that are over by `now` held back; infinity ends all."""
        over = [(kind, window) for kind, window in self._windows.items() if window.ends_at <= now]
        for kind, _ in over:
            del self._windows[kind]
        return [
            HeldBack(kind, window.seen - self._lines, self._window_s)
            for kind, window in over
            if window.seen > self._lines
        ]
