"""The secrets that the settings hold, for whoever has to keep them out of what others write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import unquote, urlsplit

from trade_service.settings.masking import is_secret_parameter
from trade_service.settings.model import FIELDS, Settings

_HEADER_VARIABLES = tuple(f"OTEL_EXPORTER_OTLP_{kind}HEADERS" for kind in ("", "TRACES_", "METRICS_"))


def known_secrets(settings: Settings, environ: Mapping[str, str]) -> frozenset[str]:
    """Secret settings, what is secret in addresses, and OpenTelemetry's headers; as given and decoded."""
    found: set[str] = set()
    for field in FIELDS.values():
        value = getattr(getattr(settings, field.section), field.key)
        if isinstance(value, str):
            found |= {value} if field.secret else set(_in_address(value))
    for variable in _HEADER_VARIABLES:
        found |= set(_in_headers(environ.get(variable, "")))
    return frozenset({*found, *map(unquote, found)} - {""})


def _in_address(text: str) -> Iterator[str]:
    if "://" not in text:
        return
    parts = urlsplit(text)
    login = parts.netloc.rpartition("@")[0]
    user, _, password = login.partition(":")
    yield password
    if parts.scheme in {"http", "https"} and not password:
        yield user
    # As given: what is told of an address elsewhere has not been decoded.
    for pair in parts.query.split("&"):
        name, _, value = pair.partition("=")
        if is_secret_parameter(name):
            yield value


def _in_headers(text: str) -> Iterator[str]:
    """Values, and all of what lacks a name: it is told to be wrong by quoting it."""
    for part in text.split(","):
        name, equals, value = part.partition("=")
        yield (value if equals else name).strip()
