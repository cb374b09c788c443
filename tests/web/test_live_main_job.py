"""The main job as clients see it: over real sockets, from the order to the Execution Service's ledger and back."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from decimal import Decimal

import msgspec
import pytest

from execution_simulator.server import SimulatorSettings, running_simulator
from tests.support.database import TestServer
from tests.web.live import DIGITS, Live, behave, live_alone, live_service, quick_settings
from tests.web.support import Answer
from trade_service.submission.engine_settings import RetrySettings

NO_SEND = "?noExecuteSubmit=true"


@pytest.fixture(scope="module")
async def shared(postgres: TestServer, template_database: str) -> AsyncIterator[Live]:
    """A service with its own simulator."""
    async with live_alone(postgres, template_database) as service:
        yield service


@pytest.fixture
def live(shared: Live) -> Live:
    behave(shared.simulator)
    return shared


def statuses(answers: list[Answer]) -> Counter[int]:
    return Counter(answer.status for answer in answers)


async def test_every_digit_arrives_downstream_and_comes_back(live: Live) -> None:
    order_id = await live.order(Decimal(DIGITS), limitPrice=DIGITS)
    read = await live.client.get(f"/api/v1/tradeOrders/{order_id}")
    assert f'"quantity":{DIGITS},'.encode() in read.raw, "a JSON number, of the same digits"
    sent = await live.submit(order_id, Decimal(DIGITS))
    assert sent.status == 201
    [row] = live.simulator.ledger.get(sent.body["id"])
    assert (str(row.quantity), str(row.limit_price)) == (DIGITS, DIGITS)
    report = {"executionStatus": "FULL", "quantityFilled": Decimal(DIGITS), "version": sent.body["version"]}
    filled = await live.client.put(f"/api/v1/executions/{sent.body['id']}/fill", report)
    assert filled.status == 200, filled.raw
    names = ("quantityOrdered", "quantityPlaced", "quantityFilled", "limitPrice")
    assert {name: filled.body[name] for name in names} == dict.fromkeys(names, DIGITS)
    assert await live.left_of(order_id) == (Decimal(0), True)


async def test_an_accepted_execution_is_sent_placed_and_has_the_downstreams_id(live: Live) -> None:
    order_id = await live.order(100, blotterId=2, limitPrice="9.5")
    answer = await live.submit(order_id, "40.5", destination_id=3)
    assert answer.status == 201
    body = answer.body
    assert (body["executionStatus"]["abbreviation"], body["version"]) == ("SENT", 2)
    assert (body["quantityOrdered"], body["quantityPlaced"], body["quantityFilled"]) == (
        *("40.50", "40.50", "0.00"),
    )
    assert (body["limitPrice"], body["blotter"]["abbreviation"]) == ("9.50", "EQ")
    assert (body["tradeType"]["abbreviation"], body["destination"]["id"]) == ("BUY", 3)
    [row] = live.simulator.ledger.get(body["id"])
    assert body["executionServiceId"] == row.id
    assert await live.read_execution(body["id"]) == body
    assert await live.left_of(order_id) == (Decimal("59.5"), False)


async def test_written_first_and_sent_later_once(live: Live) -> None:
    order_id = await live.order(100)
    written = await live.submit(order_id, 100, query=NO_SEND)
    execution_id = written.body["id"]
    assert (written.status, written.body["executionStatus"]["abbreviation"]) == (201, "NEW")
    assert live.simulator.ledger.get(execution_id) == []
    path = f"/api/v1/execution/{execution_id}/submit"
    at_once = await asyncio.gather(*(live.client.post(path) for _ in range(5)))
    again = await live.client.post(path)
    assert statuses([*at_once, again]) == {200: 6}
    assert {a.body["executionServiceId"] for a in [*at_once, again]} == {
        live.simulator.ledger.get(execution_id)[0].id
    }
    await live.accounts_agree()


async def test_what_is_held_back_or_called_off_is_not_sent_before_it_is_new_again(live: Live) -> None:
    written = [(await live.submit(order_id, 100, query=NO_SEND)).body for order_id in await live.orders(3)]
    held, ids = written[0], [one["id"] for one in written]
    values = {
        "executionStatusId": 6, "tradeOrderId": held["tradeOrder"]["id"], "destinationId": 1,
        "quantityOrdered": 100, "version": 1,
    }  # fmt: skip
    path = f"/api/v1/executions/{ids[0]}"
    assert (await live.client.put(path, values)).body["executionStatus"]["abbreviation"] == "HOLD"

    alone = await live.client.post(f"/api/v1/execution/{ids[0]}/submit")
    keyed = await live.client.post(f"/api/v1/execution/{ids[0]}/submit", headers={"Idempotency-Key": "held"})
    for refused in (alone, keyed):
        assert (refused.status, refused.body["code"]) == (400, "NOT_SUBMITTABLE"), refused.raw
        assert "its status is HOLD, so it was not sent" in refused.body["error"]
    bulk = await live.client.post("/api/v2/executions/submit", {"executionIds": ids[:2]})
    assert [one["status"] for one in bulk.body["results"]] == ["FAILURE", "SUCCESS"], bulk.raw
    started = await live.client.post(
        "/api/v2/executions/submit", {"executionIds": [ids[0], ids[2]]}, headers={"Prefer": "respond-async"}
    )
    async with asyncio.timeout(10):
        while (expected := (await live.client.get(started.headers["location"])).body)["status"] != "FINISHED":
            await asyncio.sleep(0.02)
    assert [one["code"] for one in expected["results"]] == ["NOT_SUBMITTABLE", "OK"]
    assert [len(live.simulator.ledger.get(i)) for i in ids] == [0, 1, 1]

    assert (await live.client.put(path, {**values, "executionStatusId": 1, "version": 2})).status == 200
    assert (await live.client.post(f"/api/v1/execution/{ids[0]}/submit")).status == 200
    assert len(live.simulator.ledger.get(ids[0])) == 1
    await live.accounts_agree()


async def test_readiness_answers_while_every_connection_is_busy(live: Live) -> None:
    async with AsyncExitStack() as busy:
        for _ in range(live.services.settings.database.pool_size):
            await busy.enter_async_context(live.services.database.session())
        assert (await live.client.get("/actuator/health/readiness")).body["status"] == "UP"


async def test_single_submissions_at_once_share_calls(live: Live) -> None:
    order_ids = await live.orders(60)
    before = sum(live.simulator.batch_sizes.values())
    answers = await asyncio.gather(*(live.submit(order_id) for order_id in order_ids))
    assert statuses(answers) == {201: 60}
    assert sum(live.simulator.batch_sizes.values()) - before < 30
    assert set(live.simulator.calls) <= {"batch", "list"}, "the single call is made nowhere"
    await live.accounts_agree()


@pytest.mark.parametrize(
    ("excess", "status", "expected", "results"),
    [
        ((0, 0, 0), 200, "SUCCESS", ["SUCCESS", "SUCCESS", "SUCCESS"]),
        ((0, 1, 0), 207, "PARTIAL", ["SUCCESS", "FAILURE", "SUCCESS"]),
        ((1, 1, 1), 200, "FAILURE", ["FAILURE", "FAILURE", "FAILURE"]),
    ],
    ids=["all", "some", "none"],
)
async def test_a_batch_has_an_outcome_for_each(
    live: Live, excess: tuple[int, ...], status: int, expected: str, results: list[str]
) -> None:
    order_ids = await live.orders(3)
    answer = await live.batch(*((i, 100 + more) for i, more in zip(order_ids, excess, strict=True)))
    body = answer.body
    assert (answer.status, body["status"], body["totalRequested"]) == (status, expected, 3)
    assert (body["successful"], body["failed"]) == (results.count("SUCCESS"), results.count("FAILURE"))
    assert [r["status"] for r in body["results"]] == results
    assert [(r["tradeOrderId"], r["requestIndex"]) for r in body["results"]] == [
        (order_id, index) for index, order_id in enumerate(order_ids)
    ]
    for order_id, result, more in zip(order_ids, body["results"], excess, strict=True):
        assert (result["execution"] is None) is bool(more)
        assert await live.left_of(order_id) == ((Decimal(100), False) if more else (Decimal(0), True))
        if more:
            rule = f"quantity: trade order {order_id} has 100 left of 100, so 101 cannot be submitted"
            assert result["message"] == rule
            assert await live.executions_of(order_id) == 0
    await live.accounts_agree()


async def test_two_replicas_never_submit_more_than_an_order_has(
    postgres: TestServer, template_database: str
) -> None:
    """30 of 100 fit three times, for any number of concurrent single or batch requests to any replica."""
    async with (
        postgres.database(template_database) as url,
        running_simulator(SimulatorSettings()) as simulator,
        live_service(url, simulator) as one,
        live_service(url, simulator) as other,
    ):
        order_ids = await one.orders(3)
        singles = [live.submit(i, 30) for live in (one, other) for i in order_ids for _ in range(5)]
        batches = [live.batch(*((i, 30) for i in order_ids)) for live in (one, other) for _ in range(3)]
        answers = await asyncio.gather(*singles, *batches)
        accepted = sum(a.status == 201 for a in answers[: len(singles)])
        accepted += sum(a.body["successful"] for a in answers[len(singles) :])
        assert accepted == 3 * len(order_ids)
        assert set(statuses(answers)) <= {201, 400, 200, 207}
        for order_id in order_ids:
            assert await other.left_of(order_id) == (Decimal(10), False)
            assert await other.executions_of(order_id) == 3
        assert sum(simulator.ledger.accepted_counts().values()) == accepted
        await one.accounts_agree()


async def test_an_exhausted_execution_returns_its_quantity(
    postgres: TestServer, template_database: str
) -> None:
    once = RetrySettings(max_attempts=1, initial_delay_ms=20, max_delay_ms=100)
    async with live_alone(postgres, template_database, retry=once) as live:
        order_id = await live.order()
        for fault, status in (("item_fail_permanent:0", 400), ("error_503", 502)):
            live.simulator.script([fault])
            answer = await live.submit(order_id)
            assert (answer.status, answer.body["code"]) == (status, "NOT_ACCEPTED"), answer.raw
            assert await live.left_of(order_id) == (Decimal(100), False)
        assert (await live.submit(order_id)).status == 201
        await live.accounts_agree()


async def test_an_open_outcome_is_pending_and_continues(postgres: TestServer, template_database: str) -> None:
    async with (
        postgres.database(template_database) as url,
        running_simulator(SimulatorSettings()) as simulator,
    ):
        quick = quick_settings(url, simulator.base_url)
        impatient = msgspec.structs.replace(quick.submission, wait_s=0.2)
        # A call that times out while it is held would be committed later than the settle time allows.
        patient = msgspec.structs.replace(quick.execution_service, read_timeout_ms=20_000)
        async with live_service(url, simulator, submission=impatient, execution_service=patient) as live:
            order_id = await live.order()
            simulator.hold()
            answer = await live.submit(order_id)
            assert (answer.status, answer.body["executionStatus"]["abbreviation"]) == (201, "NEW")
            assert answer.headers["x-submission-state"] in ("queued", "claimed")
            assert "do not resubmit" in answer.headers["x-submission-message"]
            assert await live.left_of(order_id) == (Decimal(0), True), (
                "what may be accepted is not given back"
            )
            simulator.release()
            async with asyncio.timeout(10):
                while await live.state_of(answer.body["id"]) != "accepted":
                    await asyncio.sleep(0.02)
            assert (await live.read_execution(answer.body["id"]))["quantityPlaced"] == "100.00"
            await live.accounts_agree()


async def test_a_fill_is_taken_after_the_version_is_read_again(live: Live) -> None:
    """As the Execution Service does: it reads id and version, reports, and repeats once on 409."""
    execution_id = (await live.submit(await live.order())).body["id"]
    path = f"/api/v1/executions/{execution_id}/fill"
    stale = await live.client.put(path, {"executionStatus": "PART", "quantityFilled": 30, "version": 1})
    assert stale.status == 409
    assert stale.body["error"] == (
        f"execution {execution_id} has version 2, not 1: read it again and repeat the change"
    )
    version = (await live.read_execution(execution_id))["version"]
    part = await live.client.put(path, {"executionStatus": "PART", "quantityFilled": 30, "version": version})
    assert (part.status, part.body["version"], part.body["quantityFilled"]) == (200, version + 1, "30.00")
    assert part.body["executionStatus"]["abbreviation"] == "PART"
