"""Random rows of every kind that is archived, and where each row is: in the database, or in a file."""

import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from tests.support.rows import fetched, insert_executions
from tests.support.trading import run_sql
from trade_service.store.archive_folder import ArchiveFolder
from trade_service.store.archive_store import PostgresArchiveStore
from trade_service.store.database import Database
from trade_service.submission.clock import SystemClock
from trade_service.trading.archive_model import (
    ArchiveKind,
)
from trade_service.trading.archive_reading import verify
from trade_service.trading.archiving import (
    Archiver,
)
from trade_service.trading.trading_settings import RetentionSettings

KEEP_DAYS = 100
NOW = datetime.now(UTC)
OLD, NEW = NOW - timedelta(days=KEEP_DAYS + 1), NOW - timedelta(days=KEEP_DAYS - 1)
RETENTION = RetentionSettings(
    executions_days=KEEP_DAYS,
    attempts_days=KEEP_DAYS,
    evidence_days=KEEP_DAYS,
    audit_log_days=KEEP_DAYS,
    bulk_submissions_days=KEEP_DAYS,
    file_rows=100,
    busy_percent=100.0,
)
FULL = 4
OPEN = ("queued", "claimed", "retry", "unknown")
ENDED_STATUSES = (4, 8, 9, 10)
"""Ids of FULL, CNCLD, CPART and DEL."""
_TABLES = {
    ArchiveKind.EXECUTIONS: "execution",
    ArchiveKind.ATTEMPTS: "submission_attempt",
    ArchiveKind.EVIDENCE: "submission_evidence",
    ArchiveKind.BULK_SUBMISSIONS: "bulk_submission",
    ArchiveKind.AUDIT_LOG: "audit_log",
}

Rows = dict[ArchiveKind, set[str]]
"""Ids by kind."""


def archiver(database: Database, folder: Path, retention: RetentionSettings = RETENTION) -> Archiver:
    """The use case on a database and a folder."""
    return Archiver(PostgresArchiveStore(database), ArchiveFolder(folder), retention, SystemClock())


def attempt_id(number: int, at: datetime) -> str:
    """A version 7 id of a moment."""
    return str(UUID(int=(int(at.timestamp() * 1000) << 80) | (7 << 76) | (2 << 62) | number))


async def rows_here(database: Database) -> Rows:
    """Ids of all rows in the database but for the entries of archiving itself."""
    return {
        kind: {
            row[0]
            for row in await fetched(
                database,
                f"SELECT id::text FROM {table}"
                + (" WHERE action <> 'archive'" if kind is ArchiveKind.AUDIT_LOG else ""),
            )
        }
        for kind, table in _TABLES.items()
    }


async def rows_in_files(database: Database, folder: Path) -> Rows:
    """Ids of all rows in registered files; no row is in two of them."""
    files = ArchiveFolder(folder)
    found: Rows = {kind: set() for kind in ArchiveKind}
    async for file in PostgresArchiveStore(database).files():
        ids = {str(msgspec.json.decode(line)["id"]) for line in await files.read(file)}
        assert len(ids) == file.rows
        assert not ids & found[file.kind]
        found[file.kind] |= ids
    return found


async def check_kept(database: Database, folder: Path, before: Rows) -> Rows:
    """Every row is in the database or in a verified file, and in one of them only; returns those in files."""
    here, filed = await rows_here(database), await rows_in_files(database, folder)
    for kind in ArchiveKind:
        assert not here[kind] & filed[kind], f"{kind}: in both"
        assert here[kind] | filed[kind] == before[kind], f"{kind}: lost"
    return filed


def files_in(folder: Path, pattern: str = "*.jsonl.gz") -> list[Path]:
    """The files of a folder."""
    return sorted(folder.rglob(pattern))


