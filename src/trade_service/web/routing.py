"""What routes are declared with."""

from functools import partial
from typing import Any, Self, get_args, get_origin

from litestar import Controller, Router
from litestar.enums import HttpMethod
from litestar.handlers import HTTPRouteHandler


class Route(HTTPRouteHandler):
    """A route handler that guards get themselves: a copy for every request costs a sixth of a GET."""

    def __copy__(self) -> Self:
        return self


get = partial(Route, http_method=HttpMethod.GET)
post = partial(Route, http_method=HttpMethod.POST)
put = partial(Route, http_method=HttpMethod.PUT)
delete = partial(Route, http_method=HttpMethod.DELETE)


class OwnRouter(Router):
    """A router of one application, not deep-copied: Litestar's copy takes a fourth of the time to build it."""

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self


class GenericController(Controller):
    """Handlers shared by controllers that differ in types: a subclass names them as arguments of its base.

    class Blotters(ReferenceController[NamedPost, NamedPut, Blotter]): ...
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for base in cls.__orig_bases__:  # type: ignore[attr-defined]  # every generic class has them
            origin: Any = get_origin(base)
            if origin is not None and issubclass(origin, Controller):
                # Litestar reads the values of type variables here.
                cls.signature_namespace = dict(zip(origin.__parameters__, get_args(base), strict=True))
