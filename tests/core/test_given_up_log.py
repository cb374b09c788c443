"""Who was given up is logged aside from the submission, bounded, and never for ever."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import structlog
from structlog.testing import capture_logs

from trade_service.observability.given_up_log import QUEUE_LIMIT, READ_AT_ONCE, TRIES_A_LINE, GivenUpLog
from trade_service.submission.events import AlarmEvent, ExhaustedEvent
from trade_service.submission.ports import StoreUnavailable
from trade_service.trading.given_up import Try

NOW = datetime(2026, 1, 30, tzinfo=UTC)


class Scripted:
    """Tells `count` attempts of each execution; below 0 the database is away."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.asked: list[int] = []

    async def tries_of(self, execution_ids: Sequence[int]) -> dict[int, list[Try]]:
        """See GivenUpReads."""
        self.asked.append(len(execution_ids))
        if self.count < 0:
            raise StoreUnavailable("away")
        tries = [Try(str(n), NOW, "lost", "CODE", 504, ()) for n in range(self.count)]
        return dict.fromkeys(execution_ids, tries)


async def logged(reads: Scripted, *events: ExhaustedEvent | AlarmEvent) -> list[structlog.typing.EventDict]:
    """What the loop writes until it has nothing left to do."""
    log = GivenUpLog(reads)
    with capture_logs() as lines:
        async with asyncio.TaskGroup() as group:
            running = group.create_task(log.run())
            for event in events:
                log(event)
            told = -1
            while told < len(lines):
                told = len(lines)
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            running.cancel()
    return list(lines)


def gone(count: int, first: int = 1) -> ExhaustedEvent:
    return ExhaustedEvent("a", "BUDGET_SPENT", "why", tuple(range(first, first + count)))


async def test_one_line_an_execution_with_a_bounded_history() -> None:
    short = await logged(Scripted(3), gone(2), AlarmEvent("X", "not of interest", (7,)))
    assert [line["execution_id"] for line in short] == [1, 2]
    assert [one["attempt_id"] for one in short[0]["history"]] == ["0", "1", "2"]
    assert short[0]["history"][0] == {
        "attempt_id": "0",
        "at": "2026-01-30T00:00:00.000+00:00",
        "outcome": "lost",
        "code": "CODE",
        "http_status": 504,
        "found": [],
    }
    (long,) = await logged(Scripted(50), gone(1))
    assert (long["attempts"], long["attempts_left_out"]) == (50, 50 - TRIES_A_LINE)
    assert [long["history"][place]["attempt_id"] for place in (0, -1)] == ["0", "49"]


async def test_many_are_read_in_pieces_and_what_is_too_many_is_counted() -> None:
    reads = Scripted(1)
    lines = await logged(reads, gone(QUEUE_LIMIT - 1), gone(5, QUEUE_LIMIT))
    assert max(reads.asked) == READ_AT_ONCE
    assert sum(line["event"] == "execution_given_up" for line in lines) == QUEUE_LIMIT
    assert lines[-1] == {"event": "more_executions_given_up", "log_level": "error", "executions": 4}


async def test_a_database_that_is_away_is_told_and_stops_nothing() -> None:
    (line,) = await logged(Scripted(-1), gone(2))
    assert (line["event"], line["execution_ids"], line["error"]) == ("histories_not_read", [1, 2], "away")
