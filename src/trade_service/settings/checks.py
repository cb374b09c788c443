"""Rules for single values: each gives the canonical form, or raises ValueError with the rule."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

_LEVELS = {
    "TRACE": "DEBUG",
    "DEBUG": "DEBUG",
    "INFO": "INFO",
    "WARN": "WARNING",
    "WARNING": "WARNING",
    "ERROR": "ERROR",
    "FATAL": "CRITICAL",
    "CRITICAL": "CRITICAL",
}
_SIGNATURES = frozenset(
    {f"{kind}{bits}" for kind in ("RS", "PS", "ES") for bits in (256, 384, 512)} | {"EdDSA"}
)
_UNPRINTABLE = re.compile(r"[\s\x00-\x1f\x7f]")


def log_level(value: str) -> str:
    """A level of the standard library's logging; the spellings of other frameworks are translated."""
    level = _LEVELS.get(value.strip().upper())
    if level is None:
        raise ValueError("one of DEBUG, INFO, WARNING (or WARN), ERROR, CRITICAL")
    return level


def log_format(value: str) -> str:
    """A log format, in lower case."""
    chosen = value.strip().lower()
    if chosen not in {"auto", "json", "console"}:
        raise ValueError("one of auto, json, console")
    return chosen


def algorithms(values: tuple[str, ...]) -> tuple[str, ...]:
    """Signatures by a private key that only the issuer has; those by a shared secret, and none, are not."""
    if not values or not set(values) <= _SIGNATURES:
        raise ValueError(f"a list of {', '.join(sorted(_SIGNATURES))}")
    return values


def base_url(value: str) -> str:
    """An address that paths are appended to: no query, no fragment; a closing slash is dropped."""
    rule = "a URL such as http://host:8084, without query or fragment"
    parts = _split_http(value, rule)
    if parts.query or parts.fragment:
        raise ValueError(rule)
    return value.rstrip("/")


def http_url(value: str) -> str:
    """A complete http or https address, kept as it is."""
    _split_http(value, "a URL such as http://host:4318/v1/metrics")
    return value


def origins(values: tuple[str, ...]) -> tuple[str, ...]:
    """Origins in the sense of CORS: scheme, host and port only, or the star for all."""
    rule = 'a list of origins such as https://portal.example or "*" for all, without a path'
    for value in values:
        if value != "*" and re.fullmatch(r"[a-z][a-z0-9+.-]*://[^/\s?#@]+", value, re.IGNORECASE) is None:
            raise ValueError(rule)
    return values


def trade_types(values: tuple[str, ...]) -> tuple[str, ...]:
    """Abbreviations of trade types: 1 to 10 capital letters or digits each."""
    if not all(re.fullmatch(r"[A-Z0-9_]{1,10}", value) for value in values):
        raise ValueError("a list of trade types such as BUY, SELL (1 to 10 capital letters each)")
    return values


def patterns(values: tuple[str, ...]) -> tuple[str, ...]:
    """Parts of messages, none blank: a blank one would be found in every message."""
    if not all(value.strip() for value in values):
        raise ValueError("a list of texts, none of them blank")
    return values


def refusals(values: tuple[str, ...]) -> tuple[str, ...]:
    """Whole messages, each with more in it than wildcards: what every message matches refuses everything."""
    if not all(value.replace("*", "").strip() for value in values):
        raise ValueError("a list of messages, none of them blank or of * alone")
    return values


def _split_http(value: str, rule: str) -> SplitResult:
    try:
        parts = urlsplit(value)
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port out of range, an unclosed bracket
        valid = False
    if not valid or _UNPRINTABLE.search(value):
        raise ValueError(rule)
    return parts
