"""PostgreSQL as the store of what operators see and do: resolve, requeue, recover after a restored backup."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

import asyncpg
import msgspec

from trade_service.domain.access import KnownBy
from trade_service.domain.errors import EvidenceConflict, InFlight, NotFound
from trade_service.domain.executions import SubmissionState
from trade_service.domain.fields import is_possible_id
from trade_service.domain.orders import SUBMITTED_WHEN_LEFT
from trade_service.domain.reference import STATUS_NEW
from trade_service.store.audit_log_store import record
from trade_service.store.database import Database, Session, spelled_array
from trade_service.store.execution_reads import missing_execution
from trade_service.store.order_store import lock_orders
from trade_service.store.statements import load
from trade_service.submission.codes import EvidenceCode
from trade_service.submission.events import REQUESTER
from trade_service.submission.manual_resolution import (
    ExecutionCase,
    Resolution,
    check_resolution,
    outcome_state,
)
from trade_service.submission.model import AttemptId
from trade_service.submission.ports import Clock
from trade_service.trading.audit_log import Action, ObjectKind
from trade_service.trading.operating import (
    AttemptHistory,
    Evidence,
    Found,
    History,
    UnknownPosition,
    Unknowns,
)
from trade_service.trading.requeueing import (
    Ended,
    Requeue,
    Requeued,
    RequeueFilter,
    RequeuePlan,
    plan_requeue,
)

SQL = load("operator")
REQUEUE_SIZE = 100
RECOVERY_SIZE = 1000
"""Executions of one entry of the journal that a requeue, or the recovery of a restored backup, writes."""
_RESOLVE_LOCK = 0x7265_736F


class _First(msgspec.Struct, frozen=True):
    """Of an execution's attempts: the first one's low-water id, and when everything sent had to have arrived."""

    floor_id: int = 0
    epoch: int | None = None
    """The oldest of its attempts; None when it has none."""
    settle_ms: int = 0
    settle_from: datetime | None = None
    of_earlier_epoch: bool = False
    """Whether the ledger was reset or moved since one of them."""

    @property
    def group(self) -> tuple[int, int]:
        """Executions with an equal one can share an entry of the journal."""
        return self.floor_id, -1 if self.epoch is None else self.epoch


class PostgresOperatorStore:
    """The port OperatorStore on PostgreSQL."""

    def __init__(self, database: Database, clock: Clock, status_new: int, status_sent: int) -> None:
        self._database = database
        self._clock = clock
        self._status_new = status_new
        self._status_sent = status_sent

    async def cases(self, execution_ids: Sequence[int]) -> dict[int, ExecutionCase]:
        async with self._database.session() as session:
            return await _cases(session, execution_ids)

    async def unknowns(
        self, limit: int, after: UnknownPosition | None = None, *, for_person: bool = False
    ) -> Unknowns:
        at, execution_id = after or (None, 0)
        place = {"after_at": at, "after_id": execution_id}
        async with self._database.session() as session:
            rows = await session.fetch(SQL["unknowns"], **place, for_person=for_person, limit=limit + 1)
            total = rows[0]["total"]
            ids = [row["id"] for row in rows if row["id"] is not None]
            cases = await _cases(session, ids[:limit])
        last = rows[limit - 1] if len(ids) > limit else None
        following = None if last is None else UnknownPosition(last["started_at"], last["id"])
        return Unknowns(tuple(cases[one] for one in ids if one in cases), total, following)

    async def history(self, execution_id: int, limit: int) -> History:
        async with self._database.transaction(scans=True) as session:
            case = await _case(session, execution_id)
            attempts = await session.fetch(SQL["attempts_of"], id=execution_id, limit=limit)
            evidence = await session.fetch(SQL["evidence_of"], id=execution_id, limit=limit)
        return History(case, tuple(_attempt(row, case) for row in attempts), tuple(map(_evidence, evidence)))

    async def resolve(self, resolution: Resolution, seen: ExecutionCase) -> ExecutionCase:
        execution_id = resolution.execution_id
        async with self._database.transaction(scans=True) as session:
            if resolution.accepted_as is not None:
                await _refuse_taken(session, execution_id, resolution.accepted_as)
            await session.fetch(SQL["lock"], ids=[execution_id])
            case = await _case(session, execution_id)
            check_resolution(case, resolution)
            if resolution.accepted_as is None and case.attempt_id != seen.attempt_id:
                message = f"execution {execution_id} was sent again in the meantime: review it again"
                raise InFlight(message, state=case.state)
            (row,) = await session.fetch(SQL["resolve"], **self._resolved(case, resolution))
            assert row["changed"], f"execution {execution_id} is locked, checked, and did not change"
            kind, order_ids = ObjectKind.EXECUTION, [case.trade_order_id]
            details = {
                "outcome": outcome_state(case, resolution),
                "executionServiceId": resolution.accepted_as,
                "operator": resolution.actor,
                "reason": resolution.reason,
            }
            await record(
                session,
                Action.RESOLVE,
                kind,
                [execution_id],
                trade_order_ids=order_ids,
                details=details,
            )
        return case

    async def find_failed(self, wanted: RequeueFilter, limit: int) -> list[int]:
        values = {
            name: sorted(value) if isinstance(value, Collection) else value
            for name, value in msgspec.structs.asdict(wanted).items()
        }
        rows = await self._database.scan(SQL["find_failed"], limit=limit, **values)
        return [execution_id for (execution_id,) in rows]

    async def executions_of_order(self, order_id: int, limit: int) -> list[int]:
        rows = await self._database.fetch(SQL["executions_of_order"], order_id=order_id, limit=limit)
        return [execution_id for (execution_id,) in rows]

    async def requeue(self, execution_ids: Sequence[int], requeue: Requeue) -> list[Requeued]:
        ids = sorted({execution_id for execution_id in execution_ids if is_possible_id(execution_id)})
        rows = await self._database.scan(SQL["first_attempts"], ids=ids)
        firsts = {row[0]: _First(*row[1:]) for row in rows}
        async with self._database.transaction() as session:
            await session.fetch(SQL["lock"], ids=ids)
            ended = [
                Ended(execution_id, SubmissionState(state), *fields)
                for execution_id, state, *fields in await session.fetch(
                    SQL["ended"], ids=ids, status_new_name=STATUS_NEW
                )
            ]
            orders = await lock_orders(session, [one.trade_order_id for one in ended])
            decided = plan_requeue(
                ended, orders, {one for one, first in firsts.items() if first.of_earlier_epoch}
            )
            again = [one.execution_id for one in decided.results if one.error is None]
            if again and not requeue.dry_run:
                entries = self._entries(again, firsts)
                await session.execute(SQL["requeue"], **_requeued(entries, decided, requeue))
                details = {"operator": requeue.actor, "reason": requeue.reason}
                if requeue.submission_id is not None:
                    await session.execute(SQL["follow"], id=requeue.submission_id, ids=again)
                    details["submissionId"] = requeue.submission_id
                await record(
                    session,
                    Action.REQUEUE,
                    ObjectKind.EXECUTION,
                    again,
                    trade_order_ids=sorted(decided.orders),
                    details=details,
                )
        missing = sorted(set(execution_ids) - {one.execution_id for one in ended})
        return [
            *decided.results,
            *(Requeued(one, None, None, NotFound.of("execution", one)) for one in missing),
        ]

    def _entries(
        self, ids: Iterable[int], firsts: Mapping[int, _First]
    ) -> list[tuple[int, AttemptId, _First]]:
        """Each execution with its entry of the journal; the executions of an entry share one low-water id."""

        def first(execution_id: int) -> _First:
            return firsts.get(execution_id, _First())

        entries = []
        for _, group in groupby(sorted(ids, key=lambda i: first(i).group), key=lambda i: first(i).group):
            members = list(group)
            for start in range(0, len(members), REQUEUE_SIZE):
                entry_id = self._clock.new_attempt_id()
                entries += [(i, entry_id, first(i)) for i in members[start : start + REQUEUE_SIZE]]
        return entries

    def _resolved(self, case: ExecutionCase, resolution: Resolution) -> dict[str, object]:
        return {
            "ids": spelled_array([case.execution_id]),
            "states": spelled_array([outcome_state(case, resolution)]),
            "service_ids": spelled_array([resolution.accepted_as]),
            "attempt_id": case.attempt_id,
            "owned_as": SubmissionState.UNKNOWN,
            "refund": 0,
            "pauses_budget": False,
            "next_action_in_ms": None,
            "status_new": self._status_new,
            "status_sent": self._status_sent,
            "submitted_when_left": SUBMITTED_WHEN_LEFT,
            "code": EvidenceCode.RESOLVED,
            "actor": resolution.actor,
            "actor_known_by": _known_by(resolution.actor),
            "reason": resolution.reason,
            "finding_ids": [case.execution_id],
            "finding_codes": [EvidenceCode.RESOLVED],
            "finding_messages": [resolution.reason],
        }


def _known_by(actor: str) -> KnownBy:
    """How an operator's name is known: as the caller's is, if it is the same; else only the request gave it."""
    caller = REQUESTER.get()
    return caller.known_by if caller.actor == actor else KnownBy.NONE


async def _cases(session: Session, execution_ids: Sequence[int]) -> dict[int, ExecutionCase]:
    ids = [execution_id for execution_id in execution_ids if is_possible_id(execution_id)]
    rows = await session.fetch(SQL["cases"], ids=ids, status_new_name=STATUS_NEW)
    return {row[0]: ExecutionCase(row[0], SubmissionState(row[1]), *row[2:]) for row in rows}


async def _case(session: Session, execution_id: int) -> ExecutionCase:
    case = (await _cases(session, [execution_id])).get(execution_id)
    if case is None:
        raise await missing_execution(session, execution_id)
    return case


async def _refuse_taken(session: Session, execution_id: int, service_id: int) -> None:
    """Raises EvidenceConflict when another execution has that id; until the transaction ends, no other resolution
    can claim it."""
    if not is_possible_id(service_id):
        return  # check_resolution refuses it.
    await session.fetch(SQL["one_resolution_of_a_service_id"], key=_RESOLVE_LOCK, service_id=service_id)
    holder = await session.fetch_value(SQL["holder"], id=execution_id, service_id=service_id)
    if holder is not None:
        raise EvidenceConflict(
            f"{service_id} is the id of execution {holder} at the Execution Service, so execution "
            f"{execution_id} cannot have it: nothing was changed",
            executionServiceId=service_id,
            holder=holder,
        )


def _requeued(
    entries: Sequence[tuple[int, AttemptId, _First]], decided: RequeuePlan, requeue: Requeue
) -> dict[str, object]:
    orders = [decided.orders[order_id] for order_id in sorted(decided.orders)]
    return {
        "ids": [execution_id for execution_id, _, _ in entries],
        "attempt_ids": [entry_id for _, entry_id, _ in entries],
        "floor_ids": [first.floor_id for _, _, first in entries],
        "epochs": [first.epoch for _, _, first in entries],
        "settle_ms": [first.settle_ms for _, _, first in entries],
        "settle_from": [first.settle_from for _, _, first in entries],
        "order_ids": [order.id for order in orders],
        "quantities_sent": [order.quantity_sent for order in orders],
        "submitted": [order.submitted for order in orders],
        "actor": requeue.actor,
        "actor_known_by": _known_by(requeue.actor),
        "reason": requeue.reason,
    }


def _attempt(row: asyncpg.Record, case: ExecutionCase) -> AttemptHistory:
    *fields, ids, states, codes, messages = row
    outcomes = tuple(
        Found(SubmissionState(state), code, message)
        for execution_id, state, code, message in zip(ids, states, codes, messages, strict=True)
        if execution_id == case.execution_id
    )
    values: list[Any] = [*fields, row["id"] == case.attempt_id, outcomes]
    return AttemptHistory(*values)


def _evidence(row: asyncpg.Record) -> Evidence:
    found_at, source, code, attempt_id, before, state, *fields = row
    state_before = None if before is None else SubmissionState(before)
    return Evidence(found_at, source, code, attempt_id, state_before, SubmissionState(state), *fields)


class PostgresRestoreStore:
    """The port RestoreStore on PostgreSQL; both methods may read the whole table of executions."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def open_by_state(self) -> tuple[Mapping[SubmissionState, int], Mapping[SubmissionState, int]]:
        rows = await self._database.scan(SQL["count_open"])
        of_this, of_earlier = (
            {SubmissionState(state): count for state, is_earlier, count in rows if is_earlier is wanted}
            for wanted in (False, True)
        )
        return of_this, of_earlier

    async def recover(
        self, beyond: int, settle_ms: int, actor: str, reason: str, *, same_ledger: bool
    ) -> int:
        async with self._database.transaction(scans=True) as session:
            rows = await session.fetch(SQL["lock_open"], same_ledger=same_ledger)
            for adopted in (False, True):
                alike = [row for row in rows if row["adopted"] is adopted]
                for start in range(0, len(alike), RECOVERY_SIZE):
                    part = alike[start : start + RECOVERY_SIZE]
                    await session.execute(
                        SQL["recover"],
                        ids=[row["id"] for row in part],
                        leases=[row["lease_until"] for row in part],
                        attempt_id=self._clock.new_attempt_id(),
                        adopted=adopted,
                        settle_ms=settle_ms,
                        actor=actor,
                        actor_known_by=_known_by(actor),
                        reason=reason,
                    )
            await session.fetch(SQL["unblock"], beyond=beyond)
            ids, details = [row["id"] for row in rows], {"operator": actor, "reason": reason}
            await record(session, Action.RECOVER, ObjectKind.EXECUTION, ids, details=details)
        return len(rows)
