"""Binds listening sockets, with clear errors."""

import asyncio
import errno
import socket
from typing import Any


class CannotListen(Exception):
    """The address cannot be listened on; the message says why and what to do."""


async def listening_sockets(host: str, port: int) -> list[socket.socket]:
    """Bound sockets on every address of `host`, all on one port; raises CannotListen."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        message = (
            f"cannot listen on {host}:{port}: the host name cannot be resolved ({error}), set server.host"
        )
        raise CannotListen(message) from error
    sockets: list[socket.socket] = []
    try:
        for family, _, _, _, address in dict.fromkeys(found):
            chosen = sockets[0].getsockname()[1] if sockets else port
            sockets.append(_bound(family, (address[0], chosen, *address[2:])))
    except OSError as error:
        for one in sockets:
            one.close()
        raise CannotListen(_why_not(host, port, error)) from error
    return sockets


def _bound(family: int, address: tuple[Any, ...]) -> socket.socket:
    one = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        # Accepted connections inherit it. Without it an answer in two segments waits 40 ms for an acknowledgement.
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind(address)
        one.settimeout(0)
    except OSError:
        one.close()
        raise
    return one


def _why_not(host: str, port: int, error: OSError) -> str:
    place = f"cannot listen on {host}:{port}"
    match error.errno:
        case errno.EADDRINUSE:
            return (
                f"{place}: another program has the port; stop it, or choose another with server.port (0: any)"
            )
        case errno.EACCES | errno.EPERM:
            return f"{place}: not permitted; choose a port above 1023 with server.port"
        case errno.EADDRNOTAVAIL:
            return f"{place}: this machine does not have that address; set server.host"
        case _:
            return f"{place}: {error.strerror or error}"
