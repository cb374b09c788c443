"""How many connections there may be, and which one is closed for another."""

from typing import Protocol


class Closable(Protocol):
    """A connection."""

    def drop(self) -> None:
        """Closes it at once and forgets it."""


class Places:
    """The connections of a server that may be closed to make room: all but those whose request is being served.

    So idle connections and slow heads never keep a probe out. The number of requests served at once is bounded by
    the application.
    """

    def __init__(self, max_connections: int, max_unread_bytes: int) -> None:
        self.max_connections = max_connections
        self.is_draining = False
        """Whether each connection ends with its next answer."""
        self._max_unread_bytes = max_unread_bytes
        self._unread_bytes = 0
        self.waiting: dict[Closable, None] = {}
        """Those without a request to serve, the longest first."""
        self._stalled: dict[Closable, int] = {}
        """Those whose client reads too slowly, and how many bytes they keep; the longest first."""

    def make_room(self) -> bool:
        """Closes one connection, if one may be closed."""
        for one in self.waiting or self._stalled:
            one.drop()
            return True
        return False

    def stalled(self, connection: Closable, unread_bytes: int) -> None:
        """The client of `connection` does not read what is written to it."""
        self.flowing(connection)
        self._stalled[connection] = unread_bytes
        self._unread_bytes += unread_bytes
        while self._unread_bytes > self._max_unread_bytes:
            next(iter(self._stalled)).drop()

    def flowing(self, connection: Closable) -> None:
        """The client of `connection` reads again."""
        self._unread_bytes -= self._stalled.pop(connection, 0)

    def forget(self, connection: Closable) -> None:
        self.waiting.pop(connection, None)
        self.flowing(connection)
