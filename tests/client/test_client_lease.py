"""Nothing is sent after the lease, or on a connection that cannot be trusted."""

import asyncio

from tests.client.raw_server import (
    ATTEMPT,
    DEADLINE_S,
    FOREVER,
    Conversation,
    answering,
    batch,
    client,
    raw_server,
    settings,
)
from tests.client.test_reply_interpretation import ALL_CREATED
from trade_service.execution_service.client import ExecutionServiceClient
from trade_service.submission.clock import SystemClock
from trade_service.submission.model import ReplyKind


class StepClock(SystemClock):
    """A clock that a test sets, and that can jump while a connection is made."""

    def __init__(self, now: float) -> None:
        super().__init__()
        self.now = now

    def monotonic(self) -> float:
        return self.now


async def _answer_and_hold(talk: Conversation) -> None:
    """Answers the first request, and keeps later bytes."""
    await talk.request()
    await talk.answer(201, ALL_CREATED)
    await talk.hold()


async def _hold(talk: Conversation) -> None:
    await talk.hold()


async def test_nothing_is_sent_after_the_lease() -> None:
    async with raw_server(_hold) as server:
        gateway = ExecutionServiceClient(settings(server.base_url), StepClock(100.0))
        async with gateway:
            reply = await gateway.submit_batch(batch(), ATTEMPT, 100.0)
        await asyncio.wait_for(server.ended.wait(), DEADLINE_S)
        assert (server.connections, server.requests, server.leftovers) == (1, [], b"")
    assert (reply.kind, reply.code) == (ReplyKind.NOT_SENT, "LEASE_PASSED")
    assert reply.own_doing, "it says nothing of the Execution Service"


async def test_a_process_that_freezes_while_connecting_sends_nothing() -> None:
    clock = StepClock(100.0)
    async with raw_server(_hold) as server:
        gateway = ExecutionServiceClient(settings(server.base_url), clock)
        async with gateway:
            call = asyncio.create_task(gateway.submit_batch(batch(), ATTEMPT, 110.0))
            await asyncio.sleep(0)
            clock.now = 120.0
            reply = await call
        await asyncio.wait_for(server.ended.wait(), DEADLINE_S)
        assert server.leftovers == b""
    assert (reply.kind, reply.code) == (ReplyKind.NOT_SENT, "LEASE_PASSED")


async def test_everything_is_sent_just_before_the_lease_ends() -> None:
    async with raw_server(_answer_and_hold) as server:
        gateway = ExecutionServiceClient(settings(server.base_url), StepClock(99.9))
        async with gateway:
            assert (await gateway.submit_batch(batch(), ATTEMPT, 100.0)).kind is ReplyKind.ANSWERED


async def test_a_kept_connection_is_not_used_after_the_lease() -> None:
    clock = StepClock(100.0)
    async with raw_server(answering(201, ALL_CREATED)) as server:
        gateway = ExecutionServiceClient(settings(server.base_url), clock)
        async with gateway:
            assert (await gateway.submit_batch(batch(), ATTEMPT, 110.0)).kind is ReplyKind.ANSWERED
            clock.now = 110.0
            reply = await gateway.submit_batch(batch(), ATTEMPT, 110.0)
            assert (reply.kind, reply.code) == (ReplyKind.NOT_SENT, "LEASE_PASSED")
            clock.now = 100.0
            assert (await gateway.submit_batch(batch(), ATTEMPT, 110.0)).kind is ReplyKind.ANSWERED
            assert (server.connections, len(server.requests)) == (1, 2), "nothing was sent in between"


async def test_an_unsolicited_answer_is_ignored() -> None:
    """A second answer to the first request arrives while the connection is idle."""

    async def twice(talk: Conversation) -> None:
        await talk.request()
        await talk.answer(201, ALL_CREATED)
        if server.connections == 1:
            await go_on.wait()
            await talk.answer(201, ALL_CREATED)
        await talk.hold()

    go_on = asyncio.Event()
    async with raw_server(twice) as server, client(server.base_url) as gateway:
        assert (await gateway.submit_batch(batch(), ATTEMPT, FOREVER)).kind is ReplyKind.ANSWERED
        go_on.set()
        await asyncio.wait_for(server.ended.wait(), DEADLINE_S)
        assert (server.endings, server.leftovers) == (["reset"], b"")
        assert (await gateway.submit_batch(batch(), ATTEMPT, FOREVER)).kind is ReplyKind.ANSWERED
        assert (server.connections, len(server.requests)) == (2, 2)


async def test_an_answer_before_the_request_is_ignored() -> None:
    """A server that answers on connection has not seen the request."""

    async def eager(talk: Conversation) -> None:
        await talk.answer(201, ALL_CREATED)
        await talk.hold()

    async with raw_server(eager) as server:
        async with client(server.base_url) as gateway:
            reply = await gateway.submit_batch(batch(), ATTEMPT, FOREVER)
        await asyncio.wait_for(server.ended.wait(), DEADLINE_S)
    # Whichever was first on its way: what the reply says of our bytes is true.
    assert (reply.kind is ReplyKind.NOT_SENT) == (server.leftovers == b"")
