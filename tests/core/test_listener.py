"""Accepting connections, where the system refuses to."""

import asyncio
import errno
import socket
import ssl

import pytest

from trade_service.http_server.listener import Listener
from trade_service.http_server.places import Places


@pytest.mark.parametrize("code", [errno.EMFILE, errno.EINVAL, errno.EBADF])
async def test_an_error_that_stays_does_not_spin(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = 0

    async def refuse(_listening: socket.socket) -> tuple[socket.socket, object]:
        nonlocal tries
        tries += 1
        if tries > 100:
            raise asyncio.CancelledError
        raise OSError(code, "refused")

    monkeypatch.setattr(asyncio.get_running_loop(), "sock_accept", refuse)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    listener = Listener(context, asyncio.Protocol, Places(10, 1000), lambda: 0, 1.0)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listener.start([listening], 10)
        for _ in range(20):
            await asyncio.sleep(0)
        await asyncio.gather(*listener.stop(), return_exceptions=True)
    assert tries == 1
