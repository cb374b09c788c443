"""From a value as found to a value of the setting's type, or an error that names both."""

from __future__ import annotations

import math

import msgspec

from trade_service.settings.errors import SettingsError
from trade_service.settings.fields import Field
from trade_service.settings.masking import quoted
from trade_service.settings.sources import Raw

_WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_BOOLEANS = {**_WORDS, "1": True, "0": False}


def convert(field: Field, raw: Raw) -> object:
    """The typed value, in canonical form and within its range. Raises SettingsError."""
    if isinstance(raw.value, str) and not _is_unicode(raw.value):
        raise wrong(field, raw, f"{field.rule()}, in UTF-8")
    try:
        value = _from_text(field, str(raw.value)) if raw.is_text else raw.value
        if field.switch is not None and isinstance(value, bool):
            value = field.switch if value else 0
        typed = msgspec.convert(value, field.type)
    except msgspec.ValidationError:
        raise wrong(field, raw, field.rule()) from None
    if isinstance(typed, float) and not math.isfinite(typed):
        raise wrong(field, raw, field.rule())
    if field.check is None or typed is None:
        return typed
    try:
        return field.check(typed)
    except ValueError as error:
        raise wrong(field, raw, str(error)) from None


def wrong(field: Field, raw: Raw, rule: str) -> SettingsError:
    """The one line that stops the start."""
    return SettingsError(f"{raw.label} is {quoted(raw.value, secret=field.secret)}: it must be {rule}")


def _is_unicode(text: str) -> bool:
    """False where the environment held bytes that are not UTF-8 (Python stands in surrogates for those)."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _from_text(field: Field, text: str) -> object:
    """What the text stands for; text that stands for nothing stays text, and fails the type check."""
    if field.is_list:
        return [part.strip() for part in text.split(",") if part.strip()]
    if field.base is str:
        return text if field.secret else text.strip()
    word = text.strip()
    if field.base is bool:
        return _BOOLEANS.get(word.lower(), text)
    if field.switch is not None and word.lower() in _WORDS:
        return _WORDS[word.lower()]
    return msgspec.convert(word, field.base, strict=False)
