"""The HTTP application over running services. Imported only by what serves it: it costs start-up time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from litestar import Litestar

from trade_service.bootstrap.authentication import authenticator
from trade_service.bootstrap.services import Services
from trade_service.domain.access import Role
from trade_service.observability.metrics import WebMetrics, register_connections
from trade_service.settings.model import Settings
from trade_service.web.app import create_app
from trade_service.web.dependencies import WebServices, WebSettings


@asynccontextmanager
async def web_app(services: Services) -> AsyncIterator[Litestar]:
    """The HTTP application over running services; raises CannotStart."""
    async with authenticator(services.settings, services.database) as gatekeeper:
        app = create_app(
            WebServices(
                services.orders,
                services.executions,
                services.references,
                services,
                services.bulk_submissions,
                services.editors(),
                services.operators,
                services.lists,
                services.keys,
                gatekeeper,
                _metrics(services),
                services.log_level,
                web_settings(services.settings),
            )
        )
        if services.tracing is not None:
            from trade_service.observability.tracing import TracedRequests

            app.asgi_handler = TracedRequests(app.asgi_handler, services.tracing.provider)
        yield app


def _metrics(services: Services) -> WebMetrics | None:
    if services.registry is None:
        return None
    register_connections(services.registry, lambda: services.database.pool_state)
    return WebMetrics(services.registry)


def _origins(settings: Settings) -> tuple[str, ...] | None:
    """Where nobody said who may do what, no page that a browser on this machine happens to show may."""
    if settings.server.cors_allow_origins is None and settings.auth.mode is not None:
        return ("*",)
    return settings.server.cors_allow_origins


def web_settings(settings: Settings) -> WebSettings:
    """The limits of what is served."""
    server, rates = settings.server, settings.rate_limit
    return WebSettings(
        max_body_bytes=server.max_body_bytes,
        request_timeout_s=server.request_timeout_s,
        max_concurrent_requests=server.max_concurrent_requests,
        cors_allow_origins=_origins(settings),
        wait_s=settings.submission.wait_s,
        requests_per_s=rates.requests_per_s,
        request_burst=rates.burst,
        max_clients=rates.max_clients,
        metrics_role=Role[settings.metrics.role.upper()],
    )
