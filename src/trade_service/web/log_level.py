"""The log level, read and changed while the service runs, as Spring's Actuator does it."""

from typing import Any

import msgspec
from litestar import Request, Response, Router, get, post
from litestar.params import FromPath

from trade_service.domain.errors import InvalidInput, NotFound
from trade_service.web.access import OPERATOR
from trade_service.web.dependencies import LogLevel, Routes
from trade_service.web.rendering import answer
from trade_service.web.request_parsing import JsonReader
from trade_service.web.telling import tells

ROOT = "ROOT"
OURS = {
    "OFF": "CRITICAL",
    "ERROR": "ERROR",
    "WARN": "WARNING",
    "INFO": "INFO",
    "DEBUG": "DEBUG",
    "TRACE": "DEBUG",
}
"""Ours by Spring's names; OFF leaves what is critical, and there is nothing below DEBUG."""
_THEIRS = {"CRITICAL": "OFF", "ERROR": "ERROR", "WARNING": "WARN", "INFO": "INFO", "DEBUG": "DEBUG"}


class LevelPost(msgspec.Struct, frozen=True, rename="camel"):
    """A new level; null is what the settings say."""

    configured_level: str | None = None


_LEVEL = JsonReader(LevelPost)


class LoggerRoutes(Routes):
    """One logger, ROOT: the level is the whole process's."""

    def __init__(self, level: LogLevel) -> None:
        self._level = level

    def router(self) -> Router:
        """The routes."""
        return Router(
            "/actuator/loggers",
            route_handlers=[
                get("/")(self.all),
                get("/{name:str}")(self.one),
                post("/{name:str}", status_code=204, opt=tells(body=_LEVEL))(self.change),
            ],
            opt=OPERATOR,
            tags=["Operations"],
        )

    async def all(self) -> Response[dict[str, Any]]:
        """The levels that there are, and the one in force."""
        return answer({"levels": list(OURS), "loggers": {ROOT: self._told()}})

    async def one(self, name: FromPath[str]) -> Response[dict[str, Any]]:
        """The level in force."""
        _require_root(name)
        return answer(self._told())

    async def change(self, request: Request[Any, Any, Any], name: FromPath[str]) -> None:
        """Sets the level until the next change or restart; without one, to what the settings say."""
        _require_root(name)
        wanted = (await _LEVEL.read(request)).configured_level
        if wanted is not None and wanted.upper() not in OURS:
            raise InvalidInput.of(
                "configuredLevel", wanted[:80], f"must be one of {', '.join(OURS)}, or null"
            )
        self._level.change(None if wanted is None else OURS[wanted.upper()])

    def _told(self) -> dict[str, str]:
        level = _THEIRS[self._level.effective]
        return {"configuredLevel": level, "effectiveLevel": level}


def _require_root(name: str) -> None:
    if name.upper() != ROOT:
        raise NotFound.of("logger", name[:80])
