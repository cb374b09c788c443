"""PostgreSQL as the store of what operators see and do."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import BigInteger, Boolean, Integer, String, Text, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, UUID
from sqlalchemy.ext.asyncio import AsyncConnection

from trade_service.domain.errors import EvidenceConflict, InFlight, NotFound
from trade_service.domain.executions import SubmissionState, is_possible_id
from trade_service.domain.orders import SUBMITTED_WHEN_LEFT
from trade_service.domain.reference import STATUS_NEW
from trade_service.store import operator_sql as sql
from trade_service.store.database import Database
from trade_service.store.engine import autocommitted, transaction, whole_tables
from trade_service.store.execution_reads import to_order
from trade_service.store.legacy_keys import LOCK_ORDERS
from trade_service.store.tables import INSTANT
from trade_service.submission.by_hand import Case, Resolution, check_resolution, outcome_state
from trade_service.submission.codes import EvidenceCode
from trade_service.submission.model import AttemptId
from trade_service.submission.ports import Clock
from trade_service.trading.history import AttemptHistory, Evidence, Found, History, Unknowns
from trade_service.trading.requeueing import Ended, Plan, Requeue, Requeued, RequeueFilter, RequeuePlan

ENTRY_SIZE = 100
"""Executions of one entry of the journal that a requeue writes."""
_RESOLVE_LOCK = 0x7265_736F

_IDS = bindparam("ids", type_=ARRAY(Integer))
_NEW_NAME = bindparam("status_new_name", STATUS_NEW, type_=String)
_ID = bindparam("id", type_=Integer)
_LIMIT = bindparam("limit", type_=Integer)

CASES = text(sql.CASES).bindparams(_IDS, _NEW_NAME)
UNKNOWNS = text(sql.UNKNOWNS).bindparams(_LIMIT)
HOLDER = text(sql.HOLDER).bindparams(_ID, bindparam("service_id", type_=Integer))
ONE_AT_A_TIME = text(sql.ONE_AT_A_TIME).bindparams(
    bindparam("key", _RESOLVE_LOCK, type_=Integer), bindparam("service_id", type_=Integer)
)
LOCK = text(sql.LOCK).bindparams(_IDS)
RESOLVE = text(sql.RESOLVE).bindparams(
    _IDS,
    bindparam("attempt_id", type_=UUID(as_uuid=False)),
    bindparam("states", type_=ARRAY(String)),
    bindparam("service_ids", type_=ARRAY(Integer)),
    bindparam("owned_as", SubmissionState.UNKNOWN.value, type_=String),
    bindparam("refund", 0, type_=Integer),
    bindparam("pauses_budget", value=False, type_=Boolean),
    *(bindparam(name, type_=Integer) for name in ("status_new", "status_sent")),
    bindparam("submitted_when_left", SUBMITTED_WHEN_LEFT, type_=sa.Numeric),
    bindparam("next_action_in_ms", None, type_=sa.Float),
    bindparam("finding_ids", [], type_=ARRAY(Integer)),
    bindparam("finding_states", [], type_=ARRAY(String)),
    bindparam("finding_codes", [], type_=ARRAY(String)),
    bindparam("finding_messages", [], type_=ARRAY(Text)),
    bindparam("code", EvidenceCode.RESOLVED.value, type_=String),
    bindparam("actor", type_=String),
    bindparam("reason", type_=Text),
)
FIRST_ATTEMPTS = text(sql.FIRST_ATTEMPTS).bindparams(_IDS)
ENDED = text(sql.ENDED).bindparams(_IDS, _NEW_NAME)
FIND_ENDED = text(sql.FIND_ENDED).bindparams(
    *(bindparam(name, type_=ARRAY(String)) for name in ("states", "codes", "destinations")),
    bindparam("order_ids", type_=ARRAY(Integer)),
    *(bindparam(name, type_=INSTANT) for name in ("since", "until")),
    _LIMIT,
)
REQUEUE = text(sql.REQUEUE).bindparams(
    _IDS,
    bindparam("attempt_ids", type_=ARRAY(UUID(as_uuid=False))),
    *(bindparam(name, type_=ARRAY(Integer)) for name in ("floor_ids", "epochs", "settle_ms", "order_ids")),
    bindparam("submitted", type_=ARRAY(Boolean)),
    bindparam("settle_from", type_=ARRAY(INSTANT)),
    bindparam("quantities_sent", type_=ARRAY(sa.Numeric)),
    bindparam("actor", type_=String),
    bindparam("reason", type_=Text),
)
ATTEMPTS_OF = text(sql.ATTEMPTS_OF).bindparams(_ID, _LIMIT)
EVIDENCE_OF = text(sql.EVIDENCE_OF).bindparams(_ID, bindparam("limit", type_=BigInteger))


class _First(msgspec.Struct, frozen=True):
    """Of an execution's first attempt the floor, of all of them when they had to have arrived."""

    floor_id: int = 0
    epoch: int | None = None
    """The oldest of its attempts; None when it has none."""
    settle_ms: int = 0
    settle_from: datetime | None = None


