"""Audits in the background: what ends one, and that none ends the service."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from trade_service.submission.clock import SystemClock
from trade_service.submission.ports import StoreUnavailable
from trade_service.trading.audit_runs import AuditRuns, AuditRunStore, Book, RunStatus
from trade_service.trading.ledger_audit import AuditReport, Progress


class Hasty(SystemClock):
    """A clock whose pauses are over at once."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


class Runs:
    """Audits on record, and the audit itself: it fails or waits as a test says."""

    def __init__(self) -> None:
        self.renewals: list[int | None] = []
        self.is_ours = True
        self.results: asyncio.Queue[tuple[RunStatus, str]] = asyncio.Queue()
        self.unavailable = 0
        self.error: Exception | None = None
        self.ended = asyncio.Event()

    async def start(self, *_: object) -> None: ...

    async def get(self, run_id: str) -> Any: ...

    async def renew(self, run_id: str, rows: int | None, lease_s: float) -> bool:
        self.renewals.append(rows)
        return self.is_ours

    async def finish(self, run_id: str, status: RunStatus, message: str, report: object) -> None:
        if self.unavailable:
            self.unavailable -= 1
            raise StoreUnavailable("away")
        self.results.put_nowait((status, message))

    async def audit(self, book: Book, progress: Progress) -> AuditReport:
        progress(7)
        if self.error is not None:
            raise self.error
        try:
            return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]
        finally:
            self.ended.set()


@pytest.fixture
async def runs() -> Runs:
    return Runs()


@pytest.fixture
async def audits(runs: Runs) -> AsyncIterator[AuditRuns]:
    audits = AuditRuns(cast(AuditRunStore, runs), runs.audit, "one", Hasty())
    running = asyncio.create_task(audits.run())
    yield audits
    running.cancel()
    await asyncio.wait([running])


async def test_one_that_was_declared_failed_ends_and_records_nothing(runs: Runs, audits: AuditRuns) -> None:
    runs.is_ours = False
    async with asyncio.timeout(5):
        await audits.start(Book.BOTH)
        await runs.ended.wait()
        runs.error = ValueError("a bug")
        await audits.start(Book.BOTH)
        assert await runs.results.get() == (
            RunStatus.FAILED, "unexpected internal error; see the service log",
        )  # fmt: skip
    assert runs.results.empty()
    assert 7 in runs.renewals, "the rows compared so far"


async def test_a_result_is_recorded_once_the_database_is_back(runs: Runs, audits: AuditRuns) -> None:
    runs.error, runs.unavailable = StoreUnavailable("secret", "it does not answer"), 3
    async with asyncio.timeout(5):
        await audits.start(Book.DATABASE)
        assert await runs.results.get() == (RunStatus.FAILED, "it does not answer")
