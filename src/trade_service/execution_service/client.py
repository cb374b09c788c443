"""The Execution Service over HTTP. Whatever happens to a call, it becomes a value that says what it proves."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Self

import aiohttp
import msgspec
import structlog
from aiohttp.abc import AbstractStreamWriter
from yarl import URL

from trade_service import __version__
from trade_service.domain.errors import InvalidInput, shorten
from trade_service.execution_service import wire
from trade_service.execution_service.reply_interpretation import (
    Answer,
    AnsweredUnasked,
    BodyTooLarge,
    ClientCode,
    classify,
    code_of,
    describe,
    needs_body,
    of_status,
    read_batch,
    without_address,
)
from trade_service.execution_service.wire import MAX_ITEMS, UnreadableAnswer
from trade_service.http_connector import BoundedConnector
from trade_service.submission.engine_settings import ExecutionServiceSettings
from trade_service.submission.messages import BatchExecutionRequest, Listing, RemoteExecutionPage
from trade_service.submission.model import AttemptId, GatewayReply, ReplyKind
from trade_service.submission.ports import Clock
from trade_service.tls import TlsFiles, client_context

log = structlog.get_logger(__name__)

_NOT_OPEN = "ExecutionServiceClient is not open: use it within `async with`"
_OK = 200
_FRESH = {"Cache-Control": "no-cache"}
"""Reconciliation draws conclusions from absence, so no cache may answer with an older listing."""
_SEND_BUFFER_BYTES = 256 * 1024
"""Large enough for any batch, so that a request is handed to the kernel in one system call."""
_KEEPALIVE_S = 4.0
"""Idle connections are closed after this time: before the other side closes them (5 s is common)."""
_LINGER_ZERO = struct.pack("ii", 1, 0)

HeadersOf = Callable[[AttemptId], Mapping[str, str]]


class ExecutionServiceClient:
    """The Execution Service over HTTP (`submission.ports.ExecutionGateway`).

    Nothing is sent twice: aiohttp repeats a request on a fresh connection only for idempotent methods, so never a
    POST. No call raises: failures come back as values that say what they prove. Only cancellation propagates.

    Example:
        async with ExecutionServiceClient(settings, SystemClock()) as client:
            reply = await client.submit_batch(request, attempt_id, write_before)
            if reply.kind is ReplyKind.ANSWERED: ...
    """

    def __init__(
        self, settings: ExecutionServiceSettings, clock: Clock, headers_of: HeadersOf | None = None
    ) -> None:
        """`headers_of` returns additional headers for an attempt's call, such as those of a trace.

        Raises InvalidInput if `settings.base_url` is not an http or https address, and TlsUnusable.
        """
        self._settings = settings
        self._clock = clock
        base = _base_url(settings.base_url)
        self._batch_url = base / "api/v1/executions/batch"
        self._list_url = base / "api/v1/executions"
        self._one_url = base / "api/v1/execution"
        self._batch_call = f"POST {self._batch_url.path}"
        self._address = _shown(base)
        """For the log; callers see the messages of replies, which do not name it."""
        self._headers_of = headers_of
        self._explanations = _explanations(settings)
        self._tls = client_context(
            TlsFiles("execution_service", settings.tls_ca, settings.tls_certificate, settings.tls_key)
        )
        self._session: aiohttp.ClientSession | None = None
        self._calls = 0
        """Calls in progress."""

    async def __aenter__(self) -> Self:
        settings = self._settings
        self._session = aiohttp.ClientSession(
            connector=BoundedConnector(
                ssl=self._tls,
                limit=settings.max_connections,
                keepalive_timeout=_KEEPALIVE_S,
                socket_factory=self._open_socket,
            ),
            timeout=aiohttp.ClientTimeout(
                total=settings.effective_total_timeout_ms / 1000,
                connect=settings.connect_timeout_ms / 1000,  # pool, name, TCP and TLS together
                sock_read=settings.read_timeout_ms / 1000,
                # By default, time-outs above 5 s are rounded up to whole seconds.
                ceil_threshold=float("inf"),
            ),
            headers={
                "Accept": "application/json",
                "Accept-Encoding": "identity",
                "User-Agent": f"trade-service/{__version__}",
            },
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()

    async def submit_batch(
        self, request: BatchExecutionRequest, attempt_id: AttemptId, write_before: float
    ) -> GatewayReply:
        """Sends one batch, unless the monotonic clock reaches `write_before` before its first byte leaves.

        A request with too many executions is not sent and returns REFUSED_WHOLE.
        """
        began = self._clock.monotonic()
        size = len(request.executions)
        if 1 <= size <= MAX_ITEMS:
            reply = await self._send(GuardedBody(request.body, self._clock, write_before), attempt_id)
        else:
            message = f"not sent: executions: must hold 1 to {MAX_ITEMS} items; got {size}"
            reply = GatewayReply(ReplyKind.REFUSED_WHOLE, ClientCode.INVALID_REQUEST.value, message)
        duration_ms = (self._clock.monotonic() - began) * 1000
        good = reply.kind is ReplyKind.ANSWERED
        write = log.debug if good else log.warning
        write(
            "batch submitted" if good else "batch not confirmed",
            attempt_id=attempt_id,
            address=self._address,
            size=size,
            status=reply.http_status,
            kind=reply.kind.value,
            code=reply.code,
            message=reply.message,
            duration_ms=round(duration_ms, 3),
        )
        return msgspec.structs.replace(reply, duration_ms=duration_ms)

    async def list_newest(self, offset: int, limit: int) -> Listing:
        """One page of the service's executions, greatest id first; or the code and message of the failure.

        All builds sort alike by `-id`; by `id`, some return the newest first as well.
        """
        began = self._clock.monotonic()
        url = self._list_url.with_query({"offset": offset, "limit": limit, "sortBy": "-id"})
        listing = await self._list(url, wire.decode_page)
        good = listing.page is not None
        write = log.debug if good else log.warning
        write(
            "listing read" if good else "listing not read",
            address=self._address,
            offset=offset,
            limit=limit,
            code=listing.code,
            message=listing.message,
            duration_ms=round((self._clock.monotonic() - began) * 1000, 3),
        )
        return listing

    async def find(self, service_id: int) -> Listing:
        """The execution with that id as a page of one; an empty page when there is none."""
        listing = await self._list(self._one_url / str(service_id), wire.decode_row)
        return Listing(RemoteExecutionPage([])) if listing.code == ClientCode.NOT_FOUND else listing

    async def _send(self, body: "GuardedBody", attempt_id: AttemptId) -> GatewayReply:
        if self._session is None:
            raise RuntimeError(_NOT_OPEN)
        headers = {"Idempotency-Key": attempt_id, "X-Request-ID": attempt_id}
        if self._headers_of is not None:
            headers |= self._headers_of(attempt_id)
        crowded = self._calls >= self._settings.max_connections
        complete = False
        try:
            answer = await self._call(self._session, "POST", self._batch_url, headers, body)
            complete = answer.body is not None
            if answer.read_error is not None and needs_body(answer.status):
                return self._failed(answer.read_error, body, answer.status, crowded)
            return read_batch(answer, self._batch_call)
        except Exception as error:  # noqa: BLE001  # the map is total: every error becomes a value
            return self._failed(error, body, None, crowded)
        finally:
            if not complete:
                body.abandon()

    async def _list(self, url: URL, decode: Callable[[bytes], RemoteExecutionPage]) -> Listing:
        if self._session is None:
            raise RuntimeError(_NOT_OPEN)
        call = f"GET {url.path_qs}"
        try:
            answer = await self._call(self._session, "GET", url, _FRESH)
            if answer.read_error is not None:
                raise answer.read_error
            if answer.status != _OK:
                return Listing(None, of_status(answer.status)[1].value, describe(answer, call))
            return Listing(decode(answer.body or b""))
        except UnreadableAnswer as error:
            message = f"{call} answered with a body that cannot be read: {shorten(str(error))}"
            return Listing(None, ClientCode.UNREADABLE.value, message)
        except Exception as error:  # noqa: BLE001  # as above
            code = code_of(error)
            return Listing(None, code.value, f"{call}: {self._explain(code, error)}")

    async def _call(
        self,
        session: aiohttp.ClientSession,
        method: str,
        url: URL,
        headers: Mapping[str, str],
        body: "GuardedBody | None" = None,
    ) -> Answer:
        """Sends a request and returns the answer, with its body or the error of reading it. Follows no redirects.

        Raises aiohttp's errors, and AnsweredUnasked for an answer that arrived before the request was sent.
        """
        self._calls += 1
        try:
            response = await session.request(method, url, data=body, headers=headers, allow_redirects=False)
            if body is not None and body.stage is not Stage.HANDED_OVER:
                response.close()
                raise AnsweredUnasked
            content: bytes | None = None
            read_error: Exception | None = None
            try:
                content = await _read_bounded(response.content, self._settings.max_response_bytes)
            except Exception as error:  # noqa: BLE001  # the caller knows what the status proves without it
                read_error = error
            finally:
                response.release()
            return Answer(response.status, content, read_error, response.headers)
        finally:
            self._calls -= 1

    def _failed(
        self, error: Exception, body: "GuardedBody", status: int | None, crowded: bool
    ) -> GatewayReply:
        kind, code = classify(error, may_have_left=body.stage is Stage.HANDED_OVER)
        if body.stage is Stage.TOO_LATE:
            kind, code = ReplyKind.NOT_SENT, ClientCode.LEASE_PASSED
        elif code is ClientCode.CONNECT_TIMEOUT and crowded:
            code = ClientCode.POOL_EXHAUSTED
        answered = f" answered {status}, but" if status is not None else ":"
        message = f"{self._batch_call}{answered} {self._explain(code, error)}"
        own_doing = code in (ClientCode.LEASE_PASSED, ClientCode.POOL_EXHAUSTED)
        return GatewayReply(kind, code.value, message, status, own_doing=own_doing)

    def _explain(self, code: ClientCode, error: Exception) -> str:
        if (known := self._explanations.get(code)) is not None:
            return known
        if code is ClientCode.CLIENT_FAULT:
            log.error("unexpected error in the client", exc_info=error)
        return f"{code.meaning.rstrip('.')} ({shorten(without_address(error))})"

    def _open_socket(self, address: aiohttp.AddrInfoType) -> socket.socket:
        """A socket that drops unacknowledged bytes at the end of the call, even if this process is frozen."""
        family, kind, protocol, _, _ = address
        sock = socket.socket(family, kind, protocol)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        user_timeout = getattr(socket, "TCP_USER_TIMEOUT", None)
        if user_timeout is not None:
            total_ms = max(1, self._settings.effective_total_timeout_ms)
            sock.setsockopt(socket.IPPROTO_TCP, user_timeout, total_ms)
        return sock


class Stage(StrEnum):
    """Progress of a request body."""

    WAITING = "waiting"
    TOO_LATE = "too_late"
    """The lease had ended."""
    STALE = "stale"
    """The connection was closed, or had received bytes before the request."""
    HANDED_OVER = "handed_over"
    """Bytes may have left."""


class NothingLeft(Exception):
    """Raised in place of the first write; `GuardedBody.stage` has the reason."""


class GuardedBody(aiohttp.BytesPayload):
    """A request body that is not sent after `write_before` (seconds of the monotonic clock).

    aiohttp buffers the request's head until the body's first write, so the check happens right before any byte
    leaves: a process that was frozen past its lease sends nothing.
    """

    def __init__(self, body: bytes, clock: Clock, write_before: float) -> None:
        super().__init__(body, content_type="application/json")
        self._clock = clock
        self._write_before = write_before
        self._transport: asyncio.WriteTransport | None = None
        self._is_abandoned = False
        self.stage = Stage.WAITING

    async def write_with_length(self, writer: AbstractStreamWriter, _content_length: int | None) -> None:
        """Writes the whole body, whose length is the announced one, or raises NothingLeft with nothing written."""
        self._transport = transport = writer.transport
        # Bytes that arrived on the connection before the request would be taken for its answer.
        protocol = getattr(transport, "get_protocol", lambda: None)()
        if transport is None or transport.is_closing() or getattr(protocol, "should_close", False):
            self.stage = Stage.STALE
        elif self._is_abandoned or self._clock.monotonic() >= self._write_before:
            self.stage = Stage.TOO_LATE
        else:
            self.stage = Stage.HANDED_OVER
            await writer.write(self._value)
            return
        raise NothingLeft

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Like `write_with_length`."""
        await self.write_with_length(writer, None)

    def abandon(self) -> None:
        """Makes sure that nothing is sent from now on.

        Closing the connection would still send what the socket has buffered; a reset discards it.
        """
        self._is_abandoned = True
        transport = self._transport
        if transport is None:
            return
        sock = transport.get_extra_info("socket")
        if sock is not None:
            # uvloop raises ValueError for a closed socket.
            with contextlib.suppress(OSError, ValueError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        transport.abort()


async def _read_bounded(content: aiohttp.StreamReader, max_bytes: int) -> bytes:
    """The whole body; raises BodyTooLarge as soon as more than `max_bytes` have arrived.

    Content-Length is not trusted.
    """
    body = await content.readany()
    if content.at_eof() and len(body) <= max_bytes:
        return body
    chunks, size = [body], len(body)
    while size <= max_bytes:
        chunk = await content.readany()
        if not chunk:
            return b"".join(chunks)
        chunks.append(chunk)
        size += len(chunk)
    raise BodyTooLarge


def _explanations(settings: ExecutionServiceSettings) -> Mapping[ClientCode, str]:
    """The codes whose message does not quote the error, with their messages."""
    connect_s, read_s = settings.connect_timeout_ms / 1000, settings.read_timeout_ms / 1000
    total_s = settings.effective_total_timeout_ms / 1000
    return {
        ClientCode.READ_TIMEOUT: f"no answer within {read_s:g} s",
        ClientCode.TOTAL_TIMEOUT: f"no complete answer within {total_s:g} s",
        ClientCode.CONNECT_TIMEOUT: f"no connection within {connect_s:g} s",
        ClientCode.POOL_EXHAUSTED: f"all {settings.max_connections} connections were busy for {connect_s:g} s",
        ClientCode.BODY_TOO_LARGE: f"the answer is larger than {settings.max_response_bytes} bytes",
        # The error may quote the address with its credentials.
        ClientCode.BAD_ADDRESS: ClientCode.BAD_ADDRESS.meaning,
        # The error is only aiohttp's wrapping.
        ClientCode.LEASE_PASSED: ClientCode.LEASE_PASSED.meaning,
    }


def _base_url(text: str) -> URL:
    try:
        url = URL(text)
    except ValueError as error:
        raise InvalidInput.of("base_url", "(hidden)", f"must be an http or https address: {error}") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise InvalidInput.of("base_url", _shown(url), "must be an http or https address")
    return url.with_query(None).with_fragment(None)


def _shown(url: URL) -> str:
    """The address without user and password."""
    return str(url.with_user(None) if url.absolute else url)
