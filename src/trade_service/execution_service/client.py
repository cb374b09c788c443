"""The Execution Service over HTTP. Whatever happens to a call, it becomes a value that says what it proves."""

import base64
import re
from collections.abc import Callable, Mapping
from typing import Self

import msgspec
import structlog
from yarl import URL

from trade_service import __version__
from trade_service.domain.errors import InvalidInput, shorten
from trade_service.execution_service import wire
from trade_service.execution_service.connections import CallLimits, ConnectionPool
from trade_service.execution_service.opening import Peer
from trade_service.execution_service.reply_interpretation import (
    CallFailed,
    ClientCode,
    describe,
    kind_of,
    needs_body,
    of_status,
    read_batch,
)
from trade_service.execution_service.wire import MAX_ITEMS, UnreadableAnswer
from trade_service.submission.engine_settings import ExecutionServiceSettings
from trade_service.submission.messages import BatchExecutionRequest, Listing, RemoteExecutionPage
from trade_service.submission.model import AttemptId, GatewayReply, ReplyKind
from trade_service.submission.ports import Clock
from trade_service.tls import TlsFiles, client_context

log = structlog.get_logger(__name__)

_NOT_OPEN = "ExecutionServiceClient is not open: use it within `async with`"
_OK = 200
_FRESH = "Cache-Control: no-cache\r\n"
"""Reconciliation draws conclusions from absence, so no cache may answer with an older listing."""
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+: [^\r\n\0]*")

HeadersOf = Callable[[AttemptId], Mapping[str, str]]


