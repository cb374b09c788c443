"""What the database's constraints say, in terms of the trade."""

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
from sqlalchemy.exc import DBAPIError

from trade_service.domain.errors import DomainError
from trade_service.store.failures import sqlstate
from trade_service.trading.ports import StaleReference

_FOREIGN_KEY_VIOLATION = "23503"
_UNIQUE_VIOLATION = "23505"


@contextmanager
def stale_references() -> Iterator[None]:
    """Turns the violation of a foreign key by a row that was written into StaleReference."""
    message = "a blotter, destination or trade type was deleted meanwhile: nothing was written, try again"
    with _as(_FOREIGN_KEY_VIOLATION, StaleReference(message)):
        yield


@contextmanager
def used_as(error: DomainError) -> Iterator[None]:
    """Turns the violation of a foreign key by a deletion into `error`."""
    with _as(_FOREIGN_KEY_VIOLATION, error):
        yield


@contextmanager
def taken_as(error: DomainError) -> Iterator[None]:
    """Turns the violation of a unique index into `error`."""
    with _as(_UNIQUE_VIOLATION, error):
        yield


@contextmanager
def _as(state: str, told: Exception) -> Iterator[None]:
    try:
        yield
    except (DBAPIError, asyncpg.PostgresError) as error:
        if sqlstate(error) != state:
            raise
        raise told from error
