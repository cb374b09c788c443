"""Classifies every error of driver and server: the database is unavailable, or it is a defect."""

from inspect import isclass

import asyncpg
import pytest

from trade_service.store.database import Database
from trade_service.store.failures import (
    DRIVER_ERRORS,
    DRIVER_ROOTS,
    SQLSTATE_CLASSES,
    SQLSTATES,
    Meaning,
    meaning_of,
)
from trade_service.store.statements import Statement
from trade_service.store.store_settings import StoreSettings
from trade_service.submission.ports import StoreUnavailable

RAISED = sorted(
    {
        kind
        for kind in vars(asyncpg.exceptions).values()
        if isclass(kind) and issubclass(kind, Exception) and not issubclass(kind, Warning)
    },
    key=lambda kind: kind.__name__,
)


def test_asyncpg_has_the_errors_that_were_looked_at() -> None:
    assert len(RAISED) > 250


@pytest.mark.parametrize("kind", RAISED)
def test_every_error_of_asyncpg_is_decided(kind: type[Exception]) -> None:
    state = getattr(kind, "sqlstate", None)
    assert kind in DRIVER_ERRORS or (state is not None and state[:2] in SQLSTATE_CLASSES), (
        f"asyncpg can raise {kind.__name__} (SQLSTATE {state}): say in store/failures.py what it means"
    )
    assert issubclass(kind, DRIVER_ROOTS)


def test_no_line_of_the_tables_is_for_nothing() -> None:
    states = {getattr(kind, "sqlstate", None) or "" for kind in RAISED}
    assert set(SQLSTATE_CLASSES) <= {state[:2] for state in states} | {
        "01",
        "02",
    }  # those two are of warnings
    assert all(SQLSTATE_CLASSES[state[:2]] is not meaning for state, meaning in SQLSTATES.items())
    assert set(DRIVER_ERRORS) <= set(RAISED)


@pytest.mark.parametrize(
    ("state", "meaning"),
    [
        ("08006", Meaning.AWAY), ("08P01", Meaning.AWAY), ("25006", Meaning.AWAY), ("28P01", Meaning.AWAY),
        ("3D000", Meaning.AWAY), ("40001", Meaning.AWAY), ("40P01", Meaning.AWAY), ("53100", Meaning.AWAY),
        ("53300", Meaning.AWAY), ("55P03", Meaning.AWAY), ("57014", Meaning.AWAY), ("57P01", Meaning.AWAY),
        ("57P03", Meaning.AWAY), ("58030", Meaning.AWAY), ("25P03", Meaning.AWAY), ("XX000", Meaning.AWAY),
        ("22003", Meaning.DEFECT), ("22021", Meaning.DEFECT), ("23505", Meaning.DEFECT),
        ("23514", Meaning.DEFECT), ("25P02", Meaning.DEFECT), ("42601", Meaning.DEFECT),
        ("42501", Meaning.DEFECT), ("42P01", Meaning.DEFECT), ("XX001", Meaning.DEFECT),
        ("ZZ999", Meaning.DEFECT),
    ],
)  # fmt: skip
def test_what_a_state_means(state: str, meaning: Meaning) -> None:
    error = asyncpg.PostgresError.new({"C": state, "M": "why"})
    assert meaning_of(error) is meaning


@pytest.mark.parametrize("kind", [asyncpg.InterfaceError, asyncpg.TargetServerAttributeNotMatched])
async def test_what_the_driver_raises_itself_means_the_same(
    database: Database, kind: type[Exception]
) -> None:
    with pytest.raises(StoreUnavailable, match="why"):
        async with database.session():
            raise kind("why")


@pytest.mark.parametrize(
    ("statement", "state"),
    [
        ("SELECT :value::int", "22000"),
        ("SELECT 1 / (:value::int - :value)", "22012"),
        ("SELECT :value::int FROM no_such_table", "42P01"),
    ],
)
async def test_a_defect_is_shown_as_what_it_is(database: Database, statement: str, state: str) -> None:
    """A value that does not fit, a division by zero, a missing table: repeating does not help."""
    value = 2**40 if state == "22000" else 1
    with pytest.raises(asyncpg.PostgresError) as caught:
        await database.fetch(Statement.parsed(statement), value=value)
    assert meaning_of(caught.value) is Meaning.DEFECT
    assert caught.value.sqlstate == state


async def test_a_plan_from_before_a_migration_is_made_anew(database_url: str) -> None:
    """A replica gets this error when another one adds a column."""
    everything = Statement.parsed("SELECT * FROM blotter")
    async with Database(StoreSettings(database_url, pool_size=1)) as database:
        for extra in ("one", "two"):
            await database.fetch(everything)
            link = await asyncpg.connect(database_url)
            await link.execute(f"ALTER TABLE blotter ADD COLUMN {extra} integer")
            await link.close()
            if extra == "one":
                rows = await database.fetch(everything)
            else:
                with pytest.raises(StoreUnavailable, match="cached statement plan is invalid"):
                    async with database.transaction() as session:
                        await session.fetch(everything)
                rows = await database.fetch(everything)
            assert extra in rows[0]
