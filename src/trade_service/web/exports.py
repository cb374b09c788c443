"""Lists as files: CSV or NDJSON of all rows that match, streamed in constant memory.

A list is exported page by page, each read from behind the last row of the one before; between pages and while a
client reads slowly, no database connection is held. docs/decisions/0036-exports-and-blotters.md says why.
"""

import asyncio
import time
import zlib
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from typing import Any, TypeAlias, TypeVar

import msgspec
import structlog
from litestar import Response
from litestar.types import Receive, Scope, Send

from trade_service.domain.access import Role
from trade_service.web.access import CLIENT, Authenticator, Validity, credential_of, role_of
from trade_service.web.csv_rows import cell_of, columns_of, csv_line, value_at
from trade_service.web.dependencies import ExportSettings
from trade_service.web.errors import OVERLOAD_RETRY_AFTER_S, HttpCode, RequestRefused
from trade_service.web.export_forms import ExportForm
from trade_service.web.layers import DEADLINE
from trade_service.web.responses import PIECE, STEPS, ApiResponse, encoded, presented_rows, takes_gzip
from trade_service.web.routing import HttpRequest
from trade_service.web.turns import disconnected

_log = structlog.get_logger(__name__)

_FASTEST, _AS_GZIP = 1, 31

Row: TypeAlias = msgspec.Struct
Stored = TypeVar("Stored")
Position = TypeVar("Position")
Pages: TypeAlias = AsyncGenerator[Sequence[Row], None]


async def presented_pages(
    pages: AsyncGenerator[Sequence[Stored], None], present: Callable[[Stored], Row]
) -> Pages:
    """The pages of a list as its rows are answered."""
    async for page in pages:
        yield await presented_rows(page, present)


async def followed_pages(
    read: Callable[[Position | None], Awaitable[tuple[Sequence[Row], Position | None]]],
    start: Position | None = None,
) -> Pages:
    """All pages of a list: `read` returns the rows behind a position, and the next one, None at the end."""
    position = start
    while True:
        rows, position = await read(position)
        yield rows
        if position is None:
            return


