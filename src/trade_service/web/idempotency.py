"""The header Idempotency-Key on requests that create or send: read, replayed, kept. docs/idempotency.md."""

import re
from collections.abc import Awaitable, Callable, Mapping
from enum import Enum
from functools import partial, wraps
from typing import Any, TypeAlias

import msgspec
from litestar import Request, Response, post
from litestar.enums import MediaType
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.spec import OpenAPIType, Schema

from trade_service.domain.errors import InvalidInput
from trade_service.trading.idempotency import IdempotentRequests, KeyStatus, Reused, StillRunning
from trade_service.trading.model import NotAccepted
from trade_service.trading.request_keys import (
    Created,
    KeptAnswer,
    KeyClaim,
    KeyedRequest,
    KeyTaken,
    claiming,
    digest,
)
from trade_service.web.access import principal_of
from trade_service.web.codes import HttpCode
from trade_service.web.errors import RequestRefused, problem_of, respond_to_error
from trade_service.web.rendering import RawResponse
from trade_service.web.request_parsing import bytes_of
from trade_service.web.telling import TELLS, Telling, header
from trade_service.web.v1.responses import SUBMISSION_STATE

IDEMPOTENCY_KEY = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
"""`true` in an answer to a repeat."""

MAX_KEY_CHARS = 255
RETRY_AFTER_MAX_S = 5.0
"""A request that runs is mostly done long before its lease has passed."""

_CONTENT_TYPE = "Content-Type"
_KEY = re.compile(rf"[\x20-\x7e]{{1,{MAX_KEY_CHARS}}}")
_RULE = f"must be 1 to {MAX_KEY_CHARS} printable ASCII characters, a UUID for example, and given once"

Handler: TypeAlias = Callable[..., Awaitable[Response[Any]]]
Act: TypeAlias = Callable[[], Awaitable[Response[Any]]]
Again: TypeAlias = Callable[[Created], Awaitable[Response[Any]]]


class Idempotency:
    """Makes routes that take a key."""

    def __init__(self, keys: IdempotentRequests) -> None:
        self._keys = keys

    def post(
        self, path: str, act: Handler, again: Handler, *, opt: Mapping[str, Any], **options: Any
    ) -> HTTPRouteHandler:
        """A POST route that is served by `act`, which takes the request and the values of its path.

        `again` takes the same and what was created, and answers from that a repeat for which no answer is
        kept: it creates nothing, and sends nothing twice.
        """

        @wraps(act)
        async def serve(request: Request[Any, Any, Any], **values: Any) -> Response[Any]:
            if IDEMPOTENCY_KEY not in request.headers:
                return await act(request, **values)
            asked = await _asked(request)
            return await self._serve(
                request, asked, partial(act, request, **values), partial(again, request, **values)
            )

        return post(path, opt=_told(opt), **options)(serve)

    async def _serve(
        self, request: Request[Any, Any, Any], asked: KeyedRequest, act: Act, again: Again
    ) -> Response[Any]:
        key_status = await self._keys.key_status(asked)
        if isinstance(key_status, KeyClaim) and key_status.created is None:
            try:
                return await self._work(request, key_status, act)
            except KeyTaken:
                key_status = await self._keys.key_status(asked)
        match key_status:
            case KeptAnswer():
                response = _response(key_status)
            case KeyClaim(created=Created() as created):
                response = await self._work(request, key_status, partial(again, created))
            case _:
                # Nothing can be said here of what the key stands for: no route's own words for failure fit.
                return respond_to_error(request, _refusal(asked.key, key_status))
        response.headers[REPLAYED] = "true"
        return response

    async def _work(self, request: Request[Any, Any, Any], claim: KeyClaim, act: Act) -> Response[Any]:
        """What `act` answers; kept for repeats when it is final and something was created.

        A cancelled request keeps its lease, which does not outlast the longest time of a request by much.
        """
        try:
            with claiming(claim):
                response = await act()
        except KeyTaken:
            raise
        except Exception as error:
            if claim.created is None or not _is_outcome(error):
                await self._keys.let_go(claim)
                raise
            response = respond_to_error(request, error)
        if claim.created is None:
            return response
        answer = _kept(response)
        if SUBMISSION_STATE in answer.headers:
            await self._keys.let_go(claim)  # Pending: a repeat is told how it stands then.
        else:
            await self._keys.keep(claim, answer)
        return _response(answer)


_HEADER = header(
    IDEMPOTENCY_KEY,
    "A repeat with the same key creates and sends nothing again; it gets the first request's answer.",
    Schema(type=OpenAPIType.STRING, pattern=rf"^[\x20-\x7e]{{1,{MAX_KEY_CHARS}}}$"),
)


def _told(opt: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a handler, with what a key adds to what it tells."""
    telling: Telling = opt.get(TELLS, Telling())
    keyed = msgspec.structs.replace(
        telling,
        parameters=(*telling.parameters, _HEADER),
        errors=(*telling.errors, 409, 413, 422),
        headers=(*telling.headers, REPLAYED),
    )
    return {**opt, TELLS: keyed}


def fingerprint(method: str, path: str, query: bytes, body: bytes) -> bytes:
    """What tells one request from another, whatever their keys: 32 bytes."""
    return digest(method.encode(), path.rstrip("/").encode(), query, body)


async def _asked(request: Request[Any, Any, Any]) -> KeyedRequest:
    """The request as its key knows it; raises InvalidInput for a key that is none."""
    keys = request.headers.getall(IDEMPOTENCY_KEY)
    if len(keys) != 1 or not _KEY.fullmatch(keys[0]):
        raise InvalidInput.of(IDEMPOTENCY_KEY, " and ".join(keys)[:100], _RULE)
    scope = request.scope
    body = await bytes_of(request)
    return KeyedRequest(
        principal=principal_of(scope),
        scope=f"{request.method} {scope['path_template']}",
        key=keys[0],
        fingerprint=fingerprint(request.method, scope["path"], scope["query_string"], body),
    )


def _is_outcome(error: Exception) -> bool:
    """Whether an error tells how what was created ended, and not merely that it is not known."""
    return problem_of(error, "POST", "").code == NotAccepted.code


def _refusal(key: str, key_status: KeyStatus) -> RequestRefused:
    """Why a repeat is not answered: its key stands for something else, or for what still runs."""
    if isinstance(key_status, Reused):
        rule = "must be new for a new request, and this one came before with another path, query or body"
        return RequestRefused.of(422, HttpCode.IDEMPOTENCY_KEY_REUSED, IDEMPOTENCY_KEY, key, rule)
    message = (
        f"{IDEMPOTENCY_KEY}: a request with the key {key!r} is still running, and this one did nothing: "
        "repeat it in a moment for the answer"
    )
    left_s = key_status.left_ms / 1000 if isinstance(key_status, StillRunning) else 0.0
    return RequestRefused(409, HttpCode.IDEMPOTENCY_KEY_RUNNING, message, min(left_s, RETRY_AFTER_MAX_S))


def _kept(response: Response[Any]) -> KeptAnswer:
    """The answer in bytes."""
    given = response.media_type or MediaType.JSON
    media_type = given.value if isinstance(given, Enum) else str(given)
    headers = {**response.headers, _CONTENT_TYPE: media_type}
    body = response.render(response.content, media_type)
    return KeptAnswer(response.status_code or 200, headers, body)


def _response(answer: KeptAnswer) -> Response[Any]:
    headers = dict(answer.headers)
    media_type = headers.pop(_CONTENT_TYPE)
    return RawResponse(answer.body, status_code=answer.status, headers=headers, media_type=media_type)
