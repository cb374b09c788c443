"""How mistakes are planted: a patch makes a context manager that replaces a part of the program."""

from collections.abc import Callable
from functools import partial
from typing import Any
from unittest import mock

Patch = Callable[[], Any]


def always(*, value: object) -> Callable[..., Any]:
    """A method that always returns the same."""
    return lambda *_args, **_kwargs: value


def replace(where: Any, name: str, value: Any) -> Patch:
    """Replaces an attribute of a class or module."""
    return partial(mock.patch.object, where, name, value)


def bound(function: Callable[..., Any], argument: object) -> Callable[..., Any]:
    """Like `partial`, but binds as a method."""
    return lambda *args: function(argument, *args)
