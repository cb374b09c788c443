"""PostgreSQL as the store of trade orders and of the executions sliced from them."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import asyncpg
import msgspec

from trade_service.domain.access import Requester
from trade_service.domain.errors import AlreadyExists, DomainError, NotFound
from trade_service.domain.executions import Execution, SubmissionState
from trade_service.domain.fields import ZERO, is_possible_id
from trade_service.domain.orders import (
    MAX_SUBMISSIONS,
    SUBMITTED_WHEN_LEFT,
    NewTradeOrder,
    Slice,
    SliceOrder,
    Submission,
    TradeOrder,
    slicer,
)
from trade_service.domain.reference import ORDER_TYPES, STATUS_NEW, ReferenceData
from trade_service.store.database import Database, Session, spelled_array
from trade_service.store.execution_reads import QUEUED_GRACE_MS, read_executions, to_order
from trade_service.store.known_orders import (
    NONE_HELD,
    HeldExecutions,
    executions_of,
    is_sent,
    taken_by_another,
)
from trade_service.store.request_key_store import keyed_transaction
from trade_service.store.statements import load
from trade_service.submission.events import REQUESTER
from trade_service.submission.model import AttemptId, Claim, ClaimedExecution, NewAttempt
from trade_service.submission.ports import StoreUnavailable
from trade_service.trading.model import BlotterLine, ClaimedSlices, PlacedLine, StoredExecution
from trade_service.trading.ports import StaleReference
from trade_service.trading.request_keys import Created

_SQL = load("orders")

_EXECUTION_ID, _ORDER_FROM = 2, 9
"""Columns of `slice_and_claim`: the execution's id, and the first of the order as it was before."""
_STALE = "a blotter, destination or trade type was deleted meanwhile: nothing was written, try again"


@contextmanager
def stale_references() -> Iterator[None]:
    """Raises StaleReference when a row was written that refers to a deleted one."""
    try:
        yield
    except asyncpg.ForeignKeyViolationError as error:
        raise StaleReference(_STALE) from error


class PostgresOrderStore:
    """The port OrderStore on PostgreSQL; see there for what each method promises."""

    def __init__(self, database: Database, owner: str) -> None:
        self._database = database
        self._owner = owner

    async def create(self, orders: Sequence[NewTradeOrder]) -> list[TradeOrder]:
        with stale_references():
            async with keyed_transaction(self._database) as (session, making):
                created = {order.order_id: order for order in await _insert(session, orders)}
                if len(created) < len(orders):
                    raise _first_taken(orders, created)
                making.created = Created(tuple(created[order.order_id].id for order in orders))
        return [created[order.order_id] for order in orders]

    async def get(self, trade_order_id: int) -> TradeOrder:
        if is_possible_id(trade_order_id):
            row = await self._database.fetch_row(_SQL["get_order"], id=trade_order_id)
            if row is not None:
                return to_order(row)
        raise NotFound.of("trade order", trade_order_id)

    async def orders(self, trade_order_ids: Sequence[int]) -> dict[int, TradeOrder]:
        rows = await self._database.fetch(_SQL["get_orders"], ids=list(trade_order_ids))
        return {order.id: order for order in map(to_order, rows)}

    async def submit(
        self, submissions: Sequence[Submission], queued_attempt_id: AttemptId | None, reference: ReferenceData
    ) -> list[StoredExecution | DomainError]:
        slice_order = _slicer(reference)
        with stale_references():
            async with keyed_transaction(self._database) as (session, making):
                orders = await lock_orders(session, [s.trade_order_id for s in submissions])
                pieces = [_piece(orders.get(s.trade_order_id), s, slice_order) for s in submissions]
                to_write = [piece for piece in pieces if isinstance(piece, Slice)]
                written = await _write(session, to_write, queued_attempt_id, self._owner)
                cuts = [written[piece.order.id] if isinstance(piece, Slice) else piece for piece in pieces]
                making.created = _created(cuts)
        return cuts

    async def slice_and_claim(
        self,
        submissions: Sequence[Submission],
        attempt: NewAttempt,
        reference: ReferenceData,
        requesters: Sequence[Requester] = (),
    ) -> ClaimedSlices | None:
        if not all(is_possible_id(one.trade_order_id) for one in submissions):
            return None
        try:
            rows = await self._database.fetch(
                _SQL["slice_and_claim"],
                order_ids=spelled_array([one.trade_order_id for one in submissions]),
                quantities=spelled_array([one.quantity for one in submissions]),
                destination_ids=spelled_array([one.destination_id for one in submissions]),
                attempt_id=attempt.attempt_id,
                owner=attempt.owner,
                lease_ms=attempt.lease_ms,
                settle_ms=attempt.settle_ms,
                epoch=attempt.epoch,
                give_up_after_ms=attempt.give_up_after_ms,
                counted=int(attempt.counted),
                submitted_when_left=SUBMITTED_WHEN_LEFT,
                each_alone=bool(requesters),
                **_reference_ids(reference),
                **_columns_of_requesters(requesters or (REQUESTER.get(),) * len(submissions)),
            )
        except asyncpg.ForeignKeyViolationError as error:
            raise StaleReference(_STALE) from error
        sound = [pair for pair in zip(submissions, rows, strict=True) if pair[1][_EXECUTION_ID] is not None]
        return _claimed(sound, attempt, reference) if sound else None

    async def place(
        self, lines: Sequence[BlotterLine], queued_attempt_id: AttemptId, reference: ReferenceData
    ) -> list[PlacedLine]:
        with stale_references():
            async with self._database.transaction() as session:
                return await place_lines(session, lines, [queued_attempt_id], reference, self._owner)

    async def executions(self, execution_ids: Sequence[int]) -> dict[int, StoredExecution]:
        return await read_executions(self._database, execution_ids)


