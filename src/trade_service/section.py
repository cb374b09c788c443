"""Declaring settings: a component lists its own in a `Section`, one line a setting.

    class PoolSettings(Section, frozen=True):
        \"""The connection pool.\"""

        size: Annotated[int, Setting("Maximum number of connections.", 1, 500)] = 8

`settings` composes the sections, reads their values and documents them.
"""

import ipaddress
import re
import types
import typing
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec

from trade_service.masking import shown

ENV_PREFIX = "TRADE_SERVICE_"
FILE_SUFFIX = "_FILE"

Check = Callable[[Any], Any]
"""Takes a value of the right type and returns its canonical form; raises ValueError with the rule."""

_KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
_UNPRINTABLE = re.compile(r"[\s\x00-\x1f\x7f]")


class Setting(msgspec.Struct, frozen=True):
    """What `Annotated` says about a setting beside its type.

    `low` and `high` bound numbers. `env` lists legacy environment variables; `none` explains a missing value; a
    `secret` is never shown; `switch` is the number that "true" stands for ("false" stands for 0); `zero` is the
    word that stands for 0. A setting with a `share` holds for the whole service: its workers divide it, and each
    has at least `share` of it. A value may be read from a file if it is `secret`, or if it `may_hold_secret`, as
    an address with a password does.
    """

    help: str
    low: float | None = None
    high: float | None = None
    env: tuple[str, ...] = ()
    check: Check | None = None
    none: str | None = None
    min_length: int | None = None
    secret: bool = False
    may_hold_secret: bool = False
    switch: int | None = None
    zero: str | None = None
    share: int | None = None


class SettingField(msgspec.Struct, frozen=True):
    """A declared setting: its place in the tree, its type (`base`: without None) and default."""

    section: str
    key: str
    base: Any
    optional: bool
    default: Any
    about: Setting

    @property
    def name(self) -> str:
        """The dotted name."""
        return f"{self.section}.{self.key}"

    @property
    def env_names(self) -> tuple[str, ...]:
        """The native environment variable, then its aliases; the first one set wins."""
        return (f"{ENV_PREFIX}{self.section}_{self.key}".upper(), *self.about.env)

    @property
    def is_read_from_files(self) -> bool:
        """Whether a file may hold the value: every secret, so that no environment has to."""
        return self.about.secret or self.about.may_hold_secret

    @property
    def file_env_names(self) -> tuple[str, ...]:
        """The environment variables that name a file with the value, in the order of `env_names`."""
        return tuple(f"{name}{FILE_SUFFIX}" for name in self.env_names) if self.is_read_from_files else ()

    @property
    def is_list(self) -> bool:
        """Whether the value is a list of texts."""
        return typing.get_origin(self.base) is tuple

    def typed(self, value: object) -> object:
        """The value in the setting's type and within its bounds; raises msgspec.ValidationError."""
        if value is None and self.optional:
            return None
        about = self.about
        if about.min_length is None:
            bounds = msgspec.Meta(ge=about.low, le=about.high)
        else:
            bounds = msgspec.Meta(min_length=about.min_length)
        return msgspec.convert(value, Annotated[self.base, bounds])

    def show(self, value: object) -> str:
        """The value for people: secrets masked, passwords inside URLs masked, None explained."""
        if value is None:
            return f"none ({self.about.none})" if self.about.none else "none"
        if isinstance(value, bool):
            return str(value).lower()
        if value == 0 and self.about.zero is not None:
            return self.about.zero
        if isinstance(value, tuple):
            return ", ".join(shown(item, secret=self.about.secret) for item in value) or "(none)"
        return shown(value, secret=self.about.secret)

    def rule(self) -> str:
        """What a value must be, to follow "it must be"."""
        if typing.get_origin(self.base) is Literal:
            return "one of " + ", ".join(str(choice) for choice in typing.get_args(self.base))
        text, about = _KINDS.get(self.base, "a list of texts"), self.about
        if about.low is not None:
            text += f" from {about.low} to {about.high}"
        if about.min_length is not None:
            text += ", not empty"
        if about.zero is not None:
            text += f", or {about.zero}"
        return text + (" (or true or false)" if about.switch is not None else "")


@lru_cache
def fields_of(section: str, struct: type[msgspec.Struct]) -> tuple[SettingField, ...]:
    """The settings of a section in the order of their declaration."""
    return tuple(_field(section, info) for info in msgspec.structs.fields(struct))


def _field(section: str, info: msgspec.structs.FieldInfo) -> SettingField:
    declared, about = typing.get_args(info.type)
    optional = typing.get_origin(declared) in (typing.Union, types.UnionType)
    base = next(m for m in typing.get_args(declared) if m is not types.NoneType) if optional else declared
    return SettingField(section, info.name, base, optional, info.default, about)


class Section(msgspec.Struct, frozen=True):
    """A group of settings. Its repr masks secrets, so it may appear in a log or a traceback."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{key}={value}' for key, value in self.__rich_repr__())})"

    def __rich_repr__(self) -> Iterator[tuple[str, str]]:  # type: ignore[override]
        for field in fields_of("", type(self)):
            yield field.key, field.show(getattr(self, field.key))


def root_url(value: str) -> str:
    """A `Check`: an address that paths are appended to, without query, fragment and closing slash."""
    return _http(value, "a URL such as http://host:8084, without query or fragment", bare=True).rstrip("/")


def http_url(value: str) -> str:
    """A `Check`: a complete http or https address."""
    return _http(value, "a URL such as http://host:4318/v1/metrics", bare=False)


def is_loopback(host: str) -> bool:
    """Whether only programs of this machine reach the host."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def is_safe(url: str) -> bool:
    """Whether nobody on the network can read or change what travels to and from a URL: https, or this machine."""
    parts = urlsplit(url)
    return parts.scheme.lower() == "https" or is_loopback(parts.hostname or "")


def _http(value: str, rule: str, *, bare: bool) -> str:
    try:
        parts = urlsplit(value)
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port out of range, an unclosed bracket
        valid = False
    if not valid or _UNPRINTABLE.search(value) or (bare and (parts.query or parts.fragment)):
        raise ValueError(rule)
    return value
