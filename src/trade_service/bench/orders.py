"""Trade orders to send load with, over the HTTP API alone."""

import random
from itertools import cycle

import aiohttp
import msgspec

from trade_service.bench.children import BenchError
from trade_service.bench.open_loop import Outcome

QUANTITY = 1_000_000_000
"""Of each order: enough that no run ever uses it up, one by one."""
ORDERS_A_CALL = 1_000
SUBMISSIONS = 10
"""Of a request."""
CREATE = "/api/v1/tradeOrders/bulk"
SUBMIT = "/api/v1/tradeOrders/batch/submit"
SHEDDING = (429, 503)
CREATE_TIMEOUT = aiohttp.ClientTimeout(total=60)
SUBMIT_TIMEOUT = aiohttp.ClientTimeout(total=40)
_JSON = {"Content-Type": "application/json"}


class Caller:
    """Submits parts of its orders, others each time, in requests of ten."""

    def __init__(self, session: aiohttp.ClientSession, order_ids: list[int], destination_id: int) -> None:
        self._session = session
        bodies = [
            msgspec.json.encode({"submissions": [
                {"tradeOrderId": order_id, "quantity": 1, "destinationId": destination_id}
                for order_id in order_ids[first : first + SUBMISSIONS]
            ]})
            for first in range(0, len(order_ids) - SUBMISSIONS + 1, SUBMISSIONS)
        ]  # fmt: skip
        self._bodies = cycle(bodies)
        self.last_trouble = ""

    async def send(self) -> Outcome:
        """One request; never raises for what the network or the service does."""
        body = next(self._bodies)
        try:
            async with self._session.post(SUBMIT, data=body, headers=_JSON, timeout=SUBMIT_TIMEOUT) as answer:
                text = await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self.last_trouble = str(error) or type(error).__name__
            return Outcome.BAD
        if answer.status == 200 and msgspec.json.decode(text, type=_Answer).successful == SUBMISSIONS:
            return Outcome.GOOD
        if answer.status in SHEDDING:
            return Outcome.SHED
        self.last_trouble = f"{answer.status}: {text[:200].decode(errors='replace')}"
        return Outcome.BAD


class _Answer(msgspec.Struct):
    successful: int


class _Row(msgspec.Struct):
    id: int


class _Created(msgspec.Struct):
    trade_order: _Row = msgspec.field(name="tradeOrder")


class _Creation(msgspec.Struct):
    results: list[_Created]


async def new_caller(session: aiohttp.ClientSession, orders: int) -> Caller:
    """Creates orders, under ids that nobody else has, and a caller that submits them; raises BenchError."""
    destinations = msgspec.json.decode(
        await _answered(session, "GET", "/api/v1/destinations"), type=list[_Row]
    )
    if not destinations:
        raise BenchError("the service knows no destination to send to")
    first, ids = random.SystemRandom().randrange(10**9, 2 * 10**9), list[int]()
    for start in range(0, orders, ORDERS_A_CALL):
        batch = [
            {"orderId": first + start + number, "portfolioId": "BENCHMARK", "orderType": "BUY",
             "securityId": f"SEC{number % 500}", "quantity": QUANTITY, "limitPrice": 12.5}
            for number in range(min(ORDERS_A_CALL, orders - start))
        ]  # fmt: skip
        text = await _answered(session, "POST", CREATE, msgspec.json.encode({"tradeOrders": batch}))
        ids += [row.trade_order.id for row in msgspec.json.decode(text, type=_Creation).results]
    return Caller(session, ids, destinations[0].id)


async def _answered(
    session: aiohttp.ClientSession, method: str, path: str, body: bytes | None = None
) -> bytes:
    try:
        async with session.request(
            method, path, data=body, headers=_JSON if body else None, timeout=CREATE_TIMEOUT
        ) as answer:
            text = await answer.read()
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise BenchError(f"{method} {path}: no answer ({str(error) or type(error).__name__})") from error
    if answer.status not in (200, 201):
        raise BenchError(f"{method} {path}: {answer.status} {text[:200].decode(errors='replace')}")
    return text
