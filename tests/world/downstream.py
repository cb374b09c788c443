"""The Execution Service of the seeded world, with every hazard of its contract."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from tests.world.loop import WorldLoop
from tests.world.weather import Timing, Weather
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

    @property
    def execution_id(self) -> int:
        """Our id."""
        return int(self.post["tradeServiceExecutionId"])


class Downstream:
    """Accepts what it is sent, as often as it is sent it: it is not idempotent."""

    def __init__(self, loop: WorldLoop, weather: Weather, timing: Timing, first_id: int) -> None:
        self._loop = loop
        self._weather = weather
        self._timing = timing
        self._next_id = first_id
        self.rows: dict[int, Row] = {}
        self.times_accepted: Counter[int] = Counter()
        self.on_commit: Callable[[Row], None] = lambda _row: None
        self.calls = 0

    def receive(self, body: bytes, attempt_id: str, sent_at: float, deliver: Deliver) -> None:
        """A batch call whose bytes have left: decides its fate; `deliver` gets the answer, if any comes."""
        weather, rates = self._weather, self._weather.rates
        self.calls += 1
        if weather.happens(rates.lost_request):
            if weather.happens(rates.reset):
                self._loop.call_outside(weather.between(0.001, 1), deliver, ConnectionResetError("reset"))
            return
        travel = weather.between(0.001, 1.0 if weather.happens(rates.slow_answer) else 0.02)
        self._loop.call_outside(
            travel, self._work, json.loads(body, parse_float=Decimal), attempt_id, sent_at, deliver
        )

    def newest(self, offset: int, limit: int) -> bytes:
        """A page of its listing as it is now."""
        ids = sorted(self.rows, reverse=True)
        content = [self._shown(self.rows[i]) for i in ids[offset : offset + limit]]
        paging = {
            "offset": offset,
            "limit": limit,
            "totalElements": len(ids),
            "hasNext": offset + limit < len(ids),
        }
        return _encode({"content": content, "pagination": paging})

    def _work(self, request: Mapping[str, Any], attempt_id: str, sent_at: float, deliver: Deliver) -> None:
        weather, rates = self._weather, self._weather.rates
        posts: Sequence[Post] = request["executions"]
        if weather.happens(rates.throttled):
            after = weather.dice.choice((None, "1", "3"))
            self._answer(deliver, 429, b"", retry_after=after)
        elif any(post["securityId"] == "POISON" for post in posts) or weather.happens(rates.refused_whole):
            self._answer(
                deliver, weather.dice.choice((400, 413)), b'{"status":400,"message":"Validation failed"}'
            )
        elif weather.happens(rates.unavailable):
            self._commit_some(posts, attempt_id, sent_at)
            self._answer(deliver, weather.dice.choice((500, 502, 503, 504)), b'{"message":"no capacity"}')
        else:
            self._process(posts, attempt_id, sent_at, deliver)

    def _process(self, posts: Sequence[Post], attempt_id: str, sent_at: float, deliver: Deliver) -> None:
        weather, rates = self._weather, self._weather.rates
        results: list[dict[str, Any]] = []
        delay = self._commit_delay(sent_at)
        answered_early = delay > 0 and weather.happens(0.5)
        for index, post in enumerate(posts):
            message = self._refusal(post)
            if message is None or (message in TRANSIENT_MESSAGES and weather.happens(FAILED_EARLY)):
                row = self._allocate(post, attempt_id)
                self._commit_later(delay, row)
            if message is None:
                results.append(
                    {
                        "requestIndex": index,
                        "status": "SUCCESS",
                        "message": None,
                        "execution": self._shown(row),
                    }
                )
            else:
                results.append(
                    {"requestIndex": index, "status": "FAILED", "message": message, "execution": None}
                )
        if weather.happens(rates.error_500):
            self._answer(
                deliver,
                500,
                b'{"status":500,"error":"Internal Server Error"}',
                0.0 if answered_early else delay,
            )
            return
        good = sum(result["status"] == "SUCCESS" for result in results)
        status = 201 if good == len(posts) else 207 if good else 400
        self._answer(deliver, status, self._spelled(results, status, len(posts), good), delay)

    def _refusal(self, post: Post) -> str | None:
        weather, rates = self._weather, self._weather.rates
        if post["securityId"].startswith("BAD"):
            return PERMANENT_MESSAGES[len(post["securityId"]) % 2]
        if weather.happens(rates.transient_item):
            return weather.dice.choice(TRANSIENT_MESSAGES)
        return None

    def _commit_some(self, posts: Sequence[Post], attempt_id: str, sent_at: float) -> None:
        """Before an error some rows may have been committed, or be committed afterwards."""
        weather = self._weather
        if not weather.happens(weather.rates.partial_commit):
            return
        delay = self._commit_delay(sent_at)
        for post in posts[: weather.dice.randint(0, len(posts))]:
            if not post["securityId"].startswith("BAD"):
                self._commit_later(delay, self._allocate(post, attempt_id))

    def _commit_delay(self, sent_at: float) -> float:
        """Never later than the settle time after the request was sent: the stated assumption."""
        if not self._weather.happens(self._weather.rates.late_commit):
            return 0.0
        latest = sent_at + self._timing.settle_s - self._loop.time()
        return max(0.0, self._weather.dice.random() * latest)

    def _allocate(self, post: Post, attempt_id: str) -> Row:
        """A sequence gives the id before the row is committed, and gaps are left by what never is."""
        self._next_id += self._weather.dice.choice((1, 1, 1, 2))
        return Row(self._next_id, post, attempt_id)

    def _commit_later(self, delay: float, row: Row) -> None:
        if delay:
            self._loop.call_outside(delay, self._commit, row)
        else:
            self._commit(row)

    def _commit(self, row: Row) -> None:
        self.rows[row.id] = row
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
        self, deliver: Deliver, status: int, body: bytes, after: float = 0.0, retry_after: str | None = None
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
        self._loop.call_outside(delay, deliver, answer)

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
