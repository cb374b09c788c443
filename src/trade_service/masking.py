"""Masks secrets in messages, tables and reprs."""

import re

MASK = "***"
_SHOWN_CHARACTERS = 120

# Greedy to the last "@": an unquoted "/" or "@" inside a password must not end the mask too early.
_WITH_USER = re.compile(r"(//[^:/?#@\s]*):.*@", re.DOTALL)
# The same where the scheme was forgotten: "name:password@host".
_WITHOUT_SCHEME = re.compile(r"^(['\"]?[^:/?#@\s]*):.*@", re.DOTALL)
# "//name:something" without "@": a port is digits; anything else may be a password whose host is missing.
_NO_PORT = re.compile(r"(//[^:/?#@\[\s]*):(?!\d{1,5}(?:[/?#,'\"]|$))[^/?#'\"]+")
# A user alone is a token in an http URL, and only a name in a database URL.
_TOKEN_AS_USER = re.compile(r"(https?://)[^:/?#@\s]+@", re.IGNORECASE)
_SECRET_NAME = r"(?:pass|pwd|secret|token|key|sig|auth|credential)[\w.-]{0,40}"
_PARAMETER = re.compile(rf"({_SECRET_NAME}=)[^&#\s'\"]*", re.IGNORECASE)


def mask_url(text: str) -> str:
    """Masks passwords, tokens and secret parameters of a URL in the text.

    Also masks malformed URLs, since those are the ones that error messages show.
    """
    with_user = _WITH_USER if "//" in text else _WITHOUT_SCHEME
    masked = with_user.sub(rf"\1:{MASK}@", text)
    if masked == text:
        masked = _NO_PORT.sub(rf"\1:{MASK}", text)
    masked = _TOKEN_AS_USER.sub(rf"\1{MASK}@", masked)
    return _PARAMETER.sub(rf"\g<1>{MASK}", masked)


def is_secret_parameter(name: str) -> bool:
    """Whether a URL parameter of this name holds a secret."""
    return re.search(_SECRET_NAME, name, re.IGNORECASE) is not None


def shown(value: object, *, secret: bool = False) -> str:
    """The value masked and free of line breaks and control characters."""
    if secret:
        return MASK
    text = mask_url(str(value))
    return text if text.isprintable() else repr(text)[1:-1]


def quoted(value: object, *, secret: bool = False) -> str:
    """An invalid value for an error message: on one line, masked and shortened; tables are not shown."""
    if secret:
        return MASK
    if isinstance(value, dict):
        return "a table"
    try:
        text = mask_url(repr(value))
    except ValueError:  # Python refuses to print whole numbers of more than 4300 digits
        return "a number of thousands of digits"
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."