class Exports:
    """Answers lists as files, a bounded number at once; one client has at most half of the places."""

    def __init__(self, settings: ExportSettings, authenticator: Authenticator) -> None:
        self._settings = settings
        self._authenticator = authenticator
        self._open: Counter[str] = Counter()

    @property
    def open(self) -> int:
        """How many exports are being sent."""
        return self._open.total()

    async def respond(
        self, request: HttpRequest, form: ExportForm, shape: type[Row], name: str, pages: Pages
    ) -> Response[Any]:
        """The export of `pages`, whose rows are of `shape`, as a file called `name`.

        The response takes its place when it begins: raises RequestRefused (503) then where too many exports are
        open. An error of the first page is answered as any other.
        """
        client = str(request.scope["state"][CLIENT])
        role = role_of(request.scope["route_handler"], "GET") or Role.OPERATOR
        validity = Validity(self._authenticator, credential_of(request.scope), role)
        made_at = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        headers = {
            "Content-Disposition": f'attachment; filename="{name}-{made_at}.{form.suffix}"',
            "X-Accel-Buffering": "no",
            "Vary": "Accept, Accept-Encoding",
        }
        rows = _Rows(form, shape, pages, validity, self._settings)
        return ExportResponse(rows, headers, form.value, self._settings.max_s, self._place(client))

    @contextmanager
    def _place(self, client: str) -> Iterator[None]:
        self._enter(client)
        try:
            yield
        finally:
            self._leave(client)

    def _enter(self, client: str) -> None:
        most, own = self._settings.max_exports, self._open[client]
        if self.open >= most or own >= max(1, (most + 1) // 2):
            message = (
                f"{self.open} exports are being sent, {own} of them to this client, and {most} are allowed "
                "(server.max_exports), half of them to one client: try again when one has ended"
            )
            raise RequestRefused(503, HttpCode.OVERLOADED, message, OVERLOAD_RETRY_AFTER_S)
        self._open[client] += 1

    def _leave(self, client: str) -> None:
        self._open[client] -= 1
        if not self._open[client]:
            del self._open[client]


class ExportEnded(Exception):
    """An export cannot go on; its connection is closed before the end of the body, so that its client notices."""


class _Rows:
    """The bytes of an export, page by page."""

    def __init__(
        self, form: ExportForm, shape: type[Row], pages: Pages, validity: Validity, settings: ExportSettings
    ) -> None:
        self._columns = columns_of(shape) if form is ExportForm.CSV else None
        self._first: Sequence[Row] = ()
        self._pages = pages
        self._validity = validity
        self._check_s = settings.check_s

    async def begin(self) -> None:
        """Reads the first page; raises what reading it raises."""
        self._first = await anext(self._pages, ())

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Raises ExportEnded when the caller's key or token is no longer valid, and what reading a page raises."""
        checked_at = time.monotonic()
        head = b"" if self._columns is None else csv_line([name for name, _ in self._columns])
        yield head + await self._page(self._first)
        self._first = ()
        async for page in self._pages:
            if time.monotonic() - checked_at >= self._check_s:
                checked_at = time.monotonic()
                if not await self._validity.holds():
                    raise ExportEnded("the key or token is no longer valid")
            yield await self._page(page)

    async def _page(self, rows: Sequence[Row]) -> bytes:
        """Encodes piece by piece, and lets other requests take several steps in between."""
        parts: list[bytes] = []
        for start in range(0, len(rows), PIECE):
            parts += map(self._line, rows[start : start + PIECE])
            for _ in range(STEPS):
                await asyncio.sleep(0)
        return b"".join(parts)

    def _line(self, row: Row) -> bytes:
        if self._columns is None:
            return encoded(row) + b"\n"
        return csv_line([cell_of(value_at(row, path)) for _, path in self._columns])

    async def close(self) -> None:
        await self._pages.aclose()


class ExportResponse(ApiResponse[bytes]):
    """A response of many pieces; it lasts longer than the time-out of a request, within a bound of its own."""

    def __init__(
        self,
        rows: _Rows,
        headers: dict[str, str],
        media_type: str,
        max_s: float,
        place: AbstractContextManager[None],
    ) -> None:
        super().__init__(b"", 200, headers, media_type)
        self._rows = rows
        self._max_s = max_s
        self._place = place

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends until the end of the list, or until the client leaves."""
        try:
            with self._place:
                await self._rows.begin()
                await self._send_bounded(scope, receive, send)
        finally:
            await self._rows.close()

    async def _send_bounded(self, scope: Scope, receive: Receive, send: Send) -> None:
        leaving = asyncio.create_task(disconnected(receive))
        try:
            if (deadline := scope["state"].get(DEADLINE)) is not None:
                deadline.lift()
            async with asyncio.timeout(self._max_s):
                await self._send_all(scope, send, leaving)
        except Exception as error:
            _log.warning("export_cut", error=str(error) or type(error).__name__)
            raise ExportEnded("an export was cut off, see the log line before") from error
        finally:
            leaving.cancel()

    async def _send_all(self, scope: Scope, send: Send, leaving: "asyncio.Task[None]") -> None:
        gzip = zlib.compressobj(_FASTEST, wbits=_AS_GZIP) if takes_gzip(scope["headers"]) else None
        headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in self.headers.items()]
        charset = "; charset=utf-8" if self.media_type.startswith("text/") else ""
        headers.append((b"content-type", f"{self.media_type}{charset}".encode()))
        headers += [(b"content-encoding", b"gzip")] if gzip else []
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        async for piece in self._rows.pieces():
            body = piece if gzip is None else await asyncio.to_thread(gzip.compress, piece)
            if body:
                await send({"type": "http.response.body", "body": body, "more_body": True})
            if leaving.done():
                return
        last = b"" if gzip is None else gzip.flush()
        await send({"type": "http.response.body", "body": last, "more_body": False})
