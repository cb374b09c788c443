"""The header Idempotency-Key on requests that create or send: read, replayed, kept. docs/idempotency.md."""

import inspect
import re
from collections.abc import Awaitable, Callable, Mapping
from functools import partial, wraps
from typing import Any, TypeAlias, cast

from litestar import Response
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.spec import OpenAPIType, Schema

from trade_service.domain.errors import InvalidInput
from trade_service.trading.model import NotAccepted
from trade_service.trading.request_keys import (
    IdempotentRequests,
    KeptAnswer,
    KeyClaim,
    KeyedRequest,
    KeyStatus,
    KeyTaken,
    Reused,
    StillRunning,
    claiming,
    digest,
)
from trade_service.web.access import post, principal_of
from trade_service.web.dependencies import WebServices
from trade_service.web.errors import HttpCode, RequestRefused, problem_of, respond_to_error
from trade_service.web.request_bodies import StrictRequest
from trade_service.web.responses import SUBMISSION_STATE, ApiResponse
from trade_service.web.routing import HttpRequest, header, with_key

IDEMPOTENCY_KEY = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
"""`true` in the response to a repeat."""
KEYS = "keys"
"""Where the application's state has IdempotentRequests."""

MAX_KEY_CHARS = 255
RETRY_AFTER_MAX_S = 5.0
"""A request that runs has mostly finished long before its lease ends."""

_CONTENT_TYPE = "Content-Type"
_KEY = re.compile(rf"[\x20-\x7e]{{1,{MAX_KEY_CHARS}}}")
_RULE = f"must be 1 to {MAX_KEY_CHARS} printable ASCII characters, a UUID for example, and given once"
_HEADER = header(
    IDEMPOTENCY_KEY,
    "A repeat with the same key creates and sends nothing again; it gets the first request's answer.",
    Schema(type=OpenAPIType.STRING, pattern=rf"^[\x20-\x7e]{{1,{MAX_KEY_CHARS}}}$"),
)

Handler: TypeAlias = Callable[..., Awaitable[Response[Any]]]
_CLAIM = "key_claim"
"""Where the request's state keeps its claim."""


def keyed_post(path: str, *, opt: Mapping[str, Any], **options: Any) -> Callable[[Handler], HTTPRouteHandler]:
    """Declares a POST route that takes an Idempotency-Key.

    The handler's last parameter `created` is None for a first request. For a repeat of which no response is
    kept it is what the first request created: the handler then creates nothing, and sends nothing twice.

        @keyed_post("/", opt=TRADER)
        async def create(self, services: Services, data: OrderPost, created: Created | None) -> ...: ...
    """

    def decorate(handler: Handler) -> HTTPRouteHandler:
        known = inspect.signature(handler).parameters

        @wraps(handler)
        async def serve(
            controller: Any, request: HttpRequest, services: WebServices, **values: Any
        ) -> Response[Any]:
            if "request" in known:
                values["request"] = request
            claim: KeyClaim | None = request.scope["state"].get(_CLAIM)
            if claim is None:
                return await handler(controller, services=services, created=None, **values)
            replay = partial(handler, controller, services=services, **values)
            return await _serve_keyed(services.keys, request, claim, replay)

        _hide_created(serve, handler)
        return post(
            path, opt=with_key(opt, _HEADER, REPLAYED), before_request=cast(Any, _find_key), **options
        )(serve)

    return decorate


def _hide_created(serve: Any, handler: Handler) -> None:
    """Has Litestar see the handler's parameters, and the request in place of `created`."""
    request = inspect.Parameter("request", inspect.Parameter.KEYWORD_ONLY, annotation=HttpRequest)
    parameters = dict(inspect.signature(handler).parameters)
    del parameters["created"]
    parameters.setdefault("request", request)
    serve.__signature__ = inspect.signature(handler).replace(parameters=list(parameters.values()))
    annotations = {name: hint for name, hint in handler.__annotations__.items() if name != "created"}
    serve.__annotations__ = {"request": HttpRequest, **annotations}


