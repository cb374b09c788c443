"""Load over the HTTP API: callers without pauses, and open-loop load at times fixed in advance.

Open-loop latency counts from the planned start. A generator that awaits an answer before it sends the next request
leaves out exactly the requests that would have met the slow moment.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from itertools import cycle
from typing import TypeAlias

import aiohttp
import msgspec

from trade_service.bench.results import quantile
from trade_service.bench.subprocesses import BenchError

MOST_OPEN = 4_000
"""Requests in flight at most; further ones count as not sent."""
QUANTITY = 1_000_000_000
"""Quantity of each order, enough for any number of unit submissions."""
ORDERS_PER_CALL = 1_000
SUBMIT = "/api/v1/tradeOrders/batch/submit"
SHEDDING = (429, 503)
CREATE_TIMEOUT = aiohttp.ClientTimeout(total=60)
SUBMIT_TIMEOUT = aiohttp.ClientTimeout(total=40)
_JSON = {"Content-Type": "application/json"}


class RequestOutcome(StrEnum):
    """The outcome of one request."""

    GOOD = "good"
    SHED = "shed"
    """Refused with 503 or 429: the service is overloaded."""
    BAD = "bad"
    """Any other answer, or none in time."""
    NOT_SENT = "not sent"
    """The load generator was overloaded."""


Send: TypeAlias = Callable[[], Awaitable[RequestOutcome]]
"""Sends one request; must not raise and must end in time."""


class Step(msgspec.Struct, frozen=True):
    """A constant rate, in requests per second, for some seconds."""

    rate: float
    seconds: float


class Arrival(msgspec.Struct, frozen=True, gc=False):
    """The planned start of a request, counted from the start of the load."""

    at_s: float
    step: int


class StepFigures(msgspec.Struct):
    """The outcomes of one step, and the latencies of its good requests from planned start to last byte."""

    seconds: float
    outcomes: dict[RequestOutcome, int] = msgspec.field(
        default_factory=lambda: dict.fromkeys(RequestOutcome, 0)
    )
    latencies_ms: list[float] = msgspec.field(default_factory=list)

    def rate(self, *outcomes: RequestOutcome) -> float:
        """Requests per second with these outcomes, or with any."""
        return sum(self.outcomes[one] for one in outcomes or RequestOutcome) / self.seconds

    def latency_ms(self, share: float) -> float | None:
        """A quantile of the good requests; None if there are none."""
        return quantile(sorted(self.latencies_ms), share) if self.latencies_ms else None


def arrivals(steps: Sequence[Step], seed: int) -> list[Arrival]:
    """Plans random starts, like those of many independent callers."""
    rng, planned, begun = random.Random(seed), list[Arrival](), 0.0
    for number, step in enumerate(steps):
        at = begun
        while (at := at + rng.expovariate(step.rate)) < begun + step.seconds:
            planned.append(Arrival(at, number))
        begun += step.seconds
    return planned


async def fire(steps: Sequence[Step], planned: Sequence[Arrival], send: Send) -> list[StepFigures]:
    """Sends every request at its planned time and awaits all answers."""
    figures = [StepFigures(step.seconds) for step in steps]
    in_flight = 0
    begun = time.perf_counter()

    async def one(arrival: Arrival) -> None:
        nonlocal in_flight
        outcome = await send()
        in_flight -= 1
        figures[arrival.step].outcomes[outcome] += 1
        if outcome is RequestOutcome.GOOD:
            figures[arrival.step].latencies_ms.append((time.perf_counter() - begun - arrival.at_s) * 1000)

    async with asyncio.TaskGroup() as group:
        for arrival in planned:
            await asyncio.sleep(max(0.0, arrival.at_s - (time.perf_counter() - begun)))
            if in_flight >= MOST_OPEN:
                figures[arrival.step].outcomes[RequestOutcome.NOT_SENT] += 1
                continue
            in_flight += 1
            group.create_task(one(arrival))
    return figures


async def saturate(send: Send, callers: int, seconds: float, warm_up_s: float = 0.0) -> StepFigures:
    """Lets callers send without pauses. Counts after the warm-up."""
    figures, begun = StepFigures(seconds), time.perf_counter()

    async def call() -> None:
        while (sent := time.perf_counter()) - begun < warm_up_s + seconds:
            outcome = await send()
            ended = time.perf_counter()
            if ended - begun >= warm_up_s:
                figures.outcomes[outcome] += 1
                if outcome is RequestOutcome.GOOD:
                    figures.latencies_ms.append((ended - sent) * 1000)

    async with asyncio.TaskGroup() as group:
        for _ in range(callers):
            group.create_task(call())
    figures.seconds = time.perf_counter() - begun - warm_up_s
    return figures


async def probe(send: Send, seconds: float) -> StepFigures:
    """Sends ten requests a second, one after the other."""
    figures, begun = StepFigures(seconds), time.perf_counter()
    while (sent := time.perf_counter()) - begun < seconds:
        outcome = await send()
        figures.outcomes[outcome] += 1
        figures.latencies_ms.append((time.perf_counter() - sent) * 1000)
        await asyncio.sleep(0.1)
    return figures


class Caller:
    """Submits parts of its orders over HTTP, `submissions` orders per request, in turn."""

    def __init__(
        self, session: aiohttp.ClientSession, order_ids: list[int], destination_id: int, submissions: int
    ) -> None:
        self._session = session
        self.order_ids = order_ids
        self.submissions = submissions
        bodies = [
            msgspec.json.encode({"submissions": [
                {"tradeOrderId": order_id, "quantity": 1, "destinationId": destination_id}
                for order_id in order_ids[first : first + submissions]
            ]})
            for first in range(0, len(order_ids) - submissions + 1, submissions)
        ]  # fmt: skip
        self._bodies = cycle(bodies)
        self.last_error = ""
        self.retry_after: Counter[str] = Counter()
        """Refusals by their Retry-After."""

    async def send(self) -> RequestOutcome:
        """Sends one request; never raises for failures of the network or the service."""
        return await self._request("POST", SUBMIT, next(self._bodies))

    async def get(self, path: str) -> RequestOutcome:
        return await self._request("GET", path)

    async def _request(self, method: str, path: str, body: bytes | None = None) -> RequestOutcome:
        try:
            async with self._session.request(
                method, path.lstrip("/"), data=body, headers=_JSON if body else None, timeout=SUBMIT_TIMEOUT
            ) as answer:
                text = await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self.last_error = str(error) or type(error).__name__
            return RequestOutcome.BAD
        accepted = body is None or answer.status != 200 or _successes(text) == self.submissions
        if answer.status == 200 and accepted:
            return RequestOutcome.GOOD
        if answer.status in SHEDDING:
            self.retry_after[answer.headers.get("Retry-After", "none")] += 1
            return RequestOutcome.SHED
        self.last_error = f"{answer.status}: {text[:200].decode(errors='replace')}"
        return RequestOutcome.BAD


class _Answer(msgspec.Struct):
    successful: int


class _Row(msgspec.Struct):
    id: int


class _Created(msgspec.Struct):
    trade_order: _Row = msgspec.field(name="tradeOrder")


class _Creation(msgspec.Struct):
    results: list[_Created]


def _successes(text: bytes) -> int:
    return msgspec.json.decode(text, type=_Answer).successful


async def new_caller(session: aiohttp.ClientSession, orders: int, submissions: int) -> Caller:
    """Creates orders under random ids, and a caller that submits them. Raises BenchError."""
    known = await _answered(session, "GET", "/api/v1/destinations")
    destinations = msgspec.json.decode(known, type=list[_Row])
    if not destinations:
        raise BenchError("the service has no destinations")
    first, ids = random.SystemRandom().randrange(10**9, 2 * 10**9), list[int]()
    for start in range(0, orders, ORDERS_PER_CALL):
        batch = [
            {"orderId": first + start + number, "portfolioId": "BENCHMARK", "orderType": "BUY",
             "securityId": f"SEC{number % 500}", "quantity": QUANTITY, "limitPrice": 12.5}
            for number in range(min(ORDERS_PER_CALL, orders - start))
        ]  # fmt: skip
        body = msgspec.json.encode({"tradeOrders": batch})
        text = await _answered(session, "POST", "/api/v1/tradeOrders/bulk", body)
        ids += [row.trade_order.id for row in msgspec.json.decode(text, type=_Creation).results]
    return Caller(session, ids, destinations[0].id, submissions)


async def _answered(
    session: aiohttp.ClientSession, method: str, path: str, body: bytes | None = None
) -> bytes:
    try:
        async with session.request(
            method, path.lstrip("/"), data=body, headers=_JSON if body else None, timeout=CREATE_TIMEOUT
        ) as answer:
            text = await answer.read()
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise BenchError(f"{method} {path}: no answer ({str(error) or type(error).__name__})") from error
    if answer.status not in (200, 201):
        raise BenchError(f"{method} {path}: {answer.status} {text[:200].decode(errors='replace')}")
    return text


def session_with(url: str, key: str | None = None) -> aiohttp.ClientSession:
    """A client session without a connection limit, which asks for uncompressed answers.

    Paths without a first slash are below `url`, which may have a path itself.
    """
    headers = {"Accept-Encoding": "identity"}
    if key is not None:
        headers["Authorization"] = f"Bearer {key}"
    return aiohttp.ClientSession(
        f"{url.rstrip('/')}/", headers=headers, connector=aiohttp.TCPConnector(limit=0)
    )
