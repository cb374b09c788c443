"""How large a body each route takes: declared at the routes, bounded by the settings.

A route takes `server.max_small_body_bytes`. One that takes a list declares the room that its items need:

    @post("/bulk", opt=TRADER | room_for(1_000, item_bytes=1_000, item_values=64))
"""

from typing import Any

import msgspec
from litestar import Litestar
from litestar.routes import HTTPRoute

from trade_service.domain.errors import TooMany
from trade_service.web.web_settings import ServerSettings

ROOM = "room"
"""The key of a handler's `opt`."""


class Room(msgspec.Struct, frozen=True):
    """What the list of a body may take beyond the bound of every route."""

    max_bytes: int
    max_values: int
    """Objects, lists, texts and numbers: they cost time and memory to decode, however short they are."""

    def check(self, body: bytes) -> None:
        """Raises TooMany for a body of too many values, which are counted before any is decoded.

        Commas and brackets inside of texts count as well.
        """
        values = body.count(b",") + body.count(b"[") + body.count(b"{")
        if values > self.max_values:
            message = f"body: must have at most {self.max_values} values at this address; got {values}"
            raise TooMany(message, field="body", value=values, limit=self.max_values)


def room_for(items: int, *, item_bytes: int, item_values: int) -> dict[str, Any]:
    """The `opt` of a handler whose body has a list."""
    return {ROOM: Room(items * item_bytes, items * item_values)}


WHOLE_FILES: dict[str, Any] = {ROOM: Room(2**40, 0)}
"""The `opt` of a handler whose body is a file, which only `server.max_body_bytes` bounds."""


def bound_bodies(app: Litestar, server: ServerSettings) -> None:
    """Gives every route of `app` its bound in bytes."""
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for handler, _ in route.route_handler_map.values():
                room: Room | None = handler.opt.get(ROOM)
                wanted = server.max_small_body_bytes + (0 if room is None else room.max_bytes)
                handler.request_max_body_size = min(server.max_body_bytes, wanted)
