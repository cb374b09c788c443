"""One HTTP exchange with the Execution Service: connections, time-outs, sockets."""

import socket

import aiohttp
from yarl import URL

from trade_service import __version__
from trade_service.execution_service.body import GuardedBody, read_bounded
from trade_service.execution_service.client_errors import AnsweredUnasked
from trade_service.execution_service.reply_interpretation import Answer
from trade_service.submission.engine_settings import ExecutionServiceSettings

_SEND_BUFFER_BYTES = 256 * 1024
"""Large enough for any batch, so that a request is handed to the kernel in one system call."""


_KEEPALIVE_S = 4.0
"""Idle connections are closed after this time: before the other side closes them (5 s is common)."""


class HttpExchange:
    """A pool of connections, created on the loop that uses it. Raises aiohttp's errors; follows no redirects.

    aiohttp repeats a request on a fresh connection only for idempotent methods, so never a POST.
    """

    def __init__(self, settings: ExecutionServiceSettings) -> None:
        self._settings = settings
        self._calls = 0
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
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

    @property
    def is_crowded(self) -> bool:
        """Whether all connections are in use, so that a new call waits for one."""
        return self._calls >= self._settings.max_connections

    async def close(self) -> None:
        """Closes every connection; calls in progress fail."""
        await self._session.close()

    async def call(
        self, method: str, url: URL, headers: dict[str, str] | None = None, body: GuardedBody | None = None
    ) -> Answer:
        """Sends a request and returns the answer, with its body or the error of reading it.

        Raises AnsweredUnasked for an answer that arrived before the request was sent.
        """
        self._calls += 1
        try:
            response = await self._session.request(
                method, url, data=body, headers=headers, allow_redirects=False
            )
            if body is not None and not body.may_have_left:
                response.close()
                raise AnsweredUnasked
            try:
                return await self._read(response)
            finally:
                response.release()
        finally:
            self._calls -= 1

    async def _read(self, response: aiohttp.ClientResponse) -> Answer:
        content: bytes | None = None
        read_error: Exception | None = None
        try:
            content = await read_bounded(response, self._settings.max_response_bytes)
        except Exception as error:  # noqa: BLE001  # the caller knows what the status proves without it
            read_error = error
        headers = response.headers
        return Answer(
            status=response.status,
            body=content,
            read_error=read_error,
            content_type=headers.get("Content-Type", ""),
            retry_after=headers.get("Retry-After"),
            date=headers.get("Date"),
        )

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
