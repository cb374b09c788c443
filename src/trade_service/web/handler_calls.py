"""Calls handlers without what Litestar does for kinds of handlers that this application does not have.

Litestar prepares each call for generators among the dependencies, cookies, forms, caches and any type of response,
which costs more than most handlers.
"""

from collections.abc import Awaitable, Callable
from typing import Any, cast

import msgspec
from litestar.dto import AbstractDTO
from litestar.handlers import HTTPRouteHandler

from trade_service.web.dependencies import Constant

_ID_IN_PATH, _NAME_IN_PATH = "_id", "name"


class HandlerCall(msgspec.Struct, frozen=True):
    """Calls a handler whose arguments are constants, texts of the path, a strict body, and the request."""

    handler: HTTPRouteHandler
    function: Callable[..., Awaitable[Any]]
    guards: tuple[Callable[..., Awaitable[None]], ...]
    before: Callable[..., Awaitable[Any]] | None
    constants: dict[str, Any]
    in_path: tuple[str, ...]
    takes_request: bool
    body: type[AbstractDTO[Any]] | None

    @classmethod
    def of(cls, handler: HTTPRouteHandler) -> "HandlerCall | None":
        """None for a handler that Litestar has to call."""
        if handler.has_sync_callable or handler.cache or handler.resolve_after_response() is not None:
            return None
        names = [name for name in handler.parsed_fn_signature.parameters if name != "self"]
        provided = {name: one for name, one in handler.resolve_dependencies().items() if name in names}
        constants = {name: one.value for name, one in provided.items() if isinstance(one, Constant)}
        in_path = [
            name for name in names if name not in constants and name.endswith((_ID_IN_PATH, _NAME_IN_PATH))
        ]
        body = handler.resolve_data_dto() if "data" in names else None
        if set(names) - {"request", *constants, *in_path, *(("data",) if body is not None else ())}:
            return None
        return cls(
            handler,
            handler.fn,
            cast(Any, tuple(handler.resolve_guards())),  # Litestar made all of them asynchronous.
            handler.resolve_before_request(),
            constants,
            tuple(in_path),
            "request" in names,
            body,
        )
