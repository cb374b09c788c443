"""Audits that replicas run in the background, in PostgreSQL."""

from typing import Any

import msgspec

from trade_service.domain.errors import AuditRunning, NotFound
from trade_service.store.audit_log_store import record
from trade_service.store.database import Database
from trade_service.store.statements import load
from trade_service.submission.events import REQUESTER
from trade_service.trading.audit_log import Action, ObjectKind
from trade_service.trading.audit_runs import AuditRun, AuditRunId, Book, RunReport, RunStatus

SQL = load("audit_runs")
_KEPT = 500
"""Audits that stay on record, the newest."""


class PostgresAuditRuns:
    """The port AuditRunStore on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def start(self, run_id: AuditRunId, book: Book, replica: str, lease_s: float) -> None:
        async with self._database.transaction() as session:
            await session.execute(SQL["end_lost"])
            await session.execute(SQL["remove_old"], kept=_KEPT)
            started = await session.execute(
                SQL["start"],
                id=run_id,
                book=book,
                started_by=REQUESTER.get().actor,
                replica=replica,
                lease_s=lease_s,
            )
            if not started:
                raise AuditRunning("an audit is running, and one runs at a time: wait until it is done")
            await record(session, Action.CREATE, ObjectKind.AUDIT, name=run_id, details={"book": book})

    async def renew(self, run_id: AuditRunId, ledger_rows: int | None, lease_s: float) -> bool:
        values = {"id": run_id, "ledger_rows": ledger_rows, "lease_s": lease_s}
        return await self._database.execute(SQL["renew"], **values) == 1

    async def finish(
        self, run_id: AuditRunId, status: RunStatus, message: str, report: RunReport | None
    ) -> None:
        await self._database.execute(
            SQL["finish"],
            id=run_id,
            status=status,
            message=message,
            ledger_rows=None if report is None else report.downstream_rows,
            report=None if report is None else msgspec.to_builtins(report),
        )

    async def get(self, run_id: AuditRunId) -> AuditRun:
        row = await self._database.fetch_row(SQL["get"], id=run_id)
        if row is None:
            raise NotFound.of("audit", run_id)
        return _run(row)

    async def page(self, before: AuditRunId | None, limit: int) -> list[AuditRun]:
        return [_run(row) for row in await self._database.fetch(SQL["page"], before=before, limit=limit)]


def _run(row: Any) -> AuditRun:
    *fields, report = row
    values: list[Any] = [*fields, None if report is None else msgspec.convert(report, RunReport)]
    return AuditRun(*values)
