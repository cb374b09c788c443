"""Bulk submission end to end: the HTTP API, real PostgreSQL, real sockets, and the Execution Service's ledger.

Each scenario submits executions over HTTP, lets one thing go wrong downstream, and then demands that what the API
tells, what the database holds and what the Execution Service accepted are the same.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from typing import Any

import pytest

from tests.support.database import TestServer
from tests.web.live import Live, behave, live_alone

NOTHING = Decimal(0)
FEW = 10
"""Executions of a failure scenario: enough for some to be affected and some not."""


@pytest.fixture(scope="module")
async def live(postgres: TestServer, template_database: str) -> AsyncIterator[Live]:
    async with live_alone(postgres, template_database) as service:
        yield service


@pytest.fixture(autouse=True)
def _calm(live: Live) -> None:
    behave(live.simulator)


async def slices(live: Live, count: int) -> list[int]:
    """New executions that were not sent yet."""
    order_ids: list[int] = []
    for start in range(0, count, 1000):
        order_ids += await live.orders(min(1000, count - start))
    ids: list[int] = []
    for start in range(0, count, 100):
        parts = [(order_id, 100) for order_id in order_ids[start : start + 100]]
        answer = await live.batch(*parts, query="?noExecuteSubmit=true")
        assert answer.status == 200, answer.raw
        ids += [result["execution"]["id"] for result in answer.body["results"]]
    return ids


async def submit(live: Live, ids: Sequence[int]) -> Any:
    """Submits executions by id; returns the answer's body."""
    answer = await live.client.post("/api/v2/executions/submit", {"executionIds": list(ids)})
    assert answer.status in (200, 207), answer.raw
    assert [r["executionId"] for r in answer.body["results"]] == list(ids)
    return answer.body


async def settled(live: Live, ids: Sequence[int]) -> dict[int, str]:
    """The submission state of each, once none is open."""
    async with asyncio.timeout(20):
        while True:
            states = {execution_id: await live.state_of(execution_id) for execution_id in ids}
            if not {"queued", "claimed", "retry", "unknown"} & set(states.values()):
                return states
            await asyncio.sleep(0.05)


async def agreed(live: Live, ids: Sequence[int], rejected: int = 0) -> None:
    """The API, the database and the ledger agree on every execution."""
    states = await settled(live, ids)
    assert list(states.values()).count("rejected") == rejected
    assert set(states.values()) <= {"accepted", "rejected"}
    counts = live.simulator.ledger.accepted_counts()
    for execution_id, state in states.items():
        assert counts.get(execution_id, 0) == (1 if state == "accepted" else 0), (execution_id, state)
    for execution_id in (ids[0], ids[-1]):
        shown = await live.read_execution(execution_id)
        accepted = states[execution_id] == "accepted"
        assert shown["executionStatus"]["abbreviation"] == ("SENT" if accepted else "NEW")
        assert shown["quantityPlaced"] == ("100.00" if accepted else "0.00")
        assert (shown["executionServiceId"] is not None) is accepted
        assert shown["version"] == (2 if accepted else 1)
    await live.accounts_agree()


# Successes, whatever the size


@pytest.mark.parametrize(
    ("size", "calls"), [(1, [1]), (2, [2]), (99, [99]), (100, [100]), (101, [1, 100]), (250, [50, 100, 100])]
)
async def test_a_bulk_of_any_size_is_sent_in_full_batches(live: Live, size: int, calls: list[int]) -> None:
    ids = await slices(live, size)
    before = live.simulator.batch_sizes
    body = await submit(live, ids)
    sent = {n: count - before.get(n, 0) for n, count in live.simulator.batch_sizes.items()}
    assert sorted(n for n, count in sent.items() for _ in range(count)) == calls
    assert (body["status"], body["successful"], body["failed"]) == ("SUCCESS", size, 0)
    await agreed(live, ids)


@pytest.mark.parametrize("size", [1_000, 10_000])
async def test_thousands_at_once(live: Live, size: int) -> None:
    ids = await slices(live, size)
    body = await submit(live, ids)
    assert (body["status"], body["successful"], body["failed"], body["pending"]) == ("SUCCESS", size, 0, 0)
    assert max(live.simulator.batch_sizes) == 100
    counts = live.simulator.ledger.accepted_counts()
    assert {counts.get(execution_id) for execution_id in ids} == {1}
    await live.accounts_agree()


@pytest.mark.parametrize("size", [1, 2, 99, 100])
async def test_a_batch_of_trade_orders(live: Live, size: int) -> None:
    order_ids = await live.orders(size)
    answer = await live.batch(*[(order_id, 100) for order_id in order_ids])
    assert (answer.status, answer.body["status"], answer.body["successful"]) == (200, "SUCCESS", size)
    await agreed(live, [result["execution"]["id"] for result in answer.body["results"]])
    assert {await live.left_of(order_id) for order_id in order_ids[:3]} == {(NOTHING, True)}


