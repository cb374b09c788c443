"""A client of the simulator over real HTTP."""

import json
from decimal import Decimal
from typing import Any

import aiohttp

from execution_simulator.server import RunningSimulator

BATCH = "/api/v1/executions/batch"


LIST = "/api/v1/executions"


GIVE_UP = aiohttp.ClientTimeout(total=0.3)


PATIENCE = aiohttp.ClientTimeout(total=30)


GONE = (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError)


def item(trade_id: int, **changes: Any) -> dict[str, Any]:
    return {
        "executionStatus": "NEW",
        "tradeType": "BUY",
        "destination": "NYSE",
        "securityId": f"AAPL{trade_id:020d}",
        "quantity": 100,
        "limitPrice": None,
        "tradeServiceExecutionId": trade_id,
        "version": 1,
        **changes,
    }


def batch(*trade_ids: int) -> dict[str, Any]:
    return {"executions": [item(trade_id) for trade_id in trade_ids]}


async def post(
    http: aiohttp.ClientSession, simulator: RunningSimulator, body: Any, path: str = BATCH
) -> tuple[int, Any]:
    async with http.post(simulator.base_url + path, json=body, allow_redirects=False) as response:
        return response.status, json.loads(await response.read(), parse_float=Decimal)


async def get(http: aiohttp.ClientSession, simulator: RunningSimulator, path: str) -> tuple[int, Any]:
    async with http.get(simulator.base_url + path) as response:
        return response.status, json.loads(await response.read(), parse_float=Decimal)


async def observe(http: aiohttp.ClientSession, url: str, *, patient: bool = False) -> str:
    """What a client sees of one batch of three: a status and the body's kind, or how the call broke.

    A `patient` one waits for its answer however busy the machine is.
    """
    timeout = PATIENCE if patient else GIVE_UP
    try:
        async with http.post(url, json=batch(1, 2, 3), allow_redirects=False, timeout=timeout) as response:
            head = await response.content.read(1_000_000) if "huge" in url else await response.read()
            if len(head) > 10_000:
                return f"{response.status} huge"
            if response.content_type != "application/json":
                return f"{response.status} {response.content_type}"
            try:
                body = json.loads(head)
            except ValueError:
                return f"{response.status} no json"
            return f"{response.status} {'results' if body.get('results') else 'no results'}"
    except TimeoutError:
        return "time-out"
    except aiohttp.ClientPayloadError:
        return "cut"
    except GONE:
        return "reset"
