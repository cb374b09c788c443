"""What a profile decides: how one kind of Execution Service checks, counts, writes and fails. Pure."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import Enum
from typing import Protocol

from execution_simulator.books import Books, Entry
from execution_simulator.checks import Fate
from execution_simulator.listing import Query
from execution_simulator.messages import ErrorBody, Execution, ExecutionPage, ExecutionPost, ExecutionPut


class Problem(Enum):
    """What is wrong with a request that no result answers."""

    UNREADABLE = "the body is no JSON of the expected shape"
    BAD_QUERY = "a query parameter breaks its rule"
    UNKNOWN_ID = "there is no such execution"
    OTHER_VERSION = "the version is not the stored one"
    NO_ROUTE = "there is no such path, or not with this method"


class Manners(Protocol):
    """One profile. Without state; every method is pure."""

    like_tomcat: bool
    """Bodies are chunked, errors close the connection, and a body must be called JSON."""

    def check_all(self, posts: Sequence[ExecutionPost | None], *, singly: bool) -> list[Fate]:
        """What becomes of each item; ``singly``: it came by the call that takes one execution."""
        ...

    def list_rule(self, items: int | None) -> str | None:
        """The rule that a list of so many items breaks, if any (None: no list)."""
        ...

    def permanent_message(self, post: ExecutionPost) -> str:
        """What an item's result says that an injected lasting failure hit."""
        ...

    def version_of(self, post: ExecutionPost, singly: bool) -> int:
        """The version of a new row."""
        ...

    def created(
        self, first_id: int, posts: Sequence[ExecutionPost], now_ns: int, *, singly: bool
    ) -> list[Execution]:
        """New executions as the answer shows them; the first one has the id ``first_id``."""
        ...

    def stored(self, entry: Entry) -> Execution:
        """A row as a read shows it."""
        ...

    def page(self, books: Books, query: Query) -> ExecutionPage:
        """One page. Raises `QueryError`."""
        ...

    def fill_amounts(self, fill: ExecutionPut) -> tuple[Decimal, Decimal | None] | None:
        """Quantity filled and average price as they are stored; None when a column overflows."""
        ...

    def error(
        self, status: int, message: str, path: str, now_ns: int, errors: Mapping[str, str] | None = None
    ) -> ErrorBody:
        """An error body; ``errors`` go into ``validationErrors``."""
        ...

    def problem(self, problem: Problem, detail: str, path: str, now_ns: int) -> tuple[int, ErrorBody | None]:
        """Status and body of an answer without results."""
        ...
