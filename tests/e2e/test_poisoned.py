"""One execution that makes the Execution Service fail its whole batch costs the others two settle times."""

import asyncio
from collections.abc import Sequence

import msgspec

from tests.support.engine import SETTLE_MS, Engine, executions_in, running_engine, states_of
from tests.support.gateway import FakeGateway, refuse
from tests.support.rows import fetched
from trade_service.store.database import Database
from trade_service.submission.engine_settings import CircuitSettings
from trade_service.submission.messages import ExecutionRequest
from trade_service.submission.model import GatewayReply, ReplyKind, SubmitStatus

ANSWER = "POST batch answered 500: An unexpected error occurred"
GIVEN_UP = (
    f"never accepted in 3 attempts of its own; last: {ANSWER}. Exhausted; the quantity goes back to the order"
)
CIRCUIT = CircuitSettings(slow_call_ms=60_000)
NEVER_OPENS = CircuitSettings(slow_call_ms=60_000, window_calls=1000, minimum_calls=1000)
"""The bad executions may fail half of the last calls; probes spend no budget."""


def poisoned(*execution_ids: int) -> FakeGateway:
    """Answers 500 for every batch with one of these executions and commits none of it."""
    gateway, accept = FakeGateway(), refuse()

    def reply(itself: FakeGateway, posts: Sequence[ExecutionRequest]) -> GatewayReply:
        if any(post.trade_service_execution_id in execution_ids for post in posts):
            return GatewayReply(ReplyKind.UNCLEAR, "DOWNSTREAM_ERROR_500", ANSWER, 500, handler_failed=True)
        return accept(itself, posts)

    gateway.usual = reply
    return gateway


async def all_but(database: Database, exhausted: int, accepted: int) -> None:
    async with asyncio.timeout(30):
        while await states_of(database) != {"exhausted": exhausted, "accepted": accepted}:
            await asyncio.sleep(0.02)


def sizes(gateway: FakeGateway) -> list[int]:
    return [len(call) for call in gateway.calls]


async def given_up(database: Database) -> list[tuple[int, int, str]]:
    rows = await fetched(
        database,
        "SELECT e.id, e.attempts_spent, a.finding_messages[cardinality(a.finding_messages)] "
        "FROM execution e JOIN submission_attempt a ON a.id = e.attempt_id "
        "WHERE e.submission_state = 'exhausted'",
    )
    return [tuple(row) for row in rows]


async def test_the_other_ninety_nine_are_accepted_within_two_settle_times(database: Database) -> None:
    ids = await executions_in(database, 100)
    gateway = poisoned(ids[42])
    async with running_engine(database, gateway, circuit=CIRCUIT, max_attempts=3) as engine:
        loop = asyncio.get_running_loop()
        began = loop.time()
        result = await engine.service.submit_executions_bulk(ids, wait_s=0)
        async with asyncio.timeout(20):
            while len(gateway.ledger) < 99:
                await asyncio.sleep(0.01)
        # Besides two settle times: two reconciliations, two delays of at most 0.1 s, and a busy machine.
        assert loop.time() - began < 2 * SETTLE_MS / 1000 + 3
        assert sizes(gateway)[0] == 100
        assert sorted(sizes(gateway)[1:11]) == [10] * 10
        await all_but(database, 1, 99)
        assert {call for call in gateway.calls if ids[42] in call and len(call) == 1} == {(ids[42],)}
        assert sizes(gateway) == [100, *[10] * 10, *[1] * (10 + 2)]
        assert set(gateway.times_accepted().values()) == {1}
        assert result.failed == 0
    assert await given_up(database) == [(ids[42], 3, GIVEN_UP)]


async def test_each_of_several_bad_executions_is_exhausted_alone(database: Database) -> None:
    ids = await executions_in(database, 40)
    guilty = [ids[0], ids[17], ids[39]]
    async with running_engine(
        database, poisoned(*guilty), circuit=NEVER_OPENS, batch_size=20, max_attempts=3
    ) as engine:
        result = await engine.service.submit_executions_bulk(ids, wait_s=15)
        statuses = {one.execution_id: one.status for one in result.results}
    assert {i for i, status in statuses.items() if status is SubmitStatus.RETRY_EXHAUSTED} == set(guilty)
    assert {one.message for one in result.results if one.execution_id in guilty} == {GIVEN_UP}
    assert await states_of(database) == {"accepted": 37, "exhausted": 3}


async def test_where_nearly_every_batch_is_poisoned_they_are_split_although_the_circuit_opens(
    database: Database,
) -> None:
    """It looks like an outage but is not: single executions succeed."""
    ids = await executions_in(database, 100)
    guilty = ids[::10]
    quick = msgspec.structs.replace(CIRCUIT, window_calls=6, minimum_calls=4, open_ms=50, open_max_ms=100)
    gateway = poisoned(*guilty)
    async with running_engine(database, gateway, circuit=quick, batch_size=10, max_attempts=1) as engine:
        await _submitted(engine, ids)
        async with asyncio.timeout(30):
            while len(gateway.ledger) < 90:
                await asyncio.sleep(0.02)
    assert set(gateway.times_accepted().values()) == {1}
    assert not set(gateway.times_accepted()) & set(guilty)


async def _submitted(engine: Engine, ids: Sequence[int]) -> None:
    await engine.service.submit_executions_bulk(ids, wait_s=0)
