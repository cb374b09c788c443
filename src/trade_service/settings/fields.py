"""How a setting is declared, and what can be read off its declaration: names, type, rule, meaning."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Annotated, Any, Literal

import msgspec

from trade_service.settings.masking import shown

ENV_PREFIX = "TRADE_SERVICE_"

Check = Callable[[Any], Any]
"""Takes a value of the right type, gives it back in canonical form, or raises ValueError with the rule."""


def about(
    description: str,
    *,
    env: tuple[str, ...] = (),
    ge: float | None = None,
    le: float | None = None,
    min_length: int | None = None,
    check: Check | None = None,
    none: str | None = None,
    secret: bool = False,
    switch: int | None = None,
) -> msgspec.Meta:
    """Declare a setting: its meaning in one line, its range, and how it is read and shown.

    `env` are older names of the variable, the first one set wins; `none` says what leaving the value out
    means; `secret` values are never shown; `switch` is the number that the word "true" stands for (then
    "false" stands for 0).
    """
    extra = {"env": env, "check": check, "none": none, "secret": secret, "switch": switch}
    if min_length is not None:
        return msgspec.Meta(description=description, min_length=min_length, extra=extra)
    return msgspec.Meta(description=description, ge=ge, le=le, extra=extra)


class Field(msgspec.Struct, frozen=True):
    """One setting. `name` is dotted, `base` its type without None, `type` without description."""

    section: str
    key: str
    type: Any
    base: Any
    optional: bool
    default: Any
    meta: msgspec.Meta

    @property
    def name(self) -> str:
        return f"{self.section}.{self.key}"

    @property
    def env_names(self) -> tuple[str, ...]:
        """The native name of the environment variable, then its aliases; the first one set wins."""
        return (f"{ENV_PREFIX}{self.section}_{self.key}".upper(), *self._extra("env"))

    @property
    def description(self) -> str:
        return self.meta.description or ""

    @property
    def secret(self) -> bool:
        return bool(self._extra("secret"))

    @property
    def none_means(self) -> str | None:
        return typing.cast("str | None", self._extra("none"))

    @property
    def switch(self) -> int | None:
        return typing.cast("int | None", self._extra("switch"))

    @property
    def check(self) -> Check | None:
        return typing.cast("Check | None", self._extra("check"))

    @property
    def is_list(self) -> bool:
        return typing.get_origin(self.base) is tuple

    def show(self, value: object) -> str:
        """The value for people: secrets masked, passwords inside URLs masked, None explained."""
        if value is None:
            return f"none ({self.none_means})" if self.none_means else "none"
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, tuple):
            return ", ".join(shown(item, secret=self.secret) for item in value) or "(none)"
        return shown(value, secret=self.secret)

    def rule(self) -> str:
        """What a value must be, to follow "it must be"."""
        if typing.get_origin(self.base) is Literal:
            return "one of " + ", ".join(str(choice) for choice in typing.get_args(self.base))
        kinds: dict[object, str] = {
            int: "a whole number",
            float: "a number",
            bool: "true or false",
            str: "a text",
        }
        text = kinds.get(self.base, "a list of texts")
        low, high = self.meta.ge, self.meta.le
        if low is not None and high is not None:
            text += f" from {low} to {high}"
        if self.meta.min_length is not None:
            text += ", not empty"
        return text + (" (or true or false)" if self.switch is not None else "")

    def _extra(self, key: str) -> Any:
        return (self.meta.extra or {})[key]


@lru_cache
def fields_of(section: str, struct: type[msgspec.Struct]) -> tuple[Field, ...]:
    """The settings of a section in the order of their declaration."""
    return tuple(_fields_of(section, struct))


def _fields_of(section: str, struct: type[msgspec.Struct]) -> Iterator[Field]:
    for info in msgspec.structs.fields(struct):
        members = typing.get_args(info.type) if _is_union(info.type) else (info.type,)
        annotated = next(member for member in members if typing.get_origin(member) is Annotated)
        base, meta = typing.get_args(annotated)
        yield Field(section, info.name, info.type, base, len(members) > 1, info.default, meta)


def _is_union(type_: object) -> bool:
    return typing.get_origin(type_) in (typing.Union, types.UnionType)


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A group of settings. Its repr masks secrets, so it may appear in a log or a traceback."""

    def __repr__(self) -> str:
        parts = (f"{key}={value}" for key, value in self.__rich_repr__())
        return f"{type(self).__name__}({', '.join(parts)})"

    def __rich_repr__(self) -> Iterator[tuple[str, str]]:  # type: ignore[override]
        for field in fields_of("", type(self)):
            yield field.key, field.show(getattr(self, field.key))
