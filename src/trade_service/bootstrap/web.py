"""The HTTP application over running services. Imported only by what serves it: it costs start-up time."""

from litestar import Litestar

from trade_service.bootstrap.services import Services
from trade_service.web.app import create_app
from trade_service.web.services import WebServices, WebSettings


def web_app(services: Services) -> Litestar:
    """The HTTP application over running services."""
    server = services.settings.server
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
        ),
        WebSettings(
            max_body_bytes=server.max_body_bytes,
            request_timeout_s=server.request_timeout_s,
            max_concurrent_requests=server.max_concurrent_requests,
            cors_allow_origins=server.cors_allow_origins,
            wait_s=services.settings.submission.wait_s,
        ),
    )
    if services.tracing is not None:
        from trade_service.observability.traced_requests import TracedRequests

        app.asgi_handler = TracedRequests(app.asgi_handler, services.tracing.provider)
    return app
