"""PostgreSQL as the submission's store: one statement a step."""

from collections.abc import Collection, Mapping, Sequence
from operator import itemgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Integer, SmallInteger, String, Text, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, UUID
from sqlalchemy.ext.asyncio import AsyncEngine

from trade_service.domain.executions import SubmissionState
from trade_service.domain.orders import SUBMITTED_WHEN_LEFT
from trade_service.store import submission_sql as sql
from trade_service.store.arrays import spelled_array
from trade_service.store.direct import DirectStatement
from trade_service.store.engine import autocommitted
from trade_service.submission.model import (
    AttemptClosing,
    AttemptId,
    Claim,
    ClaimedExecution,
    DueAttempt,
    ItemOutcome,
    NewAttempt,
    NotClaimed,
    OpenItem,
    Recorded,
)
from trade_service.submission.ports import Clock

_STATES = {state.value: state for state in SubmissionState}
_CLAIMED, _ACCEPTED = SubmissionState.CLAIMED, SubmissionState.ACCEPTED
_EXECUTION_ID = itemgetter(4)
"""Of a row of CLAIM."""

_IDS = bindparam("ids", type_=ARRAY(Integer))
_ATTEMPT_ID = bindparam("attempt_id", type_=UUID(as_uuid=False))
_ATTEMPT_IDS = bindparam("attempt_ids", type_=ARRAY(UUID(as_uuid=False)))

CLAIM = text(sql.CLAIM).bindparams(
    bindparam("ids", type_=Text),
    _ATTEMPT_ID,
    bindparam("claimable", type_=ARRAY(String)),
    bindparam("owner", type_=String),
    *(bindparam(name, type_=Integer) for name in ("give_up_after_ms", "lease_ms", "settle_ms", "epoch")),
    *(bindparam(name, type_=SmallInteger) for name in ("retry_count", "counted")),
)
_CLAIM = DirectStatement(CLAIM)
_SETTLING: tuple[sa.BindParameter[Any], ...] = (
    bindparam("ids", type_=Text),
    _ATTEMPT_ID,
    bindparam("states", type_=Text),
    bindparam("service_ids", type_=Text),
    bindparam("owned_as", type_=String),
    *(bindparam(name, type_=Integer) for name in ("refund", "status_new", "status_sent")),
    bindparam("pauses_budget", type_=sa.Boolean),
    bindparam("submitted_when_left", type_=sa.Numeric),
    bindparam("next_action_in_ms", type_=sa.Float),
    bindparam("finding_ids", type_=ARRAY(Integer)),
    bindparam("finding_states", type_=ARRAY(String)),
    bindparam("finding_codes", type_=ARRAY(String)),
    bindparam("finding_messages", type_=ARRAY(Text)),
)
_ANSWER: tuple[sa.BindParameter[Any], ...] = (
    bindparam("kind", type_=String),
    bindparam("code", type_=String),
    bindparam("message", type_=Text),
    *(bindparam(name, type_=SmallInteger) for name in ("http_status", "next_batch_size")),
    *(bindparam(name, type_=Integer) for name in ("duration_ms", "top_id")),
)
RECORD = text(sql.RECORD).bindparams(*_SETTLING, *_ANSWER, bindparam("settle_ms", type_=Integer))
_RECORD = DirectStatement(RECORD)
RECORD_ACCEPTED = text(sql.RECORD_ACCEPTED).bindparams(
    bindparam("ids", type_=Text),
    _ATTEMPT_ID,
    bindparam("service_ids", type_=Text),
    *(bindparam(name, type_=Integer) for name in ("status_new", "status_sent")),
    *_ANSWER,
)
_RECORD_ACCEPTED = DirectStatement(RECORD_ACCEPTED)
RECORD_LOOK_UP = text(sql.RECORD_LOOK_UP).bindparams(
    *_SETTLING,
    *(bindparam(name, type_=Integer) for name in ("top_id", "epoch")),
    bindparam("next_batch_size", type_=SmallInteger),
)
TAKE_DUE = text(sql.TAKE_DUE).bindparams(
    bindparam("owner", type_=String),
    *(bindparam(name, type_=Integer) for name in ("limit", "hold_ms", "grace_ms")),
)
UNDER_WAY = text(sql.UNDER_WAY).bindparams(bindparam("limit", type_=Integer))
MARK_LOST = text(sql.MARK_LOST).bindparams(_IDS, _ATTEMPT_IDS)
OPEN_ITEMS = text(sql.OPEN_ITEMS).bindparams(_IDS, _ATTEMPT_IDS)
STATES = text(sql.STATES).bindparams(_IDS)
POSTPONE = text(sql.POSTPONE).bindparams(_ATTEMPT_ID, bindparam("delay_ms", type_=sa.Float))
PAUSE_BUDGETS = text(sql.PAUSE_BUDGETS).bindparams(_ATTEMPT_ID)
TAKE_OVER = text(sql.TAKE_OVER).bindparams(
    _IDS,
    _ATTEMPT_ID,
    bindparam("owner", type_=String),
    *(bindparam(name, type_=Integer) for name in ("status_new", "settle_ms")),
)


