"""Probes, build information, metrics and the log level, also at the addresses of the legacy service."""

import asyncio
from typing import Any

import msgspec
import structlog
from litestar import Controller, Response
from litestar.openapi.spec import OpenAPIType, Schema
from litestar.params import FromPath, JSONBody

from trade_service import __version__
from trade_service.domain.errors import InvalidInput, NotFound
from trade_service.submission.ports import StoreUnavailable
from trade_service.trading.audit_log import Action, ObjectKind
from trade_service.web.access import ANYONE, OPERATOR, get, post
from trade_service.web.dependencies import AdjustableLogLevel, Injected, Metrics, Services
from trade_service.web.responses import ApiResponse
from trade_service.web.routing import HttpRequest, documented, query

_log = structlog.get_logger(__name__)

LIVENESS_PATHS = ("/api/v1/health/liveness", "/actuator/health/liveness")
READINESS_PATHS = ("/api/v1/health/readiness", "/actuator/health/readiness", "/actuator/health")
STARTUP_PATH = "/api/v1/health/startup"


_log = structlog.get_logger(__name__)


class Report(msgspec.Struct, frozen=True, omit_defaults=True):
    """A probe's response: UP or DOWN, and why."""

    status: str
    error: str | None = None
    message: str | None = None
    components: dict[str, Any] | None = None
    details: dict[str, Any] | None = None


_UP = Report("UP")


class HealthController(Controller):
    """Liveness depends on nothing; readiness on the database and on not shutting down."""

    tags = ("Health",)

    @get([*LIVENESS_PATHS, STARTUP_PATH], opt=ANYONE)
    async def alive(self) -> Response[Report]:
        """The process answers."""
        return ApiResponse(_UP)

    @get(list(READINESS_PATHS), opt=ANYONE | documented(answers={200: Report, 503: Report}))
    async def ready(self, services: Services) -> Response[Report]:
        """Whether to send requests here: 200 UP, 503 DOWN with the reason.

        While orders are accepted but not sent, `components.submission` has the reason.
        """
        health, timeout_s = services.health, services.settings.probe_timeout_s
        if health.stopping:
            return _down("service", "the service is stopping")
        try:
            async with asyncio.timeout(timeout_s):
                await health.check_database()
        except TimeoutError:
            return _down("db", f"the database did not answer within {timeout_s:g} s")
        except StoreUnavailable as error:
            _log.warning("not_ready", error=str(error))
            return _down("db", error.public)
        waits_for = health.claims_wait_for
        if not waits_for:
            return ApiResponse(Report("UP", components={"db": _UP, "submission": _UP}))
        # Still UP: orders are accepted and fills recorded, which without ready replicas would be lost.
        held = Report("OUT_OF_SERVICE", details={"reason": waits_for})
        return ApiResponse(Report("UP", message=waits_for, components={"db": _UP, "submission": held}))


def _down(component: str, reason: str) -> Response[Report]:
    components = {component: Report("DOWN", details={"error": reason})}
    return ApiResponse(Report("DOWN", reason, reason, components, {"component": component}), 503)


INFO = {
    "app": {"name": "trade-service", "description": "Trade orders, and executions submitted in batches"},
    "build": {"artifact": "globeco-trade-service", "name": "trade-service", "version": __version__},
}

_TAG = query(
    "tag",
    "Only the series with this value of this label, such as `status:200`; may be repeated.",
    Schema(type=OpenAPIType.ARRAY, items=Schema(type=OpenAPIType.STRING, pattern=r"^[^:]*:")),
)


class InfoController(Controller):
    """Build information."""

    path = "/actuator/info"
    tags = ("Operations",)

    @get("/", opt=ANYONE)
    async def info(self) -> Response[dict[str, Any]]:
        """Name and version."""
        return ApiResponse(INFO)


class MetricsController(Controller):
    """The metrics of this process."""

    tags = ("Operations",)

    @get(["/metrics", "/actuator/prometheus"], opt=documented(media_type="text/plain"))
    async def text(self, metrics: Injected[Metrics]) -> Response[bytes]:
        """All metrics, in Prometheus' text format."""
        return ApiResponse(await metrics.text(), media_type=metrics.content_type)

    @get("/actuator/metrics")
    async def names(self, metrics: Injected[Metrics]) -> Response[dict[str, list[str]]]:
        """The names of all metrics."""
        return ApiResponse({"names": await metrics.names()})

    @get("/actuator/metrics/{name:str}", opt=documented(parameters=(_TAG,)))
    async def read(
        self, request: HttpRequest, metrics: Injected[Metrics], name: FromPath[str]
    ) -> Response[dict[str, Any]]:
        """One metric, summed over the series with the given tags: `tag=status:200`."""
        tags = dict(_tag(str(text)) for text in request.query_params.getall("tag", []))
        found = await metrics.read(name, tags)
        if found is None:
            raise NotFound.of("metric", f"{name[:80]} with these tags" if tags else name[:80])
        return ApiResponse(found)


def _tag(text: str) -> tuple[str, str]:
    key, colon, value = text.partition(":")
    if not colon:
        raise InvalidInput.of("tag", text[:80], "must be a name and a value, such as status:200")
    return key, value


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
        return ApiResponse({"levels": list(LEVELS), "loggers": {ROOT: _shown(level)}})

    @get("/{name:str}")
    async def one(self, level: Injected[AdjustableLogLevel], name: FromPath[str]) -> Response[dict[str, Any]]:
        """The level in force."""
        _require_root(name)
        return ApiResponse(_shown(level))

    @post("/{name:str}", status_code=204, before_request=_require_root_in_path)
    async def change(
        self, services: Services, level: Injected[AdjustableLogLevel], data: JSONBody[LevelPost]
    ) -> None:
        """Sets the level until the next change or restart; null restores the one in the settings."""
        wanted = data.configured_level
        if wanted is not None and wanted.upper() not in LEVELS:
            rule = f"must be one of {', '.join(LEVELS)}, or null"
            raise InvalidInput.of("configuredLevel", wanted[:80], rule)
        level.change(None if wanted is None else LEVELS[wanted.upper()])
        details = {"level": level.effective}
        try:
            await services.audit_log.note(Action.UPDATE, ObjectKind.LOGGER, ROOT, details)
        except StoreUnavailable as error:
            # The level is needed most when something fails.
            _log.error("audit_entry_not_written", error=str(error), **details)


def _shown(level: AdjustableLogLevel) -> dict[str, str]:
    shown = _SPRING[level.effective]
    return {"configuredLevel": shown, "effectiveLevel": shown}


def _require_root(name: str) -> None:
    if name.upper() != ROOT:
        raise NotFound.of("logger", name[:80])