class PostgresOperatorStore:
    """The port OperatorStore on PostgreSQL; see there for what each method promises."""

    def __init__(self, database: Database, clock: Clock, status_new: int, status_sent: int) -> None:
        self._database = database
        self._clock = clock
        self._status_new = status_new
        self._status_sent = status_sent

    async def cases(self, execution_ids: Sequence[int]) -> dict[int, Case]:
        """See OperatorStore."""
        async with autocommitted(self._database) as connection:
            return await _cases(connection, execution_ids)

    async def unknowns(self, limit: int) -> Unknowns:
        """See OperatorStore."""
        async with autocommitted(self._database) as connection:
            rows = (await connection.execute(UNKNOWNS, {"limit": limit})).all()
            cases = await _cases(connection, [row.id for row in rows])
        found = (cases[row.id] for row in rows if row.id in cases)
        return Unknowns(tuple(found), rows[0].total if rows else 0)

    async def history(self, execution_id: int, limit: int) -> History:
        """See OperatorStore."""
        wanted = {"id": execution_id, "limit": limit}
        async with whole_tables(self._database) as connection:
            case = (await _cases(connection, [execution_id])).get(execution_id)
            if case is None:
                raise NotFound.of("execution", execution_id)
            attempts = (await connection.execute(ATTEMPTS_OF, wanted)).all()
            evidence = (await connection.execute(EVIDENCE_OF, wanted)).all()
        return History(
            case,
            tuple(_attempt(row, case) for row in attempts),
            tuple(_evidence(row) for row in evidence),
        )

    async def resolve(self, resolution: Resolution, seen: Case) -> Case:
        """See OperatorStore."""
        execution_id = resolution.execution_id
        async with whole_tables(self._database) as connection:
            if resolution.accepted_as is not None:
                await _refuse_taken(connection, execution_id, resolution.accepted_as)
            await connection.execute(LOCK, {"ids": [execution_id]})
            case = (await _cases(connection, [execution_id])).get(execution_id)
            if case is None:
                raise NotFound.of("execution", execution_id)
            check_resolution(case, resolution)
            if resolution.accepted_as is None and case.attempt_id != seen.attempt_id:
                message = f"execution {execution_id} was sent again meanwhile: look at it again"
                raise InFlight(message, state=case.state)
            values = {
                "ids": [execution_id],
                "attempt_id": case.attempt_id,
                "states": [outcome_state(case, resolution).value],
                "service_ids": [resolution.accepted_as],
                "status_new": self._status_new,
                "status_sent": self._status_sent,
                "actor": resolution.actor,
                "reason": resolution.reason,
            }
            (row,) = await connection.execute(RESOLVE, values)
            assert row.changed, f"execution {execution_id} is locked, checked, and did not change"
        return case

    async def find_ended(self, wanted: RequeueFilter, limit: int) -> list[int]:
        """See OperatorStore."""
        values = {
            "states": sorted(state.value for state in wanted.states),
            "codes": sorted(wanted.codes),
            "order_ids": [order_id for order_id in sorted(wanted.order_ids) if is_possible_id(order_id)],
            "destinations": sorted(wanted.destinations),
            "since": wanted.since,
            "until": wanted.until,
            "limit": limit,
        }
        async with whole_tables(self._database) as connection:
            return list((await connection.execute(FIND_ENDED, values)).scalars())

    async def requeue(self, execution_ids: Sequence[int], requeue: Requeue, plan: Plan) -> list[Requeued]:
        """See OperatorStore."""
        ids = sorted({execution_id for execution_id in execution_ids if is_possible_id(execution_id)})
        async with whole_tables(self._database) as connection:
            firsts = await _firsts(connection, ids)
        async with transaction(self._database) as connection:
            await connection.execute(LOCK, {"ids": ids})
            ended = [_ended(row) for row in await connection.execute(ENDED, {"ids": ids})]
            order_ids = sorted({one.trade_order_id for one in ended})
            orders = {
                order.id: order
                for order in map(to_order, await connection.execute(LOCK_ORDERS, {"ids": order_ids}))
            }
            decided = plan(ended, orders)
            again = [one.execution_id for one in decided.results if one.error is None]
            if again and not requeue.dry_run:
                entries = self._entries(again, firsts)
                await connection.execute(REQUEUE, _values(entries, decided, requeue))
        missing = sorted(set(execution_ids) - {one.execution_id for one in ended})
        return [*decided.results, *(_missing(execution_id) for execution_id in missing)]

    def _entries(self, ids: Iterable[int], firsts: dict[int, _First]) -> list[tuple[int, AttemptId, _First]]:
        """Each execution with the entry of the journal that it comes under: one floor an entry."""

        def floor(execution_id: int) -> tuple[int, int]:
            first = firsts.get(execution_id, _First())
            return first.floor_id, -1 if first.epoch is None else first.epoch

        entries = []
        for _, group in groupby(sorted(ids, key=floor), key=floor):
            members = list(group)
            for start in range(0, len(members), ENTRY_SIZE):
                entry_id = self._clock.new_attempt_id()
                entries += [
                    (i, entry_id, firsts.get(i, _First())) for i in members[start : start + ENTRY_SIZE]
                ]
        return entries


