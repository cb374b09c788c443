"""/console: the operators' console, a bundle that `make console` builds; and what `/` leads to."""

import hashlib
import mimetypes
import zlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec
from litestar import Controller, Response
from litestar.params import FromPath
from litestar.types import Receive, Scope, Send

from trade_service.domain.errors import NotFound
from trade_service.web.access import ANYONE, get
from trade_service.web.responses import AS_GZIP, ApiResponse, takes_gzip
from trade_service.web.routing import HttpRequest, location

CONSOLE = "/console"
CONSOLE_POLICY = (
    "default-src 'none'; connect-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The console loads only its own files and calls only this service; nothing inline, nothing evaluated."""

_HASHED = "public, max-age=31536000, immutable"
"""The names of these files have a hash of what is in them."""
_SMALLEST = 9
_INDEX = "index.html"


class ConsoleFile(msgspec.Struct, frozen=True):
    """A file of the bundle."""

    body: bytes
    compressed: bytes
    media_type: str
    headers: Mapping[str, str]


class FileResponse(ApiResponse[bytes]):
    """A file, compressed once for all callers; 304 to a caller that has it."""

    def __init__(self, file: ConsoleFile) -> None:
        super().__init__(file.body, headers=dict(file.headers), media_type=file.media_type)
        self._compressed = file.compressed

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        headers = {
            **self.headers,
            "Vary": "Accept-Encoding",
            "Content-Type": f"{self.media_type}; charset=utf-8",
        }
        tag, body, status = self.headers["ETag"].encode(), self.body, 200
        if any(name == b"if-none-match" and tag in value for name, value in scope["headers"]):
            body, status = b"", 304
        elif takes_gzip(scope["headers"]):
            body, headers["Content-Encoding"] = self._compressed, "gzip"
        if status == 200:
            headers["Content-Length"] = str(len(body))
        encoded = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": encoded})
        await send({"type": "http.response.body", "body": body, "more_body": False})


class ConsoleController(Controller):
    """The console. Its files hold no data: what it shows, it reads from the API with the key of its user."""

    opt = ANYONE

    @get("/")
    async def root(self, request: HttpRequest) -> Response[bytes]:
        """Leads a browser to the console, and others to the description of the API."""
        is_browser = "text/html" in request.headers.get("accept", "")
        to = "/console/" if is_browser else "/schema/openapi.json"
        return _led(request, to, {"Vary": "Accept"})

    @get([CONSOLE, f"{CONSOLE}/{{page:str}}"])
    async def page(self, request: HttpRequest) -> Response[bytes]:
        """The console's document: it shows the page that the address names."""
        if request.scope["raw_path"].endswith(CONSOLE.encode()):
            # Its files stand beside it, below `console/`.
            return _led(request, "/console/", {})
        return FileResponse(_file(_INDEX))

    @get(f"{CONSOLE}/assets/{{name:str}}")
    async def asset(self, name: FromPath[str]) -> Response[bytes]:
        """A script or a style."""
        path = f"assets/{name}"
        if path not in _paths():
            raise NotFound.of("file", name[:80])
        return FileResponse(_file(path))


def _led(request: HttpRequest, to: str, headers: dict[str, str]) -> Response[bytes]:
    return ApiResponse(b"", 307, headers | {"Location": location(request, to)}, "text/plain")


@cache
def _paths() -> frozenset[str]:
    folder = files(__package__).joinpath("console")
    assets = folder.joinpath("assets")
    return frozenset({_INDEX, *(f"assets/{one.name}" for one in assets.iterdir())})


@cache
def _file(path: str) -> ConsoleFile:
    body = files(__package__).joinpath("console", path).read_bytes()
    headers: dict[str, Any] = {"ETag": f'"{hashlib.sha256(body).hexdigest()[:32]}"'}
    if path == _INDEX:
        headers |= {"Cache-Control": "no-cache", "Content-Security-Policy": CONSOLE_POLICY}
        headers |= {"Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin"}
    else:
        headers["Cache-Control"] = _HASHED
    media_type = mimetypes.guess_type(path)[0] or "application/octet-stream"
    return ConsoleFile(body, zlib.compress(body, _SMALLEST, AS_GZIP), media_type, headers)
