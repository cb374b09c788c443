"""Translates violated constraints into errors of the trade."""

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from trade_service.domain.errors import DomainError
from trade_service.trading.ports import StaleReference


@contextmanager
def stale_references() -> Iterator[None]:
    """A row that was written refers to a deleted one: raises StaleReference."""
    try:
        yield
    except asyncpg.ForeignKeyViolationError as error:
        message = "a blotter, destination or trade type was deleted meanwhile: nothing was written, try again"
        raise StaleReference(message) from error


@contextmanager
def used_as(in_use: DomainError) -> Iterator[None]:
    """A row that was to be deleted is referred to: raises `in_use`."""
    try:
        yield
    except asyncpg.ForeignKeyViolationError as error:
        raise in_use from error


@contextmanager
def taken_as(taken: DomainError) -> Iterator[None]:
    """A unique value exists already: raises `taken`."""
    try:
        yield
    except asyncpg.UniqueViolationError as error:
        raise taken from error
