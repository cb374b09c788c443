"""What a profile decides: how one kind of Execution Service validates, stores, renders and fails. Pure."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import Enum
from typing import Final, NamedTuple

from execution_simulator.columns import Amounts
from execution_simulator.ledger import Entry, Ledger
from execution_simulator.listing import Query
from execution_simulator.payloads import (
    ErrorBody,
    Execution,
    ExecutionPage,
    ExecutionPost,
    ExecutionPut,
    Pagination,
    Security,
)

STATUSES: Final = frozenset({"NEW", "PENDING", "FILLED", "CANCELLED", "REJECTED"})
TRADE_TYPES: Final = frozenset({"BUY", "SELL"})
MAX_BATCH_ITEMS: Final = 100
ZERO: Final = Decimal(0)
UNEXPECTED: Final = "An unexpected error occurred while processing your request"


class Refusal(NamedTuple):
    """Why an item fails validation: its JSON field, the violated rule, and the message of its result."""

    field: str
    rule: str
    message: str


class Broken(Enum):
    """An item that passes validation but fails in the database."""

    BROKEN = "the database rejects the row"


BROKEN: Final = Broken.BROKEN

Fate = Amounts | Refusal | Broken
"""The outcome of an item before any fault is injected."""


class Problem(Enum):
    """Why a request is answered without results."""

    UNREADABLE = "the body is not JSON of the expected shape"
    BAD_QUERY = "a query parameter is invalid"
    UNKNOWN_ID = "no such execution"
    OTHER_VERSION = "the version differs from the stored one"
    NO_ROUTE = "no such path, or the method is not allowed"


class Profile(ABC):
    """Base of the profiles. Subclasses are stateless, and every method is pure."""

    like_tomcat: bool
    """Chunked bodies, errors close the connection, and a JSON content type is required."""

    @abstractmethod
    def check_all(self, posts: Sequence[ExecutionPost | None], *, singly: bool) -> list[Fate]:
        """The outcome of each item; ``singly``: sent to the endpoint for one execution."""

    @abstractmethod
    def list_rule(self, items: int | None) -> str | None:
        """The rule that a list of this length violates, if any (None: no list)."""

    @abstractmethod
    def permanent_message(self, post: ExecutionPost) -> str:
        """The message of an item hit by an injected permanent failure."""

    @abstractmethod
    def version_of(self, post: ExecutionPost, singly: bool) -> int:
        """The version of a new row."""

    @abstractmethod
    def created(
        self, first_id: int, posts: Sequence[ExecutionPost], now_ns: int, *, singly: bool
    ) -> list[Execution]:
        """New executions as the answer shows them, with ids from ``first_id``."""

    @abstractmethod
    def stored(self, entry: Entry) -> Execution:
        """A row as a read shows it."""

    @abstractmethod
    def page(self, ledger: Ledger, query: Query) -> ExecutionPage:
        """One page. Raises `QueryError`."""

    @abstractmethod
    def fill_amounts(self, fill: ExecutionPut) -> tuple[Decimal, Decimal | None] | None:
        """Filled quantity and average price as stored; None if a column overflows."""

    @abstractmethod
    def error(
        self, status: int, message: str, path: str, now_ns: int, errors: Mapping[str, str] | None = None
    ) -> ErrorBody:
        """An error body; ``errors`` become ``validationErrors``."""

    @abstractmethod
    def problem(self, problem: Problem, detail: str, path: str, now_ns: int) -> tuple[int, ErrorBody | None]:
        """Status and body of an answer without results."""


def shown(
    source: ExecutionPost | Entry,
    execution_id: int,
    security: Security,
    received: str,
    sent: str | None,
    filled: Decimal,
    average_price: Decimal | None,
    version: int,
) -> Execution:
    """An execution on the wire, from the request that creates it or from its row."""
    return Execution(
        execution_id,
        source.execution_status or "",
        source.trade_type or "",
        source.destination or "",
        security,
        ZERO if source.quantity is None else source.quantity,
        source.limit_price,
        received,
        sent,
        source.trade_service_execution_id,
        filled,
        average_price,
        version,
        security.security_id,
        security.ticker,
    )


def pagination(query: Query, total: int, *, has_next: bool, has_previous: bool) -> Pagination:
    """The envelope of a page."""
    pages = -(-total // query.limit)
    return Pagination(
        query.offset, query.limit, total, pages, query.offset // query.limit, has_next, has_previous
    )


def letters_of(security_id: str) -> str:
    """The first five non-digits of a security id, which the service shows as the ticker of new executions."""
    return "".join(char for char in security_id if not char.isdigit())[:5]
