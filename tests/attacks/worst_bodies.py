"""The bodies that cost most, of all that a route has room for."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec
from litestar import Litestar
from litestar.routes import HTTPRoute

from trade_service.web.body_bounds import ROOM, Room
from trade_service.web.openapi.document import examples

VALUES = {
    "numbers": b"1",
    "fractions": b"1.5",
    "long fractions": b"1234567890.12345678",
    "texts": b'""',
    "numbers as text": b'"1"',
    "texts with escapes": b'"\\u00e9"',
    "objects": b"{}",
    "filled objects": b'{"a":1,"b":"x"}',
    "lists": b"[]",
}


class BodyRoute(msgspec.Struct, frozen=True):
    """A route that takes a body."""

    method: str
    path: str
    shape: Any
    """None where it takes any bytes."""
    max_bytes: int
    max_values: int

    @property
    def url(self) -> str:
        """The path with an id in place of each parameter."""
        return self.path.replace("{name}", "ROOT").replace("{", "").replace("}", "").replace(
            "reference_id", "1"
        ).replace("trade_order_id", "1").replace("execution_id", "1")  # fmt: skip

    def many(self, start: bytes, value: bytes, end: bytes) -> bytes:
        """`value` as often as the route has room for, separated by commas."""
        counted = 1 + sum(value.count(sign) for sign in (b",", b"{", b"["))
        bytes_left = self.max_bytes - len(start) - len(end)
        count = min(bytes_left // (len(value) + 1), (self.max_values - 20) // counted)
        return start + b",".join([value] * count) + end


def body_routes(app: Litestar) -> Iterator[BodyRoute]:
    """Every route that takes a body."""
    for route in app.routes:
        assert isinstance(route, HTTPRoute), route
        for method, (handler, _) in route.route_handler_map.items():
            if method in {"POST", "PUT"}:
                field, room = handler.parsed_data_field, handler.opt.get(ROOM, Room(0, 10**9))
                shape = None if field is None else field.annotation
                max_bytes = handler.resolve_request_max_body_size()
                assert max_bytes is not None
                yield BodyRoute(str(method), route.path_format, shape, max_bytes, room.max_values)


def worst_bodies(route: BodyRoute) -> Iterator[tuple[str, bytes]]:
    """The bodies with a name each: valid ones, and invalid ones that are decoded before they are refused."""
    sound = examples().get(getattr(route.shape, "__name__", ""), {"configuredLevel": "INFO"})
    beside = json.dumps(sound).encode()[:-1]
    for name, value in VALUES.items():
        yield f"an unknown member of {name}", route.many(beside + b',"unknown":[', value, b"]}")
    yield "unknown names", beside + b"," + b",".join(
        b'"%06x":1' % number for number in range(min(route.max_bytes // 12, route.max_values - 20) - 100)
    ) + b"}"  # fmt: skip
    yield "a name twice at the end", route.many(beside + b',"unknown":[', b"{}", b'],"unknown":1}')
    yield "a long text", beside + b',"unknown":"' + b"\\u00e9" * ((route.max_bytes - 1000) // 6) + b'"}'
    yield "brackets", beside + b',"unknown":' + b"[" * (min(route.max_bytes, route.max_values) - 1000)
    for member, given in sound.items():
        rest = json.dumps({name: one for name, one in sound.items() if name != member}).encode()[:-1]
        begin = rest + (b"," if len(rest) > 1 else b"") + json.dumps(member).encode() + b":"
        for name, value in VALUES.items():
            yield f"{member} as a list of {name}", route.many(begin + b"[", value, b"]}")
        yield f"{member} as a long text", begin + b'"' + b"x" * (route.max_bytes - len(begin) - 3) + b'"}'
        yield f"{member} as a long number", begin + b"1." + b"0" * (route.max_bytes - len(begin) - 4) + b"1}"
        if isinstance(given, list):
            item = json.dumps(given[0]).encode()
            yield f"{member} as long as fits", route.many(begin + b"[", item, b"]}")
