"""Characters that no identifier needs: they show nothing, or change how their neighbours are shown.

Two identifiers that look alike but differ in such a character are two things to every database, and one to
everybody who reads them.
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
"""Unicode's control (Cc), format (Cf) and separator (Zl, Zp) characters, and what else it calls ignorable by
default: fillers and variation selectors."""

VISIBLE_TEXT = rf"^[^{_PLAIN}]*[^\s{_PLAIN}][^{_PLAIN}]*$"
"""A text that is not blank and has none of them, as a pattern of JSON Schema: without those above U+FFFF, which
not every reader of patterns takes in a class."""
_INVISIBLE = re.compile(f"[{_PLAIN}{_ASTRAL}]")


def visible(value: str, field: str) -> str:
    """`value` itself; raises InvalidInput when it has control, format, bidi or other invisible characters.

    The error shows them by their escapes, so that they do nothing to the terminal or page that it is read on.
    """
    if found := _INVISIBLE.search(value):
        rule = f"must not contain control or invisible characters, and U+{ord(found[0]):04X} is one"
        shown = repr(value)
        message = f"{field}: {rule}; got {shorten(shown)}"
        raise InvalidInput(message, field=field, value=shorten(shown[1:-1]), rule=rule)
    return value
