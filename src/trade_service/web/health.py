"""Probes, at the addresses of this service and at those that deployments of the legacy service ask."""

import asyncio
from typing import Any

import msgspec
from litestar import Controller, Response

from trade_service.submission.ports import StoreUnavailable
from trade_service.web.access import ANYONE
from trade_service.web.dependencies import Services
from trade_service.web.rendering import answer
from trade_service.web.route_docs import documented
from trade_service.web.routing import get

LIVENESS_PATHS = ("/api/v1/health/liveness", "/actuator/health/liveness")
READINESS_PATHS = ("/api/v1/health/readiness", "/actuator/health/readiness", "/actuator/health")
STARTUP_PATH = "/api/v1/health/startup"


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
        return answer(_UP)

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
            return _down("db", str(error))
        waits_for = health.claims_wait_for
        if not waits_for:
            return answer(Report("UP", components={"db": _UP, "submission": _UP}))
        # Still UP: orders are accepted and fills recorded, which without ready replicas would be lost.
        held = Report("OUT_OF_SERVICE", details={"reason": waits_for})
        return answer(Report("UP", message=waits_for, components={"db": _UP, "submission": held}))


def _down(component: str, reason: str) -> Response[Report]:
    components = {component: Report("DOWN", details={"error": reason})}
    return answer(Report("DOWN", reason, reason, components, {"component": component}), 503)
