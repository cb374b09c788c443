"""The Execution Service's own endpoints: parse a call, let the pure behaviour decide, carry out its verdict."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

import msgspec
from aiohttp import web
from msgspec.structs import replace

from execution_simulator.behaviour import (
    Call,
    Verdict,
    fault_message,
    latency_ms,
    overload,
    respond,
    single_answer,
    size_refusal,
)
from execution_simulator.delivery import deliver, framed, reset
from execution_simulator.faults import OK, Channel, Step
from execution_simulator.ledger import VersionConflictError
from execution_simulator.listing import QueryError, read_query
from execution_simulator.payloads import (
    ExecutionPost,
    decode_batch,
    decode_post,
    decode_put,
    encode,
)
from execution_simulator.profiles.base import Problem
from execution_simulator.state import Seen, SimulatorState

Posts = Sequence[ExecutionPost | None]
"""Executions as received."""


class Handlers:
    """The Execution Service's endpoints."""

    def __init__(self, state: SimulatorState) -> None:
        self._state = state
        self._profile = state.profile

    def routes(self) -> list[web.RouteDef]:
        """The last route catches everything else."""
        return [
            web.post("/api/v1/executions/batch", self.batch),
            web.post("/api/v1/executions", self.single),
            web.get("/api/v1/executions", self.list_executions),
            web.get("/api/v1/execution/{id}", self.get_execution),
            web.put("/api/v1/execution/{id}", self.put_execution),
            web.get("/actuator/health", self.health),
            web.route("*", "/{rest:.*}", self.no_route),
        ]

    async def batch(self, request: web.Request) -> web.StreamResponse:
        """``POST /api/v1/executions/batch``."""
        return await self._submit(request, "batch")

    async def single(self, request: web.Request) -> web.StreamResponse:
        """``POST /api/v1/executions``: one execution per call, stored in the same ledger."""
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
        posts = self._read(request, await request.read(), endpoint)
        items = 0 if isinstance(posts, web.Response) else len(posts)
        self._note(Seen(endpoint, items, step.fault.name, key, trace))
        if isinstance(posts, web.Response):
            return posts
        state.in_flight += 1
        try:
            call, verdict, step = await self._process(request.path, endpoint, posts, step)
            return await self._send(request, call, verdict, step)
        finally:
            state.in_flight -= 1

    def _note(self, seen: Seen) -> None:
        state = self._state
        state.seen.append(seen)
        state.faults_met[seen.fault] += 1
        if seen.endpoint == "batch":
            state.batch_sizes[seen.items] += 1
        state.arrived.advance()

    def _read(self, request: web.Request, body: bytes, endpoint: str) -> Posts | web.Response:
        """The executions of a body, or the error answer."""
        if not self._is_json(request):
            return self._problem(
                request, Problem.UNREADABLE, f"content type {request.content_type} is not JSON"
            )
        try:
            posts = [decode_post(body)] if endpoint == "single" else decode_batch(body).executions
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return self._problem(request, Problem.UNREADABLE, str(error))
        items = None if posts is None else len(posts)
        refusal = size_refusal(self._profile, items, request.path, time.time_ns())
        if refusal is not None:
            return self._answer(request, refusal.status, refusal)
        return posts or []

    def _is_json(self, request: web.Request) -> bool:
        kind = request.content_type
        return kind == "application/json" or kind.endswith("+json") or not self._profile.like_tomcat

    async def _process(
        self, path: str, endpoint: str, posts: Posts, step: Step
    ) -> tuple[Call, Verdict, Step]:
        state, settings = self._state, self._state.settings
        item_faults = state.submissions.item_faults(step, len(posts))
        delay_ms = latency_ms(
            settings.call_latency_ms,
            settings.item_latency_ms,
            len(posts),
            settings.latency_jitter,
            state.rng,
        )
        slower, forced = overload(state.in_flight, settings.capacity, state.rng)
        if forced is not None and step is OK:
            step = forced
        if step.fault.name == "slow":
            delay_ms += settings.slow_ms if step.argument is None else step.argument
        if delay_ms:
            await asyncio.sleep(delay_ms * slower / 1000)
        if not state.gate_before.is_set():
            await state.gate_before.wait()
        call = Call(
            posts, step, item_faults, state.ledger.next_id, time.time_ns(), path, self._profile,
            settings.refuse_bad_items, state.poison, singly=endpoint == "single",
        )  # fmt: skip
        verdict = respond(call, state.rng)
        self._commit(call, verdict)
        if not state.gate_after.is_set():
            await state.gate_after.wait()
        return call, verdict, step

    def _commit(self, call: Call, verdict: Verdict) -> None:
        state, argument = self._state, call.step.argument
        state.ledger.skip(verdict.ids_lost)
        if verdict.late:
            late_ms = state.settings.late_commit_ms if argument is None else argument
            state.commit_later(verdict.accepted, verdict.amounts, late_ms / 1000, singly=call.singly)
        else:
            state.commit(verdict.accepted, verdict.amounts, call.now_ns, singly=call.singly)

    async def _send(
        self, request: web.Request, call: Call, verdict: Verdict, step: Step
    ) -> web.StreamResponse:
        status, body = single_answer(verdict, call) if call.singly else (verdict.status, verdict.body)
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
                query = read_query(request.query)
                if self._state.settings.page_aligned_offsets:
                    query = replace(query, offset=query.offset - query.offset % query.limit)
                page = self._profile.page(self._state.ledger, query)
            except QueryError as error:
                return self._problem(request, Problem.BAD_QUERY, str(error))
            return self._answer(request, 200, page)

        return await self._read_call(request, "list", answer)

    async def get_execution(self, request: web.Request) -> web.StreamResponse:
        """``GET /api/v1/execution/{id}``."""

        async def answer() -> web.Response:
            execution_id = _path_id(request)
            if execution_id is None and self._profile.like_tomcat:
                return self._problem(request, Problem.BAD_QUERY, "the id is not a number")
            entry = None if execution_id is None else self._state.ledger.by_id(execution_id)
            if entry is None:
                return self._unknown(request)
            return self._answer(request, 200, self._profile.stored(entry))

        return await self._read_call(request, "get", answer)

    async def put_execution(self, request: web.Request) -> web.StreamResponse:
        """``PUT /api/v1/execution/{id}``: fill data."""
        self._state.calls["put"] += 1
        body = await request.read()
        if not self._is_json(request):
            return self._problem(
                request, Problem.UNREADABLE, f"content type {request.content_type} is not JSON"
            )
        try:
            fill = decode_put(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return self._problem(request, Problem.UNREADABLE, str(error))
        amounts = self._profile.fill_amounts(fill)
        execution_id = _path_id(request)
        if amounts is None or (execution_id is None and self._profile.like_tomcat):
            return self._problem(request, Problem.UNREADABLE, "an amount or the id is out of range")
        try:
            entry = None if execution_id is None else self._state.fill(execution_id, *amounts, fill.version)
        except VersionConflictError as error:
            return self._problem(request, Problem.OTHER_VERSION, str(error))
        if entry is None:
            return self._unknown(request)
        return self._answer(request, 200, self._profile.stored(entry))

    async def no_route(self, request: web.Request) -> web.StreamResponse:
        """Any other path or method."""
        return self._problem(request, Problem.NO_ROUTE, f"{request.method} {request.path} does not exist")

    async def health(self, _: web.Request) -> web.Response:
        """``GET /actuator/health``."""
        self._state.calls["health"] += 1
        return web.json_response({"status": "UP"})

    async def _read_call(
        self, request: web.Request, endpoint: str, answer: Callable[[], Awaitable[web.Response]]
    ) -> web.StreamResponse:
        state, settings = self._state, self._state.settings
        state.calls[endpoint] += 1
        step = state.lookups.next_step()
        if step is not OK:
            state.faults_met[f"lookup {step.fault.name}"] += 1
        delay_ms = latency_ms(settings.lookup_latency_ms, 0, 0, settings.latency_jitter, state.rng)
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

    def _error(self, request: web.Request, status: int, message: str) -> web.Response:
        return self._answer(
            request, status, self._profile.error(status, message, request.path, time.time_ns())
        )

    def _unknown(self, request: web.Request) -> web.Response:
        return self._problem(request, Problem.UNKNOWN_ID, f"Execution {request.match_info['id']} not found")

    def _problem(self, request: web.Request, problem: Problem, detail: str) -> web.Response:
        status, body = self._profile.problem(problem, detail, request.path, time.time_ns())
        return self._answer(request, status, body)

    def _answer(self, request: web.Request, status: int, message: object) -> web.Response:
        """An answer with a JSON body, or without one if ``message`` is None."""
        return framed(request, self._profile, status, b"" if message is None else encode(message))


def _path_id(request: web.Request) -> int | None:
    text = request.match_info["id"]
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
