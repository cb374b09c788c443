"""Opens connections: name, TCP and TLS, within a time, and with a code for whatever prevents it."""

import asyncio
import errno
import os
import socket
import ssl
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, NamedTuple, TypeVar

from aiohappyeyeballs import AddrInfoType, start_connection

from trade_service.execution_service.reply_interpretation import ClientCode, NothingSent

_SEND_BUFFER_BYTES = 256 * 1024
"""Large enough for any batch, so that a request is handed to the kernel in one system call."""
_NEXT_ADDRESS_S = 0.25
"""When the next address of a name is tried beside one that has not answered (RFC 8305, 5)."""
_OF_ERRNO = {
    errno.ECONNREFUSED: ClientCode.REFUSED_CONNECTION,
    errno.ETIMEDOUT: ClientCode.CONNECT_TIMEOUT,
}
_P = TypeVar("_P", bound=asyncio.Protocol)
_T = TypeVar("_T")


class Peer(NamedTuple):
    """Where connections lead."""

    host: str
    port: int
    tls: ssl.SSLContext | bool | None
    """None for none; True for the default context."""


async def open_connection(
    peer: Peer, protocol_of: Callable[[socket.socket], _P], unacknowledged_s: float
) -> _P:
    """The protocol of a new connection.

    unacknowledged_s: how long the kernel keeps bytes that the other side does not acknowledge.

    Raises NothingSent.
    """
    sock, loop = None, asyncio.get_running_loop()
    try:
        addresses = await loop.getaddrinfo(
            peer.host, peer.port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
        )
        sock = await start_connection(
            addresses,
            happy_eyeballs_delay=_NEXT_ADDRESS_S,
            socket_factory=partial(_new_socket, max(1, round(unacknowledged_s * 1000))),
        )
        protocol, name = protocol_of(sock), peer.host.rstrip(".") if peer.tls else None
        await loop.create_connection(lambda: protocol, sock=sock, ssl=peer.tls, server_hostname=name)
    except BaseException as error:
        if sock is not None:
            sock.close()
        if isinstance(error, Exception):
            raise not_connected(error) from error
        raise
    return protocol


def _new_socket(unacknowledged_ms: int, address: AddrInfoType) -> socket.socket:
    """A socket that drops unacknowledged bytes at the end of the call, even if this process is frozen."""
    family, kind, protocol, _, _ = address
    sock = socket.socket(family, kind, protocol)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
    user_timeout = getattr(socket, "TCP_USER_TIMEOUT", None)
    if user_timeout is not None:
        sock.setsockopt(socket.IPPROTO_TCP, user_timeout, unacknowledged_ms)
    return sock


async def in_time(work: Coroutine[Any, Any, _T], until: float, late: ClientCode) -> _T:
    """The result of `work`. Raises NothingSent with the code `late` at `until`, by the loop's clock."""
    try:
        async with asyncio.timeout_at(until):
            return await work
    except TimeoutError:
        raise NothingSent(late) from None


def not_connected(error: Exception) -> NothingSent:
    """Why there is no connection, in words that do not quote the address."""
    match error:
        case UnicodeError():
            return NothingSent(ClientCode.BAD_ADDRESS)
        case socket.gaierror():
            return NothingSent(ClientCode.NAME_NOT_RESOLVED, error.strerror or "the name is unknown")
        case ssl.SSLCertVerificationError():
            return NothingSent(ClientCode.TLS, error.verify_message.partition(",")[0])
        case ssl.SSLError():
            return NothingSent(ClientCode.TLS, getattr(error, "reason", None) or type(error).__name__)
        case OSError():
            code = _OF_ERRNO.get(error.errno or 0, ClientCode.UNREACHABLE)
            return NothingSent(code, os.strerror(error.errno) if error.errno else type(error).__name__)
    return NothingSent(ClientCode.CLIENT_FAULT, type(error).__name__)
