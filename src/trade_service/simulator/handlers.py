"""The Execution Service's own endpoints: read a call, ask the pure behaviour, carry out its verdict."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec
from aiohttp import web

from trade_service.simulator.behaviour import (
    Call,
    Verdict,
    error_body,
    fault_message,
    latency_ms,
    overload,
    respond,
    single_answer,
    size_refusal,
)
from trade_service.simulator.books import Query, QueryError, VersionConflictError
from trade_service.simulator.delivery import deliver, json_answer, reset
from trade_service.simulator.faults import OK, Channel, Step
from trade_service.simulator.messages import (
    BatchExecutionResponse,
    ErrorBody,
    Execution,
    ExecutionPost,
    decode_batch,
    decode_post,
    decode_put,
    encode,
)
from trade_service.simulator.state import Seen, SimulatorState

MAX_PAGE: Final = 100


class Handlers:
    """Endpoints over one state."""

    def __init__(self, state: SimulatorState) -> None:
        self._state = state

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/api/v1/executions/batch", self.batch),
            web.post("/api/v1/executions", self.single),
            web.get("/api/v1/executions", self.list_executions),
            web.get("/api/v1/execution/{id}", self.get_execution),
            web.put("/api/v1/execution/{id}", self.put_execution),
            web.get("/actuator/health", self.health),
        ]

    async def batch(self, request: web.Request) -> web.StreamResponse:
        """``POST /api/v1/executions/batch``."""
        return await self._submit(request, "batch")

    async def single(self, request: web.Request) -> web.StreamResponse:
        """``POST /api/v1/executions``: one execution a call; counted in the same books."""
        return await self._submit(request, "single")

    async def _submit(self, request: web.Request, endpoint: str) -> web.StreamResponse:
        state = self._state
        state.calls[endpoint] += 1
        step = state.submissions.next_step()
        key = request.headers.get("Idempotency-Key")
        trace = request.headers.get("traceparent")
        if step.fault.channel is Channel.REFUSE:
            self._note(Seen(endpoint, 0, step.fault.name, key, trace))
            return reset(request)
        posts = self._read(await request.read(), endpoint, request.path)
        items = 0 if isinstance(posts, ErrorBody) else len(posts)
        self._note(Seen(endpoint, items, step.fault.name, key, trace))
        if isinstance(posts, ErrorBody):
            return json_answer(posts.status, posts)
        state.in_flight += 1
        try:
            verdict = await self._process(posts, step, request.path)
            return await self._send(request, verdict, step, endpoint)
        finally:
            state.in_flight -= 1

    def _note(self, seen: Seen) -> None:
        state = self._state
        state.seen.append(seen)
        state.faults_met[seen.fault] += 1
        if seen.endpoint == "batch":
            state.batch_sizes[seen.items] += 1
        state.arrived.advance()

    def _read(self, body: bytes, endpoint: str, path: str) -> Sequence[ExecutionPost | None] | ErrorBody:
        try:
            if endpoint == "single":
                return [decode_post(body)]
            posts = decode_batch(body).executions
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return error_body(400, f"Malformed JSON request: {error}", path, datetime.now(UTC), None)
        return size_refusal(len(posts), path, datetime.now(UTC)) or posts

    async def _process(self, posts: Sequence[ExecutionPost | None], step: Step, path: str) -> Verdict:
        state, settings = self._state, self._state.settings
        item_faults = state.submissions.item_faults(step, len(posts))
        delay_ms = latency_ms(
            settings.call_latency_ms,
            settings.item_latency_ms,
            len(posts),
            settings.latency_jitter,
            state.dice,
        )
        slower, forced = overload(state.in_flight, settings.capacity, state.dice)
        if forced is not None and step is OK:
            step = forced
        if step.fault.name == "slow":
            delay_ms += settings.slow_ms if step.argument is None else step.argument
        if delay_ms:
            await asyncio.sleep(delay_ms * slower / 1000)
        if not state.gate_before.is_set():
            await state.gate_before.wait()
        now = datetime.now(UTC)
        call = Call(posts, step, item_faults, state.books.next_id, now, path, settings.refuse_bad_items)
        verdict = respond(call, state.dice)
        if verdict.late:
            late_ms = settings.late_commit_ms if step.argument is None else step.argument
            state.commit_later(verdict.accepted, verdict.amounts, late_ms / 1000)
        else:
            state.commit(verdict.accepted, verdict.amounts, now)
        if not state.gate_after.is_set():
            await state.gate_after.wait()
        return verdict

    async def _send(
        self, request: web.Request, verdict: Verdict, step: Step, endpoint: str
    ) -> web.StreamResponse:
        status: int = verdict.status
        body: BatchExecutionResponse | ErrorBody | Execution | None = verdict.body
        if endpoint == "single":
            status, body = single_answer(verdict, request.path, datetime.now(UTC))
        headers = {**verdict.headers, **self._throttle(step)}
        payload = b"" if body is None else encode(body)
        return await deliver(request, self._state, verdict.channel, status, payload, headers)

    def _throttle(self, step: Step) -> dict[str, str]:
        if step.fault.status != 429:
            return {}
        seconds = self._state.settings.retry_after_s if step.argument is None else int(step.argument)
        return {"Retry-After": str(seconds)}

    async def list_executions(self, request: web.Request) -> web.StreamResponse:
        """``GET /api/v1/executions``."""

        async def answer() -> web.Response:
            try:
                page = self._state.books.page(self._query(request))
            except QueryError as error:
                return self._error(request, 400, str(error))
            return json_answer(200, page)

        return await self._look_up(request, "list", answer)

    async def get_execution(self, request: web.Request) -> web.StreamResponse:
        """``GET /api/v1/execution/{id}``."""

        async def answer() -> web.Response:
            execution = self._state.books.by_id(_path_id(request))
            if execution is None:
                return self._error(request, 404, f"Execution {request.match_info['id']} not found")
            return json_answer(200, execution)

        return await self._look_up(request, "get", answer)

    async def put_execution(self, request: web.Request) -> web.StreamResponse:
        """``PUT /api/v1/execution/{id}``: fill data."""
        self._state.calls["put"] += 1
        try:
            fill = decode_put(await request.read())
            execution = self._state.fill(_path_id(request), fill)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return self._error(request, 400, f"Malformed JSON request: {error}")
        except VersionConflictError as error:
            return self._error(request, 409, str(error))
        if execution is None:
            return self._error(request, 404, f"Execution {request.match_info['id']} not found")
        return json_answer(200, execution)

    async def health(self, _: web.Request) -> web.Response:
        """``GET /actuator/health``."""
        self._state.calls["health"] += 1
        return web.json_response({"status": "UP"})

    async def _look_up(
        self, request: web.Request, endpoint: str, answer: Callable[[], Awaitable[web.Response]]
    ) -> web.StreamResponse:
        state, settings = self._state, self._state.settings
        state.calls[endpoint] += 1
        step = state.lookups.next_step()
        if step is not OK:
            state.faults_met[f"lookup {step.fault.name}"] += 1
        delay_ms = latency_ms(settings.lookup_latency_ms, 0, 0, settings.latency_jitter, state.dice)
        if step.fault.name == "slow":
            delay_ms += settings.slow_ms if step.argument is None else step.argument
        if delay_ms:
            await asyncio.sleep(delay_ms / 1000)
        channel = step.fault.channel
        if channel is Channel.ERROR:
            response = self._error(request, step.fault.status, fault_message(step.fault))
            response.headers.update(self._throttle(step))
            if step.fault.status == 307:
                response.headers["Location"] = str(request.rel_url.update_query(redirected="true"))
            return response
        response = await answer()
        if channel is Channel.RESULTS:
            return response
        payload = response.body if isinstance(response.body, bytes) else b""
        return await deliver(request, state, channel, response.status, payload, {})

    def _query(self, request: web.Request) -> Query:
        given = request.query
        limit = _number("limit", given.get("limit", "50"), 1, MAX_PAGE)
        offset = _number("offset", given.get("offset", "0"), 0, 2**31 - 1)
        if self._state.settings.page_aligned_offsets:
            offset -= offset % limit
        return Query(
            offset=offset,
            limit=limit,
            sort_by=given.get("sortBy") or "id",
            execution_status=given.get("executionStatus"),
            trade_type=given.get("tradeType"),
            destination=given.get("destination"),
            ticker=given.get("ticker"),
        )

    def _error(self, request: web.Request, status: int, message: str) -> web.Response:
        return json_answer(status, error_body(status, message, request.path, datetime.now(UTC)))


def _number(name: str, text: str, lowest: int, highest: int) -> int:
    try:
        value = int(text)
    except ValueError:
        raise QueryError(f"{name}: {text!r} is not a whole number") from None
    if not lowest <= value <= highest:
        raise QueryError(f"{name} must be between {lowest} and {highest}, got {value}")
    return value


def _path_id(request: web.Request) -> int:
    text = request.match_info["id"]
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else -1
