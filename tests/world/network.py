"""A simulated process's view of the world: clock, Execution Service and database, with faults."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from tests.world.downstream import Downstream
from tests.world.loop import PROCESS, WorldLoop
from tests.world.weather import Weather
from trade_service.domain.errors import DomainError
from trade_service.domain.reference import SeenRevision
from trade_service.execution_service import wire
from trade_service.execution_service.reply_interpretation import (
    Answer,
    CallFailed,
    ClientCode,
    NothingSent,
    kind_of,
    read_batch,
)
from trade_service.submission.messages import BatchExecutionRequest, Listing
from trade_service.submission.model import AttemptId, GatewayReply, ReplyKind
from trade_service.submission.ports import StoreUnavailable

CALL = "POST batch"
FRESH_S = 10.0
"""How long listings are fresh after a stale one: two stale ones in a row would look like a reset."""


class WorldClock:
    """The port Clock: virtual time, seeded random numbers, reproducible ids."""

    def __init__(self, loop: WorldLoop, weather: Weather, boot: float) -> None:
        self._loop = loop
        self._weather = weather
        self._boot = boot

    def monotonic(self) -> float:
        """Monotonic time, which differs between machines."""
        return self._boot + self._loop.time()

    def random(self) -> float:
        return self._weather.dice.random()

    def new_attempt_id(self) -> AttemptId:
        millis = round(self._loop.time() * 1000)
        bits = (millis << 80) | self._weather.dice.getrandbits(74)
        text = f"{bits:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class WorldGateway:
    """The port ExecutionGateway, over a network that loses, delays and reorders.

    What an answer or a failure proves is decided by the code of the real client.
    """

    def __init__(
        self,
        loop: WorldLoop,
        weather: Weather,
        downstream: Downstream,
        clock: WorldClock,
        known_id: Callable[[], int],
    ) -> None:
        """`known_id` returns an id that the database knows: a stale listing lacks it."""
        self._known_id = known_id
        self._loop = loop
        self._weather = weather
        self._timing = weather.timing
        self._downstream = downstream
        self._clock = clock
        self.stumbles = False
        """Whether to pause the process between the claim and the first byte of its next call."""

    async def submit_batch(
        self, request: BatchExecutionRequest, attempt_id: AttemptId, write_before: float
    ) -> GatewayReply:
        if not await self._connect():
            return _failed(NothingSent(ClientCode.CONNECT_TIMEOUT))
        # Between this look at the clock and the first byte the real client has no await either.
        if self._clock.monotonic() >= write_before:
            return GatewayReply(ReplyKind.NOT_SENT, ClientCode.LEASE_PASSED.value, "too late")
        arrived: asyncio.Future[Answer | Exception] = self._loop.create_future()
        self._downstream.receive(request.body, attempt_id, _into(arrived))
        try:
            async with asyncio.timeout(self._timing.total_s):
                answer = await arrived
        except TimeoutError:
            return _failed(CallFailed(ClientCode.READ_TIMEOUT))
        if isinstance(answer, Exception):
            return _failed(CallFailed(ClientCode.CONNECTION_LOST))
        return read_batch(answer, CALL)

    async def list_newest(self, offset: int, limit: int) -> Listing:
        weather, rates = self._weather, self._weather.rates
        await asyncio.sleep(weather.between(0.001, 1.0 if weather.happens(rates.slow_answer) else 0.02))
        if weather.happens(rates.no_page):
            await asyncio.sleep(weather.between(0.01, self._timing.total_s))
            return Listing(None, ClientCode.UNAVAILABLE.value, "no page")
        page = self._downstream.newest(offset, limit, self._stale_below())
        await asyncio.sleep(weather.between(0.001, 1.0 if weather.happens(rates.slow_answer) else 0.02))
        return Listing(wire.decode_page(page))

    async def find(self, service_id: int) -> Listing:
        """The row of that id, for operators."""
        weather = self._weather
        await asyncio.sleep(weather.between(0.001, 0.02))
        if weather.happens(weather.rates.no_page):
            return Listing(None, ClientCode.UNAVAILABLE.value, "no answer")
        return Listing(wire.decode_page(self._downstream.only(service_id)))

    def _stale_below(self) -> int | None:
        """Sometimes makes a listing stale; the second look, a second later, gets a fresh one."""
        now, weather = self._loop.time(), self._weather
        if not weather.happens(weather.rates.stale_page) or now < weather.fresh_until or not self._known_id():
            return None
        weather.fresh_until = now + FRESH_S
        return self._known_id()

    async def _connect(self) -> bool:
        weather, rates = self._weather, self._weather.rates
        process = PROCESS.get()
        if self.stumbles and process is not None:
            self.stumbles = False
            process.pause_at = process.steps + 1
        slow = weather.happens(rates.slow_connect)
        await asyncio.sleep(weather.between(0.0005, self._timing.connect_s if slow else 0.005))
        return not weather.happens(rates.not_connected)


def _into(future: "asyncio.Future[Answer | Exception]") -> Callable[[Answer | Exception], None]:
    def deliver(answer: Answer | Exception) -> None:
        if not future.done():
            future.set_result(answer)

    return deliver


def _failed(failure: CallFailed) -> GatewayReply:
    return GatewayReply(kind_of(failure), failure.code.value, f"{CALL}: {failure.code.meaning}")


class FaultyStore:
    """The database as one process reaches it: any method of the store behind it may fail before it happened,
    fail after it happened, or happen only after its caller got an error."""

    seen_revision = SeenRevision()
    """Reference data never changes here."""

    def __init__(
        self, loop: WorldLoop, weather: Weather, store: object, on_statement: Callable[[], None]
    ) -> None:
        self._loop = loop
        self._weather = weather
        self._store = store
        self._on_statement = on_statement

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._store, name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            weather, rates = self._weather, self._weather.rates
            await asyncio.sleep(weather.between(0.0002, 0.01))
            if weather.happens(rates.store_before) or self._loop.time() < weather.database_away_until:
                raise StoreUnavailable("the connection broke before the statement arrived")
            if weather.happens(rates.store_late):
                late_s, database = weather.between(0.01, 5), weather.databases
                self._loop.call_outside(late_s, self._happen_late, database, method, args, kwargs)
                await asyncio.sleep(weather.between(0.001, 2))
                raise StoreUnavailable("the connection broke while the statement waited for a lock")
            result = await method(*args, **kwargs)
            self._on_statement()
            await asyncio.sleep(weather.between(0.0002, 0.01))
            if weather.happens(rates.store_after) or self._loop.time() < weather.database_away_until:
                raise StoreUnavailable("the connection broke before the answer arrived")
            return result

        setattr(self, name, call)
        return call

    def _happen_late(self, database: int, method: Callable[..., Any], args: Any, kwargs: Any) -> None:
        """Runs a statement whose caller has gone, so that its result is lost."""
        if database != self._weather.databases:
            return  # A restored database knows nothing of it.
        with contextlib.suppress(StopIteration, DomainError):
            method(*args, **kwargs).send(None)
        self._on_statement()
