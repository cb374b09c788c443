"""PostgreSQL as the store of bulk submissions."""

import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Float, Integer, String, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, UUID

from trade_service.domain.errors import NotFound
from trade_service.domain.executions import SubmissionState
from trade_service.store.database import Database
from trade_service.store.engine import autocommitted, transaction
from trade_service.store.legacy_keys import legacy_keyed_statement
from trade_service.store.order_sql import IS_FRESH, TICKET_GRACE_MS
from trade_service.store.submission_sql import WITHDRAWN
from trade_service.submission.model import AttemptId
from trade_service.submission.ports import SubmissionStore
from trade_service.trading.bulk_model import (
    SETTLED,
    BulkAttempt,
    BulkFinding,
    BulkItem,
    BulkProgress,
    BulkSubmissionId,
)
from trade_service.trading.request_keys import Created

_ID = UUID(as_uuid=False)
_INTEGERS = ARRAY(Integer)
_SETTLED = ", ".join(f"'{state}'" for state in sorted(SETTLED))
_TICKET_SIZE = 100
CLOCK_SKEW_MS = 300_000

BEGIN = text(f"""
WITH asked AS MATERIALIZED (
    SELECT id, place FROM unnest(cast(:ids AS int[])) WITH ORDINALITY AS t(id, place)
), known AS MATERIALIZED (
    SELECT e.id, {IS_FRESH} AS is_fresh
    FROM execution e
    WHERE e.id = ANY(cast(:ids AS int[]))
    ORDER BY e.id
    FOR NO KEY UPDATE
), numbered AS MATERIALIZED (
    SELECT id, (cast(:ticket_ids AS uuid[]))[1 + (row_number() OVER (ORDER BY id) - 1) / {_TICKET_SIZE}]
                   AS ticket_id
    FROM known
    WHERE is_fresh
), queued AS (
    UPDATE execution e
    SET submission_state = 'queued', attempt_id = n.ticket_id
    FROM numbered n
    WHERE e.id = n.id
    RETURNING e.id, e.attempt_id
), tickets AS (
    INSERT INTO submission_attempt (id, state, owner, execution_ids, next_action_at)
    SELECT attempt_id, 'queued', :owner, array_agg(id ORDER BY id), now() + :grace_ms * interval '1 ms'
    FROM queued
    GROUP BY attempt_id
)
INSERT INTO bulk_submission (id, execution_ids) VALUES (:id, cast(:ids AS int[]))
""").bindparams(
    bindparam("id", type_=_ID),
    bindparam("ids", type_=_INTEGERS),
    bindparam("ticket_ids", type_=ARRAY(_ID)),
    bindparam("owner", type_=String),
    bindparam("grace_ms", type_=Integer),
)

EXECUTION_IDS = text("SELECT execution_ids FROM bulk_submission WHERE id = :id").bindparams(
    bindparam("id", type_=_ID)
)

PROGRESS = text(f"""
SELECT b.created_at, cardinality(b.execution_ids) AS total, s.*
FROM bulk_submission b
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE e.submission_state = 'accepted') AS successful,
           count(*) FILTER (WHERE e.submission_state IS NULL
                            OR e.submission_state NOT IN ({_SETTLED})) AS pending
    FROM execution e
    WHERE e.id = ANY(b.execution_ids)
) s
WHERE b.id = :id
""").bindparams(bindparam("id", type_=_ID))

ITEMS = text(f"""
SELECT p.place, p.id, e.submission_state, e.execution_service_id, f.code, f.message, s.abbreviation AS withdrawn
FROM (
    SELECT place, b.execution_ids[place + 1] AS id, nth
    FROM bulk_submission b, unnest(cast(:places AS int[])) WITH ORDINALITY AS t(place, nth)
    WHERE b.id = :id AND place >= 0 AND place < cardinality(b.execution_ids)
) p
-- OFFSET keeps it a look-up a row.
LEFT JOIN LATERAL (
    SELECT x.submission_state, x.execution_service_id, x.attempt_id, x.execution_status_id
    FROM execution x WHERE x.id = p.id OFFSET 0
) e ON true
LEFT JOIN execution_status s ON s.id = e.execution_status_id AND e.submission_state = 'none'
    AND s.abbreviation IN ({WITHDRAWN})
LEFT JOIN LATERAL (
    SELECT u.code, u.message
    FROM submission_attempt a,
         unnest(a.finding_ids, a.finding_codes, a.finding_messages)
             WITH ORDINALITY AS u(execution_id, code, message, nth)
    WHERE a.id = e.attempt_id AND e.submission_state <> 'accepted' AND u.execution_id = p.id
    ORDER BY u.nth DESC
    LIMIT 1
) f ON true
ORDER BY p.nth
""").bindparams(bindparam("id", type_=_ID), bindparam("places", type_=_INTEGERS))

