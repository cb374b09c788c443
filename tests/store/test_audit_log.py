"""The audit log in PostgreSQL: append-only, in the transaction of the change, read in bounded pages."""

from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from tests.support.attempts import claimed, new_attempt
from tests.support.requesters import asked_by
from tests.support.rows import insert_executions, store_on
from tests.support.trading import new_order, run_sql, ticket, value_of
from trade_service.domain.access import KnownBy, Requester
from trade_service.domain.errors import AlreadyExists
from trade_service.domain.orders import Submission
from trade_service.domain.reference import ReferenceData
from trade_service.store import audit_log_store
from trade_service.store.audit_log_store import PostgresAuditEntries, record
from trade_service.store.database import Database
from trade_service.store.execution_reads import PostgresExecutionReads
from trade_service.store.order_store import PostgresOrderStore
from trade_service.store.reference_store import PostgresReferenceReads
from trade_service.trading.audit_log import MAX_IDS, Action, AuditEntry, AuditFilter, ObjectKind

ANN = Requester("ann", KnownBy.API_KEY, "10.0.0.7", "r-1", is_audited=True)
ALL = AuditFilter()


async def entries(database: Database, wanted: AuditFilter = ALL) -> tuple[AuditEntry, ...]:
    return (await PostgresAuditEntries(database).page(wanted, None, 1000)).entries


async def add(database: Database, requester: Requester, ids: list[int]) -> None:
    with asked_by(requester):
        async with database.transaction() as session:
            await record(session, Action.UPDATE, ObjectKind.TRADE_ORDER, ids)


@pytest.mark.parametrize(
    "statement",
    ["UPDATE audit_log SET actor = 'eve'", "DELETE FROM audit_log", "TRUNCATE audit_log"],
)
async def test_entries_are_only_added(database: Database, statement: str) -> None:
    await add(database, ANN, [1])
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
        await run_sql(database, statement)
    assert [one.actor for one in await entries(database)] == ["ann"]


async def test_an_entry_has_who_when_from_where_and_what(database: Database) -> None:
    before = await value_of(database, "SELECT now()")
    with asked_by(ANN):
        (order,) = await PostgresOrderStore(database, "one").create([new_order(1)])
    (entry,) = await entries(database)
    assert (entry.actor, entry.known_by, entry.address, entry.request_id) == (
        "ann", "api-key", "10.0.0.7", "r-1",
    )  # fmt: skip
    assert (entry.action, entry.object, entry.object_ids, entry.object_count) == (
        "create", "tradeOrder", [order.id], 1,
    )  # fmt: skip
    assert before < entry.at <= await value_of(database, "SELECT now()")


async def test_what_is_rolled_back_leaves_no_entry(database: Database) -> None:
    store = PostgresOrderStore(database, "one")
    await store.create([new_order(1)])
    with asked_by(ANN), pytest.raises(AlreadyExists):
        await store.create([new_order(2), new_order(1)])
    assert await entries(database) == ()


async def test_nothing_is_recorded_for_those_who_are_not_audited(database: Database) -> None:
    store = PostgresOrderStore(database, "one")
    await store.create([new_order(1)])
    with asked_by(Requester("ann", KnownBy.COMMAND)):
        await store.create([new_order(2)])
    assert await entries(database) == ()


async def test_a_claim_records_who_asked_for_what_nothing_had_queued(database: Database) -> None:
    first, second, third, queued = await insert_executions(database, 4)
    with asked_by(ANN):
        await PostgresExecutionReads(database, "one", 0).enqueue([queued], ticket())
    bob = Requester("bob", KnownBy.TOKEN, "10.0.0.8", "r-2", is_audited=True)
    askers = {first: ANN, second: ANN, third: bob, queued: bob}
    await claimed(store_on(database), [first, second, third, queued], submitted_by=askers)
    found = [(one.actor, one.request_id, one.object_ids) for one in await entries(database)]
    assert sorted(found) == [
        ("ann", "r-1", [first, second]),
        ("ann", "r-1", [queued]),
        ("bob", "r-2", [third]),
    ]


async def test_slices_without_a_send_are_created_not_submitted(
    database: Database, store: PostgresOrderStore, reference: ReferenceData
) -> None:
    first, second = await store.create([new_order(1), new_order(2)])
    with asked_by(ANN):
        await store.submit([Submission(first.id, first.quantity, 1)], None, reference)
        await store.submit([Submission(second.id, second.quantity, 1)], ticket(), reference)
    newest, oldest = await entries(database)
    assert (newest.action, newest.trade_order_ids) == ("submit", [second.id])
    assert (oldest.action, oldest.trade_order_ids) == ("create", [first.id])


async def test_ids_are_bounded_and_counted(database: Database) -> None:
    await add(database, ANN, list(range(1, MAX_IDS + 2)))
    (entry,) = await entries(database)
    assert (len(entry.object_ids), entry.object_count) == (100, MAX_IDS)
    assert entry.details == {"count": MAX_IDS + 1}


async def test_a_page_looks_at_a_bounded_number_of_entries(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_log_store, "_LOOKED_AT", 10)
    await add(database, ANN, [7])
    for n in range(25):
        await add(database, Requester("bob", is_audited=True), [n])
    log, place, pages = PostgresAuditEntries(database), None, list[list[Any]]()
    while not pages or place is not None:
        page = await log.page(AuditFilter(actor="ann"), place, 5)
        place = page.next
        pages.append([one.object_ids for one in page.entries])
    assert pages == [[], [], [[7]]]


async def test_an_object_is_found_with_its_executions(database: Database) -> None:
    with asked_by(ANN):
        async with database.transaction() as session:
            await record(session, Action.SUBMIT, ObjectKind.EXECUTION, [5], trade_order_ids=[7])
            await record(session, Action.UPDATE, ObjectKind.TRADE_ORDER, [7])
            await record(session, Action.UPDATE, ObjectKind.BLOTTER, [7])

    async def found(kind: ObjectKind | None, identity: int) -> list[str]:
        wanted = AuditFilter(object=kind, object_id=identity)
        return [one.object for one in await entries(database, wanted)]

    assert await found(ObjectKind.TRADE_ORDER, 7) == ["tradeOrder", "execution"]
    assert await found(ObjectKind.EXECUTION, 7) == []
    assert await found(ObjectKind.EXECUTION, 5) == ["execution"]
    assert await found(ObjectKind.BLOTTER, 7) == ["blotter"]
    assert await found(None, 7) == ["blotter", "tradeOrder", "execution"]


async def test_requests_that_share_a_claim_have_an_entry_each(database: Database) -> None:
    store = PostgresOrderStore(database, "one")
    reference = await PostgresReferenceReads(database).load()
    orders = await store.create([new_order(number) for number in (1, 2, 3)])
    odd = r'{b"o\b\\", NULL}'
    bob = Requester(odd, KnownBy.API_KEY, "10.0.0.8", None, is_audited=True)
    wishes = [Submission(order.id, Decimal(1), 1) for order in orders]
    claimed = await store.slice_and_claim(wishes, new_attempt(), reference, [ANN, bob, ANN])
    assert claimed is not None
    ids = [one.execution.id for one in claimed.slices]
    found = {one.actor: one for one in await entries(database) if one.action == "submit"}
    assert {actor: one.object_ids for actor, one in found.items()} == {
        "ann": [ids[0], ids[2]],
        odd: [ids[1]],
    }
    assert (found[odd].known_by, found[odd].address, found[odd].request_id) == ("api-key", "10.0.0.8", None)
    assert found["ann"].request_id == "r-1"
