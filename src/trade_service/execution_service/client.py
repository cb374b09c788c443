"""ExecutionServiceClient: turns every HTTP call, whatever happens to it, into a value that says what it proves."""

from collections.abc import Callable, Mapping
from typing import Self

import msgspec
import structlog
from yarl import URL

from trade_service.domain.errors import InvalidInput, shorten
from trade_service.execution_service import wire
from trade_service.execution_service.body import GuardedBody, Stage
from trade_service.execution_service.client_errors import ClientCode, classify, code_of
from trade_service.execution_service.exchange import HttpExchange
from trade_service.execution_service.reply_interpretation import describe, needs_body, of_status, read_batch
from trade_service.execution_service.tolerant import UnreadableAnswer
from trade_service.submission.engine_settings import ExecutionServiceSettings
from trade_service.submission.messages import BatchExecutionRequest, RemoteExecutionPage
from trade_service.submission.model import AttemptId, GatewayReply, ReplyKind
from trade_service.submission.ports import Clock, Listing

log = structlog.get_logger(__name__)

_BATCH_PATH = "/api/v1/executions/batch"
_LIST_PATH = "/api/v1/executions"
_ONE_PATH = "/api/v1/execution"
_OK = 200
_FRESH = {"Cache-Control": "no-cache"}
"""Reconciliation draws conclusions from absence, so no cache may answer with an older listing."""

HeadersOf = Callable[[AttemptId], Mapping[str, str]]


def _no_headers(_attempt_id: AttemptId) -> Mapping[str, str]:
    return {}


