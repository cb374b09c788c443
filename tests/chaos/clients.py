"""Realistic clients: an order service, a portal, racing callers, and the Execution Service's fill reports."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import ROUND_DOWN, Decimal
from typing import Any

import aiohttp

from tests.chaos.ledger import Ledger
from tests.chaos.processes import Child

PATIENCE_S = 4.0
"""Time-outs of clients; some are very short."""
HURRY_S = 0.3
HURRIED = 0.08
TRIES = 12
PAUSE_S = (0.05, 0.4)
ORDERS = (10, 60)
DESTINATIONS = 6
BLOTTERS = 4
SIDES = ("BUY", "SELL", " sell ")
NOT_TAKEN_THERE = "SHORT"
"""A side that the Execution Service does not know: rejected without a call."""
RACERS = 3
FILL_SHARE = 0.3
FILL_POLL_S = 0.1

Order = tuple[int, Decimal]
"""Id and quantity."""
IdsOf = Callable[[Sequence[int]], Awaitable[list[Order]]]
"""Looks up orders by their order ids, as an operator would."""


class Clients:
    """Load on all replicas until `stop` is set; the ledger records every promise."""

    def __init__(
        self,
        dice: random.Random,
        http: aiohttp.ClientSession,
        replicas: Sequence[Child],
        simulator: Child,
        ledger: Ledger,
        ids_of: IdsOf,
    ) -> None:
        self._dice = dice
        self._http = http
        self._replicas = replicas
        self._simulator = simulator
        self._ledger = ledger
        self._ids_of = ids_of
        self._next_order_id = 1
        self._reported: set[int] = set()
        self.stop = asyncio.Event()

    async def run(self) -> None:
        """Runs until `stop` is set and the last request was answered."""
        async with asyncio.TaskGroup() as group:
            for work, many in self._everybody():
                for _ in range(many):
                    group.create_task(self._again_and_again(work))

    def _everybody(self) -> tuple[tuple[Callable[[], Awaitable[None]], int], ...]:
        return ((self._order_service, 5), (self._portal, 3), (self._race, 3), (self._fill, 1))

    async def _again_and_again(self, work: Callable[[], Awaitable[None]]) -> None:
        while not self.stop.is_set():
            await work()

    async def _order_service(self) -> None:
        """Creates orders in bulk and submits each batch whole or in two slices."""
        orders = await self._create(self._dice.randrange(*ORDERS))
        first: list[Order] = []
        second: list[Order] = []
        for identity, quantity in orders:
            if self._dice.random() < 0.3:
                half = _half(quantity)
                second.append((identity, half))
                first.append((identity, half))
            else:
                first.append((identity, quantity))
        for part in (first, second):
            if part:
                await self._submit_batch(part)

    async def _portal(self) -> None:
        """Creates and submits single orders."""
        for identity, quantity in await self._create(self._dice.randrange(1, 4)):
            body = self._submission(quantity)
            status, answer = await self._persist("POST", f"/api/v1/tradeOrders/{identity}/submit", body)
            self._take(status, answer)

    async def _race(self) -> None:
        """Creates executions, then submits each through several replicas at once."""
        orders = await self._create(self._dice.randrange(2, 8))
        written = await self._submit_batch(orders, "?noExecuteSubmit=true")
        await asyncio.gather(*(self._race_for(execution_id) for execution_id in written))

    async def _race_for(self, execution_id: int) -> None:
        async def submit(replica: Child) -> None:
            address = f"/api/v1/execution/{execution_id}/submit"
            status, answer = await self._persist("POST", address, None, replica)
            self._take(status, answer)

        await asyncio.gather(*(submit(replica) for replica in self._replicas[:RACERS]))

    async def _fill(self) -> None:
        """Reports fills of executions in the simulator's ledger, often before the service has read the answer."""
        await asyncio.sleep(FILL_POLL_S)
        status, page = await self._ask(
            self._simulator, "GET", "/api/v1/executions?limit=100&sortBy=-id", None, {}
        )
        if status != 200 or not isinstance(page, dict):
            return
        fresh = [row for row in page["content"] if row["id"] not in self._reported]
        self._reported |= {row["id"] for row in fresh}
        chosen = [row for row in fresh if self._dice.random() < FILL_SHARE]
        await asyncio.gather(*(self._report(row) for row in chosen))

    async def _report(self, row: Mapping[str, Any]) -> None:
        """Reads the version and reports, once more after a conflict, as the Execution Service does."""
        address = f"/api/v1/executions/{row['tradeServiceExecutionId']}"
        whole = self._dice.random() < 0.5
        quantity = Decimal(row["quantity"])
        for _ in range(2):
            status, execution = await self._persist("GET", address, None)
            if status != 200:
                return
            self._ledger.execution(execution)
            body = {
                "executionStatus": "FULL" if whole else "PART",
                "quantityFilled": str(quantity if whole else _half(quantity)),
                "version": execution["version"],
            }
            status, answer = await self._persist("PUT", f"{address}/fill", body)
            if status == 200:
                self._ledger.execution(answer)
            if status != 409:
                return

    async def _create(self, count: int) -> list[Order]:
        """Creates orders; after a lost answer asks which exist. Returns ids and quantities."""
        order_ids = list(range(self._next_order_id, self._next_order_id + count))
        self._next_order_id += count
        body = {"tradeOrders": [self._order(order_id) for order_id in order_ids]}
        status, answer = await self._persist("POST", "/api/v1/tradeOrders/bulk", body)
        if status == 201:
            self._ledger.orders |= set(order_ids)
            created = [result["tradeOrder"] for result in answer["results"]]
            return [(order["id"], Decimal(order["quantity"])) for order in created]
        found = await self._ids_of(order_ids)
        if found and len(found) != count:
            self._ledger.faults.append(f"{len(found)} of {count} orders of one bulk exist")
        return found

    def _order(self, order_id: int) -> dict[str, Any]:
        dice = self._dice
        return {
            "orderId": order_id,
            "portfolioId": f"P{dice.randrange(1, 20)}",
            "orderType": NOT_TAKEN_THERE if dice.random() < 0.03 else dice.choice(SIDES),
            "securityId": f"SEC{dice.randrange(1, 200)}",
            "quantity": f"{dice.randrange(1, 10**9) / 100:.2f}",
            "limitPrice": None if dice.random() < 0.3 else f"{dice.randrange(1, 10**6) / 100:.2f}",
            "blotterId": dice.randrange(1, BLOTTERS + 1),
        }

    def _submission(self, quantity: Decimal) -> dict[str, Any]:
        return {"quantity": str(quantity), "destinationId": self._dice.randrange(1, DESTINATIONS + 1)}

    async def _submit_batch(self, orders: Sequence[Order], query: str = "") -> list[int]:
        """Submits orders in one batch; returns the execution ids in the answer."""
        if not orders:
            return []
        body = {
            "submissions": [
                {"tradeOrderId": identity} | self._submission(quantity) for identity, quantity in orders
            ]
        }
        status, answer = await self._persist("POST", f"/api/v1/tradeOrders/batch/submit{query}", body)
        if status not in (200, 207):
            return []
        shown = []
        for result in answer["results"]:
            if result["execution"] is not None:
                self._ledger.execution(result["execution"])
                shown.append(result["execution"]["id"])
            elif result["status"] == "FAILURE":
                self._ledger.refusal(result["message"], {})
        return shown

    def _take(self, status: int, answer: Any) -> None:
        """Records the answer to a single submission."""
        if status in (200, 201):
            self._ledger.execution(answer)
        elif isinstance(answer, dict):
            self._ledger.refusal(answer.get("message", ""), answer.get("details") or {})

    async def _persist(
        self, method: str, path: str, body: object, replica: Child | None = None
    ) -> tuple[int, Any]:
        """Asks until there is an answer that is not the service's own trouble, mostly somebody else each time.

        The same Idempotency-Key goes with every try of one request.
        """
        headers = {"Idempotency-Key": f"{self._dice.getrandbits(96):x}"}
        status, answer = 0, None
        for _ in range(TRIES):
            status, answer = await self._ask(
                replica or self._dice.choice(self._replicas), method, path, body, headers
            )
            if status and status < 500 and not _is_running_still(status, answer):
                break
            if status and isinstance(answer, dict):
                self._ledger.refusal(answer.get("message", ""), answer.get("details") or {})
            if self.stop.is_set():
                break
            replica = None
            await asyncio.sleep(self._dice.uniform(*PAUSE_S))
        return status, answer

    async def _ask(
        self, child: Child, method: str, path: str, body: object, headers: Mapping[str, str]
    ) -> tuple[int, Any]:
        """Status and body of one request; status 0 without a complete answer."""
        if child.url is None:
            return 0, None
        patience_s = HURRY_S if self._dice.random() < HURRIED else PATIENCE_S
        try:
            async with self._http.request(
                method, child.url + path, json=body, headers=headers,
                timeout=aiohttp.ClientTimeout(total=patience_s),
            ) as answer:  # fmt: skip
                told = json.loads(await answer.read(), parse_float=Decimal)
        except (aiohttp.ClientError, TimeoutError, ValueError):
            self._ledger.unanswered()
            return 0, None
        self._ledger.answered(answer.status, told, f"{method} {path}")
        return answer.status, told


def _half(quantity: Decimal) -> Decimal:
    return (quantity / 2).quantize(Decimal("0.01"), ROUND_DOWN)


def _is_running_still(status: int, answer: Any) -> bool:
    """Whether an earlier request with the same key is still running."""
    return status == 409 and isinstance(answer, dict) and "IDEMPOTENCY" in str(answer.get("code"))
