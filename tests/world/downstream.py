"""The Execution Service of the seeded world, with every hazard of its contract."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from tests.world.loop import WorldLoop
from tests.world.odd_answers import IMPOSSIBLE_ID, encode, make_odd
from tests.world.weather import Weather
from trade_service.domain.executions import Fill
from trade_service.execution_service.reply_interpretation import Answer

Deliver = Callable[[Answer | Exception], None]
Post = Mapping[str, Any]

DATABASE_MESSAGES = (
    "Database error: Database error at index 3: Failed to insert execution after 3 attempts due to deadlock",
    "An I/O error occurred while sending to the backend.",
    "Could not commit JPA transaction",
    "Broken pipe",
    "",
)
"""Its message for an item when its database fails, which says nothing about the item."""
REFUSALS = ("Invalid trade type. Must be BUY or SELL", "Quantity must be greater than zero")
CURSED, SILENT = ("CURSED", "SILENT"), "SILENT"
"""Securities that make any batch fail whole: with a 500, or without an answer."""
NEVER_TAKEN = (*CURSED, "POISON")
UNEXPECTED = "An unexpected error occurred while processing your request"
UNFINISHED = ("Could not commit JPA transaction", "An I/O error occurred while sending to the backend.")
"""Messages of a handler that does not know how its transaction ended."""
FILTERED, FILTERED_LATE = (403, 404), 0.3
"""Statuses with which a gateway may replace an answer, and how often the work was done all the same."""
FAILED_EARLY = 0.5
"""How often an item is committed although its database reported a failure."""
PADDED = 24
MAX_OTHERS = 60


OTHERS_POST: Post = {
    "tradeType": "SELL", "destination": "RBC", "securityId": "OTHER", "quantity": Decimal(7), "limitPrice": None,
    "tradeServiceExecutionId": None,
}  # fmt: skip


NOT_FILLED = Fill("NEW", Decimal(0))


class Row(msgspec.Struct, frozen=True):
    """An execution in its ledger."""

    id: int
    post: Post
    attempt_id: str
    life: int = 0
    """Number of resets before it."""
    is_copy: bool = False
    """Created by an intermediary, such as a proxy that repeated a request."""

    @property
    def execution_id(self) -> int:
        """The id in this service."""
        return int(self.post["tradeServiceExecutionId"] or 0)


class Request(msgspec.Struct, frozen=True):
    """A batch call in flight."""

    posts: Sequence[Post]
    attempt_id: str
    latest_commit_at: float
    """Stated assumption: nothing of the call is committed later."""
    life: int
    deliver: Deliver


class Downstream:
    """An Execution Service that accepts repeated executions again: it is not idempotent."""

    def __init__(self, loop: WorldLoop, weather: Weather, first_id: int) -> None:
        self._loop = loop
        self._weather = weather
        self._timing = weather.timing
        self._next_id = first_id
        self._life = 0
        self.rows: dict[int, Row] = {}
        self.ever: dict[int, set[int]] = {}
        """The execution of each ledger id, over all resets."""
        self.times_accepted: Counter[int] = Counter()
        """Accepted executions, without copies."""
        self.published: Counter[int] = Counter()
        """Executions published to the market, without copies, before the commit."""
        self.phantoms: Counter[int] = Counter()
        """Publications whose transaction failed."""
        self._others: list[int] = []
        """Rows that other senders created and may delete."""
        self.fills: dict[int, Fill] = {}
        """Rows with market activity."""
        self.on_commit: Callable[[Row], None] = lambda _row: None
        self.on_list: Callable[[Sequence[int]], None] = lambda _ids: None
        self.on_call: Callable[[str], None] = lambda _attempt_id: None
        self.calls = 0
        self.calls_in_outage = 0

    @property
    def was_reset(self) -> bool:
        """Whether it lost accepted executions."""
        return self._life > 0

    def put(self, post: Post, attempt_id: str) -> Row:
        """Adds a row of another sender; returns it."""
        row = self._allocate(post, attempt_id)
        self.rows[row.id] = row
        self.ever.setdefault(row.id, set()).add(row.execution_id)
        return row

    def lose_everything(self) -> None:
        """Resets its database: ids restart, and calls in flight are lost."""
        self._life += 1
        self._next_id = 0
        self.rows.clear()
        self._others.clear()
        self.fills.clear()

    def put_impossible(self) -> None:
        """Adds a row with an impossible id, which every listing starts with."""
        row = Row(IMPOSSIBLE_ID, OTHERS_POST, "somebody else")
        self.rows[row.id] = row

    def overtake(self, service_id: int) -> None:
        """Adds so many executions of other clients that new ids exceed `service_id`."""
        while self._next_id <= service_id:
            self.put(OTHERS_POST, "another client")

    def receive(self, body: bytes, attempt_id: str, deliver: Deliver) -> None:
        """Receives a batch call and decides its fate; `deliver` gets the answer, if there is one."""
        weather, rates = self._weather, self._weather.rates
        self.calls += 1
        self.on_call(attempt_id)
        self.calls_in_outage += self._loop.time() < weather.outage_until
        if weather.happens(rates.lost_request):
            if weather.happens(rates.reset):
                self._loop.call_outside(weather.between(0.001, 1), deliver, ConnectionResetError("reset"))
            return
        # A socket sends again what got lost, until it is closed: at the latest when the call's time is up.
        held_up = weather.dice.uniform(0, self._timing.total_s) if weather.happens(rates.slow_request) else 0
        request = Request(
            json.loads(body, parse_float=Decimal)["executions"],
            attempt_id,
            self._loop.time() + held_up + self._timing.settle_s,
            self._life,
            deliver,
        )
        travel = weather.between(0.001, 1.0 if weather.happens(rates.slow_answer) else 0.02)
        self._loop.call_outside(held_up + travel, self._work, request)

    def newest(self, offset: int, limit: int, below: int | None = None) -> bytes:
        """A page of its listing, or of a stale one without the rows from `below` on.

        Rows of others may be gone when the next one is read.
        """
        weather, rates = self._weather, self._weather.rates
        start = offset // limit * limit if weather.manners.rounds else offset
        ids = sorted(self.rows, reverse=True)
        ids = ids if below is None else [i for i in ids if i < below]
        page = self._page(ids, start, limit)
        if page["content"] and weather.happens(rates.short_page):
            page["content"] = page["content"][: weather.dice.randrange(len(page["content"]))]
            page["pagination"] = weather.dice.choice((None, {"hasNext": True}))
        while self._others and weather.happens(rates.deleted_row):
            del self.rows[self._others.pop(weather.dice.randrange(len(self._others)))]
        self.on_list(ids[start : start + limit])
        return encode(page)

    def only(self, service_id: int) -> bytes:
        """A page with only the row of that id, if there is one."""
        return encode(self._page([service_id] if service_id in self.rows else [], 0, 1))

    def _page(self, ids: Sequence[int], offset: int, limit: int) -> dict[str, Any]:
        content = [self._listed(self.rows[i]) for i in ids[offset : offset + limit]]
        paging = {
            "offset": offset,
            "limit": limit,
            "totalElements": len(ids),
            "hasNext": offset + limit < len(ids),
        }
        return {"content": content, "pagination": paging}

    def _listed(self, row: Row) -> dict[str, Any]:
        """A row in the form of the listing, which differs from answers to batches."""
        shown = self._shown(row)
        if self._weather.manners.pads:
            padded = str(row.post["securityId"]).ljust(PADDED)
            shown |= {"securityId": padded, "security": {"securityId": padded, "ticker": None}}
        return shown

    def _work(self, request: Request) -> None:
        weather, rates, posts = self._weather, self._weather.rates, request.posts
        if self._loop.time() < weather.refused_until:
            self._refuse(request)
        elif self._loop.time() < weather.outage_until:
            if not weather.outage_is_silent:
                self._answer(request, weather.dice.choice((500, 503)), _report(500, UNEXPECTED))
        elif self._loop.time() < weather.storm_until:
            self._answer(request, weather.dice.choice((429, 503)), b'{"message":"no capacity"}')
        elif weather.happens(rates.throttled):
            self._answer(request, 429, b"", retry_after=weather.dice.choice((None, "1", "3")))
        elif any(post["securityId"] == "POISON" for post in posts) or weather.happens(rates.refused_whole):
            self._answer(
                request, weather.dice.choice((400, 413)), b'{"status":400,"message":"Validation failed"}'
            )
        elif weather.happens(rates.redirected):
            self._commit_first(request, len(request.posts))
            self._answer(request, weather.dice.choice((301, 302, 303)), b"")
        elif weather.happens(rates.unavailable):
            self._commit_some(request)
            status = weather.dice.choice((500, 502, 503, 504))
            self._answer(request, status, _report(status, weather.dice.choice(UNFINISHED)))
        elif any(post["securityId"] in CURSED for post in posts):
            if not any(post["securityId"] == SILENT for post in posts):
                self._answer(request, 500, _report(500, UNEXPECTED))
        else:
            self._process(request)

    def _process(self, request: Request) -> None:
        weather, rates = self._weather, self._weather.rates
        results: list[dict[str, Any]] = []
        delay = self._commit_delay(request)
        answered_early = delay > 0 and weather.happens(0.5)
        for index, post in enumerate(request.posts):
            message = self._refusal(post)
            result = {"requestIndex": index, "status": "FAILED", "message": message, "execution": None}
            if message is None or (message in DATABASE_MESSAGES and weather.happens(FAILED_EARLY)):
                row = self._allocate(post, request.attempt_id)
                self._commit_later(delay, row)
                if weather.happens(rates.copied_request):
                    copy = msgspec.structs.replace(self._allocate(post, request.attempt_id), is_copy=True)
                    self._commit_later(delay, copy)
            elif message in DATABASE_MESSAGES and weather.happens(rates.phantom):
                self._publish(post, committed=False)
            if message is None:
                result |= {"status": "SUCCESS", "execution": self._shown(row)}
            results.append(result)
        if weather.happens(rates.error_500):
            error = _report(500, UNFINISHED[0] if delay else UNEXPECTED)
            self._answer(request, 500, error, 0.0 if answered_early else delay)
            return
        good = sum(result["status"] == "SUCCESS" for result in results)
        status = 201 if good == len(results) else 207 if good else 400
        self._answer(request, status, self._spelled(results, status, len(results), good), delay)

    def _refusal(self, post: Post) -> str | None:
        weather, rates = self._weather, self._weather.rates
        if post["securityId"].startswith("BAD"):
            return REFUSALS[len(post["securityId"]) % 2]
        if weather.happens(rates.transient_item):
            return weather.dice.choice(DATABASE_MESSAGES)
        return None

    def _refuse(self, request: Request) -> None:
        """Refuses a call, or does the work and lets a gateway replace the answer."""
        weather = self._weather
        if weather.refusal in FILTERED and weather.dice.random() < FILTERED_LATE:
            delay = self._commit_delay(request)
            for post in request.posts:
                if not post["securityId"].startswith("BAD") and post["securityId"] not in NEVER_TAKEN:
                    self._commit_later(delay, self._allocate(post, request.attempt_id))
        self._answer(request, weather.refusal, b"")

    def _commit_some(self, request: Request) -> None:
        """Commits some rows before or after an error."""
        weather, posts = self._weather, request.posts
        if weather.happens(weather.rates.partial_commit):
            self._commit_first(request, weather.dice.randint(0, len(posts)))
        elif weather.happens(weather.rates.phantom):
            self._publish(posts[0], committed=False)

    def _commit_first(self, request: Request, count: int) -> None:
        delay = self._commit_delay(request)
        for post in request.posts[:count]:
            if not post["securityId"].startswith("BAD") and post["securityId"] not in NEVER_TAKEN:
                self._commit_later(delay, self._allocate(post, request.attempt_id))

    def _commit_delay(self, request: Request) -> float:
        """A delay up to the stated maximum, which is as likely as all shorter ones together."""
        dice = self._weather.dice
        if not self._weather.happens(self._weather.rates.late_commit):
            return 0.0
        latest = request.latest_commit_at - self._loop.time() - 0.001
        return max(0.0, latest * dice.choice((1.0, dice.random())))

    def _allocate(self, post: Post, attempt_id: str) -> Row:
        """Takes ids before the commit, so that rolled-back rows leave gaps."""
        self._next_id += self._weather.dice.choice((1, 1, 1, 2))
        return Row(self._next_id, post, attempt_id, self._life)

    def _publish(self, post: Post, *, committed: bool) -> None:
        execution_id = int(post["tradeServiceExecutionId"])
        self.published[execution_id] += 1
        self.phantoms[execution_id] += not committed

    def _commit_later(self, delay: float, row: Row) -> None:
        if not row.is_copy:
            self._publish(row.post, committed=True)
        if delay:
            self._loop.call_outside(delay, self._commit, row)
        else:
            self._commit(row)

    def _commit(self, row: Row) -> None:
        if row.life != self._life:
            self.phantoms[row.execution_id] += not row.is_copy
            return
        if len(self._others) < MAX_OTHERS and self._weather.happens(self._weather.rates.other_sender):
            self._others += [
                self.put(OTHERS_POST, "somebody else").id for _ in range(self._weather.dice.randint(1, 8))
            ]
            # Ids that were seen once are never missing at the top: that is how a reset is detected.
            self.put(OTHERS_POST, "somebody else")
        self.rows[row.id] = row
        self.ever.setdefault(row.id, set()).add(row.execution_id)
        if not row.is_copy:
            self.times_accepted[row.execution_id] += 1
        self.on_commit(row)

    def _spelled(self, results: list[dict[str, Any]], status: int, total: int, good: int) -> bytes:
        weather, rates = self._weather, self._weather.rates
        failed = [r["requestIndex"] for r in results if r["status"] == "FAILED"]
        if failed and weather.happens(rates.shifted):
            for result in results:
                if result["status"] == "SUCCESS" and result["requestIndex"] > failed[0]:
                    result["requestIndex"] -= 1
        body: dict[str, Any] = {
            "status": {201: "SUCCESS", 207: "PARTIAL_SUCCESS"}.get(status, "FAILED"),
            "message": "done",
            "totalRequested": total,
            "successful": good,
            "failed": total - good,
            "results": results,
        }
        if not weather.happens(rates.odd_answer):
            return encode(body)
        return make_odd(body, weather)

    def _answer(
        self, request: Request, status: int, body: bytes, after: float = 0.0, retry_after: str | None = None
    ) -> None:
        weather, rates = self._weather, self._weather.rates
        if weather.happens(rates.lost_answer):
            return
        delay = after + weather.between(
            0.001, 2 * self._timing.total_s if weather.happens(rates.slow_answer) else 0.02
        )
        headers = {"Content-Type": "application/json"}
        if retry_after is not None:
            headers["Retry-After"] = retry_after
        answer: Answer | Exception = Answer(status, body, None, headers)
        if weather.happens(rates.reset):
            answer = ConnectionResetError("reset")
        self._loop.call_outside(delay, self._deliver, request, answer)

    def _deliver(self, request: Request, answer: Answer | Exception) -> None:
        if request.life == self._life:
            request.deliver(answer)

    def _shown(self, row: Row) -> dict[str, Any]:
        post, fill = row.post, self.fills.get(row.id, NOT_FILLED)
        return {
            "id": row.id,
            "executionStatus": fill.status,
            "quantityFilled": fill.quantity,
            "tradeType": post["tradeType"],
            "destination": post["destination"],
            "security": {"securityId": post["securityId"], "ticker": post["securityId"]},
            "quantity": post["quantity"],
            "limitPrice": post["limitPrice"],
            "tradeServiceExecutionId": post["tradeServiceExecutionId"],
            "version": 1,
        }


def _report(status: int, message: str) -> bytes:
    """A failure as reported by the service's own handler."""
    report = {"timestamp": "2026-01-01T00:00:00Z", "status": status, "error": "Error", "message": message}
    return encode(report | {"path": "uri=/api/v1/executions/batch", "validationErrors": None})
