"""What all replicas know of the Execution Service's ledger: one row of PostgreSQL."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import BigInteger, Float, Integer, Text, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY

from trade_service.domain.executions import MAX_FOLLOWED_ID
from trade_service.store.database import Database
from trade_service.store.engine import autocommitted
from trade_service.submission.downstream import DownstreamState, Sign, Suspicion

_RECENT_ATTEMPTS = 200
_SEQUENCE = "cast(pg_get_serial_sequence('execution', 'id') AS regclass)"
LAST_ID = f"coalesce(pg_sequence_last_value({_SEQUENCE}), 0)"
ONE_AT_A_TIME = "SELECT epoch FROM downstream FOR NO KEY UPDATE"
"""Two processes that move the sequence at once could move it back; one that merely counts on cannot."""
ADVANCED = f"""
    SELECT setval({_SEQUENCE}, cast(:beyond AS bigint))
    FROM alone
    WHERE {LAST_ID} < cast(:beyond AS bigint)
"""
"""Moves the sequence of execution ids forward; `alone` is ONE_AT_A_TIME."""

READ = text(
    f"""
    SELECT d.epoch, d.base_url, d.high_water_id, d.high_water_execution_id, d.first_id, d.first_execution_id,
           d.suspected_at IS NOT NULL,
           d.suspected_sign, d.suspicion, d.suspected_id, d.suspected_execution_id,
           extract(epoch FROM now() - d.suspected_at)::float8, d.blocked_reason,
           greatest(d.high_water_id, (
               SELECT max(greatest(r.top_id, r.floor_id))
               FROM (SELECT top_id, floor_id, epoch FROM submission_attempt ORDER BY id DESC
                     LIMIT {_RECENT_ATTEMPTS}) r
               WHERE r.epoch = d.epoch)),
           {LAST_ID}
    FROM downstream d
    """
)
RAISE = text(
    """
    UPDATE downstream
    SET high_water_id = :service_id, high_water_execution_id = cast(:execution_id AS bigint),
        first_id = CASE WHEN first_id = 0 THEN :service_id ELSE first_id END,
        first_execution_id = CASE WHEN first_id = 0 THEN cast(:execution_id AS bigint)
                                  ELSE first_execution_id END
    WHERE epoch = :epoch AND high_water_id < :service_id AND suspected_at IS NULL
    RETURNING high_water_id
    """
).bindparams(
    bindparam("epoch", type_=Integer),
    bindparam("service_id", type_=Integer),
    bindparam("execution_id", type_=BigInteger),
)
SUSPECT = text(
    """
    UPDATE downstream
    SET suspected_at = now(), suspected_sign = :sign, suspicion = :reason, suspected_id = :service_id,
        suspected_execution_id = :execution_id
    WHERE epoch = :epoch AND suspected_at IS NULL
    RETURNING epoch
    """
).bindparams(
    *(bindparam(name, type_=Integer) for name in ("epoch", "service_id", "execution_id")),
    *(bindparam(name, type_=Text) for name in ("sign", "reason")),
)
DISMISS = text(
    """
    UPDATE downstream
    SET suspected_at = NULL, suspected_sign = NULL, suspicion = NULL, suspected_id = NULL,
        suspected_execution_id = NULL
    WHERE epoch = :epoch AND suspicion = :reason
    """
).bindparams(bindparam("epoch", type_=Integer), bindparam("reason", type_=Text))
BEGIN_EPOCH = text(
    """
    WITH next AS (
        UPDATE downstream
        SET epoch = epoch + 1, base_url = :base_url, high_water_id = :service_id,
            high_water_execution_id = :execution_id,
            first_id = CASE WHEN cast(:execution_id AS bigint) IS NULL THEN 0 ELSE :service_id END,
            first_execution_id = :execution_id, suspected_at = NULL, suspected_sign = NULL, suspicion = NULL,
            suspected_id = NULL, suspected_execution_id = NULL, fills_offset = 0
        WHERE epoch = :after
        RETURNING epoch
    ), open AS MATERIALIZED (
        SELECT id, execution_ids FROM submission_attempt
        WHERE next_action_at IS NOT NULL AND state <> 'queued' AND EXISTS (SELECT FROM next)
        ORDER BY id
        FOR NO KEY UPDATE
    ), void AS (
        -- For replicas of the previous release, which know no epochs.
        UPDATE submission_attempt t SET floor_void = true WHERE t.id = ANY(ARRAY(SELECT id FROM open))
    )
    SELECT (SELECT epoch FROM next),
           ARRAY(SELECT e.id
                 FROM open o
                 CROSS JOIN LATERAL (
                     SELECT x.id FROM execution x
                     WHERE x.id = ANY(o.execution_ids) AND x.attempt_id = o.id
                       AND x.submission_state IN ('claimed', 'unknown')
                     OFFSET 0) e
                 ORDER BY e.id)
    """
).bindparams(
    *(bindparam(name, type_=Integer) for name in ("after", "service_id")),
    bindparam("execution_id", type_=BigInteger),
    bindparam("base_url", type_=Text),
)
NOTE_LEDGER = text(
    """
    UPDATE downstream
    SET base_url = :base_url,
        high_water_execution_id = CASE WHEN high_water_id < :service_id THEN cast(:execution_id AS bigint)
                                       ELSE high_water_execution_id END,
        high_water_id = greatest(high_water_id, :service_id),
        first_id = CASE WHEN first_id = 0 AND cast(:execution_id AS bigint) IS NOT NULL THEN :service_id
                        ELSE first_id END,
        first_execution_id = CASE WHEN first_id = 0 THEN cast(:execution_id AS bigint)
                                  ELSE first_execution_id END
    WHERE epoch = :epoch AND suspected_at IS NULL
    """
).bindparams(
    *(bindparam(name, type_=Integer) for name in ("epoch", "service_id")),
    bindparam("execution_id", type_=BigInteger),
    bindparam("base_url", type_=Text),
)
LEAVE_GAP = text(
    f"""
    WITH alone AS MATERIALIZED ({ONE_AT_A_TIME})
    SELECT setval({_SEQUENCE}, {LAST_ID} + cast(:size AS bigint))
    FROM alone
    WHERE {LAST_ID} < {MAX_FOLLOWED_ID}
    """
).bindparams(bindparam("size", type_=BigInteger))
HELD_AS_UNSENT = text(
    """
    WITH asked AS MATERIALIZED (
        SELECT id, submission_state, execution_service_id FROM execution WHERE id = ANY(:ids)
    )
    SELECT id FROM asked
    WHERE submission_state IN ('none', 'queued', 'retry') AND execution_service_id IS NULL
    ORDER BY id
    """
).bindparams(bindparam("ids", type_=ARRAY(Integer)))
BLOCK = text(
    "UPDATE downstream SET blocked_at = coalesce(blocked_at, now()), blocked_reason = :reason"
).bindparams(bindparam("reason", type_=Text))
ADVANCE = text(
    f"""
    WITH alone AS MATERIALIZED ({ONE_AT_A_TIME}), open AS MATERIALIZED (
        SELECT EXISTS (
            SELECT FROM submission_attempt a
            CROSS JOIN LATERAL (
                SELECT FROM execution x
                WHERE x.id = ANY(a.execution_ids) AND x.attempt_id = a.id
                  AND x.submission_state IN ('queued', 'claimed', 'retry', 'unknown')
                LIMIT 1) e
            -- Adopted ones are looked up in all of the ledger anyway.
            WHERE a.next_action_at IS NOT NULL AND NOT a.adopted
              AND a.started_at < now() - cast(:since_s AS float8) * interval '1 s') AS found
    ), blocked AS (
        UPDATE downstream SET blocked_at = coalesce(blocked_at, now()), blocked_reason = :reason
        WHERE (SELECT found FROM open)
    )
    SELECT found, ({ADVANCED}) FROM open
    """
).bindparams(
    bindparam("beyond", type_=BigInteger),
    bindparam("since_s", type_=Float),
    bindparam("reason", type_=Text),
)


class PostgresDownstreamStore:
    """The port DownstreamStore on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self) -> DownstreamState:
        """The present state."""
        (
            (epoch, base_url, high, high_of, first, first_of, *suspected, blocked, known, last),
        ) = await self._run(READ)
        is_suspected, sign, *rest = suspected
        suspicion = Suspicion(Sign(sign), *rest) if is_suspected else None
        return DownstreamState(
            epoch, base_url, high, high_of, known, first, first_of, suspicion, blocked, last
        )

    async def raise_high_water(self, epoch: int, service_id: int, execution_id: int) -> bool:
        """Notes a greater known id; returns whether it was stored."""
        rows = await self._run(RAISE, epoch=epoch, service_id=service_id, execution_id=execution_id)
        return bool(rows)

    async def suspect(self, epoch: int, suspicion: Suspicion) -> bool:
        """Marks the ledger as suspected."""
        rows = await self._run(
            SUSPECT,
            epoch=epoch,
            sign=suspicion.sign.value,
            reason=suspicion.reason,
            service_id=suspicion.service_id,
            execution_id=suspicion.execution_id,
        )
        return bool(rows)

    async def dismiss(self, epoch: int, suspicion: Suspicion) -> None:
        """Removes a mark."""
        await self._run(DISMISS, epoch=epoch, reason=suspicion.reason)

    async def begin_epoch(
        self, after: int, base_url: str, service_id: int, execution_id: int | None
    ) -> tuple[int, ...] | None:
        """Begins an epoch; None when another replica was first."""
        ((epoch, unknown),) = await self._run(
            BEGIN_EPOCH, after=after, base_url=base_url, service_id=service_id, execution_id=execution_id
        )
        return None if epoch is None else tuple(unknown)

    async def note_ledger(self, epoch: int, base_url: str, service_id: int, execution_id: int | None) -> None:
        """Notes where the ledger is read and a row of it."""
        await self._run(
            NOTE_LEDGER, epoch=epoch, base_url=base_url, service_id=service_id, execution_id=execution_id
        )

    async def leave_gap(self, size: int) -> None:
        """Leaves a gap in the execution ids."""
        await self._run(LEAVE_GAP, size=size)

    async def held_as_unsent(self, execution_ids: Sequence[int]) -> tuple[int, ...]:
        """Those that are held as not sent."""
        rows = await self._run(HELD_AS_UNSENT, ids=list(execution_ids))
        return tuple(row[0] for row in rows)

    async def block(self, reason: str) -> None:
        """Blocks claims."""
        await self._run(BLOCK, reason=reason)

    async def advance_sequence(self, beyond: int, since_s: float, reason: str) -> bool:
        """Advances the sequence of execution ids; returns whether claims are blocked now."""
        ((blocks, _),) = await self._run(ADVANCE, beyond=beyond, since_s=since_s, reason=reason)
        return bool(blocks)

    async def _run(self, statement: sa.TextClause, **values: object) -> Sequence[Any]:
        async with autocommitted(self._database) as connection:
            result = await connection.execute(statement, values)
            return result.all() if result.returns_rows else ()
