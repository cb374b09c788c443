"""Which web pages may call: browsers send the origin of a page with every request that changes anything."""

import re
from collections.abc import Sequence

from litestar.config.cors import CORSConfig

from trade_service.web.codes import HttpCode
from trade_service.web.errors import RequestRefused

EVERY = "*"
_OF_THIS_MACHINE = r"https?://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?"


class AllowedOrigins:
    """The allowed origins; None allows the pages that this machine serves itself.

    CORS headers alone do not keep a page from calling: browsers send a POST without a body, or with plain text,
    without a preflight request.
    """

    def __init__(self, allowed: Sequence[str] | None) -> None:
        self._allowed = allowed
        self._own = re.compile(_OF_THIS_MACHINE, re.IGNORECASE) if allowed is None else None

    def cors(self, expose_headers: list[str]) -> CORSConfig:
        """The same, as Litestar's CORS settings."""
        if self._allowed is None:
            return CORSConfig([], allow_origin_regex=_OF_THIS_MACHINE, expose_headers=expose_headers)
        return CORSConfig(list(self._allowed), expose_headers=expose_headers)

    def check(self, origin: str, host: str) -> None:
        """Raises RequestRefused (403) for a change requested by a page of another origin."""
        if self._allows(origin, host):
            return
        rule = "must be one of server.cors_allow_origins: pages from elsewhere change nothing here"
        raise RequestRefused.of(403, HttpCode.ORIGIN_NOT_ALLOWED, "Origin", origin[:200], rule)

    def _allows(self, origin: str, host: str) -> bool:
        if self._own is not None:
            return self._own.fullmatch(origin) is not None
        allowed = self._allowed or ()
        return EVERY in allowed or origin in allowed or origin.partition("://")[2] == host
