"""The HTTP application."""

from typing import cast

from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.middleware import AbstractMiddleware
from litestar.types import Middleware

from trade_service.web import executions, operating, operations, references, submissions, trade_orders
from trade_service.web.access import Authentication, check_roles, for_role, require_role
from trade_service.web.audit_log import AuditLogController
from trade_service.web.audits import AuditController
from trade_service.web.blotter_uploads import BlotterUploads
from trade_service.web.blotters import BlotterFileController
from trade_service.web.body_bounds import bound_bodies
from trade_service.web.console_files import ConsoleController
from trade_service.web.dependencies import Constant, WebServices
from trade_service.web.errors import allow_header, respond_to_error
from trade_service.web.event_streams import EventStreams, SubmissionEventController
from trade_service.web.evidence import EvidenceController
from trade_service.web.exports import Exports
from trade_service.web.failed_executions import FailureController
from trade_service.web.hosts import AllowedHosts, AllowedOrigins, TrustedProxies
from trade_service.web.idempotency import KEYS, REPLAYED
from trade_service.web.layers import HandlerCalls, Limits, RequestContext
from trade_service.web.list_queries import IGNORED_PARAMETERS, TOTAL_HEADERS
from trade_service.web.openapi.document import SchemaController
from trade_service.web.overview import OverviewController
from trade_service.web.parameters import refuse_unknown_parameters
from trade_service.web.pausing import PauseController
from trade_service.web.request_bodies import StrictBodies, StrictRequest
from trade_service.web.responses import SUBMISSION_MESSAGE, SUBMISSION_STATE
from trade_service.web.routing import OwnRouter
from trade_service.web.unknowns import UnknownController

V1 = [
    trade_orders.TradeOrderController,
    trade_orders.BulkController,
    executions.ExecutionController,
    *references.CONTROLLERS,
]
V2 = [
    submissions.SubmissionController,
    operating.OperatorController,
    PauseController,
    trade_orders.NamedOrderController,
    trade_orders.NamedBatchController,
    executions.NamedExecutionController,
    AuditLogController,
    OverviewController,
    FailureController,
    UnknownController,
    EvidenceController,
    AuditController,
    BlotterFileController,
]
PLAIN = [operations.HealthController, operations.InfoController, SchemaController, ConsoleController]
"""Not bounded together with the API: probes, and files."""
EXPOSED_HEADERS = [
    SUBMISSION_STATE,
    SUBMISSION_MESSAGE,
    REPLAYED,
    "X-Request-ID",
    *TOTAL_HEADERS,
    IGNORED_PARAMETERS,
    "Retry-After",
    "Content-Disposition",
    "traceparent",
]


def create_app(services: WebServices) -> Litestar:
    """The application over `services`. It starts nothing itself, and answers as soon as it is called."""
    server = services.settings.server
    origins = AllowedOrigins(server.cors_allow_origins)
    authentication = Authentication(
        services.authenticator,
        services.settings.rate_limit,
        AllowedHosts(server.allowed_hosts),
        origins,
        is_audited=services.settings.is_audited,
    )
    app = Litestar(
        route_handlers=_routers(services),
        dependencies={"services": Constant(services)},
        middleware=[cast(Middleware, authentication)],
        guards=[require_role],
        plugins=[StrictBodies()],
        request_class=StrictRequest,
        return_dto=None,
        state=State({KEYS: services.keys}),
        exception_handlers={Exception: respond_to_error},
        cors_config=origins.cors(EXPOSED_HEADERS),
        openapi_config=None,
        request_max_body_size=server.max_small_body_bytes,
        logging_config=None,
        debug=False,
    )
    check_roles(app)
    bound_bodies(app, server)
    allowed = {route.path_format: allow_header(route.methods) for route in app.routes}
    cors = cast(AbstractMiddleware, app.asgi_handler)
    proxies = TrustedProxies(server.trusted_proxies) if server.trusted_proxies else None
    app.asgi_handler = RequestContext(cors.app, cors, allowed, services.metrics, proxies)
    return app


def _routers(services: WebServices) -> list[Router]:
    """All routes. Those of the API are bounded together, but for streams and probes."""
    settings = services.settings
    limits, calls = cast(Middleware, Limits(settings.server)), cast(Middleware, HandlerCalls())
    streams = EventStreams(
        services.bulk_submissions, settings.streams, services.authenticator, lambda: services.health.stopping
    )
    routers: list[Router] = [
        OwnRouter("/api/v1", route_handlers=V1, middleware=[limits, calls]),
        _second_version(services, [limits, calls]),
        OwnRouter(
            "/api/v2",
            route_handlers=[SubmissionEventController],
            dependencies={"streams": Constant(streams)},
            guards=[refuse_unknown_parameters],
        ),
        OwnRouter(
            "/",
            route_handlers=PLAIN,
            middleware=[calls],
        ),
    ]
    if services.log_level is not None:
        level = {"level": Constant(services.log_level)}
        handlers = [operations.LogLevelController]
        routers.append(
            OwnRouter("/", route_handlers=handlers, dependencies=level, middleware=[limits, calls])
        )
    if services.metrics is not None:
        metrics, opt = {"metrics": Constant(services.metrics)}, for_role(settings.metrics_role)
        controllers = [operations.MetricsController]
        routers.append(
            OwnRouter("/", route_handlers=controllers, dependencies=metrics, opt=opt, middleware=[calls])
        )
    return routers


def _second_version(services: WebServices, layers: list[Middleware]) -> Router:
    settings = services.settings
    return OwnRouter(
        "/api/v2",
        route_handlers=V2,
        dependencies={
            "exports": Constant(Exports(settings.exports, services.authenticator)),
            "uploads": Constant(BlotterUploads(settings.server.blotters_at_once)),
        },
        middleware=layers,
        guards=[refuse_unknown_parameters],
    )
