"""Delivers an answer, or fails to: resets, hangs, truncation, endless bodies."""

import asyncio
import socket
import struct
from typing import Final

from aiohttp import HttpVersion11, web

from execution_simulator.faults import Channel
from execution_simulator.payloads import encode
from execution_simulator.profiles.base import Profile
from execution_simulator.state import SimulatorState

_JSON: Final = "application/json"
_TOMCAT_CLOSES_AFTER: Final = frozenset({400, 408, 411, 413, 414, 500, 501, 503})
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)
_HANG_POLL_S: Final = 0.05
_CHUNK: Final = b"x" * 65_536
_HTML: Final = b"<html><head><title>Welcome</title></head><body>The service is being upgraded.</body></html>"


def json_answer(status: int, message: object) -> web.Response:
    """A complete JSON answer."""
    return web.Response(status=status, body=encode(message), content_type=_JSON)


def framed(
    request: web.Request, profile: Profile, status: int, payload: bytes, headers: dict[str, str] | None = None
) -> web.Response:
    """A complete JSON answer, or one without a body, framed as the profile's server does."""
    if not payload:
        return web.Response(status=status, headers=headers)
    response = web.Response(status=status, body=payload, content_type=_JSON, headers=headers)
    if profile.like_tomcat:
        if request.version >= HttpVersion11:
            response.enable_chunked_encoding()
        if status in _TOMCAT_CLOSES_AFTER:
            response.force_close()
    return response


async def deliver(
    request: web.Request,
    state: SimulatorState,
    channel: Channel,
    status: int,
    payload: bytes,
    headers: dict[str, str],
) -> web.StreamResponse:
    """Sends ``payload`` as ``channel`` demands."""
    match channel:
        case Channel.REFUSE | Channel.RESET:
            return reset(request)
        case Channel.HANG:
            return await _hang(request, state)
        case Channel.TRUNCATED:
            return await _truncate(request, status, payload)
        case Channel.GARBAGE_HTML:
            return web.Response(status=status, body=_HTML, content_type="text/html")
        case Channel.GARBAGE_JSON:
            return web.Response(status=status, body=b'{"status":"SUCCESS","results":[{]', content_type=_JSON)
        case Channel.HUGE:
            return await _flood(request, state, status)
        case Channel.RESULTS | Channel.ERROR:
            return framed(request, state.profile, status, payload, headers)


def reset(request: web.Request) -> web.Response:
    """Aborts the connection with a TCP reset; the returned response is never sent."""
    transport = request.transport
    if transport is not None:
        connection = transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        transport.abort()
    return web.Response(status=500)


async def _hang(request: web.Request, state: SimulatorState) -> web.Response:
    """Sends nothing until the client disconnects or the simulator stops; aiohttp signals neither to a handler."""
    while request.transport is not None and not state.stopped.is_set():
        try:
            await asyncio.wait_for(state.stopped.wait(), _HANG_POLL_S)
        except TimeoutError:
            continue
    return reset(request)


async def _truncate(request: web.Request, status: int, payload: bytes) -> web.StreamResponse:
    """Sends half of the announced body, then closes the connection cleanly."""
    response = web.StreamResponse(status=status, headers={"Content-Type": _JSON})
    response.content_length = len(payload)
    await response.prepare(request)
    await response.write(payload[: len(payload) // 2])
    if request.transport is not None:
        request.transport.close()
    return response


async def _flood(request: web.Request, state: SimulatorState, status: int) -> web.StreamResponse:
    """Sends a chunked body of ``huge_bytes``, unless the client disconnects first."""
    response = web.StreamResponse(status=status, headers={"Content-Type": _JSON})
    response.enable_chunked_encoding()
    try:
        await response.prepare(request)
        await response.write(b'{"status":"SUCCESS","message":"')
        for _ in range(state.settings.huge_bytes // len(_CHUNK) + 1):
            if state.stopped.is_set():
                break
            await response.write(_CHUNK)
    except ConnectionError:
        return reset(request)
    return response
