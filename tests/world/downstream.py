"""The Execution Service of the seeded world, with every hazard of its contract."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from tests.world.loop import WorldLoop
from tests.world.weather import Weather
from trade_service.execution_service.answers import Answer

_encoder = msgspec.json.Encoder(decimal_format="number")

Deliver = Callable[[Answer | Exception], None]
Post = Mapping[str, Any]

TRANSIENT_MESSAGES = (
    "deadlock detected",
    "Connection is not available, request timed out",
    "temporary failure",
)
PERMANENT_MESSAGES = ("Security not found", "Quantity exceeds the limit of the desk")
FAILED_EARLY = 0.5
"""How often a transient item failure happens after its commit all the same."""


class Row(msgspec.Struct, frozen=True):
    """An execution in its books."""

    id: int
    post: Post
    attempt_id: str
    life: int = 0
    """How often its database had been reset before."""
    is_copy: bool = False
    """Made by something on the way, such as a proxy that sent a request again."""

    @property
    def execution_id(self) -> int:
        """Our id."""
        return int(self.post["tradeServiceExecutionId"])


class Request(msgspec.Struct, frozen=True):
    """A batch call on its way."""

    posts: Sequence[Post]
    attempt_id: str
    latest_commit_at: float
    """The stated assumption: nothing of it is committed later."""
    life: int
    deliver: Deliver


class Downstream:
    """Accepts what it is sent, as often as it is sent it: it is not idempotent."""

    def __init__(self, loop: WorldLoop, weather: Weather, first_id: int) -> None:
        self._loop = loop
        self._weather = weather
        self._timing = weather.timing
        self._next_id = first_id
        self._life = 0
        self.rows: dict[int, Row] = {}
        self.ever: dict[int, Row] = {}
        """Those of all lives."""
        self.times_accepted: Counter[int] = Counter()
        """Without copies."""
        self.on_commit: Callable[[Row], None] = lambda _row: None
        self.calls = 0

    @property
    def was_reset(self) -> bool:
        """Whether it forgot what it had accepted."""
        return self._life > 0

    def put(self, post: Post, attempt_id: str) -> Row:
        """A row that somebody else made; returns it."""
        row = self._allocate(post, attempt_id)
        self.rows[row.id] = self.ever[row.id] = row
        return row

    def lose_everything(self) -> None:
        """Its database is made anew: ids begin again, and what is under way is forgotten."""
        self._life += 1
        self._next_id = 0
        self.rows.clear()

    def receive(self, body: bytes, attempt_id: str, deliver: Deliver) -> None:
        """A batch call whose bytes begin to leave: decides its fate; `deliver` gets the answer, if any comes."""
        weather, rates = self._weather, self._weather.rates
        self.calls += 1
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

    def newest(self, offset: int, limit: int) -> bytes:
        """A page of its listing as it is now."""
        return self._page(sorted(self.rows, reverse=True), offset, limit)

    def only(self, service_id: int) -> bytes:
        """A page that holds nothing but the row of that id, if there is one."""
        return self._page([service_id] if service_id in self.rows else [], 0, 1)

    def _page(self, ids: Sequence[int], offset: int, limit: int) -> bytes:
        content = [self._shown(self.rows[i]) for i in ids[offset : offset + limit]]
        paging = {
            "offset": offset,
            "limit": limit,
            "totalElements": len(ids),
            "hasNext": offset + limit < len(ids),
        }
        return _encode({"content": content, "pagination": paging})

    def _work(self, request: Request) -> None:
        weather, rates, posts = self._weather, self._weather.rates, request.posts
        if self._loop.time() < weather.storm_until:
            self._answer(request, weather.dice.choice((429, 503)), b'{"message":"no capacity"}')
        elif weather.happens(rates.throttled):
            self._answer(request, 429, b"", retry_after=weather.dice.choice((None, "1", "3")))
        elif any(post["securityId"] == "POISON" for post in posts) or weather.happens(rates.refused_whole):
            self._answer(
                request, weather.dice.choice((400, 413)), b'{"status":400,"message":"Validation failed"}'
            )
        elif weather.happens(rates.unavailable):
            self._commit_some(request)
            self._answer(request, weather.dice.choice((500, 502, 503, 504)), b'{"message":"no capacity"}')
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
            if message is None or (message in TRANSIENT_MESSAGES and weather.happens(FAILED_EARLY)):
                row = self._allocate(post, request.attempt_id)
                self._commit_later(delay, row)
                if weather.happens(rates.copied_request):
                    copy = msgspec.structs.replace(self._allocate(post, request.attempt_id), is_copy=True)
                    self._commit_later(delay, copy)
            if message is None:
                result |= {"status": "SUCCESS", "execution": self._shown(row)}
            results.append(result)
        if weather.happens(rates.error_500):
            error = b'{"status":500,"error":"Internal Server Error"}'
            self._answer(request, 500, error, 0.0 if answered_early else delay)
            return
        good = sum(result["status"] == "SUCCESS" for result in results)
        status = 201 if good == len(results) else 207 if good else 400
        self._answer(request, status, self._spelled(results, status, len(results), good), delay)

    def _refusal(self, post: Post) -> str | None:
        weather, rates = self._weather, self._weather.rates
        if post["securityId"].startswith("BAD"):
            return PERMANENT_MESSAGES[len(post["securityId"]) % 2]
        if weather.happens(rates.transient_item):
            return weather.dice.choice(TRANSIENT_MESSAGES)
        return None

    def _commit_some(self, request: Request) -> None:
        """Before an error some rows may have been committed, or be committed afterwards."""
        weather, posts = self._weather, request.posts
        if not weather.happens(weather.rates.partial_commit):
            return
        delay = self._commit_delay(request)
        for post in posts[: weather.dice.randint(0, len(posts))]:
            if not post["securityId"].startswith("BAD"):
                self._commit_later(delay, self._allocate(post, request.attempt_id))

    def _commit_delay(self, request: Request) -> float:
        """Up to the last moment that the stated assumption allows, which is as likely as all before it."""
        dice = self._weather.dice
        if not self._weather.happens(self._weather.rates.late_commit):
            return 0.0
        latest = request.latest_commit_at - self._loop.time() - 0.001
        return max(0.0, latest * dice.choice((1.0, dice.random())))

    def _allocate(self, post: Post, attempt_id: str) -> Row:
        """A sequence gives the id before the row is committed, and gaps are left by what never is."""
        self._next_id += self._weather.dice.choice((1, 1, 1, 2))
        return Row(self._next_id, post, attempt_id, self._life)

    def _commit_later(self, delay: float, row: Row) -> None:
        if delay:
            self._loop.call_outside(delay, self._commit, row)
        else:
            self._commit(row)

    def _commit(self, row: Row) -> None:
        if row.life != self._life:
            return
        self.rows[row.id] = self.ever[row.id] = row
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
            return _encode(body)
        return _ODDITIES[weather.dice.randrange(len(_ODDITIES))](body, weather)

    def _answer(
        self, request: Request, status: int, body: bytes, after: float = 0.0, retry_after: str | None = None
    ) -> None:
        weather, rates = self._weather, self._weather.rates
        if weather.happens(rates.lost_answer):
            return
        delay = after + weather.between(
            0.001, 2 * self._timing.total_s if weather.happens(rates.slow_answer) else 0.02
        )
        answer: Answer | Exception = Answer(status, body, None, "application/json", retry_after)
        if weather.happens(rates.reset):
            answer = ConnectionResetError("reset")
        self._loop.call_outside(delay, self._deliver, request, answer)

    def _deliver(self, request: Request, answer: Answer | Exception) -> None:
        if request.life == self._life:
            request.deliver(answer)

    @staticmethod
    def _shown(row: Row) -> dict[str, Any]:
        post = row.post
        return {
            "id": row.id,
            "executionStatus": "NEW",
            "tradeType": post["tradeType"],
            "destination": post["destination"],
            "security": {"securityId": post["securityId"], "ticker": post["securityId"]},
            "quantity": post["quantity"],
            "limitPrice": post["limitPrice"],
            "tradeServiceExecutionId": post["tradeServiceExecutionId"],
            "version": 1,
        }


def _encode(value: object) -> bytes:
    return _encoder.encode(value)


def _fewer(body: dict[str, Any], weather: Weather) -> bytes:
    body["results"] = [r for r in body["results"] if weather.happens(0.5)]
    return _encode(body)


def _none(body: dict[str, Any], _: Weather) -> bytes:
    body["results"] = None
    return _encode(body)


def _truncated(body: dict[str, Any], weather: Weather) -> bytes:
    text = _encode(body)
    return text[: weather.dice.randrange(1, len(text))]


def _repeated(body: dict[str, Any], weather: Weather) -> bytes:
    body["results"].append(dict(weather.dice.choice(body["results"])))
    return _encode(body)


def _out_of_range(body: dict[str, Any], weather: Weather) -> bytes:
    weather.dice.choice(body["results"])["requestIndex"] = weather.dice.choice((-1, 99, None))
    return _encode(body)


def _without_id(body: dict[str, Any], weather: Weather) -> bytes:
    result = weather.dice.choice(body["results"])
    if result["execution"] is not None:
        result["execution"] = dict(result["execution"], id=None)
    return _encode(body)


def _reordered(body: dict[str, Any], weather: Weather) -> bytes:
    weather.dice.shuffle(body["results"])
    body["successful"] += 1
    return _encode(body)


def _exchanged(body: dict[str, Any], weather: Weather) -> bytes:
    """Indexes swapped between two results: only the executions' own ids tell."""
    one, other = weather.dice.choice(body["results"]), weather.dice.choice(body["results"])
    if one["execution"] and other["execution"]:
        one["requestIndex"], other["requestIndex"] = other["requestIndex"], one["requestIndex"]
    return _encode(body)


_ODDITIES = (_fewer, _none, _truncated, _repeated, _out_of_range, _without_id, _reordered, _exchanged)
