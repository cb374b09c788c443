"""Undoes a Content-Encoding that no request asked for, within a bound."""

import zlib

from trade_service.execution_service.reply_interpretation import CallFailed, ClientCode

_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32
_CODINGS = frozenset({"gzip", "x-gzip", "deflate"})


def decoded(body: bytes, coding: str, max_bytes: int) -> bytes:
    """The body without the Content-Encoding that the request did not ask for. Raises CallFailed."""
    if coding == "identity":
        return body
    if coding not in _CODINGS:
        raise CallFailed(ClientCode.UNREADABLE, f"Content-Encoding {coding!r} was not asked for")
    # Some servers leave out the header of deflate, whose first byte ends in 8 (RFC 1950, 2.2).
    has_header = coding != "deflate" or body[0] & 15 == 8
    try:
        decoder = zlib.decompressobj(_GZIP_OR_ZLIB if has_header else -zlib.MAX_WBITS)
        plain = decoder.decompress(body, max_bytes + 1)
    except zlib.error as error:
        raise CallFailed(ClientCode.UNREADABLE, f"Content-Encoding {coding!r}: {error}") from error
    if len(plain) > max_bytes:
        raise CallFailed(ClientCode.BODY_TOO_LARGE)
    if not decoder.eof:
        raise CallFailed(ClientCode.TRUNCATED)
    return plain
