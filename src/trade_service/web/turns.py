"""Turns of readers: how many are served at once, how many of one client, and only while it is connected."""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import Coroutine
from typing import Any, TypeVar

from litestar.types import ASGIApp, Message, Receive, Scope, Send

from trade_service.web.errors import HttpCode, RequestRefused

Result = TypeVar("Result")


class Turns:
    """Lets `at_once` requests go on, at most `per_client` of one client; the others wait, clients in rotation."""

    def __init__(self, at_once: int, per_client: int) -> None:
        self._at_once = at_once
        self._per_client = per_client
        self._taken = 0
        self._of_client: Counter[str] = Counter()
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    async def take(self, client: str) -> None:
        """Waits for the client's turn, which `give_back` ends."""
        if self._taken < self._at_once and self._of_client[client] < self._per_client:
            self._take(client)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(client, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self.give_back(client)
            raise

    def give_back(self, client: str) -> None:
        """Ends a turn, and begins the next one."""
        self._taken -= 1
        self._of_client[client] -= 1
        if not self._of_client[client]:
            del self._of_client[client]
        for waiting, turns in list(self._waiting.items()):
            while turns and turns[0].done():  # The client has gone, or its deadline has passed.
                turns.popleft()
            if turns and self._taken < self._at_once and self._of_client[waiting] < self._per_client:
                self._take(waiting)
                turns.popleft().set_result(None)
                self._waiting.move_to_end(waiting)
            if not turns:
                del self._waiting[waiting]

    def _take(self, client: str) -> None:
        self._taken += 1
        self._of_client[client] += 1


async def in_turn(
    turns: Turns, client: str, app: ASGIApp, scope: Scope, receive: Receive, send: Send
) -> None:
    """Serves a request in its client's turn, which ends when the answer begins: sending it may take long."""
    is_over = False

    async def send_and_end(message: Message) -> None:
        nonlocal is_over
        if not is_over:
            is_over = True
            turns.give_back(client)
        await send(message)

    await turns.take(client)
    try:
        await app(scope, receive, send_and_end)
    finally:
        if not is_over:
            turns.give_back(client)


async def disconnected(receive: Receive) -> None:
    """Until the client has gone; its body must have arrived."""
    try:
        while (await receive())["type"] != "http.disconnect":
            pass
    except RequestRefused:
        return


async def while_connected(receive: Receive, work: Coroutine[Any, Any, Result]) -> Result:
    """The result of `work`, which is cancelled when the client leaves: then raises RequestRefused."""
    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(disconnected(receive))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise RequestRefused(400, HttpCode.CLIENT_GONE, "the client left before it was answered")
        return working.result()
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.wait({working, leaving})
