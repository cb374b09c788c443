"""The service inside another program: `trade_service.open`."""

import logging
from decimal import Decimal

import asyncpg
import pytest
import structlog

import trade_service
from execution_simulator.server import RunningSimulator
from trade_service import NewTradeOrder, Submission, SubmitStatus


def orders(count: int) -> list[NewTradeOrder]:
    return [NewTradeOrder(number, "P1", "BUY", "IBM", Decimal(100)) for number in range(1, count + 1)]


async def test_a_program_creates_slices_and_sends(
    database_url: str, simulator: RunningSimulator, caplog: pytest.LogCaptureFixture
) -> None:
    structlog.reset_defaults()
    caplog.set_level(logging.INFO, "trade_service")
    settings = {"database.url": database_url, "execution_service.base_url": simulator.base_url}
    async with trade_service.open(settings, environ={}, caller="rebalancer") as service:
        created = await service.create_orders(orders(4))
        sent, kept = [Submission(order.id, Decimal(40), 1) for order in created], created[0].id
        written = await service.submit_orders(sent, send=False)
        ids = [one.view.execution.id for one in written if one.view is not None]
        assert simulator.ledger.accepted_counts() == {}

        first = await service.submit_executions([*ids, 999_999_999])
        assert [one.execution_id for one in first.results] == [*ids, 999_999_999]
        assert [one.status for one in first.results] == [SubmitStatus.SUCCESS] * 4 + [SubmitStatus.FAILED]
        again = await service.submit_executions(ids)
        assert {one.code for one in again.results} == {"ALREADY_ACCEPTED"}

        (whole,) = await service.submit_orders([Submission(kept, Decimal(60), 1)])
        assert whole.result is not None
        assert whole.result.status is SubmitStatus.SUCCESS
        assert (await service.get_order(kept)).available == 0
        assert (await service.get_execution(ids[0])).execution.quantity_placed == 40
        with pytest.raises(trade_service.AlreadyExists):
            await service.create_orders(orders(1))
        with pytest.raises(trade_service.NotFound):
            await service.get_order(999_999_999)
    assert len(simulator.ledger.accepted_counts()) == 5
    assert {*simulator.ledger.accepted_counts().values()} == {1}
    assert await actors(database_url) == {("rebalancer", "none")}
    names = {record.name for record in caplog.records}
    assert names
    assert all(name.startswith("trade_service") for name in names if name != "asyncio")


async def actors(database_url: str) -> set[tuple[str, str]]:
    """Who changed something, by the audit log, and how the name is known."""
    link = await asyncpg.connect(database_url)
    try:
        rows = await link.fetch("SELECT DISTINCT actor, known_by FROM audit_log")
    finally:
        await link.close()
    return {(row["actor"], row["known_by"]) for row in rows}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"database.ulr": "x"}, "database.ulr (argument): there is no setting 'database.ulr'; did you mean"),
        (
            {"batch.max_concurrent": 0},
            "batch.max_concurrent (argument) is 0: it must be a whole number from 1",
        ),
    ],
)
async def test_wrong_settings_are_named(settings: dict[str, object], message: str) -> None:
    with pytest.raises(trade_service.SettingsError) as caught:
        async with trade_service.open(settings, environ={}):
            pytest.fail("it started")
    assert str(caught.value).startswith(message)


async def test_a_program_that_configured_its_log_keeps_it() -> None:
    structlog.configure(processors=[structlog.testing.LogCapture()])
    before = structlog.get_config()
    with pytest.raises(trade_service.SettingsError):
        async with trade_service.open({"x": 1}, environ={}):
            pytest.fail("it started")
    assert structlog.get_config() == before
