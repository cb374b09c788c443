"""The HTTP application over running services. Imported only by what serves it: it costs start-up time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
from litestar import Litestar

from trade_service.bootstrap.container import CannotStart, Services
from trade_service.domain.access import Role
from trade_service.identity.api_keys import ApiKeys
from trade_service.observability.metrics import WebMetrics, register_connections
from trade_service.settings.tree import Settings
from trade_service.store.audit_log_store import PostgresAuditEntries
from trade_service.web.access import Authenticator, OpenAccess
from trade_service.web.app import create_app
from trade_service.web.dependencies import ExportSettings, StreamSettings, WebServices, WebSettings
from trade_service.web.hosts import BasePath


def auth_mode(settings: Settings) -> str:
    """The mode in force; raises CannotStart where it must be chosen and was not."""
    if settings.auth.mode is not None:
        return settings.auth.mode
    if settings.server.is_loopback:
        return "none"
    raise CannotStart(
        f"server.host is {settings.server.host}, which other machines can reach: choose who may trade "
        "with auth.mode (TRADE_SERVICE_AUTH_MODE): api-key, jwt, or none"
    )


@asynccontextmanager
async def _authenticator(services: Services) -> AsyncIterator[Authenticator]:
    settings = services.settings
    match auth_mode(settings):
        case "api-key":
            max_age_s, note_use = settings.auth.api_key_max_age_s, services.key_uses.note
            yield ApiKeys(services.api_keys.active, max_age_s, note_use)
        case "jwt":
            from trade_service.identity.tokens import checked_tokens  # Cryptography is slow to import.

            async with checked_tokens(settings.auth) as tokens:
                yield tokens
        case _:
            yield OpenAccess()


@asynccontextmanager
async def web_app(services: Services) -> AsyncIterator[Litestar]:
    """The HTTP application over running services; raises CannotStart and CredentialsNotCheckable."""
    metrics = None
    if services.registry is not None:
        register_connections(services.registry, lambda: services.database.pool_state)
        metrics = WebMetrics(services.registry, services.exposition)
    async with _authenticator(services) as authenticator:
        app = create_app(
            WebServices(
                services.orders,
                services.executions,
                services.references,
                services,
                services.bulk_submissions,
                services.editors(),
                services.operators,
                services.pauses,
                services.lists,
                services.keys,
                PostgresAuditEntries(services.database),
                services.overview,
                services.failures,
                services.evidence,
                services.audits,
                services.blotters,
                authenticator,
                metrics,
                services.log_level,
                web_settings(services.settings),
            )
        )
        if services.tracing is not None:
            from trade_service.observability.tracing import TracedRequests

            app.asgi_handler = TracedRequests(app.asgi_handler, services.tracing.provider)
        if services.settings.server.base_path:
            app.asgi_handler = BasePath(app.asgi_handler, services.settings.server.base_path)
        yield app


def web_settings(settings: Settings) -> WebSettings:
    """The limits of the HTTP application."""
    server = settings.server
    if server.is_loopback and server.allowed_hosts is None:
        server = msgspec.structs.replace(server, allowed_hosts=())
    if server.cors_allow_origins is None and not (server.is_loopback and auth_mode(settings) == "none"):
        # A browser on this machine may show any page, which must not trade where nobody authenticates.
        server = msgspec.structs.replace(server, cors_allow_origins=("*",))
    return WebSettings(
        server=server,
        api=settings.api,
        rate_limit=settings.rate_limit,
        streams=StreamSettings(max_streams=server.max_event_streams, max_s=server.event_stream_s),
        exports=ExportSettings(max_exports=server.max_exports, max_s=server.export_s),
        is_audited=settings.audit_log.enabled,
        wait_s=settings.submission.wait_s,
        trade_types=tuple(settings.execution_service.trade_types),
        order_limits=settings.blotter,
        metrics_role=Role.ANYONE if settings.metrics.public else Role[settings.metrics.role.upper()],
    )
