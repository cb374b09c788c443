"""When keys were last used: written once a minute for each, and again after a failure."""

import asyncio
from collections.abc import Mapping

import pytest

from trade_service.identity import key_uses
from trade_service.identity.key_uses import WRITE_EVERY_S, KeyUses
from trade_service.submission.clock import SystemClock
from trade_service.submission.ports import StoreUnavailable


class Minutes(SystemClock):
    """A clock whose sleepers the test wakes."""

    def __init__(self) -> None:
        self.now = 0.0
        self.asleep = asyncio.Event()
        self._wake = asyncio.Event()

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.asleep.set()
        await self._wake.wait()
        self._wake.clear()
        self.now += seconds

    async def pass_one(self) -> None:
        """Lets a minute pass, and waits for what it causes."""
        await self.asleep.wait()
        self.asleep.clear()
        self._wake.set()
        await self.asleep.wait()


class Written:
    """What was written; fails while the database is away."""

    def __init__(self) -> None:
        self.calls: list[dict[str, float]] = []
        self.is_away = False

    async def __call__(self, used_ago_s: Mapping[str, float]) -> None:
        if self.is_away:
            raise StoreUnavailable("away")
        self.calls.append(dict(used_ago_s))


async def test_a_key_costs_one_write_a_minute() -> None:
    clock, written = Minutes(), Written()
    uses = KeyUses(written, clock)
    running = asyncio.create_task(uses.run())
    for _ in range(1000):
        uses.note("a")
    uses.note("b")
    assert written.calls == [], "not on the request's way"
    await clock.pass_one()
    assert written.calls == [{"a": WRITE_EVERY_S, "b": WRITE_EVERY_S}]
    await clock.pass_one()
    assert len(written.calls) == 1, "nothing was used since"
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_what_could_not_be_written_is_written_later() -> None:
    clock, written = Minutes(), Written()
    uses = KeyUses(written, clock)
    running = asyncio.create_task(uses.run())
    uses.note("a")
    written.is_away = True
    await clock.pass_one()
    uses.note("b")
    written.is_away = False
    await clock.pass_one()
    assert written.calls == [{"a": 2 * WRITE_EVERY_S, "b": WRITE_EVERY_S}]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_use_during_a_write_is_kept_for_the_next() -> None:
    clock, calls = Minutes(), list[dict[str, float]]()

    async def write(used_ago_s: Mapping[str, float]) -> None:
        calls.append(dict(used_ago_s))
        clock.now += 1
        if len(calls) == 1:
            uses.note("a")

    uses = KeyUses(write, clock)
    uses.note("a")
    await uses.write()
    await uses.write()
    await uses.write()
    assert calls == [{"a": 0.0}, {"a": 0.0}]


async def test_the_last_uses_are_written_at_the_end_but_hold_nothing_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, written = Minutes(), Written()
    uses = KeyUses(written, clock)
    running = asyncio.create_task(uses.run())
    await clock.asleep.wait()
    uses.note("a")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert written.calls == [{"a": 0.0}]

    async def never(_used_ago_s: Mapping[str, float]) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(key_uses, "LAST_WRITE_S", 0.01)
    uses = KeyUses(never, clock)
    clock.asleep.clear()
    running = asyncio.create_task(uses.run())
    await clock.asleep.wait()
    uses.note("a")
    running.cancel()
    async with asyncio.timeout(5):
        await asyncio.gather(running, return_exceptions=True)
