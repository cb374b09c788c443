"""Control endpoints for tests and the audit. The real Execution Service has none of them."""

from typing import Final

import msgspec
from aiohttp import web

from execution_simulator.delivery import json_answer
from execution_simulator.ledger import Entry
from execution_simulator.settings import decode_change
from execution_simulator.state import SimulatorState

MAX_ENTRIES: Final = 10_000


class ControlHandlers:
    """The routes under ``/simulator``."""

    def __init__(self, state: SimulatorState) -> None:
        self._state = state

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/simulator/books", self.books),
            web.get("/simulator/books/entries", self.entries),
            web.get("/simulator/calls", self.calls),
            web.get("/simulator/faults", self.get_faults),
            web.put("/simulator/faults", self.put_faults),
            web.post("/simulator/reset", self.reset),
        ]

    async def books(self, _: web.Request) -> web.Response:
        """Totals, and how often each tradeServiceExecutionId accepted more than once was accepted."""
        ledger = self._state.ledger
        counts = ledger.accepted_counts()
        return json_answer(
            200,
            {
                "total": ledger.total,
                "distinct": len(counts),
                "withoutTradeServiceExecutionId": ledger.total - counts.total(),
                "nextId": ledger.next_id,
                "acceptedMoreThanOnce": {str(key): count for key, count in counts.items() if count > 1},
            },
        )

    async def entries(self, request: web.Request) -> web.Response:
        """``?afterId=0&limit=10000``: rows in ascending id order, each ``[id, tradeServiceExecutionId, securityId,
        tradeType, destination, "quantity", "limitPrice"|null]``; ``nextAfterId`` is null on the last page."""
        try:
            after_id = int(request.query.get("afterId", "0"))
            limit = int(request.query.get("limit", str(MAX_ENTRIES)))
        except ValueError:
            return json_answer(400, {"error": "afterId and limit must be whole numbers"})
        if not 1 <= limit <= MAX_ENTRIES:
            return json_answer(400, {"error": f"limit must be between 1 and {MAX_ENTRIES}, got {limit}"})
        ledger = self._state.ledger
        rows = list(ledger.after(after_id, limit))
        last = rows[-1].id if rows else None
        more = last is not None and any(True for _ in ledger.after(last, 1))
        shown = [_shown(row) for row in rows]
        return json_answer(200, {"entries": shown, "nextAfterId": last if more else None})

    async def calls(self, _: web.Request) -> web.Response:
        """Calls by endpoint, batches by size, injected faults by name, submissions in flight."""
        state = self._state
        return json_answer(
            200,
            {
                "calls": state.calls,
                "batchSizes": {str(size): count for size, count in sorted(state.batch_sizes.items())},
                "faults": {name: count for name, count in state.faults_met.items() if name != "ok"},
                "inFlight": state.in_flight,
            },
        )

    async def get_faults(self, _: web.Request) -> web.Response:
        """The active fault plan."""
        state = self._state
        return json_answer(
            200,
            {
                "faults": state.submissions.rates,
                "script": state.submissions.script_left,
                "lookupFaults": state.lookups.rates,
                "lookupScript": state.lookups.script_left,
            },
        )

    async def put_faults(self, request: web.Request) -> web.Response:
        """Changes the fault plan, or answers 400 naming the bad entry and changes nothing."""
        try:
            self._state.change(decode_change(await request.read()))
        except (msgspec.DecodeError, ValueError) as error:
            return json_answer(400, {"error": str(error)})
        return await self.get_faults(request)

    async def reset(self, _: web.Request) -> web.Response:
        """Clears ledger and counters, and restores the faults and the seed of the settings."""
        self._state.reset()
        return web.Response(status=204)


def _shown(row: Entry) -> tuple[int, int | None, str, str, str, str, str | None]:
    return (
        row.id,
        row.trade_service_execution_id,
        row.security_id,
        row.trade_type,
        row.destination,
        str(row.quantity),
        None if row.limit_price is None else str(row.limit_price),
    )