async def place_lines(
    session: Session,
    lines: Sequence[BlotterLine],
    queued_attempt_ids: Sequence[AttemptId],
    reference: ReferenceData,
    owner: str,
    *,
    in_bulk: bool = False,
) -> list[PlacedLine]:
    """Places any number of lines in the transaction of `session`, an attempt a hundred: see `OrderStore.place`.

    `in_bulk`: a bulk submission follows in the transaction, which is audited as a whole, and recovery sends it.
    """
    slice_order = _slicer(reference)
    orders = {order.order_id: order for order in await _insert(session, [x.order for x in lines])}
    new = frozenset(orders)
    known = await _lock_known(session, [x.order for x in lines if x.order.order_id not in new])
    orders |= {order.order_id: order for order in known}
    held = await executions_of(session, known)

    def rests() -> list[Slice | DomainError | None]:
        return [_rest(orders[x.order.order_id], x, held, slice_order) for x in lines]

    pieces = await asyncio.to_thread(rests) if in_bulk else rests()
    to_write = [piece for piece in pieces if isinstance(piece, Slice)]
    written: dict[int, StoredExecution] = {}
    for place, attempt_id in enumerate(queued_attempt_ids):
        part = to_write[place * MAX_SUBMISSIONS : (place + 1) * MAX_SUBMISSIONS]
        written |= await _write(session, part, attempt_id, owner, in_bulk=in_bulk)
    return [
        _placed(line, orders[line.order.order_id], piece, new, held, written)
        for line, piece in zip(lines, pieces, strict=True)
    ]


async def _write(
    session: Session,
    pieces: Sequence[Slice],
    queued_attempt_id: AttemptId | None,
    owner: str,
    *,
    in_bulk: bool = False,
) -> dict[int, StoredExecution]:
    """Writes executions, orders and the ticket; what was written, by trade order id."""
    if not pieces:
        return {}
    requester = REQUESTER.get()
    written = await session.fetch(
        _SQL["write_slices"],
        queued_attempt_id=queued_attempt_id,
        owner=owner,
        grace_ms=0 if in_bulk else QUEUED_GRACE_MS,
        **_columns(pieces),
        **msgspec.structs.asdict(requester) | ({"is_audited": False} if in_bulk else {}),
    )
    # Rows are read by position, which costs a tenth of reading them by name.
    rows = {row[0]: row for row in written}
    state = SubmissionState.NONE if queued_attempt_id is None else SubmissionState.QUEUED
    return {piece.order.id: _stored(piece, state, rows[piece.order.id]) for piece in pieces}


