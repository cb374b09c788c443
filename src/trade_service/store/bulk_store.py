"""PostgreSQL as the store of bulk submissions."""

import uuid
from collections.abc import Sequence
from typing import Any

import asyncpg
import msgspec

from trade_service.domain.errors import NotFound
from trade_service.domain.executions import SubmissionState
from trade_service.store.database import Database, Session
from trade_service.store.execution_reads import QUEUED_GRACE_MS
from trade_service.store.request_key_store import keyed_statement
from trade_service.store.statements import load
from trade_service.submission.events import REQUESTER
from trade_service.submission.model import AttemptId
from trade_service.submission.ports import SubmissionStore
from trade_service.trading.bulk_submissions import (
    SETTLED,
    BulkAttempt,
    BulkFinding,
    BulkItem,
    BulkProgress,
    BulkSubmissionId,
    ListedSubmission,
    SubmissionPage,
)
from trade_service.trading.request_keys import Created

SQL = load("bulk")
_ATTEMPT_SIZE = 100
_SETTLED_STATES = sorted(SETTLED)
_LOOKED_AT = 100
"""Submissions that a page with a status looks at."""
_MOST_EXECUTIONS = 50_000
"""A page ends with the submission that reaches this number of executions, all of which are read."""
CLOCK_SKEW_MS = 300_000
"""How far the clock of a replica, which makes the ids of attempts, may differ from others."""


async def begin_bulk(
    session: Session,
    submission_id: BulkSubmissionId,
    execution_ids: Sequence[int],
    queued_attempt_ids: Sequence[AttemptId],
    owner: str,
    grace_ms: int = 0,
) -> None:
    """Queues what was never submitted, and writes the submission: see `BulkSubmissionStore.begin`."""
    await session.execute(
        SQL["begin"],
        id=submission_id,
        ids=list(execution_ids),
        attempt_ids=list(queued_attempt_ids),
        attempt_size=_ATTEMPT_SIZE,
        owner=owner,
        grace_ms=grace_ms,
        **msgspec.structs.asdict(REQUESTER.get()),
    )


class PostgresBulkSubmissionStore:
    """The port BulkSubmissionStore on PostgreSQL."""

    def __init__(self, database: Database, submissions: SubmissionStore, owner: str) -> None:
        self._database = database
        self._submissions = submissions
        self._owner = owner

    async def begin(
        self,
        submission_id: BulkSubmissionId,
        execution_ids: Sequence[int],
        ticket_ids: Sequence[AttemptId],
        *,
        by_recovery: bool,
    ) -> None:
        # Adoption commits first, in its own transaction: it is right whatever happens afterwards.
        await self._submissions.adopt(execution_ids)
        async with keyed_statement(self._database) as (session, making):
            grace_ms = 0 if by_recovery else QUEUED_GRACE_MS
            await begin_bulk(session, submission_id, execution_ids, ticket_ids, self._owner, grace_ms)
            making.created = Created(name=submission_id)

    async def execution_ids(self, submission_id: BulkSubmissionId) -> list[int]:
        ids: list[int] | None = await self._database.fetch_value(SQL["execution_ids"], id=submission_id)
        if ids is None:
            raise _missing(submission_id)
        return ids

    async def progress(self, submission_id: BulkSubmissionId) -> BulkProgress:
        row = await self._database.fetch_row(
            SQL["progress"], id=submission_id, settled_states=_SETTLED_STATES
        )
        if row is None:
            raise _missing(submission_id)
        created_at, total, successful, pending = row
        failed = total - successful - pending
        return BulkProgress(submission_id, created_at, total, successful, failed, pending)

    async def page(
        self, finished: bool | None, before: BulkSubmissionId | None, limit: int
    ) -> SubmissionPage:
        rows = await self._database.fetch(
            SQL["page"],
            before=before,
            limit=limit if finished is None else max(limit, _LOOKED_AT),
            settled_states=_SETTLED_STATES,
            most_executions=_MOST_EXECUTIONS,
        )
        found: list[ListedSubmission] = []
        last = None
        for last, created_at, total, successful, pending, *further in rows:
            failed = total - successful - pending
            progress = (last, created_at, total, successful, failed, pending)
            if finished is None or finished == (pending == 0):
                found.append(ListedSubmission(*progress, *further))
                if len(found) == limit:
                    break
        older = None if last is None else await self._database.fetch_value(SQL["older"], id=last)
        return SubmissionPage(tuple(found), None if older is None else last)

    async def items(
        self, submission_id: BulkSubmissionId, request_indexes: Sequence[int] | range
    ) -> list[BulkItem]:
        rows = await self._database.fetch(SQL["items"], id=submission_id, places=list(request_indexes))
        return [
            BulkItem(place, execution_id, None if state is None else SubmissionState(state), *fields)
            for place, execution_id, state, *fields in rows
        ]

    async def settled(self, submission_id: BulkSubmissionId, seen: int, limit: int) -> list[int]:
        """Every call writes down what has settled; the lock on the row gives all callers one order."""
        async with self._database.transaction() as session:
            row = await session.fetch_row(SQL["lock_settled"], id=submission_id)
            if row is None:
                raise _missing(submission_id)
            if row["settled"] < row["total"]:
                await session.execute(SQL["note_settled"], id=submission_id, settled_states=_SETTLED_STATES)
            places: list[int] = await session.fetch_value(
                SQL["settled_since"], id=submission_id, seen=seen, limit=limit
            )
        return places

    async def attempts(
        self, submission_id: BulkSubmissionId, after: AttemptId | None, limit: int
    ) -> list[BulkAttempt]:
        rows = await self._database.fetch(
            SQL["attempts"], id=submission_id, after=after or _shortly_before(submission_id), limit=limit
        )
        return [_attempt(row) for row in rows]

    async def remove_old(self, keep_s: float, limit: int) -> int:
        return await self._database.execute(SQL["remove_old"], keep_s=keep_s, limit=limit)


def _missing(submission_id: BulkSubmissionId) -> NotFound:
    return NotFound.of("bulk submission", submission_id)


def _attempt(row: asyncpg.Record) -> BulkAttempt:
    *fields, mine, ids, states, codes, messages = row
    findings = tuple(
        BulkFinding(SubmissionState(state), code, message, execution_id)
        for execution_id, state, code, message in zip(ids, states, codes, messages, strict=True)
        if execution_id in mine
    )
    values: list[Any] = [*fields, tuple(mine), findings]
    return BulkAttempt(*values)


def _shortly_before(submission_id: BulkSubmissionId) -> str:
    """The least UUID of version 7 that another process's clock may have given an attempt of the submission."""
    millis = uuid.UUID(submission_id).int >> 80
    return str(uuid.UUID(int=max(0, millis - CLOCK_SKEW_MS) << 80))
