"""What the processes that serve one address share: bound sockets, and the counts of their connections."""

import mmap
import socket
from collections.abc import Sequence
from typing import NamedTuple

_BYTES = 4
"""Size of one count."""


def counts_size(processes: int) -> int:
    """Size in bytes of the counts of that many processes."""
    return _BYTES * processes


class ConnectionCounts:
    """How many connections each process has, in memory that all of them map: hints, read without a lock."""

    def __init__(self, file: int, own: int, processes: int) -> None:
        """`file` is the descriptor of `counts_size` bytes; `own` is this process's place, from 0."""
        self._counts = memoryview(mmap.mmap(file, counts_size(processes))).cast("I")
        self._own = own

    def publish(self, connections: int) -> None:
        """Shows the others how many connections this process has."""
        self._counts[self._own] = connections

    @property
    def is_ahead(self) -> bool:
        """Whether another process has fewer connections, and should accept the next one."""
        return self._counts[self._own] > min(self._counts)


class SharedPort(NamedTuple):
    """Bound sockets on which other processes accept connections too, and the counts of all."""

    sockets: Sequence[socket.socket]
    counts: ConnectionCounts