async def lock_orders(session: Session, order_ids: Sequence[int]) -> dict[int, TradeOrder]:
    """Locks the orders that exist, in id order, until the transaction ends; returns them by id."""
    rows = await session.fetch(_SQL["lock_orders"], ids=list(filter(is_possible_id, order_ids)))
    return {order.id: order for order in map(to_order, rows)}


async def _insert(session: Session, orders: Sequence[NewTradeOrder]) -> list[TradeOrder]:
    """Inserts the orders whose order id is free; returns those."""
    rows = await session.fetch(
        _SQL["insert_orders"],
        order_ids=[order.order_id for order in orders],
        portfolio_ids=[order.portfolio_id for order in orders],
        order_types=[order.order_type for order in orders],
        security_ids=[order.security_id for order in orders],
        quantities=[order.quantity for order in orders],
        limit_prices=[order.limit_price for order in orders],
        trade_timestamps=[order.trade_timestamp for order in orders],
        blotter_ids=[order.blotter_id for order in orders],
        **msgspec.structs.asdict(REQUESTER.get()),
    )
    return [to_order(row) for row in rows]


def _first_taken(orders: Sequence[NewTradeOrder], created: Mapping[int, TradeOrder]) -> AlreadyExists:
    """The error that names the first order whose id was taken, in the database or earlier in the list."""
    seen: set[int] = set()
    for index, order in enumerate(orders):
        if order.order_id in seen or order.order_id not in created:
            where = "given twice" if order.order_id in seen else "taken"
            return AlreadyExists(
                f"orderId: {order.order_id} is {where}, and every trade order needs its own",
                field="orderId",
                value=order.order_id,
                index=index,
            )
        seen.add(order.order_id)
    raise AssertionError("every order was created")


async def _lock_known(session: Session, orders: Sequence[NewTradeOrder]) -> list[TradeOrder]:
    if not orders:
        return []
    rows = await session.fetch(
        _SQL["lock_orders_by_order_id"], order_ids=[order.order_id for order in orders]
    )
    return [to_order(row) for row in rows]


def _slicer(reference: ReferenceData) -> SliceOrder:
    if STATUS_NEW not in reference.statuses_by_name:
        raise StoreUnavailable(f"the table execution_status lacks {STATUS_NEW}: add it and try again")
    return slicer(reference)


def _piece(order: TradeOrder | None, submission: Submission, slice_order: SliceOrder) -> Slice | DomainError:
    if order is None:
        return NotFound.of("trade order", submission.trade_order_id)
    try:
        return slice_order(order, submission)
    except DomainError as error:
        return error


def _created(cuts: Sequence[StoredExecution | DomainError]) -> Created:
    return Created(
        tuple(cut.execution.id if isinstance(cut, StoredExecution) else None for cut in cuts),
        tuple(cut.message if isinstance(cut, DomainError) else None for cut in cuts),
    )


def _rest(
    order: TradeOrder, line: BlotterLine, held: Mapping[int, HeldExecutions], slice_order: SliceOrder
) -> Slice | DomainError | None:
    """All that is left of an order as one piece; None when nothing is."""
    if (taken := taken_by_another(order, line, held.get(order.id, NONE_HELD))) is not None:
        return taken
    if is_sent(order):
        return None
    return _piece(order, Submission(order.id, order.available, line.destination_id), slice_order)


def _placed(
    line: BlotterLine,
    order: TradeOrder,
    piece: Slice | DomainError | None,
    new: frozenset[int],
    held: Mapping[int, HeldExecutions],
    written: Mapping[int, StoredExecution],
) -> PlacedLine:
    is_new = order.order_id in new
    if isinstance(piece, DomainError):
        return PlacedLine(line.line, order.order_id, new=is_new, error=piece)
    cut = (written[order.id].execution.id,) if piece is not None else ()
    return PlacedLine(line.line, order.order_id, held.get(order.id, NONE_HELD).ids + cut, is_new)


