"""/schema: the OpenAPI document, and a page that shows it and loads nothing from elsewhere."""

from functools import cache
from importlib.resources import files

from litestar import Controller, Litestar, Response

from trade_service.web.access import ANYONE
from trade_service.web.dependencies import HttpRequest, Injected
from trade_service.web.openapi.document import openapi_document
from trade_service.web.rendering import ApiResponse, encoded
from trade_service.web.routing import get

PAGE_POLICY = (
    "default-src 'none'; connect-src 'self'; script-src 'self'; style-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The page loads only its own script, its style and the document."""


class Document:
    """The document of an application, made at the first request for it."""

    def __init__(self, *, secured: bool) -> None:
        self._secured = secured
        self._made: bytes | None = None

    def of(self, app: Litestar) -> bytes:
        """OpenAPI 3.1 as JSON."""
        if self._made is None:
            self._made = encoded(openapi_document(app, secured=self._secured))
        return self._made


class SchemaController(Controller):
    """The document and its page."""

    path = "/schema"
    opt = ANYONE

    @get("/openapi.json")
    async def openapi(self, request: HttpRequest, document: Injected[Document]) -> Response[bytes]:
        """OpenAPI 3.1."""
        return ApiResponse(document.of(request.app), media_type="application/vnd.oai.openapi+json")

    @get("/")
    async def page(self) -> Response[bytes]:
        """The page."""
        headers = {"Content-Security-Policy": PAGE_POLICY, "X-Content-Type-Options": "nosniff"}
        return ApiResponse(_file("page.html"), media_type="text/html", headers=headers)

    @get("/page.js")
    async def script(self) -> Response[bytes]:
        """The page's script."""
        return ApiResponse(_file("page.js"), media_type="text/javascript")

    @get("/page.css")
    async def style(self) -> Response[bytes]:
        """The page's style."""
        return ApiResponse(_file("page.css"), media_type="text/css")


@cache
def _file(name: str) -> bytes:
    return files(__package__).joinpath(name).read_bytes()