class ExecutionServiceClient:
    """The Execution Service over HTTP (`submission.ports.ExecutionGateway`).

    A batch is never sent twice. No call raises: failures come back as values that say what they prove. Only
    cancellation propagates.

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
        self._base = base
        self._list_url = base / "api/v1/executions"
        self._one_url = base / "api/v1/execution"
        batch_url = base / "api/v1/executions/batch"
        self._batch_call = f"POST {batch_url.path}"
        self._headers = _common_headers(base)
        self._post_head = (
            f"POST {batch_url.raw_path} HTTP/1.1\r\n{self._headers}Content-Type: application/json\r\n"
        )
        self._address = _shown(base)
        """For the log; callers see the messages of replies, which do not name it."""
        self._headers_of = headers_of
        self._explanations = _explanations(settings)
        tls = client_context(
            TlsFiles("execution_service", settings.tls_ca, settings.tls_certificate, settings.tls_key)
        )
        self._tls = tls if base.scheme == "https" else None
        self._pool: ConnectionPool | None = None

    async def __aenter__(self) -> Self:
        settings, base = self._settings, self._base
        limits = CallLimits(
            connect_s=settings.connect_timeout_ms / 1000,
            read_s=settings.read_timeout_ms / 1000,
            total_s=settings.effective_total_timeout_ms / 1000,
            max_connections=settings.max_connections,
            max_body_bytes=settings.max_response_bytes,
        )
        self._pool = ConnectionPool(Peer(base.raw_host or "", base.port or 0, self._tls), limits)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._pool is not None:
            pool, self._pool = self._pool, None
            await pool.close()

    async def submit_batch(
        self, request: BatchExecutionRequest, attempt_id: AttemptId, write_before: float
    ) -> GatewayReply:
        """Sends one batch, unless the monotonic clock reaches `write_before` before its first byte leaves.

        A request with too many executions is not sent and returns REFUSED_WHOLE.
        """
        began = self._clock.monotonic()
        size = len(request.executions)
        if 1 <= size <= MAX_ITEMS:
            reply = await self._send(request.body, attempt_id, write_before)
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

    async def _send(self, body: bytes, attempt_id: AttemptId, write_before: float) -> GatewayReply:
        pool, clock = self._pool, self._clock
        if pool is None:
            raise RuntimeError(_NOT_OPEN)
        try:
            lines = f"Idempotency-Key: {attempt_id}\r\nX-Request-ID: {attempt_id}\r\n"
            if self._headers_of is not None:
                lines += _header_lines(self._headers_of(attempt_id))
            head = f"{self._post_head}{lines}Content-Length: {len(body)}\r\n\r\n".encode("latin-1")
            answer = await pool.call(head + body, lambda: clock.monotonic() < write_before)
            if answer.read_error is not None and needs_body(answer.status):
                return self._failed(answer.read_error, answer.status)
            return read_batch(answer, self._batch_call)
        except CallFailed as failure:
            return self._failed(failure, None)
        except Exception as error:  # noqa: BLE001  # no call raises
            return self._failed(_unforeseen(error), None)

    async def _list(self, url: URL, decode: Callable[[bytes], RemoteExecutionPage]) -> Listing:
        pool, call = self._pool, f"GET {url.path_qs}"
        if pool is None:
            raise RuntimeError(_NOT_OPEN)
        request = f"GET {url.raw_path_qs} HTTP/1.1\r\n{self._headers}{_FRESH}\r\n".encode("latin-1")
        try:
            answer = await pool.call(request, is_repeatable=True)
            if answer.read_error is not None:
                raise answer.read_error
            if answer.status != _OK:
                return Listing(None, of_status(answer.status)[1].value, describe(answer, call))
            return Listing(decode(answer.body or b""))
        except UnreadableAnswer as error:
            message = f"{call} answered with a body that cannot be read: {shorten(str(error))}"
            return Listing(None, ClientCode.UNREADABLE.value, message)
        except CallFailed as failure:
            return Listing(None, failure.code.value, f"{call}: {self._explain(failure)}")
        except Exception as error:  # noqa: BLE001  # no call raises
            unforeseen = _unforeseen(error)
            return Listing(None, unforeseen.code.value, f"{call}: {self._explain(unforeseen)}")

    def _failed(self, failure: CallFailed, status: int | None) -> GatewayReply:
        answered = f" answered {status}, but" if status is not None else ":"
        message = f"{self._batch_call}{answered} {self._explain(failure)}"
        own_doing = failure.code in (ClientCode.LEASE_PASSED, ClientCode.POOL_EXHAUSTED)
        return GatewayReply(kind_of(failure), failure.code.value, message, status, own_doing=own_doing)

    def _explain(self, failure: CallFailed) -> str:
        if (known := self._explanations.get(failure.code)) is not None:
            return known
        if failure.code is ClientCode.CLIENT_FAULT:
            log.error("client_fault", exc_info=failure.__cause__)
        detail = f" ({shorten(failure.detail)})" if failure.detail else ""
        return f"{failure.code.meaning.rstrip('.')}{detail}"


def _explanations(settings: ExecutionServiceSettings) -> Mapping[ClientCode, str]:
    """The codes whose message names a limit, with their messages."""
    connect_s, read_s = settings.connect_timeout_ms / 1000, settings.read_timeout_ms / 1000
    total_s = settings.effective_total_timeout_ms / 1000
    return {
        ClientCode.READ_TIMEOUT: f"no answer within {read_s:g} s",
        ClientCode.TOTAL_TIMEOUT: f"no complete answer within {total_s:g} s",
        ClientCode.CONNECT_TIMEOUT: f"no connection within {connect_s:g} s",
        ClientCode.POOL_EXHAUSTED: f"all {settings.max_connections} connections were busy for {connect_s:g} s",
        ClientCode.BODY_TOO_LARGE: f"the answer is larger than {settings.max_response_bytes} bytes",
    }


def _base_url(text: str) -> URL:
    try:
        url = URL(text)
    except ValueError as error:
        raise InvalidInput.of("base_url", "(hidden)", f"must be an http or https address: {error}") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise InvalidInput.of("base_url", _shown(url), "must be an http or https address")
    return url.with_query(None).with_fragment(None)


def _common_headers(base: URL) -> str:
    """The headers of every request, as lines."""
    lines = {
        "Host": base.host_port_subcomponent or "",
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "User-Agent": f"trade-service/{__version__}",
    }
    if base.user is not None or base.password is not None:
        credentials = f"{base.user or ''}:{base.password or ''}".encode()
        lines["Authorization"] = f"Basic {base64.b64encode(credentials).decode()}"
    return _header_lines(lines)


def _header_lines(headers: Mapping[str, str]) -> str:
    """Headers as lines. Raises ValueError for one that would end its line, or that has no name."""
    lines = [f"{name}: {value}" for name, value in headers.items()]
    if not all(map(_HEADER.fullmatch, lines)):
        raise ValueError("a header has no valid name, or a value with a line break")
    return "\r\n".join((*lines, ""))


def _unforeseen(error: Exception) -> CallFailed:
    """A failure of the client itself. Whether a byte left is not known, so one may have."""
    failure = CallFailed(ClientCode.CLIENT_FAULT, type(error).__name__)
    failure.__cause__ = error
    return failure


def _shown(url: URL) -> str:
    """The address without user and password."""
    return str(url.with_user(None) if url.absolute else url)
