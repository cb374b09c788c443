"""/actuator/loggers: the log level, read and changed at run time, as Spring's Actuator does it."""

from typing import Any

import msgspec
from litestar import Controller, Response
from litestar.params import FromPath, JSONBody

from trade_service.domain.errors import InvalidInput, NotFound
from trade_service.web.access import OPERATOR
from trade_service.web.dependencies import AdjustableLogLevel, HttpRequest, Injected
from trade_service.web.rendering import answer
from trade_service.web.routing import get, post

ROOT = "ROOT"
LEVELS = {
    "OFF": "CRITICAL",
    "ERROR": "ERROR",
    "WARN": "WARNING",
    "INFO": "INFO",
    "DEBUG": "DEBUG",
    "TRACE": "DEBUG",
}
"""Our levels by Spring's names. OFF still logs what is critical, and nothing is below DEBUG."""
_SPRING = {"CRITICAL": "OFF", "ERROR": "ERROR", "WARNING": "WARN", "INFO": "INFO", "DEBUG": "DEBUG"}


class LevelPost(msgspec.Struct, frozen=True, rename="camel"):
    """A new level; null restores the one in the settings."""

    configured_level: str | None = None


async def _require_root_in_path(request: HttpRequest) -> None:
    """Comes before the body is decoded: a bad body for an unknown logger is answered 404."""
    _require_root(request.path_params["name"])


class LogLevelController(Controller):
    """One logger, ROOT: the level is that of the whole process."""

    path = "/actuator/loggers"
    opt = OPERATOR
    tags = ("Operations",)

    @get("/")
    async def all(self, level: Injected[AdjustableLogLevel]) -> Response[dict[str, Any]]:
        """The known levels, and the one in force."""
        return answer({"levels": list(LEVELS), "loggers": {ROOT: _shown(level)}})

    @get("/{name:str}")
    async def one(self, level: Injected[AdjustableLogLevel], name: FromPath[str]) -> Response[dict[str, Any]]:
        """The level in force."""
        _require_root(name)
        return answer(_shown(level))

    @post("/{name:str}", status_code=204, before_request=_require_root_in_path)
    async def change(self, level: Injected[AdjustableLogLevel], data: JSONBody[LevelPost]) -> None:
        """Sets the level until the next change or restart; null restores the one in the settings."""
        wanted = data.configured_level
        if wanted is not None and wanted.upper() not in LEVELS:
            rule = f"must be one of {', '.join(LEVELS)}, or null"
            raise InvalidInput.of("configuredLevel", wanted[:80], rule)
        level.change(None if wanted is None else LEVELS[wanted.upper()])


def _shown(level: AdjustableLogLevel) -> dict[str, str]:
    shown = _SPRING[level.effective]
    return {"configuredLevel": shown, "effectiveLevel": shown}


def _require_root(name: str) -> None:
    if name.upper() != ROOT:
        raise NotFound.of("logger", name[:80])
