"""The HTTP application."""

from typing import cast

from litestar import Litestar, Router
from litestar.types import Middleware

from trade_service.web.access import Gate, check_roles
from trade_service.web.cors import Origins
from trade_service.web.dependencies import WebServices, WebSettings
from trade_service.web.errors import allow_header, respond_to_error
from trade_service.web.health import HealthRoutes
from trade_service.web.idempotency import REPLAYED
from trade_service.web.limits import Limits, RequestContext
from trade_service.web.log_level import LoggerRoutes
from trade_service.web.measuring import AllMethods, HeadAsGet, MeasuredRequests
from trade_service.web.openapi.routes import SchemaRoutes
from trade_service.web.operations import InfoRoutes, MetricsRoutes
from trade_service.web.rate_limit import RateLimit
from trade_service.web.v1.bulk import BulkRoutes
from trade_service.web.v1.executions import ExecutionRoutes
from trade_service.web.v1.paging import TOTAL_HEADERS
from trade_service.web.v1.references import ReferenceRoutes
from trade_service.web.v1.responses import SUBMISSION_MESSAGE, SUBMISSION_STATE
from trade_service.web.v1.trade_orders import TradeOrderRoutes
from trade_service.web.v2.executions import ExecutionListRoutes
from trade_service.web.v2.operating import OperatingRoutes
from trade_service.web.v2.submissions import SubmissionRoutes
from trade_service.web.v2.trade_orders import TradeOrderListRoutes

EXPOSED_HEADERS = [
    SUBMISSION_STATE,
    SUBMISSION_MESSAGE,
    REPLAYED,
    "X-Request-ID",
    *TOTAL_HEADERS,
    "Retry-After",
    "traceparent",
]


def create_app(services: WebServices, settings: WebSettings) -> Litestar:
    """The application over `services`. It starts nothing itself, and answers as soon as it is called."""
    rates = RateLimit(settings.requests_per_s, settings.request_burst, settings.max_clients)
    origins = Origins(settings.cors_allow_origins)
    gate = Gate(services.authenticator, rates, origins)
    app = Litestar(
        route_handlers=_routes(services, settings),
        middleware=[cast(Middleware, gate)],
        exception_handlers={Exception: respond_to_error},
        cors_config=origins.cors(EXPOSED_HEADERS),
        openapi_config=None,
        request_max_body_size=settings.max_body_bytes,
        logging_config=None,
        debug=False,
    )
    check_roles(app)
    # Outermost, since a middleware would not see requests that no route matches.
    methods = {route.path_format: allow_header(route.methods) for route in app.routes}
    inner = HeadAsGet(AllMethods(app.asgi_handler, methods))
    measured = inner if services.metrics is None else MeasuredRequests(inner, services.metrics)
    app.asgi_handler = RequestContext(measured)
    return app


def _routes(services: WebServices, settings: WebSettings) -> list[Router]:
    """All that is served, bounded together but for streams and probes."""
    limits = cast(Middleware, Limits(settings.max_concurrent_requests, settings.request_timeout_s))
    submissions = SubmissionRoutes(services, settings)
    v1 = [
        TradeOrderRoutes(services, settings).router(),
        BulkRoutes(services).router(),
        ExecutionRoutes(services, settings).router(),
        ReferenceRoutes(services).router(),
    ]
    v2 = [
        submissions.router(),
        OperatingRoutes(services).router(),
        TradeOrderListRoutes(services).router(),
        ExecutionListRoutes(services).router(),
    ]
    measured = [] if services.metrics is None else [services.metrics]
    levels = [] if services.log_level is None else [services.log_level]
    return [
        Router("/api/v1", route_handlers=v1, middleware=[limits]),
        Router("/api/v2", route_handlers=v2, middleware=[limits]),
        Router("/api/v2", route_handlers=[submissions.stream_router()]),
        HealthRoutes(services.health, settings).router(),
        InfoRoutes().router(),
        SchemaRoutes(services).router(),
        *(LoggerRoutes(level).router() for level in levels),
        *(MetricsRoutes(metrics, settings.metrics_role).router() for metrics in measured),
    ]