class PostgresSubmissionStore:
    """The port SubmissionStore on PostgreSQL; see there for what each method promises."""

    def __init__(
        self,
        engine: AsyncEngine,
        clock: Clock,
        owner: str,
        settle_ms: int,
        status_new: int,
        status_sent: int,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._owner = owner
        self._settle_ms = settle_ms
        self._status_new = status_new
        self._status_sent = status_sent

    async def claim(
        self, attempt: NewAttempt, execution_ids: Sequence[int], claimable: Collection[SubmissionState]
    ) -> Claim:
        """See SubmissionStore."""
        values = {
            "ids": spelled_array(execution_ids),
            "claimable": [state.value for state in claimable],
            "attempt_id": attempt.attempt_id,
            "owner": attempt.owner,
            "lease_ms": attempt.lease_ms,
            "settle_ms": attempt.settle_ms,
            "epoch": attempt.epoch,
            "give_up_after_ms": attempt.give_up_after_ms,
            "retry_count": attempt.retry_count,
            "counted": int(attempt.counted),
        }
        rows = sorted(await _CLAIM.fetch(self._engine, values), key=_EXECUTION_ID)
        # Rows are unpacked by position: at 100 a batch, access by name costs as much as the statement.
        items = tuple(ClaimedExecution(*item) for _, _, _, claimed, *item, _ in rows if claimed)
        refused = [_not_claimed(row[0], row[1], row[2], row[4]) for row in rows if not row[3]]
        if len(rows) < len(execution_ids):
            known = {row[4] for row in rows}
            refused.extend(NotClaimed(i, None) for i in execution_ids if i not in known)
        return Claim(items, tuple(refused), rows[0][-1] if rows else 0)

    async def record(self, closing: AttemptClosing) -> tuple[Recorded, ...]:
        """See SubmissionStore."""
        if closing.owned_as is _CLAIMED:
            values = self._told(closing) | _answer(closing)
            if _accepts_all(closing) and (rows := await _RECORD_ACCEPTED.fetch(self._engine, values)):
                return tuple(_recorded_accepted(*row) for row in rows)
            values |= _settling(closing) | {"settle_ms": closing.settle_ms}
            rows = await _RECORD.fetch(self._engine, values)
        else:
            values = self._told(closing) | _settling(closing)
            values |= {
                "top_id": closing.top_id,
                "epoch": closing.epoch,
                "next_batch_size": closing.next_batch_size,
            }
            rows = await self._run(RECORD_LOOK_UP, **values)
        told = {outcome.execution_id: outcome for outcome in closing.outcomes}
        return tuple(_recorded(told[row[0]], closing.owned_as, *row[1:]) for row in rows)

    async def take_due(self, owner: str, limit: int, hold_ms: int, grace_ms: int) -> tuple[DueAttempt, ...]:
        """See SubmissionStore."""
        due = await self._run(TAKE_DUE, owner=owner, limit=limit, hold_ms=hold_ms, grace_ms=grace_ms)
        if not due:
            return ()
        which = {
            "ids": sorted({i for row in due for i in row.execution_ids}),
            "attempt_ids": [str(row.id) for row in due],
        }
        await self._run(MARK_LOST, **which)
        items: dict[str, list[OpenItem]] = {}
        for row in await self._run(OPEN_ITEMS, **which):
            items.setdefault(str(row.attempt_id), []).append(_open_item(row))
        return tuple(
            DueAttempt(
                attempt_id=str(row.id),
                floor_id=row.floor_id,
                floor_execution_id=row.floor_execution_id,
                settle_ms=row.settle_ms,
                settled=row.settled,
                epoch=row.epoch,
                look_ups=row.look_ups,
                next_batch_size=row.next_batch_size,
                retry_count=row.retry_count,
                adopted=row.adopted,
                items=tuple(items.get(str(row.id), ())),
                lease_ms=row.lease_ms,
                requeued=row.requeued,
                size=row.size,
                age_s=row.age_s,
                kind=row.kind,
                code=row.code,
                message=row.message or "",
                http_status=row.http_status,
            )
            for row in due
        )

    async def under_way(self, limit: int) -> tuple[AttemptId, ...]:
        """See SubmissionStore."""
        return tuple(str(row[0]) for row in await self._run(UNDER_WAY, limit=limit))

    async def postpone(self, attempt_id: AttemptId, delay_ms: int | None) -> None:
        """See SubmissionStore."""
        await self._run(POSTPONE, attempt_id=attempt_id, delay_ms=delay_ms)

    async def pause_budgets(self, attempt_id: AttemptId) -> None:
        """See SubmissionStore."""
        await self._run(PAUSE_BUDGETS, attempt_id=attempt_id)

    async def states(self, execution_ids: Sequence[int]) -> tuple[NotClaimed, ...]:
        """See SubmissionStore."""
        rows = await self._run(STATES, ids=list(execution_ids))
        return tuple(_not_claimed(*row) for row in rows)

    async def take_over(self, execution_ids: Sequence[int]) -> None:
        """See SubmissionStore."""
        await self._run(
            TAKE_OVER,
            ids=list(execution_ids),
            attempt_id=self._clock.new_attempt_id(),
            owner=self._owner,
            settle_ms=self._settle_ms,
            status_new=self._status_new,
        )

    async def _run(self, statement: sa.TextClause, **values: object) -> Sequence[Any]:
        async with autocommitted(self._engine) as connection:
            result = await connection.execute(statement, values)
            return result.all() if result.returns_rows else ()

    def _told(self, closing: AttemptClosing) -> dict[str, Any]:
        return {
            "attempt_id": closing.attempt_id,
            "ids": spelled_array([outcome.execution_id for outcome in closing.outcomes]),
            "service_ids": spelled_array([outcome.execution_service_id for outcome in closing.outcomes]),
            "status_new": self._status_new,
            "status_sent": self._status_sent,
        }


def _answer(closing: AttemptClosing) -> dict[str, Any]:
    return {
        "kind": closing.kind.value,
        "code": closing.code,
        "message": _clean(closing.message),
        "http_status": closing.http_status,
        "next_batch_size": closing.next_batch_size,
        "duration_ms": round(closing.duration_ms),
        "top_id": closing.top_id,
    }


def _settling(closing: AttemptClosing) -> dict[str, Any]:
    findings = [outcome for outcome in closing.outcomes if outcome.code != "OK"]
    return {
        "states": spelled_array([outcome.state for outcome in closing.outcomes]),
        "owned_as": closing.owned_as.value,
        "refund": 0 if closing.spent else 1,
        "pauses_budget": closing.pauses_budget,
        "submitted_when_left": SUBMITTED_WHEN_LEFT,
        "next_action_in_ms": closing.next_action_in_ms,
        **_finding_arrays(findings),
    }


def _finding_arrays(findings: Sequence[ItemOutcome]) -> Mapping[str, list[Any]]:
    return {
        "finding_ids": [outcome.execution_id for outcome in findings],
        "finding_states": [outcome.state.value for outcome in findings],
        "finding_codes": [outcome.code for outcome in findings],
        "finding_messages": [_clean(outcome.message) for outcome in findings],
    }


def _clean(message: str) -> str:
    """PostgreSQL's text holds no NUL, and a message from outside may."""
    return message.replace("\x00", "\\0")


def _recorded(
    told: ItemOutcome,
    owned_as: SubmissionState,
    version: int,
    status_id: int,
    changed: bool,
    other_state: str | None,
    other_service_id: int | None,
    other_state_before: str | None,
    duplicate_of: int | None,
) -> Recorded:
    """What is as told comes as NULL: at 100 rows a batch, reading the same words again costs the most."""
    return Recorded(
        told.execution_id,
        told.state if other_state is None else _STATES[other_state],
        told.execution_service_id if other_service_id is None else other_service_id,
        version,
        status_id,
        changed,
        owned_as if other_state_before is None else _STATES[other_state_before],
        duplicate_of,
    )


def _accepts_all(closing: AttemptClosing) -> bool:
    """Whether nothing but acceptances is to be recorded, and nothing to be told of them."""
    return closing.next_action_in_ms is None and all(
        o.state is _ACCEPTED and o.execution_service_id is not None and o.code == "OK"
        for o in closing.outcomes
    )


def _recorded_accepted(execution_id: int, service_id: int, version: int, status_id: int) -> Recorded:
    return Recorded(
        execution_id, _ACCEPTED, service_id, version, status_id, changed=True, state_before=_CLAIMED
    )


def _not_claimed(
    state: str | None, service_id: int | None, withdrawn: str | None, execution_id: int
) -> NotClaimed:
    if state is None:
        return NotClaimed(execution_id, SubmissionState.NONE, service_id, foreign=True)
    return NotClaimed(execution_id, _STATES[state], service_id, withdrawn=withdrawn)


def _open_item(row: Any) -> OpenItem:
    return OpenItem(
        row.id,
        _STATES[row.submission_state],
        row.trade_type,
        row.destination,
        row.security_id,
        row.quantity_ordered,
        row.attempts_spent,
        row.budget_left_s,
    )