async def _cases(connection: AsyncConnection, execution_ids: Sequence[int]) -> dict[int, Case]:
    ids = [execution_id for execution_id in execution_ids if is_possible_id(execution_id)]
    rows = (await connection.execute(CASES, {"ids": ids})).all()
    return {row[0]: _case(row) for row in rows}


async def _refuse_taken(connection: AsyncConnection, execution_id: int, service_id: int) -> None:
    """Raises EvidenceConflict when another execution has that id; until the transaction ends none gets it
    by another resolution."""
    if not is_possible_id(service_id):
        return  # check_resolution says so
    await connection.execute(ONE_AT_A_TIME, {"service_id": service_id})
    holder = await connection.scalar(HOLDER, {"id": execution_id, "service_id": service_id})
    if holder is not None:
        raise EvidenceConflict(
            f"{service_id} is the id of execution {holder} at the Execution Service, so execution "
            f"{execution_id} cannot have it: nothing was changed",
            executionServiceId=service_id,
            holder=holder,
        )


async def _firsts(connection: AsyncConnection, ids: Sequence[int]) -> dict[int, _First]:
    rows = await connection.execute(FIRST_ATTEMPTS, {"ids": list(ids)})
    return {execution_id: _First(*rest) for execution_id, *rest in rows}


def _values(
    entries: Sequence[tuple[int, AttemptId, _First]], decided: RequeuePlan, requeue: Requeue
) -> dict[str, Any]:
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
        "reason": requeue.reason,
    }


def _missing(execution_id: int) -> Requeued:
    return Requeued(execution_id, None, None, NotFound.of("execution", execution_id))


def _case(row: Any) -> Case:
    execution_id, state, *rest = row
    values: list[Any] = [execution_id, SubmissionState(state), *rest]
    return Case(*values)


def _ended(row: Any) -> Ended:
    execution_id, state, *rest = row
    values: list[Any] = [execution_id, SubmissionState(state), *rest]
    return Ended(*values)


def _attempt(row: Any, case: Case) -> AttemptHistory:
    *fields, ids, states, codes, messages = row
    outcomes = tuple(
        Found(SubmissionState(state), code, message)
        for execution_id, state, code, message in zip(ids, states, codes, messages, strict=True)
        if execution_id == case.execution_id
    )
    values: list[Any] = [*fields, row.id == case.attempt_id, outcomes]
    return AttemptHistory(*values)


def _evidence(row: Any) -> Evidence:
    found_at, source, code, attempt_id, before, state, *rest = row
    values: list[Any] = [
        found_at,
        source,
        code,
        attempt_id,
        None if before is None else SubmissionState(before),
        SubmissionState(state),
        *rest,
    ]
    return Evidence(*values)
