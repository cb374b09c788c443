"""PostgreSQL as the submission's store: one statement a step."""

from collections.abc import Collection, Mapping, Sequence
from operator import itemgetter
from typing import Any

import asyncpg

from trade_service.domain.access import Requester
from trade_service.domain.executions import UNSENT, SubmissionState
from trade_service.domain.orders import SUBMITTED_WHEN_LEFT
from trade_service.store.database import Database, spelled_array
from trade_service.store.statements import load
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
"""Of a row of `claim`."""
_OF_DUE_ATTEMPT = frozenset(DueAttempt.__struct_fields__) - {"attempt_id", "items"}
"""Fields that are columns of `take_due`."""

_SQL = load("submission")


class PostgresSubmissionStore:
    """The port SubmissionStore on PostgreSQL; see there for what each method promises."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        owner: str,
        settle_ms: int,
        status_new: int,
        status_sent: int,
    ) -> None:
        self._database = database
        self._clock = clock
        self._owner = owner
        self._settle_ms = settle_ms
        self._status_new = status_new
        self._status_sent = status_sent

    async def claim(
        self, attempt: NewAttempt, execution_ids: Sequence[int], claimable: Collection[SubmissionState]
    ) -> Claim:
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
            **_submitters(attempt.submitted_by),
        }
        rows = sorted(await self._database.fetch(_SQL["claim"], **values), key=_EXECUTION_ID)
        # Rows are unpacked by position: at 100 a batch, access by name costs as much as the statement.
        items = tuple(ClaimedExecution(*item) for _, _, _, claimed, *item, _, _ in rows if claimed)
        refused = [
            _not_claimed(row[0], row[1], row[2], row[4], is_paused=row[-2]) for row in rows if not row[3]
        ]
        if len(rows) < len(execution_ids):
            known = {row[4] for row in rows}
            missing = [i for i in execution_ids if i not in known]
            archived = {
                row[3]: _not_claimed(*row)
                for row in await self._database.fetch(_SQL["archived"], ids=missing)
            }
            refused += [archived.get(i) or NotClaimed(i, None) for i in missing]
        return Claim(items, tuple(refused), rows[0][-1] if rows else 0)

    async def record(self, closing: AttemptClosing) -> tuple[Recorded, ...]:
        if closing.owned_as is _CLAIMED:
            values = self._outcomes(closing) | _answer(closing)
            if _accepts_all(closing):
                accepted = await self._database.fetch(_SQL["record_accepted"], **values)
                if accepted:
                    return tuple(
                        Recorded(
                            i, _ACCEPTED, service_id, version, status_id, changed=True, state_before=_CLAIMED
                        )
                        for i, service_id, version, status_id in accepted
                    )
            values |= _settling(closing) | {"settle_ms": closing.settle_ms}
            rows = await self._database.fetch(_SQL["record"], **values)
        else:
            values = self._outcomes(closing) | _settling(closing)
            values |= {
                "top_id": closing.high_water_id,
                "epoch": closing.epoch,
                "next_batch_size": closing.next_batch_size,
            }
            rows = await self._database.fetch(_SQL["record_look_up"], **values)
        outcomes = {outcome.execution_id: outcome for outcome in closing.outcomes}
        return tuple(_recorded(outcomes[row[0]], closing.owned_as, *row[1:]) for row in rows)

    async def take_due(self, owner: str, limit: int, hold_ms: int, grace_ms: int) -> tuple[DueAttempt, ...]:
        due = await self._database.fetch(
            _SQL["take_due"], owner=owner, limit=limit, hold_ms=hold_ms, grace_ms=grace_ms
        )
        if not due:
            return ()
        which = {
            "ids": sorted({i for row in due for i in row["execution_ids"]}),
            "attempt_ids": [row["id"] for row in due],
        }
        await self._database.fetch(_SQL["mark_lost"], **which)
        items: dict[str, list[OpenItem]] = {}
        for row in await self._database.fetch(_SQL["open_items"], **which):
            items.setdefault(str(row["attempt_id"]), []).append(_open_item(*row))
        return tuple(_due_attempt(row, items.get(str(row["id"]), ())) for row in due)

    async def under_way(self, limit: int) -> tuple[AttemptId, ...]:
        return tuple(str(row[0]) for row in await self._database.fetch(_SQL["under_way"], limit=limit))

    async def postpone(self, attempt_id: AttemptId, delay_ms: int | None) -> None:
        await self._database.fetch(_SQL["postpone"], attempt_id=attempt_id, delay_ms=delay_ms)

    async def park(self, attempt_ids: Sequence[AttemptId], wait_ms: int) -> None:
        await self._database.fetch(_SQL["park"], attempt_ids=attempt_ids, wait_ms=wait_ms)

    async def pause_budgets(self, attempt_id: AttemptId) -> None:
        await self._database.fetch(_SQL["pause_budgets"], attempt_id=attempt_id)

    async def states(self, execution_ids: Sequence[int]) -> tuple[NotClaimed, ...]:
        rows = await self._database.fetch(_SQL["states"], ids=list(execution_ids))
        return tuple(_not_claimed(*row) for row in rows)

    async def adopt(self, execution_ids: Sequence[int]) -> None:
        await self._database.fetch(
            _SQL["adopt"],
            ids=list(execution_ids),
            attempt_id=self._clock.new_attempt_id(),
            owner=self._owner,
            settle_ms=self._settle_ms,
            status_new=self._status_new,
        )

    def _outcomes(self, closing: AttemptClosing) -> dict[str, Any]:
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
        "top_id": closing.high_water_id,
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
        "finding_ids": [outcome.execution_id for outcome in findings],
        "finding_states": [outcome.state.value for outcome in findings],
        "finding_codes": [outcome.code for outcome in findings],
        "finding_messages": [_clean(outcome.message) for outcome in findings],
    }


def _clean(message: str) -> str:
    """PostgreSQL's text holds no NUL, and a message from outside may."""
    return message.replace("\x00", "\\0")