# Partial failures: answers of every kind


@pytest.mark.parametrize(
    ("fault", "rejected"),
    [
        ("item_fail_permanent:3", 1),
        ("item_fail_transient:3", 0),
        ("shifted_index:4", 0),
        ("fewer_results:2", 0),
        ("repeated_index", 0),
        ("index_out_of_range", 0),
        ("wrong_counts", 0),
        ("missing_execution", 0),
        ("reordered_results", 0),
        ("no_results_201:0", 0),
        ("no_results_201:1", 0),
        ("no_results_201:2", 0),
        ("malformed_400", 0),
        ("unprocessable_422", 0),
        ("too_large_413", 0),
    ],
)
async def test_an_answer_is_read_item_by_item(live: Live, fault: str, rejected: int) -> None:
    ids = await slices(live, FEW)
    live.simulator.script([fault])
    body = await submit(live, ids)
    assert body["failed"] == rejected
    failed = [result for result in body["results"] if result["status"] == "FAILURE"]
    assert all(result["message"] for result in failed)
    await agreed(live, ids, rejected)


async def test_executions_that_the_service_cannot_accept_do_not_delay_the_others(live: Live) -> None:
    """It knows only BUY and SELL and would refuse the whole request for one SHORT."""
    order_ids = [*await live.orders(FEW - 1), await live.order(100, orderType="SHORT")]
    answer = await live.batch(*[(order_id, 100) for order_id in order_ids])
    assert (answer.status, answer.body["status"], answer.body["failed"]) == (207, "PARTIAL", 1)
    *good, bad = answer.body["results"]
    assert "SHORT" in bad["message"]
    assert await live.left_of(order_ids[-1]) == (Decimal(100), False)
    await agreed(live, [result["execution"]["id"] for result in good])


# Network failures


@pytest.mark.parametrize(
    "fault",
    [
        "refuse",
        "reset_before",
        "reset_after",
        "hang_before",
        "hang_after",
        "late_commit:100",
        "truncated",
        "garbage",
        "error_500_before",
        "error_500_partial:4",
        "error_500_after",
        "error_503",
        "error_503_after",
        "gateway_502_before",
        "gateway_504_after",
        "throttle_429:0",
    ],
)
async def test_a_failed_call_is_repeated_only_for_executions_that_did_not_arrive(
    live: Live, fault: str
) -> None:
    ids = await slices(live, FEW)
    live.simulator.script([fault])
    await submit(live, ids)
    await agreed(live, ids)


async def test_an_outage_and_its_end(live: Live) -> None:
    ids = await slices(live, FEW)
    await live.simulator.close_door()
    submitting = asyncio.create_task(submit(live, ids))
    async with asyncio.timeout(10):
        while "retry" not in {await live.state_of(execution_id) for execution_id in ids}:
            await asyncio.sleep(0.02)
    await live.simulator.open_door()
    body = await submitting
    assert (body["successful"], body["failed"]) == (FEW, 0)
    await agreed(live, ids)


# Single submissions, as earlier clients make them


async def test_single_submissions_share_batches(live: Live) -> None:
    ids = await slices(live, 60)
    calls = live.simulator.calls
    answers = await asyncio.gather(*(live.client.post(f"/api/v1/execution/{i}/submit") for i in ids))
    assert {answer.status for answer in answers} == {200}
    assert [answer.body["id"] for answer in answers] == ids
    assert {answer.body["executionStatus"]["abbreviation"] for answer in answers} == {"SENT"}
    made = {path: count - calls.get(path, 0) for path, count in live.simulator.calls.items()}
    assert sum(made.values()) < len(ids) / 2, made
    await agreed(live, ids)


async def test_one_trade_order_in_parts(live: Live) -> None:
    order_id = await live.order(100)
    first = await live.submit(order_id, 40)
    second = await live.submit(order_id, 60)
    assert (first.status, second.status) == (201, 201)
    assert [a.body["quantityPlaced"] for a in (first, second)] == ["40.00", "60.00"]
    assert await live.left_of(order_id) == (NOTHING, True)
    over = await live.submit(order_id, 1)
    assert over.status == 400
    assert "quantity" in over.body["message"]
    await live.accounts_agree()


async def test_a_refused_single_submission_returns_its_quantity(live: Live) -> None:
    order_id = await live.order(100)
    live.simulator.script(["item_fail_permanent:0"])
    refused = await live.submit(order_id, 100)
    assert refused.status == 400
    assert await live.left_of(order_id) == (Decimal(100), False)
    assert (await live.submit(order_id, 100)).status == 201
    await live.accounts_agree()