def _columns(pieces: Sequence[Slice]) -> dict[str, str]:
    executions = [piece.execution for piece in pieces]
    columns: dict[str, list[Any]] = {
        "order_ids": [piece.order.id for piece in pieces],
        "quantities_sent": [piece.order.quantity_sent for piece in pieces],
        "submitted": [piece.order.submitted for piece in pieces],
        "status_ids": [execution.execution_status_id for execution in executions],
        "blotter_ids": [execution.blotter_id for execution in executions],
        "trade_type_ids": [execution.trade_type_id for execution in executions],
        "destination_ids": [execution.destination_id for execution in executions],
        "quantities": [execution.quantity_ordered for execution in executions],
        "limit_prices": [execution.limit_price for execution in executions],
    }
    return {name: spelled_array(column) for name, column in columns.items()}


def _reference_ids(reference: ReferenceData) -> dict[str, Any]:
    """What `slice_and_claim` needs to know of reference data; no status NEW means no execution."""
    status_new = reference.statuses_by_name.get(STATUS_NEW)
    if status_new is None:
        return {"status_id": None, "type_names": "{}", "type_ids": "{}"}
    types = {name: one.id for name, one in reference.trade_types_by_name.items() if name in ORDER_TYPES}
    return {
        "status_id": status_new.id,
        "type_names": spelled_array(types, quoted=True),
        "type_ids": spelled_array(types.values()),
    }


def _columns_of_requesters(requesters: Sequence[Requester]) -> dict[str, Any]:
    """The distinct requesters, as columns, and for each submission the index of its requester, from 1."""
    places = {requester: place for place, requester in enumerate(dict.fromkeys(requesters), 1)}
    return {
        "asked_by": spelled_array([places[requester] for requester in requesters]),
        "actors": spelled_array([one.actor for one in places], quoted=True),
        "known_by": spelled_array([one.known_by for one in places], quoted=True),
        "addresses": spelled_array([one.address for one in places], quoted=True),
        "request_ids": spelled_array([one.request_id for one in places], quoted=True),
        "is_audited": requesters[0].is_audited,
    }


def _claimed(
    written: Sequence[tuple[Submission, asyncpg.Record]],
    attempt: NewAttempt,
    reference: ReferenceData,
) -> ClaimedSlices:
    """What was written, put together without reading it again, from rows of `slice_and_claim`."""
    slice_order, slices, items = slicer(reference), [], []
    budget_s, spent = attempt.give_up_after_ms / 1000, int(attempt.counted)
    for submission, row in written:
        # The rule refuses nothing here that the statement did not: a test holds one to the other.
        piece = slice_order(TradeOrder(*row[_ORDER_FROM:]), submission)
        one = _stored(piece, SubmissionState.CLAIMED, row[1:6])
        execution = one.execution
        trade_type = reference.trade_types[piece.execution.trade_type_id].abbreviation
        slices.append(one)
        items.append(
            ClaimedExecution(
                execution.id,
                trade_type,
                row["destination"],
                piece.order.security_id,
                execution.quantity_ordered,
                execution.limit_price,
                spent,
                budget_s,
            )
        )
    return ClaimedSlices(tuple(slices), Claim(tuple(items), (), written[0][1]["low_water_id"]))


def _stored(piece: Slice, state: SubmissionState, row: asyncpg.Record | tuple[Any, ...]) -> StoredExecution:
    """What was written, put together without reading it again; `row` as `write_slices` returns it."""
    _, execution_id, moment, version, order_version = row
    new = piece.execution
    # In the order of the fields: one by one and by name takes twice as long, and every execution pays it.
    execution = Execution(
        execution_id,
        moment,
        new.execution_status_id,
        new.blotter_id,
        new.trade_type_id,
        new.trade_order_id,
        new.destination_id,
        new.quantity_ordered,
        ZERO,
        ZERO,
        new.limit_price,
        None,
        version,
        state,
    )
    return StoredExecution(execution, msgspec.structs.replace(piece.order, version=order_version))