LOCK_SETTLED = text("""
SELECT cardinality(settled) AS settled, cardinality(execution_ids) AS total
FROM bulk_submission
WHERE id = :id
FOR NO KEY UPDATE
""").bindparams(bindparam("id", type_=_ID))

NOTICE = text(f"""
WITH open AS MATERIALIZED (
    SELECT t.id, t.place - 1 AS place
    FROM bulk_submission b, unnest(b.execution_ids) WITH ORDINALITY AS t(id, place)
    WHERE b.id = :id AND t.place - 1 NOT IN (SELECT unnest(settled) FROM bulk_submission WHERE id = :id)
), news AS MATERIALIZED (
    SELECT array_agg(o.place ORDER BY o.place) AS places
    FROM open o
    LEFT JOIN LATERAL (SELECT x.id, x.submission_state FROM execution x WHERE x.id = o.id OFFSET 0) e ON true
    WHERE e.id IS NULL OR e.submission_state IN ({_SETTLED})
)
UPDATE bulk_submission b
SET settled = b.settled || n.places
FROM news n
WHERE b.id = :id AND n.places IS NOT NULL
""").bindparams(bindparam("id", type_=_ID))

SETTLED_SINCE = text("""
SELECT settled[cast(:seen AS int) + 1 : cast(:seen AS int) + cast(:limit AS int)]
FROM bulk_submission
WHERE id = :id
""").bindparams(
    bindparam("id", type_=_ID), bindparam("seen", type_=Integer), bindparam("limit", type_=Integer)
)

# In a filter the look into a set stays one: as a join it may become a loop over all of it for each row.
ATTEMPTS = text("""
WITH wanted AS MATERIALIZED (
    SELECT unnest(execution_ids) AS id FROM bulk_submission WHERE id = :id
), touched AS MATERIALIZED (
    SELECT t.id, array_agg(x.id ORDER BY x.id) FILTER (WHERE x.id IN (SELECT id FROM wanted)) AS mine
    FROM submission_attempt t CROSS JOIN LATERAL unnest(t.execution_ids) x(id)
    -- Ids sort by the time of their making, by clocks that differ a little.
    WHERE t.id > :after
    GROUP BY t.id
    HAVING count(*) FILTER (WHERE x.id IN (SELECT id FROM wanted)) > 0
    ORDER BY t.id
    LIMIT :limit
)
SELECT t.id::text, t.state, t.owner, t.started_at, t.closed_at, t.kind, t.code, t.message, t.http_status,
       t.duration_ms, t.look_ups, m.mine, t.finding_ids, t.finding_states, t.finding_codes, t.finding_messages
FROM touched m
CROSS JOIN LATERAL (SELECT * FROM submission_attempt a WHERE a.id = m.id OFFSET 0) t
ORDER BY t.id
""").bindparams(bindparam("id", type_=_ID), bindparam("after", type_=_ID), bindparam("limit", type_=Integer))

REMOVE_OLD = text("""
DELETE FROM bulk_submission
WHERE id = ANY(ARRAY(
    -- Ids sort by the time of their making.
    SELECT id
    FROM (SELECT id, created_at FROM bulk_submission ORDER BY id LIMIT :limit) oldest
    WHERE created_at < now() - :keep_s * interval '1 s'))
""").bindparams(bindparam("keep_s", type_=Float), bindparam("limit", type_=Integer))


