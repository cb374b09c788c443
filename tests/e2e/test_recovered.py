"""The log shows which executions were accepted only after recovery, and which were exhausted."""

from tests.support.engine import executions_in, running_engine, until
from tests.support.gateway import FakeGateway, fail
from trade_service.store.database import Database
from trade_service.submission.events import ExhaustedEvent, RecoveredEvent
from trade_service.submission.model import ReplyKind

LOST = fail(ReplyKind.LOST, "LOST")
LOST_AND_ACCEPTED = fail(ReplyKind.LOST, "LOST", accepted=True)


async def test_a_recovery_is_logged_once_with_its_attempts(database: Database) -> None:
    gateway = FakeGateway()
    async with running_engine(database, gateway) as engine:
        smooth = await executions_in(database, 2)
        assert (await engine.service.submit_executions_bulk(smooth)).successful == 2
        assert not [event for event in engine.events if isinstance(event, RecoveredEvent)]

        gateway.scripts.append(LOST)
        retried = await executions_in(database, 2)
        assert (await engine.service.submit_executions_bulk(retried)).successful == 2
        gateway.scripts.append(LOST_AND_ACCEPTED)
        found = await executions_in(database, 1)
        assert (await engine.service.submit_executions_bulk(found)).successful == 1

        def recovered_events() -> list[RecoveredEvent]:
            return [event for event in engine.events if isinstance(event, RecoveredEvent)]

        await until(lambda: sum(len(event.execution_ids) for event in recovered_events()) == 3)
    by_how = {event.how: event for event in recovered_events()}
    assert sorted(by_how["retry"].execution_ids) == retried
    assert by_how["retry"].attempts == 2
    assert by_how["look_up"].execution_ids == tuple(found)
    assert all(0 < event.since_first_s < 60 for event in recovered_events())


async def test_an_exhausted_execution_is_logged_once(database: Database) -> None:
    gateway = FakeGateway()
    gateway.usual = fail(ReplyKind.LOST, "LOST")
    async with running_engine(database, gateway, max_attempts=2) as engine:
        ids = await executions_in(database, 1)
        assert (await engine.service.submit_executions_bulk(ids)).failed == 1
        (event,) = [event for event in engine.events if isinstance(event, ExhaustedEvent)]
    assert sorted(event.execution_ids) == ids
    assert event.code == "BUDGET_SPENT"
    assert "Exhausted" in event.message
