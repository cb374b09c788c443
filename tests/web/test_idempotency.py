"""Idempotency-Key over real sockets: two replicas on one PostgreSQL and one simulator."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import count
from typing import Any

import msgspec
import pytest

from execution_simulator.server import SimulatorSettings, running_simulator
from tests.support.database import TestServer
from tests.support.trading import counted_statements, run_sql, value_of
from tests.web.live import BATCH, BULK, ORDERS, Live, behave, live_service, order_body
from tests.web.support import Answer
from trade_service.submission.engine_settings import SubmissionSettings
from trade_service.trading.trading_settings import IdempotencySettings

KEYS = count(1)
QUICK = SubmissionSettings(
    wait_s=0.3, settle_time_ms=200, lease_margin_ms=300, recovery_poll_ms=50, recovery_grace_ms=300
)
Request = tuple[str, Any]
"""A path and a body."""


class Pair(msgspec.Struct):
    """Two replicas."""

    one: Live
    two: Live
    forgetful: Live
    """A third replica, which keeps no answers and hardly waits for outcomes."""

    async def counts(self) -> tuple[int, int, int]:
        """Numbers of orders, executions and accepted executions."""
        database = self.one.services.database
        orders = await value_of(database, "SELECT count(*) FROM trade_order")
        executions = await value_of(database, "SELECT count(*) FROM execution")
        return orders, executions, self.one.simulator.ledger.total


@pytest.fixture(scope="module")
async def running(postgres: TestServer, template_database: str) -> AsyncIterator[Pair]:
    async with (
        postgres.database(template_database) as url,
        running_simulator(SimulatorSettings(retry_after_s=0)) as simulator,
        live_service(url, simulator) as one,
        live_service(url, simulator) as two,
        live_service(
            url, simulator, submission=QUICK, idempotency=IdempotencySettings(max_answer_bytes=0)
        ) as forgetful,
    ):
        yield Pair(one, two, forgetful)


@pytest.fixture
def pair(running: Pair) -> Pair:
    behave(running.one.simulator)
    return running


async def ask(live: Live, request: Request, key: str) -> Answer:
    path, body = request
    return await live.client.post(path, body, headers={"Idempotency-Key": key})


def new_key() -> str:
    return f'"key {next(KEYS)}"'


async def an_order(live: Live) -> Request:
    return ORDERS, order_body(blotterId=2)


async def some_orders(live: Live) -> Request:
    return BULK, {"tradeOrders": [order_body() for _ in range(3)]}


async def a_submission(live: Live) -> Request:
    return f"{ORDERS}/{await live.order()}/submit", {"quantity": 40, "destinationId": 1}


async def a_written_one(live: Live) -> Request:
    path, body = await a_submission(live)
    return f"{path}?noExecuteSubmit=true", body


async def a_batch(live: Live) -> Request:
    """A batch of three, one of which asks for too much."""
    ids = await live.orders(3)
    parts = [
        {"tradeOrderId": i, "quantity": q, "destinationId": 1} for i, q in zip(ids, (5, 500, 7), strict=True)
    ]
    return BATCH, {"submissions": parts}


async def an_unsent_execution(live: Live) -> Request:
    parts = {"executionStatusId": 1, "tradeOrderId": await live.order(), "destinationId": 1}
    return "/api/v1/executions", {**parts, "quantityOrdered": "30", "quantityPlaced": 0}


async def the_same_in_v2(live: Live) -> Request:
    _, body = await an_unsent_execution(live)
    return "/api/v2/executions", body


async def a_destination(live: Live) -> Request:
    return "/api/v1/destinations", {"abbreviation": f"D{next(KEYS)}", "description": "A new one"}


async def an_execution(live: Live) -> Request:
    execution_id = (await live.submit(await live.order(), query="?noExecuteSubmit=true")).body["id"]
    return f"/api/v1/execution/{execution_id}/submit", None


async def executions_by_id(live: Live) -> Request:
    parts = [(order_id, 100) for order_id in await live.orders(3)]
    batch = await live.batch(*parts, query="?noExecuteSubmit=true")
    return "/api/v2/executions/submit", {
        "executionIds": [r["execution"]["id"] for r in batch.body["results"]]
    }


Make = Callable[[Live], Awaitable[Request]]
SENDING: list[Make] = [a_submission, a_batch, an_execution, executions_by_id]
CREATING: list[Make] = [
    an_order,
    some_orders,
    a_written_one,
    an_unsent_execution,
    the_same_in_v2,
    a_destination,
]
ALL: list[Make] = [*CREATING, *SENDING]
each = pytest.mark.parametrize("make", ALL, ids=lambda make: make.__name__)
each_sending = pytest.mark.parametrize("make", SENDING, ids=lambda make: make.__name__)


def same(repeat: Answer, first: Answer) -> None:
    """Checks that the repeat replays the first answer."""
    assert (repeat.status, repeat.raw) == (first.status, first.raw)
    assert first.headers["content-type"].startswith(("application/json", "application/problem+json"))
    names = ("content-type", "location", "x-submission-state")
    assert [repeat.headers.get(name) for name in names] == [first.headers.get(name) for name in names]
    assert "idempotent-replayed" not in first.headers
    assert repeat.headers["idempotent-replayed"] == "true"


@each
async def test_a_repeat_gets_the_first_answer_on_every_replica(pair: Pair, make: Make) -> None:
    request, key = await make(pair.one), new_key()
    first = await ask(pair.one, request, key)
    assert first.status in (200, 201, 207), first.raw
    before = await pair.counts()
    for live in (pair.one, pair.two, pair.forgetful):
        same(await ask(live, request, key), first)
    assert await pair.counts() == before
    await pair.one.accounts_agree()


@each
async def test_an_answer_that_was_not_kept_is_put_together_from_what_was_created(
    pair: Pair, make: Make
) -> None:
    request, key = await make(pair.one), new_key()
    first = await ask(pair.forgetful, request, key)
    assert first.status in (200, 201, 207), first.raw
    before = await pair.counts()
    for live in (pair.two, pair.one):
        repeat = await ask(live, request, key)
        assert repeat.headers["idempotent-replayed"] == "true"
        assert repeat.status == first.status
        assert without_reasons(repeat) == without_reasons(first)
    assert await pair.counts() == before


def without_reasons(answer: Answer) -> Any:
    """The body without the reasons of states, which only the first request knows."""
    body = answer.body
    for result in body.get("results", ()):
        if result.get("submissionState") is not None:
            del result["message"], result["code"]
    return body


async def test_the_same_key_with_anything_else_is_refused(pair: Pair) -> None:
    (path, body), key = await a_submission(pair.one), new_key()
    assert (await ask(pair.one, (path, body), key)).status == 201
    other_path, _ = await a_submission(pair.one)
    before = await pair.counts()
    for request in (
        (path, {**body, "quantity": 41}),
        (f"{path}?noExecuteSubmit=true", body),
        (other_path, body),
    ):
        answer = await ask(pair.two, request, key)
        assert (answer.status, answer.body["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
        assert "Idempotency-Key: must be new for a new request" in answer.body["message"]
    assert await pair.counts() == before
    assert (await ask(pair.two, await an_order(pair.two), key)).status == 201, "another route, another key"


async def test_a_refused_key_is_no_failed_bulk(pair: Pair) -> None:
    request, key = await some_orders(pair.one), new_key()
    assert (await ask(pair.one, request, key)).status == 201
    answer = await ask(pair.one, await some_orders(pair.one), key)
    assert (answer.status, answer.body["status"]) == (422, 422)


@each_sending
async def test_repeats_are_refused_while_the_first_runs(pair: Pair, make: Make) -> None:
    request, key = await make(pair.one), new_key()
    pair.one.simulator.reset()
    pair.one.simulator.hold()
    first = asyncio.create_task(ask(pair.one, request, key))
    await pair.one.simulator.calls_reached(1)
    for live in (pair.one, pair.two):
        answer = await ask(live, request, key)
        assert (answer.status, answer.body["code"]) == (409, "IDEMPOTENCY_KEY_RUNNING")
        assert 1 <= int(answer.headers["retry-after"]) <= 5
        assert "is still running" in answer.body["message"]
    assert (await ask(pair.two, (request[0], {"other": 1}), key)).status == 422
    pair.one.simulator.release()
    same(await ask_again(pair.two, request, key), await first)
    await pair.one.accounts_agree()


async def ask_again(live: Live, request: Request, key: str) -> Answer:
    """Repeats a request until the first one is done."""
    async with asyncio.timeout(20):
        while (answer := await ask(live, request, key)).status == 409:
            await asyncio.sleep(0.02)
    return answer


async def test_an_answer_that_was_lost_on_its_way_is_given_to_the_repeat(pair: Pair) -> None:
    request, key = await a_batch(pair.one), new_key()
    pair.one.simulator.reset()
    pair.one.simulator.hold()
    first = asyncio.create_task(ask(pair.one, request, key))
    await pair.one.simulator.calls_reached(1)
    first.cancel()
    await asyncio.wait([first])
    before = await pair.counts()
    pair.one.simulator.release()
    repeat = await ask_again(pair.two, request, key)
    assert (repeat.status, repeat.body["successful"], repeat.body["failed"]) == (207, 2, 1)
    assert (await pair.counts())[:2] == before[:2]
    assert pair.one.simulator.ledger.total == 2


@each
async def test_of_many_at_once_on_both_replicas_one_works(pair: Pair, make: Make) -> None:
    request, key = await make(pair.one), new_key()
    orders, executions, _ = await pair.counts()
    pair.one.simulator.reset()
    asked = (ask(live, request, key) for live in (pair.one, pair.two) * 6)
    answers = await asyncio.gather(*asked)
    first = [a for a in answers if a.status < 300 and "idempotent-replayed" not in a.headers]
    assert len(first) == 1, [(a.status, a.raw) for a in answers]
    assert {a.raw for a in answers if a.status < 300} == {first[0].raw}
    assert {a.status for a in answers} <= {first[0].status, 409}
    same(await ask_again(pair.two, request, key), first[0])
    made = {"an_order": 1, "some_orders": 3}.get(make.__name__, 0)
    alone = (a_submission, a_written_one, an_unsent_execution, the_same_in_v2)
    cut = 1 if make in alone else 2 if make is a_batch else 0
    assert (await pair.counts())[:2] == (orders + made, executions + cut)
    assert set(pair.one.simulator.ledger.accepted_counts().values()) <= {1}


async def test_a_key_under_which_nothing_was_created_stays_free(pair: Pair) -> None:
    key, body = new_key(), order_body()
    for refused, status in (({**body, "blotterId": 99}, 404), ({**body, "quantity": -1}, 400), (["no"], 400)):
        assert (await ask(pair.one, (ORDERS, refused), key)).status == status
    assert (await ask(pair.two, (ORDERS, body), key)).status == 201
    path, part = await a_submission(pair.one)
    key = new_key()
    for refused in ({**part, "quantity": 1000}, {**part, "destinationId": 99}):
        assert (await ask(pair.one, (path, refused), key)).status == 400
    assert (await ask(pair.two, ("/api/v1/execution/999999/submit", None), key)).status == 404
    assert (await ask(pair.two, (path, part), key)).status == 201
    assert await value_of(pair.one.services.database, KEPT, key=key) == 1


KEPT = "SELECT count(*) FROM idempotency_key WHERE key = :key"


async def test_a_final_rejection_is_replayed_unchanged(pair: Pair) -> None:
    request, key = await a_submission(pair.one), new_key()
    pair.one.simulator.script(["item_fail_permanent"])
    first = await ask(pair.one, request, key)
    assert (first.status, first.body["code"]) == (400, "NOT_ACCEPTED")
    same(await ask(pair.two, request, key), first)
    assert (await ask(pair.two, request, new_key())).status == 201


async def test_the_rejection_of_an_execution_is_replayed_too(pair: Pair) -> None:
    request, key = await an_execution(pair.one), new_key()
    pair.one.simulator.script(["item_fail_permanent"])
    first = await ask(pair.one, request, key)
    assert (first.status, first.body["code"]) == (400, "NOT_ACCEPTED")
    same(await ask(pair.two, request, key), first)


@each_sending
async def test_a_repeat_of_what_was_pending_learns_the_outcome(pair: Pair, make: Make) -> None:
    request, key = await make(pair.one), new_key()
    pair.one.simulator.reset()
    pair.one.simulator.hold()
    first = await ask(pair.forgetful, request, key)
    assert "x-submission-state" in first.headers
    before = await pair.counts()
    still = await ask(pair.forgetful, request, key)
    assert still.headers["x-submission-state"]
    waiting = asyncio.create_task(ask(pair.one, request, key))
    pair.one.simulator.release()
    final = await waiting
    assert "x-submission-state" not in final.headers
    again = await ask(pair.two, request, key)
    assert again.raw == final.raw
    assert b'"unknown"' not in again.raw
    assert (await pair.counts())[:2] == before[:2]
    await pair.one.accounts_agree()


async def test_without_a_key_no_statement_is_spent_on_keys(pair: Pair) -> None:
    costs = []
    async with counted_statements(pair.one.services.database) as statements:
        for headers in ({}, {}, {"Idempotency-Key": new_key()}):
            path, body = await a_batch(pair.one)
            statements.clear()
            assert (await pair.one.client.post(path, body, headers=headers)).status == 207
            costs.append(len(statements))
    assert costs[1:] == [1 + 6, 6 + 4], (
        "without a key: a direct claim that one bad order refuses, then the queued way; "
        "with a key: the queued way, and the key found free, written, noted, the answer kept"
    )


@pytest.mark.parametrize(
    "key", ["", "k" * 256, "schl\u00fcssel", "a\tb"], ids=["empty", "long", "not ASCII", "unprintable"]
)
async def test_a_key_that_is_none_is_refused(pair: Pair, key: str) -> None:
    answer = await ask(pair.one, (ORDERS, order_body()), key)
    assert (answer.status, answer.body["code"]) == (400, "INVALID_INPUT")
    assert "must be 1 to 255 printable ASCII characters" in answer.body["message"]


async def test_every_route_that_creates_or_sends_takes_a_key(pair: Pair) -> None:
    paths = (await pair.one.client.get("/schema/openapi.json")).body["paths"]
    posts = {path: item["post"] for path, item in paths.items() if "post" in item}
    assert len(posts) >= 11
    states = ("/resolve", "/requeue", "/pause", "/resume", "/audits", "/blotters/check", "/loggers/{name}")
    named_by_state = {path for path in posts if path.endswith(states)}
    for path in posts.keys() - named_by_state:
        post = posts[path]
        names = [parameter["name"] for parameter in post.get("parameters", ())]
        assert "Idempotency-Key" in names, path
        assert {"409", "422"} <= post["responses"].keys(), path


async def test_a_process_that_died_blocks_a_key_no_longer_than_its_lease(pair: Pair) -> None:
    """After a kill: a lease without a holder at work, and no response."""
    request, key = await a_submission(pair.one), new_key()
    assert (await ask(pair.one, request, key)).status == 201
    database, name = pair.one.services.database, {"key": key}
    killed = "UPDATE idempotency_key SET status = NULL, running_until = now() + :left WHERE key = :key"
    await run_sql(database, killed.replace(":left", "interval '3 s'"), **name)
    assert (await ask(pair.two, request, key)).headers["retry-after"] in ("1", "2", "3")
    await run_sql(database, killed.replace(":left", "interval '0 s'"), **name)
    before = await pair.counts()
    repeat = await ask(pair.two, request, key)
    assert (repeat.status, repeat.body["executionStatus"]["abbreviation"]) == (201, "SENT")
    assert await pair.counts() == before