async def _find_key(request: StrictRequest) -> Response[Any] | None:
    """The response to a repeat that needs no work; None where the handler has to run.

    It comes before the body is decoded: what a key stands for is compared byte by byte.
    """
    if IDEMPOTENCY_KEY not in request.headers:
        return None
    keyed = await _fingerprinted(request)
    keys: IdempotentRequests = request.app.state[KEYS]
    status = await keys.key_status(keyed)
    if isinstance(status, KeyClaim):
        request.scope["state"][_CLAIM] = status
        return None
    return _answered(request, keyed.key, status)


async def _serve_keyed(
    keys: IdempotentRequests, request: HttpRequest, claim: KeyClaim, replay: Handler
) -> Response[Any]:
    if claim.created is None:
        try:
            return await _work(keys, request, claim, replay)
        except KeyTaken:
            status = await keys.key_status(claim.request)
            if not isinstance(status, KeyClaim) or status.created is None:
                return _answered(request, claim.request.key, status)
            claim = status
    response = await _work(keys, request, claim, replay)
    response.headers[REPLAYED] = "true"
    return response


def _answered(request: HttpRequest, key: str, status: KeyStatus) -> Response[Any]:
    if not isinstance(status, KeptAnswer):
        # Nothing is known here of what the key stands for, so no route's own error envelope fits.
        return respond_to_error(request, _refusal(key, status))
    headers = {**status.headers, REPLAYED: "true"}
    media_type = headers.pop(_CONTENT_TYPE)
    return ApiResponse(status.body, status.status, headers, media_type)


async def _work(
    keys: IdempotentRequests, request: HttpRequest, claim: KeyClaim, replay: Handler
) -> Response[Any]:
    """The handler's response; kept for repeats when it is final and something was created.

    A cancelled request keeps its lease, which ends soon after the longest time of a request.
    """
    try:
        with claiming(claim):
            response = await replay(created=claim.created)
    except KeyTaken:
        raise
    except Exception as error:
        # Only this error is the outcome of what was created, not merely a failure to learn it.
        if claim.created is None or problem_of(error, "POST", "").code != NotAccepted.code:
            await keys.let_go(claim)
            raise
        response = respond_to_error(request, error)
    if claim.created is None:
        return response
    assert isinstance(response, ApiResponse)
    if SUBMISSION_STATE in response.headers:
        await keys.let_go(claim)  # Pending: a repeat gets the state of its time.
    else:
        headers = {**response.headers, _CONTENT_TYPE: response.media_type}
        await keys.keep(claim, KeptAnswer(response.status_code, headers, response.body))
    return response


async def _fingerprinted(request: StrictRequest) -> KeyedRequest:
    """The request as its key identifies it; raises InvalidInput for an invalid key."""
    keys = request.headers.getall(IDEMPOTENCY_KEY)
    if len(keys) != 1 or not _KEY.fullmatch(keys[0]):
        raise InvalidInput.of(IDEMPOTENCY_KEY, " and ".join(keys)[:100], _RULE)
    scope, body = request.scope, await request.raw_body()
    path = scope["path"].rstrip("/").encode()
    return KeyedRequest(
        principal=principal_of(scope),
        scope=f"{request.method} {scope['path_template']}",
        key=keys[0],
        fingerprint=digest(request.method.encode(), path, scope["query_string"], body),
    )


def _refusal(key: str, status: KeyStatus) -> RequestRefused:
    """Why a repeat is not answered: another request has its key, or the first one still runs."""
    if isinstance(status, Reused):
        rule = "must be new for a new request, and this one came before with another path, query or body"
        return RequestRefused.of(422, HttpCode.IDEMPOTENCY_KEY_REUSED, IDEMPOTENCY_KEY, key, rule)
    message = (
        f"{IDEMPOTENCY_KEY}: a request with the key {key!r} is still running, and this one did nothing: "
        "repeat it in a moment for the answer"
    )
    left_s = status.left_ms / 1000 if isinstance(status, StillRunning) else 0.0
    return RequestRefused(409, HttpCode.IDEMPOTENCY_KEY_RUNNING, message, min(left_s, RETRY_AFTER_MAX_S))
