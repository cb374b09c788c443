"""Rejects invisible characters in identifiers, and those that change how their neighbours are displayed.

Two identifiers that differ only in such a character are different to a database and look the same to people.
"""

import re

from trade_service.domain.errors import InvalidInput, shorten

_PLAIN = (
    "\\u0000-\\u001f\\u007f-\\u009f\\u00ad\\u034f\\u0600-\\u0605\\u061c\\u06dd\\u070f\\u0890\\u0891\\u08e2"
    "\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\u3164"
    "\\ufe00-\\ufe0f\\ufeff\\uffa0\\ufff0-\\ufffb"
)
_ASTRAL = (
    "\\U000110bd\\U000110cd\\U00013430-\\U0001343f\\U0001bca0-\\U0001bca3\\U0001d173-\\U0001d17a"
    "\\U000e0000-\\U000e0fff"
)
"""Unicode's control (Cc), format (Cf) and separator (Zl, Zp) characters, and the other characters that are
ignorable
by default: fillers and variation selectors."""

VISIBLE_TEXT = rf"^[^{_PLAIN}]*[^\s{_PLAIN}][^{_PLAIN}]*$"
"""A JSON Schema pattern for text that is not blank and has no such character. It omits those above U+FFFF, which
not
every regex engine accepts in a class."""
_INVISIBLE = re.compile(f"[{_PLAIN}{_ASTRAL}]")


def visible(value: str, field: str) -> str:
    """Returns `value`; raises InvalidInput when it has control, format, bidi or other invisible characters.

    The error escapes them, so that they cannot affect the terminal or page that shows it.
    """
    if found := _INVISIBLE.search(value):
        rule = f"must not contain control or invisible characters, and U+{ord(found[0]):04X} is one"
        shown = repr(value)
        message = f"{field}: {rule}; got {shorten(shown)}"
        raise InvalidInput(message, field=field, value=shorten(shown[1:-1]), rule=rule)
    return value
