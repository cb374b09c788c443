"""Bounds of event streams."""

import msgspec


class StreamSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of event streams."""

    max_streams: int = 50
    poll_s: float = 0.5
    heartbeat_s: float = 15.0
    max_s: float = 900.0
    """Then a stream ends: its client reconnects and goes on after the last event that it has."""
