"""Event streams are shared out by client, and end with the key or token that opened them."""

import asyncio
import time
from types import SimpleNamespace
from typing import Any, cast

import pytest

from trade_service.domain.access import KnownBy, NotAuthenticated, Principal, Role
from trade_service.web.access import CLIENT
from trade_service.web.dependencies import StreamSettings
from trade_service.web.errors import RequestRefused
from trade_service.web.event_streams import EventStreams

LIMIT_S = 5.0
QUICK = StreamSettings(max_streams=4, poll_s=0.01, check_s=0.02)
PROGRESS = SimpleNamespace(
    submission_id="1",
    is_finished=False,
    created_at=None,
    total_requested=9,
    successful=0,
    failed=0,
    pending=9,
)


class Endless:
    """A bulk submission of which nothing settles."""

    async def progress(self, _: str) -> Any:
        return PROGRESS

    async def settled_since(self, *_: object) -> list[object]:
        return []


class Door:
    """Knows one credential, until it is revoked."""

    principal_now: Principal | None = Principal("a", Role.READER)

    async def principal(self, credential: str | None) -> Principal:
        assert credential == "key"
        if self.principal_now is None:
            raise NotAuthenticated("revoked")
        return self.principal_now


def streams_behind(door: Door) -> EventStreams:
    return EventStreams(cast(Any, Endless()), QUICK, door, lambda: False)


async def opened(streams: EventStreams, client: str) -> Any:
    """A stream after its first event."""
    scope = {"state": {CLIENT: client}, "headers": [(b"x-api-key", b"key")]}
    events = await streams.open("1", 0, cast(Any, scope))
    assert b"progress" in await anext(events)
    return events


async def ends(events: Any) -> None:
    async with asyncio.timeout(LIMIT_S):
        assert [event async for event in events if not event.startswith(b":")] == []


async def test_one_client_cannot_take_all() -> None:
    streams = streams_behind(Door())
    first, second, *_ = greedy = [await opened(streams, "a") for _ in range(4)]
    with pytest.raises(RequestRefused, match="4 event streams are open"):
        await opened(streams, "a")
    others = [await opened(streams, "b")]
    await ends(first)
    others.append(await opened(streams, "b"))
    await ends(second)
    with pytest.raises(RequestRefused):
        await opened(streams, "b")
    assert sorted(streams._open.values()) == ["a", "a", "b", "b"]
    for events in (*greedy, *others):
        await events.aclose()
    assert not streams._open


@pytest.mark.parametrize("role", [None, Role.ANYONE])
async def test_a_stream_ends_when_its_key_is_revoked_or_loses_its_role(role: Role | None) -> None:
    door = Door()
    events = await opened(streams_behind(door), "a")
    door.principal_now = None if role is None else Principal("a", role)
    await ends(events)


async def test_a_stream_ends_with_its_token_although_new_requests_are_accepted_a_moment_longer() -> None:
    door = Door()
    door.principal_now = Principal("a", Role.READER, KnownBy.TOKEN, time.time() + 0.1)
    await ends(await opened(streams_behind(door), "a"))
    late = await opened(streams_behind(door), "a")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await anext(late)
