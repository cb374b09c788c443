"""/schema: the description of the API, as JSON and as a page that needs nothing from elsewhere."""

from functools import cache
from importlib.resources import files
from typing import Any

from litestar import Request, Response, Router, get

from trade_service.web.access import ANYONE, Everybody
from trade_service.web.dependencies import Routes, WebServices
from trade_service.web.openapi.document import openapi_document
from trade_service.web.rendering import RawResponse, encoded

PAGE_POLICY = (
    "default-src 'none'; connect-src 'self'; script-src 'self'; style-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The page loads nothing but its own script, its style and the description."""


class SchemaRoutes(Routes):
    """The description, and the page that shows it."""

    def __init__(self, services: WebServices) -> None:
        self._secured = not isinstance(services.authenticator, Everybody)
        self._document: bytes | None = None

    def router(self) -> Router:
        """The routes."""
        return Router(
            "/schema",
            route_handlers=[
                get("/openapi.json")(self.document),
                get("/")(self.page),
                get("/page.js")(self.script),
                get("/page.css")(self.style),
            ],
            opt=ANYONE,
        )

    async def document(self, request: Request[Any, Any, Any]) -> Response[bytes]:
        """OpenAPI 3.1, made once."""
        if self._document is None:
            self._document = encoded(openapi_document(request.app, secured=self._secured))
        return RawResponse(self._document, media_type="application/vnd.oai.openapi+json")

    async def page(self) -> Response[bytes]:
        """The page."""
        headers = {"Content-Security-Policy": PAGE_POLICY, "X-Content-Type-Options": "nosniff"}
        return RawResponse(_file("page.html"), media_type="text/html", headers=headers)

    async def script(self) -> Response[bytes]:
        """What the page does."""
        return RawResponse(_file("page.js"), media_type="text/javascript")

    async def style(self) -> Response[bytes]:
        """How the page looks."""
        return RawResponse(_file("page.css"), media_type="text/css")


@cache
def _file(name: str) -> bytes:
    return files(__package__).joinpath(name).read_bytes()