class ExecutionServiceClient:
    """The Execution Service over HTTP (`submission.ports.ExecutionGateway`).

    Nothing is sent twice, and no call raises: failures come back as values that say what they prove. Only
    cancellation propagates.

    Example:
        async with ExecutionServiceClient(settings, SystemClock()) as client:
            reply = await client.submit_batch(request, attempt_id, write_before)
            if reply.kind is ReplyKind.ANSWERED: ...
    """

    def __init__(
        self, settings: ExecutionServiceSettings, clock: Clock, headers_of: HeadersOf = _no_headers
    ) -> None:
        """`headers_of` returns additional headers for an attempt's call, such as those of a trace.

        Raises InvalidInput if `settings.base_url` is not an http or https address.
        """
        self._settings = settings
        self._clock = clock
        base = _base_url(settings.base_url)
        self._batch_url = base / _BATCH_PATH.lstrip("/")
        self._list_url = base / _LIST_PATH.lstrip("/")
        self._one_url = base / _ONE_PATH.lstrip("/")
        self._batch_call = f"POST {_shown(self._batch_url)}"
        self._headers_of = headers_of
        self._http: HttpExchange | None = None

    async def __aenter__(self) -> Self:
        self._http = HttpExchange(self._settings)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._http is not None:
            http, self._http = self._http, None
            await http.close()

    async def submit_batch(
        self, request: BatchExecutionRequest, attempt_id: AttemptId, write_before: float
    ) -> GatewayReply:
        """Sends one batch, unless the boot clock reaches `write_before` before its first byte leaves.

        A request that breaks the contract is not sent and returns REFUSED_WHOLE, so that the engine isolates the
        invalid execution.
        """
        began = self._clock.monotonic()
        try:
            body = GuardedBody(wire.encode_batch_request(request), self._clock, write_before)
        except InvalidInput as error:
            reply = GatewayReply(
                ReplyKind.REFUSED_WHOLE, ClientCode.INVALID_REQUEST.value, f"not sent: {error.message}"
            )
        else:
            reply = await self._send(body, attempt_id)
        duration_ms = (self._clock.monotonic() - began) * 1000
        good = reply.kind is ReplyKind.ANSWERED
        write = log.debug if good else log.warning
        write(
            "batch submitted" if good else "batch not confirmed",
            attempt_id=attempt_id,
            size=len(request.executions),
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
        listing = await self._list(url, f"GET {_shown(url)}")
        write = log.debug if listing.page is not None else log.warning
        write(
            "listing read" if listing.page is not None else "listing not read",
            offset=offset,
            limit=limit,
            code=listing.code,
            message=listing.message,
            duration_ms=round((self._clock.monotonic() - began) * 1000, 3),
        )
        return listing

    async def find(self, service_id: int) -> Listing:
        """The execution with that id as a page of one; an empty page when there is none."""
        url = self._one_url / str(service_id)
        listing = await self._list(url, f"GET {_shown(url)}", wire.decode_row)
        if listing.code == ClientCode.NOT_FOUND:
            return Listing(RemoteExecutionPage([]))
        return listing

    async def _send(self, body: GuardedBody, attempt_id: AttemptId) -> GatewayReply:
        http = self._opened()
        headers = {
            "Idempotency-Key": attempt_id,
            "X-Request-ID": attempt_id,
            **self._headers_of(attempt_id),
        }
        crowded = http.is_crowded
        complete = False
        try:
            answer = await http.call("POST", self._batch_url, headers, body)
            complete = answer.body is not None
            if answer.read_error is not None and needs_body(answer.status):
                return self._failed(answer.read_error, body, answer.status, crowded)
            return read_batch(answer, self._batch_call)
        except Exception as error:  # noqa: BLE001  # the map is total: every error becomes a value
            return self._failed(error, body, None, crowded)
        finally:
            if not complete:
                body.abandon()

    async def _list(
        self, url: URL, call: str, decode: Callable[[bytes], RemoteExecutionPage] = wire.decode_page
    ) -> Listing:
        http = self._opened()
        try:
            answer = await http.call("GET", url, _FRESH)
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

    def _opened(self) -> HttpExchange:
        if self._http is None:
            raise RuntimeError("ExecutionServiceClient is not open: use it within `async with`")
        return self._http

    def _failed(self, error: Exception, body: GuardedBody, status: int | None, crowded: bool) -> GatewayReply:
        kind, code = classify(error, may_have_left=body.may_have_left)
        if body.stage is Stage.TOO_LATE:
            kind, code = ReplyKind.NOT_SENT, ClientCode.LEASE_PASSED
        elif code is ClientCode.CONNECT_TIMEOUT and crowded:
            code = ClientCode.POOL_EXHAUSTED
        answered = f" answered {status}, but" if status is not None else ":"
        message = f"{self._batch_call}{answered} {self._explain(code, error)}"
        own_doing = code in (ClientCode.LEASE_PASSED, ClientCode.POOL_EXHAUSTED)
        return GatewayReply(kind, code.value, message, status, own_doing=own_doing)

    def _explain(self, code: ClientCode, error: Exception) -> str:
        settings = self._settings
        match code:
            case ClientCode.READ_TIMEOUT:
                return f"no answer within {settings.read_timeout_ms / 1000:g} s"
            case ClientCode.TOTAL_TIMEOUT:
                return f"no complete answer within {settings.effective_total_timeout_ms / 1000:g} s"
            case ClientCode.CONNECT_TIMEOUT:
                return f"no connection within {settings.connect_timeout_ms / 1000:g} s"
            case ClientCode.POOL_EXHAUSTED:
                busy = f"all {settings.max_connections} connections were busy"
                return f"{busy} for {settings.connect_timeout_ms / 1000:g} s"
            case ClientCode.BODY_TOO_LARGE:
                return f"the answer is larger than {settings.max_response_bytes} bytes"
            case ClientCode.BAD_ADDRESS | ClientCode.LEASE_PASSED:
                # The first may carry the address's credentials, the second only aiohttp's wrapping.
                return code.meaning
            case ClientCode.CLIENT_FAULT:
                log.error("unexpected error in the client", exc_info=error)
        detail = shorten(str(error) or type(error).__name__)
        return f"{code.meaning.rstrip('.')} ({detail})"


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