def _recorded(
    outcome: ItemOutcome,
    owned_as: SubmissionState,
    version: int,
    status_id: int,
    changed: bool,
    other_state: str | None,
    other_service_id: int | None,
    other_state_before: str | None,
    duplicate_of: int | None,
) -> Recorded:
    """Columns are NULL where they equal the outcome: at 100 rows a batch, reading them again costs the most."""
    return Recorded(
        outcome.execution_id,
        outcome.state if other_state is None else _STATES[other_state],
        outcome.execution_service_id if other_service_id is None else other_service_id,
        version,
        status_id,
        changed,
        owned_as if other_state_before is None else _STATES[other_state_before],
        duplicate_of,
    )


def _accepts_all(closing: AttemptClosing) -> bool:
    """Whether there are only acceptances to record, without findings."""
    return closing.next_action_in_ms is None and all(
        o.state is _ACCEPTED and o.execution_service_id is not None and o.code == "OK"
        for o in closing.outcomes
    )


def _submitters(submitted_by: Mapping[int, Requester]) -> dict[str, str]:
    """Who asked for the executions, as columns for the audit log."""
    callers = submitted_by.values()
    return {
        "submitted_ids": spelled_array(submitted_by),
        "actors": spelled_array([caller.actor for caller in callers], quoted=True),
        "known_by": spelled_array([caller.known_by for caller in callers], quoted=True),
        "addresses": spelled_array([caller.address for caller in callers], quoted=True),
        "request_ids": spelled_array([caller.request_id for caller in callers], quoted=True),
    }


def _not_claimed(
    state: str | None,
    service_id: int | None,
    withdrawn: str | None,
    execution_id: int,
    *,
    is_paused: bool = False,
) -> NotClaimed:
    if state is None:
        return NotClaimed(execution_id, SubmissionState.NONE, service_id, legacy=True)
    paused = is_paused and withdrawn is None and state in UNSENT
    return NotClaimed(execution_id, _STATES[state], service_id, withdrawn=withdrawn, paused=paused)


def _open_item(_attempt_id: object, execution_id: int, state: str, *rest: Any) -> OpenItem:
    return OpenItem(execution_id, _STATES[state], *rest)


def _due_attempt(row: asyncpg.Record, items: Sequence[OpenItem]) -> DueAttempt:
    values = {name: row[name] for name in _OF_DUE_ATTEMPT}
    return DueAttempt(attempt_id=str(row["id"]), items=tuple(items), **values)
