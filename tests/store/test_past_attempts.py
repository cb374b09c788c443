"""The attempts of exhausted executions, in the journal and in the log."""

import asyncio
import time

from structlog.testing import capture_logs

from tests.support.attempts import RECOVERED, claimed, closing, new_attempt
from tests.support.engine import executions_in, running_engine, until
from tests.support.gateway import FakeGateway, fail
from tests.support.rows import insert_executions, store_on
from tests.support.trading import run_sql
from trade_service.observability.submission_log import SubmissionLog
from trade_service.store.database import Database
from trade_service.store.reports import PostgresPastAttempts
from trade_service.submission.model import ReplyKind

HOUR_MS = 3_600_000


async def test_the_attempts_of_an_execution_are_read_in_order(database: Database) -> None:
    store = store_on(database)
    one, other = await insert_executions(database, 2)
    first, _ = await claimed(store, [one, other])
    await store.record(closing(first.attempt_id, {one: "retry", other: "accepted"}, next_action_in_ms=0))
    second = new_attempt()
    await store.claim(second, [one], RECOVERED)
    await store.record(closing(second.attempt_id, {one: "exhausted"}, http_status=401, code="WHY"))
    tries = await PostgresPastAttempts(database, HOUR_MS).tries_of([one, other])
    assert [one.attempt_id for one in tries[one]] == [first.attempt_id, second.attempt_id]
    assert [(t.code, t.http_status, t.findings) for t in tries[one]] == [
        ("OK", 207, ("CODE",)),
        ("WHY", 401, ("CODE",)),
    ]
    assert [t.findings for t in tries[other]] == [()]


async def test_attempts_before_the_first_claim_are_not_read(database: Database) -> None:
    """The journal is read from the first claim of the execution."""
    store = store_on(database)
    (one,) = await insert_executions(database, 1)
    attempt, _ = await claimed(store, [one])
    await store.record(closing(attempt.attempt_id, {one: "exhausted"}))
    assert len((await PostgresPastAttempts(database, HOUR_MS).tries_of([one]))[one]) == 1
    await run_sql(database, "UPDATE execution SET give_up_at = now() + interval '2 hours'")
    assert (await PostgresPastAttempts(database, HOUR_MS).tries_of([one]))[one] == []
    assert await PostgresPastAttempts(database, HOUR_MS).tries_of([999]) == {999: []}


async def test_an_exhausted_execution_is_logged_with_its_whole_history(database: Database) -> None:
    gateway = FakeGateway()
    gateway.usual = fail(ReplyKind.LOST, "DOWNSTREAM_READ_TIMEOUT")
    log = SubmissionLog(time.monotonic, histories=PostgresPastAttempts(database, 60_000).tries_of)
    with capture_logs() as lines:
        async with (
            running_engine(database, gateway, max_attempts=2, listeners=[log]) as engine,
            asyncio.TaskGroup() as group,
        ):
            running = group.create_task(log.run(lambda _s: asyncio.sleep(0.05)))
            ids = await executions_in(database, 2)
            assert (await engine.service.submit_executions_bulk(ids)).failed == 2
            await until(lambda: sum(line["event"] == "exhausted_execution_history" for line in lines) == 2)
            running.cancel()
    written = {line["execution_id"]: line for line in lines if line["event"] == "exhausted_execution_history"}
    assert sorted(written) == ids
    for line in written.values():
        assert (line["log_level"], line["attempts"], line["attempts_left_out"]) == ("error", 4, None)
        assert [one["code"] for one in line["history"]] == ["DOWNSTREAM_READ_TIMEOUT"] * 4
        # Twice in company, which spends nothing, and twice alone.
        assert [one["found"][-1] for one in line["history"]] == [*["PROVEN_ABSENT"] * 3, "BUDGET_SPENT"]
