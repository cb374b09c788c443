"""Probes, at the addresses of this service and at those that deployments of the earlier one ask."""

import asyncio
from typing import Any

import msgspec
from litestar import Response, Router, get

from trade_service.submission.ports import StoreUnavailable
from trade_service.web.access import ANYONE
from trade_service.web.dependencies import Health, Routes, WebSettings
from trade_service.web.rendering import answer
from trade_service.web.telling import tells

LIVENESS_PATHS = ("/api/v1/health/liveness", "/actuator/health/liveness")
READINESS_PATHS = ("/api/v1/health/readiness", "/actuator/health/readiness", "/actuator/health")
STARTUP_PATH = "/api/v1/health/startup"
PROBE_PREFIXES = ("/api/v1/health", "/actuator/health")


class Report(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a probe reads: UP or DOWN, and why."""

    status: str
    error: str | None = None
    message: str | None = None
    components: dict[str, Any] | None = None
    details: dict[str, Any] | None = None


_UP = Report("UP")


class HealthRoutes(Routes):
    """Liveness depends on nothing; readiness on the database and on not being on the way out."""

    def __init__(self, health: Health, settings: WebSettings) -> None:
        self._health = health
        self._timeout_s = settings.probe_timeout_s

    def router(self) -> Router:
        """The routes."""
        return Router(
            "/",
            route_handlers=[
                get([*LIVENESS_PATHS, STARTUP_PATH], opt=ANYONE)(self.alive),
                get(list(READINESS_PATHS), opt=ANYONE | tells(answers={200: Report, 503: Report}))(
                    self.ready
                ),
            ],
            tags=["Health"],
        )

    async def alive(self) -> Response[Report]:
        """The process answers."""
        return answer(_UP)

    async def ready(self) -> Response[Report]:
        """Whether requests should be sent here: 200 UP, 503 DOWN with the reason.

        While orders are taken but not sent, `components.submission` says why.
        """
        if self._health.stopping:
            return _down("service", "the service is stopping")
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._health.check_database()
        except TimeoutError:
            return _down("db", f"the database did not answer within {self._timeout_s:g} s")
        except StoreUnavailable as error:
            return _down("db", str(error))
        waits_for = self._health.claims_wait_for
        if not waits_for:
            return answer(Report("UP", components={"db": _UP, "submission": _UP}))
        # Orders are taken and fills recorded all the same: without replicas both would be lost.
        held = Report("OUT_OF_SERVICE", details={"reason": waits_for})
        return answer(Report("UP", message=waits_for, components={"db": _UP, "submission": held}))


def _down(component: str, reason: str) -> Response[Report]:
    components = {component: Report("DOWN", details={"error": reason})}
    return answer(Report("DOWN", reason, reason, components, {"component": component}), 503)