class RandomBooks:
    """Rows of every kind in every state, old and new, and which of them are due by the rules in words."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.due: Rows = {kind: set() for kind in ArchiveKind}
        self.open: set[str] = set()
        """Executions that are not finished."""

    async def write(self, database: Database, orders: int) -> None:
        """Writes them all."""
        await run_sql(
            database,
            """INSERT INTO trade_order (order_id, portfolio_id, order_type, security_id, quantity)
               SELECT n, 'P' || n % 7, 'BUY', 'S' || n, 1000 FROM generate_series(1, :count::int) n""",
            count=orders,
        )
        executions = [self._execution(number, orders) for number in range(1, 4 * orders + 1)]
        # Below them stand the newest thousand, which stay.
        attempts = self._attempts(executions) + [
            {"id": attempt_id(n, NOW), "state": "answered", "owner": "one", "execution_ids": []}
            for n in range(10_000, 11_000)
        ]
        await self._insert(database, "execution", executions)
        await self._insert(database, "submission_attempt", attempts)
        for execution in executions:
            if execution["attempt_id"] is None:
                continue
            owner = next(one for one in attempts if one["id"] == execution["attempt_id"])
            if owner["next_action_at"] is not None:
                self.due[ArchiveKind.EXECUTIONS].discard(str(execution["id"]))
        await self._others(database, executions)
        await run_sql(
            database,
            """UPDATE trade_order o SET quantity_sent = (
                   SELECT coalesce(sum(e.quantity_ordered), 0) FROM execution e
                   WHERE e.trade_order_id = o.id AND e.submission_state NOT IN ('rejected', 'exhausted'))""",
        )

    def _execution(self, number: int, orders: int) -> dict[str, Any]:
        rng = self._random
        state = rng.choice(["none", *OPEN, *["accepted"] * 6, "rejected", "exhausted"])
        is_accepted = state == "accepted"
        row: dict[str, Any] = {
            "id": number,
            "execution_timestamp": rng.choice([OLD, OLD - timedelta(days=rng.randrange(900)), NEW, NOW]),
            "execution_status_id": rng.randrange(1, 11),
            "trade_type_id": rng.choice([None, 1, 2]),
            "trade_order_id": rng.randrange(1, orders + 1),
            "destination_id": rng.randrange(1, 7),
            "quantity_ordered": f"{rng.randrange(1, 10**10)}e-8",
            "quantity_placed": "0",
            "limit_price": rng.choice([None, "0.00000001", "9999999999.99999999"]),
            "submission_state": state,
            "execution_service_id": 10_000 + number if is_accepted and rng.random() < 0.9 else None,
            "attempt_id": None,
        }
        ended = row["execution_service_id"] is not None and row["execution_status_id"] in ENDED_STATUSES
        if not (ended or state in ("rejected", "exhausted")):
            self.open.add(str(number))
        elif row["execution_timestamp"] <= OLD:
            self.due[ArchiveKind.EXECUTIONS].add(str(number))
        return row

    def _attempts(self, executions: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Attempts of up to three executions; some own them, some were superseded."""
        rng, found = self._random, []
        for number, start in enumerate(range(0, len(executions), 3), 1):
            members = executions[start : start + 3]
            at = rng.choice([OLD - timedelta(days=number), NEW])
            row: dict[str, Any] = {
                "id": attempt_id(number, at),
                "state": "answered",
                "owner": "one",
                "execution_ids": [one["id"] for one in members],
                "started_at": at,
                "adopted": rng.random() < 0.2,
                "code": rng.choice(["OK", "OK", "OK", "FILL_REPORTED"]),
                "epoch": rng.randrange(1, 4),
                "floor_void": rng.random() < 0.1,
                "next_action_at": NOW if rng.random() < 0.2 else None,
            }
            owned = [one for one in members if rng.random() < 0.7]
            for one in owned:
                one["attempt_id"] = row["id"]
            found.append(row)
            # Executions that leave in the same run, before it, need it no longer.
            due = self.due[ArchiveKind.EXECUTIONS] if row["next_action_at"] is None else set()
            staying = [one for one in owned if str(one["id"]) not in due]
            unsettled = any(
                one["submission_state"] in ("none", *OPEN)
                or (one["submission_state"] == "accepted" and one["execution_service_id"] is None)
                for one in staying
            )
            needed = unsettled or (staying and (row["adopted"] or row["code"] == "FILL_REPORTED"))
            if at < OLD and row["next_action_at"] is None and not needed:
                self.due[ArchiveKind.ATTEMPTS].add(str(row["id"]))
        return found

    async def _others(self, database: Database, executions: list[dict[str, Any]]) -> None:
        rng, gone = self._random, self.due[ArchiveKind.EXECUTIONS]
        evidence, bulks, entries = [], [], []
        for number in range(1, 200):
            one, at = rng.choice(executions), rng.choice([OLD, NEW])
            code = rng.choice(["RESOLVED", "FILL_REFUSED"])
            evidence.append(
                {"execution_id": one["id"], "found_at": at, "source": "books", "code": code, "state": "accepted",
                 "message": "é\u2028'\"\n\\"}
            )  # fmt: skip
            is_gone = str(one["id"]) in gone
            if at == OLD and (is_gone or (code == "RESOLVED" and str(one["id"]) not in self.open)):
                self.due[ArchiveKind.EVIDENCE].add(str(number))
            chosen = rng.sample(executions, rng.randrange(1, 4))
            bulk = attempt_id(number, at)
            bulks.append({"id": bulk, "created_at": at, "execution_ids": [each["id"] for each in chosen]})
            if at == OLD and not any(each["submission_state"] in OPEN for each in chosen):
                self.due[ArchiveKind.BULK_SUBMISSIONS].add(bulk)
            entries.append(
                {"at": at, "actor": "ann", "known_by": "none", "action": "submit", "object": "execution",
                 "object_ids": [one["id"]], "details": {"quantity": 0.1, "text": "\x7f☃"}}
            )  # fmt: skip
            if at == OLD:
                self.due[ArchiveKind.AUDIT_LOG].add(str(number))
        for table, rows in (
            ("submission_evidence", evidence), ("bulk_submission", bulks), ("audit_log", entries),
        ):  # fmt: skip
            await self._insert(database, table, rows)

    @staticmethod
    async def _insert(database: Database, table: str, rows: list[dict[str, Any]]) -> None:
        columns = list(dict.fromkeys(name for row in rows for name in row))
        for row in rows:
            row |= {name: None for name in columns if name not in row and name == "next_action_at"}
        for names in {tuple(row) for row in rows}:
            alike = [row for row in rows if tuple(row) == names]
            await run_sql(
                database,
                f"""INSERT INTO {table} ({", ".join(names)})
                    SELECT {", ".join(names)} FROM jsonb_populate_recordset(NULL::{table}, :rows::jsonb)""",
                rows=[_plain(row) for row in alike],
            )


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(row)
    return plain


async def archive_all(database: Database, folder: Path) -> dict[ArchiveKind, int]:
    """Archives what is due; returns the rows of each kind."""
    return {one.kind: one.rows for one in await archiver(database, folder).run()}


async def file_problems(database: Database, folder: Path) -> dict[str, str]:
    """The problem of a damaged file, by kind."""
    check = await verify(PostgresArchiveStore(database), ArchiveFolder(folder))
    return {one.name.partition("/")[0]: one.problem for one in check.problems}


async def finished(database: Database, count: int = 1, state: str = "accepted") -> list[int]:
    """Old executions that ended, of orders whose quantity they hold."""
    ids = await insert_executions(database, count, state)
    await run_sql(
        database,
        """UPDATE execution SET execution_timestamp = :old, execution_status_id = :full,
           execution_service_id = CASE WHEN submission_state = 'accepted' THEN 1000 + id END""",
        old=OLD, full=FULL,
    )  # fmt: skip
    return ids
