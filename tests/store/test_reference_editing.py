"""Reference data changed by clients, on real PostgreSQL."""

import asyncio

import pytest

from tests.support.rows import insert_executions, insert_orders
from tests.support.trading import Desk, desk_on, run_sql, value_of
from trade_service.domain.errors import AlreadyExists, InUse, InvalidInput, NotFound, VersionConflict
from trade_service.domain.orders import Submission
from trade_service.domain.reference import (
    BLOTTER,
    DESTINATION,
    EXECUTION_STATUS,
    TRADE_TYPE,
    Blotter,
    Destination,
    ReferenceKind,
    ReferenceValues,
)
from trade_service.store.database import Database
from trade_service.trading.model import NotAccepted

KINDS = [BLOTTER, TRADE_TYPE, DESTINATION, EXECUTION_STATUS]
kinds = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.thing)


@kinds
async def test_created_read_changed_and_deleted(database: Database, kind: ReferenceKind) -> None:
    async with desk_on(database) as desk:
        editor = desk.editors.references
        before = await editor.get_all(kind)
        made = await editor.create(kind, ReferenceValues(" NEU ", "New one"))
        assert (made.abbreviation, made.version) == ("NEU", 1)
        assert await editor.get_all(kind) == [*before, made]
        changed = await editor.update(kind, made.id, 1, ReferenceValues("NEUER", "Newer"))
        assert changed == kind.shape(made.id, "NEUER", "Newer", 2)
        assert await editor.get(kind, made.id) == changed
        with pytest.raises(VersionConflict):
            await editor.delete(kind, made.id, 1)
        await editor.delete(kind, made.id, 2)
        assert await editor.get_all(kind) == before
        for refused in (
            editor.get(kind, made.id),
            editor.update(kind, made.id, 2, ReferenceValues("X", "X")),
            editor.delete(kind, made.id, 2),
        ):
            with pytest.raises(NotFound, match=f"{kind.thing} {made.id} does not exist"):
                await refused


@kinds
async def test_a_taken_abbreviation_is_refused(database: Database, kind: ReferenceKind) -> None:
    async with desk_on(database) as desk:
        editor = desk.editors.references
        first = (await editor.get_all(kind))[0]
        with pytest.raises(AlreadyExists, match=f"taken by {kind.thing} {first.id}"):
            await editor.create(kind, ReferenceValues(first.abbreviation, "Twin"))
        made = await asyncio.gather(
            *(editor.create(kind, ReferenceValues("RACE", "One of many")) for _ in range(4)),
            return_exceptions=True,
        )
        assert sorted(isinstance(one, AlreadyExists) for one in made) == [False, True, True, True]
        for values, field in (
            (ReferenceValues(" ", "x"), "abbreviation"),
            (ReferenceValues("A" * 21, "x"), "abbreviation"),
            (ReferenceValues("A", "x" * 101), kind.text_field),
        ):
            with pytest.raises(InvalidInput) as refused:
                await editor.create(kind, values)
            assert refused.value.details["field"] == field


@kinds
async def test_used_rows_are_neither_deleted_nor_renamed(database: Database, kind: ReferenceKind) -> None:
    async with desk_on(database) as desk:
        editor = desk.editors.references
        made = await editor.create(kind, ReferenceValues("USED", "Used"))
        [execution_id] = await insert_executions(database, 1, "accepted")
        column = {"execution status": "execution_status_id"}.get(
            kind.thing, f"{kind.thing}_id".replace(" ", "_")
        )
        query = f"UPDATE execution SET {column} = {made.id} RETURNING id"
        await run_sql(database, query)
        with pytest.raises(
            InUse, match=f"{made.id} is used by execution {execution_id}, .* cannot be deleted"
        ):
            await editor.delete(kind, made.id, 1)
        assert (await editor.update(kind, made.id, 1, ReferenceValues("USED", "Renamed"))).version == 2
        renaming = editor.update(kind, made.id, 2, ReferenceValues("OTHER", "Renamed"))
        if kind is BLOTTER:
            assert (await renaming).abbreviation == "OTHER"
        else:
            with pytest.raises(InUse, match=r"must keep its abbreviation, 'USED'"):
                await renaming
        assert await value_of(database, f"SELECT {column} FROM execution") == made.id


async def test_a_blotter_with_orders_is_not_deleted(database: Database) -> None:
    async with desk_on(database) as desk:
        [order_id] = await insert_orders(database)
        with pytest.raises(InUse, match=f"blotter 2 is used by trade order {order_id}"):
            await desk.editors.references.delete(BLOTTER, 2, 1)


@pytest.mark.parametrize(
    ("kind", "identity", "text"),
    [(EXECUTION_STATUS, 1, "New"), (EXECUTION_STATUS, 2, "Sent"), (TRADE_TYPE, 3, "Sell to Open")],
)
async def test_rows_that_submission_needs_stay(
    database: Database, kind: ReferenceKind, identity: int, text: str
) -> None:
    async with desk_on(database) as desk:
        editor = desk.editors.references
        name = (await editor.get(kind, identity)).abbreviation
        with pytest.raises(InUse, match=f"is {name}, without which nothing can be submitted"):
            await editor.update(kind, identity, 1, ReferenceValues("OTHER", text))
        with pytest.raises(InUse, match="cannot be deleted"):
            await editor.delete(kind, identity, 1)
        assert (await editor.update(kind, identity, 1, ReferenceValues(name, "Described"))).version == 2


async def another_replica(desk: Desk) -> None:
    """A replica whose cache is filled and still valid."""
    await desk.orders.get_order((await desk.order()).id)


async def test_replicas_see_each_others_changes(database: Database) -> None:
    async with desk_on(database) as one, desk_on(database, owner="two") as two:
        await another_replica(two)
        made = await one.editors.references.create(DESTINATION, ReferenceValues("NEU", "New one"))
        assert made in await two.editors.references.get_all(DESTINATION)
        order = await one.order()
        changed = await one.editors.references.update(
            DESTINATION, made.id, 1, ReferenceValues("NEUER", "Newer")
        )
        # Sent under the name that it has now, whatever the other replica remembers.
        submitted = await two.orders.submit_order(Submission(order.id, order.quantity, made.id))
        assert submitted.error is None
        assert [row.destination for row in two.gateway.ledger] == ["NEUER"]
        assert await two.editors.references.get(DESTINATION, made.id) == changed


async def test_a_destination_deleted_by_another_replica_gets_no_execution(database: Database) -> None:
    async with desk_on(database) as one, desk_on(database, owner="two") as two:
        made = await one.editors.references.create(DESTINATION, ReferenceValues("GONE", "Soon"))
        assert isinstance(await two.editors.references.get(DESTINATION, made.id), Destination)
        await one.editors.references.delete(DESTINATION, made.id, 1)
        order = await one.order()
        answer = await two.orders.submit_order(Submission(order.id, order.quantity, made.id))
        assert isinstance(answer.error, InvalidInput)
        assert not isinstance(answer.error, NotAccepted)
        assert answer.error.details["field"] == "destinationId"


async def test_a_change_is_visible_in_this_process_at_once(database: Database) -> None:
    async with desk_on(database) as desk:
        editor = desk.editors.references
        order = await desk.order()
        assert order.blotter_id == 2
        renamed = await editor.update(BLOTTER, 2, 1, ReferenceValues("EQ", "Shares"))
        assert isinstance(renamed, Blotter)
        assert (await desk.orders.get_order(order.id))[1] == renamed