class PostgresBulkSubmissionStore:
    """The port BulkSubmissionStore on PostgreSQL; see there for what each method promises."""

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
        """See BulkSubmissionStore. Taking over commits by itself before: it is right whatever follows."""
        await self._submissions.take_over(execution_ids)
        values = {
            "id": submission_id,
            "ids": list(execution_ids),
            "ticket_ids": list(ticket_ids),
            "owner": self._owner,
            "grace_ms": 0 if by_recovery else TICKET_GRACE_MS,
        }
        async with legacy_keyed_statement(self._database) as (connection, making):
            await connection.execute(BEGIN, values)
            making.created = Created(name=submission_id)

    async def execution_ids(self, submission_id: BulkSubmissionId) -> list[int]:
        """See BulkSubmissionStore."""
        async with autocommitted(self._database) as connection:
            ids: list[int] | None = (await connection.execute(EXECUTION_IDS, {"id": submission_id})).scalar()
        if ids is None:
            raise _missing(submission_id)
        return ids

    async def progress(self, submission_id: BulkSubmissionId) -> BulkProgress:
        """See BulkSubmissionStore."""
        async with autocommitted(self._database) as connection:
            row = (await connection.execute(PROGRESS, {"id": submission_id})).one_or_none()
        if row is None:
            raise _missing(submission_id)
        failed = row.total - row.successful - row.pending
        return BulkProgress(submission_id, row.created_at, row.total, row.successful, failed, row.pending)

    async def items(
        self, submission_id: BulkSubmissionId, request_indexes: Sequence[int] | range
    ) -> list[BulkItem]:
        """See BulkSubmissionStore."""
        values = {"id": submission_id, "places": list(request_indexes)}
        async with autocommitted(self._database) as connection:
            rows = (await connection.execute(ITEMS, values)).all()
        return [_item(row) for row in rows]

    async def settled(self, submission_id: BulkSubmissionId, seen: int, limit: int) -> list[int]:
        """See BulkSubmissionStore. Whoever asks notes what has settled: the row's lock makes it one order."""
        async with transaction(self._database) as connection:
            row = (await connection.execute(LOCK_SETTLED, {"id": submission_id})).one_or_none()
            if row is None:
                raise _missing(submission_id)
            if row.settled < row.total:
                await connection.execute(NOTICE, {"id": submission_id})
            values = {"id": submission_id, "seen": seen, "limit": limit}
            places: list[int] = (await connection.execute(SETTLED_SINCE, values)).scalar_one()
        return places

    async def attempts(
        self, submission_id: BulkSubmissionId, after: AttemptId | None, limit: int
    ) -> list[BulkAttempt]:
        """See BulkSubmissionStore."""
        values = {"id": submission_id, "after": after or _shortly_before(submission_id), "limit": limit}
        async with autocommitted(self._database) as connection:
            rows = (await connection.execute(ATTEMPTS, values)).all()
        return [_attempt(row) for row in rows]

    async def remove_old(self, keep_s: float, limit: int) -> int:
        """See BulkSubmissionStore."""
        async with autocommitted(self._database) as connection:
            return (await connection.execute(REMOVE_OLD, {"keep_s": keep_s, "limit": limit})).rowcount


def _missing(submission_id: BulkSubmissionId) -> NotFound:
    return NotFound.of("bulk submission", submission_id)


def _item(row: Any) -> BulkItem:
    place, execution_id, state, *told = row
    found = None if state is None else SubmissionState(state)
    return BulkItem(place, execution_id, found, *told)


def _attempt(row: Any) -> BulkAttempt:
    *fields, mine, ids, states, codes, messages = row
    own = frozenset(mine)
    findings = tuple(
        BulkFinding(execution_id, SubmissionState(state), code, message)
        for execution_id, state, code, message in zip(ids, states, codes, messages, strict=True)
        if execution_id in own
    )
    values: list[Any] = [*fields, tuple(mine), findings]
    return BulkAttempt(*values)


def _shortly_before(submission_id: BulkSubmissionId) -> str:
    """The least UUID of version 7 that another process's clock may have given an attempt of the submission."""
    millis = uuid.UUID(submission_id).int >> 80
    return str(uuid.UUID(int=max(0, millis - CLOCK_SKEW_MS) << 80))
