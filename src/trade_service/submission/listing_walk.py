"""Reads the Execution Service's listing without gaps: newest first, whole pages, verified boundaries. Pure."""

from itertools import pairwise

import msgspec

from trade_service.submission.messages import RemoteExecution, RemoteExecutionPage

PAGE = 100
"""The largest page of the Execution Service (its contract)."""
BRIDGE_TRIES = 3
"""How often a page boundary is read again before the walk fails."""
IDLE_PAGES = 10_000
"""How many consecutive pages may show only newer rows."""


class Ask(msgspec.Struct, frozen=True):
    """A page to read. Its offset is a multiple of its limit: the service rounds down to whole pages."""

    offset: int
    limit: int


class ListingWalk:
    """Which page to read next, and down to which id every row was read. Drive it with `next_ask` and `take`.

    A page is one snapshot: it shows every row between its first and its last id. A page that overlaps what was
    read extends it without a gap, whatever was inserted or deleted meanwhile. Otherwise a page of another size,
    which straddles the boundary, must join both.
    """

    def __init__(self, low_water_id: int = 0) -> None:
        """Reads back to the first row at or below `low_water_id`; 0: to the end."""
        self._floor_id = low_water_id
        self._offset = 0
        self._held: RemoteExecutionPage | None = None
        """A whole page that did not overlap; the next page straddles its upper boundary."""
        self._tries = 0
        self._idle = 0
        self.covered: int | None = None
        """Every row with at least this id was read; None before the first row."""
        self.ended = False
        """Whether the last row of the listing was read."""
        self.problem = ""

    @property
    def read_down_to(self) -> int | None:
        """Every row with at least this id was read: 0 at the end, None when nothing was."""
        return 0 if self.ended else self.covered

    def next_ask(self) -> Ask | None:
        """The page to read next; None at the end or after a failure."""
        down_to = self.read_down_to
        if self.problem or (down_to is not None and down_to <= self._floor_id + 1):
            return None
        if self._held is None:
            return Ask(self._offset, PAGE)
        size = straddling_size(self._offset)
        return Ask(self._offset // size * size, size)

    def take(self, ask: Ask, page: RemoteExecutionPage) -> list[RemoteExecution]:
        """The rows of the answer to `ask` that extend what was read; each row comes once.

        Sets `problem` when nothing can be concluded from the page.
        """
        self.problem = page_problem(page, ask)
        if self.problem:
            return []
        if self._held is None:
            return self._take_page(page)
        return self._take_straddling(self._held, page)

    def _take_page(self, page: RemoteExecutionPage) -> list[RemoteExecution]:
        before = self.covered
        fresh = self._extend(page)
        if fresh is None:
            self._held = page
            return []
        self._idle = 0 if self.covered != before else self._idle + 1
        if self._idle >= IDLE_PAGES:
            self.problem = f"{IDLE_PAGES} pages of the listing in a row showed nothing but newer executions"
        self._go_on()
        return fresh

    def _take_straddling(self, held: RemoteExecutionPage, page: RemoteExecutionPage) -> list[RemoteExecution]:
        self._held = None
        boundary = self.covered
        fresh = self._extend(page)
        if self.ended:
            return fresh or []
        below = self._extend(held)
        if below is not None:
            self._go_on()
            return [*(fresh or []), *below]
        self._tries += 1
        if self._tries >= BRIDGE_TRIES:
            self.problem = (
                f"the listing changes too fast to be read without a gap: no page joins execution {boundary} and "
                f"those before it ({BRIDGE_TRIES} tries); it is read again later"
            )
        return fresh or []

    def _extend(self, page: RemoteExecutionPage) -> list[RemoteExecution] | None:
        """The rows of `page` that extend what was read; None if there may be a gap between them."""
        ids = [row.id or 0 for row in page.content]
        if self.covered is None:
            fresh = page.content
        elif ids and ids[0] >= self.covered - 1:
            # No id fits between two consecutive ones.
            fresh = [row for row in page.content if (row.id or 0) < (self.covered or 0)]
        else:
            return None
        if ids:
            self.covered = ids[-1] if self.covered is None else min(self.covered, ids[-1])
        self.ended = page.pagination is not None and page.pagination.has_next is False
        return fresh

    def _go_on(self) -> None:
        self._tries = 0
        self._offset += PAGE


def straddling_size(offset: int) -> int:
    """The page size that puts `offset` nearest to the middle of a page."""
    sizes = range(PAGE * 9 // 10, PAGE // 5, -1)
    return max(sizes, key=lambda size: min(offset % size, size - offset % size))


def page_problem(page: RemoteExecutionPage, ask: Ask) -> str:
    """Why nothing can be concluded from the answer to `ask`; empty if something can."""
    ids, limit = [row.id for row in page.content], ask.limit
    has_next = None if page.pagination is None else page.pagination.has_next
    total = None if page.pagination is None else page.pagination.total_elements
    if has_next is None:
        return "the listing does not say whether more executions follow (pagination.hasNext is missing)"
    if None in ids:
        return "the listing holds an execution without an id"
    if any(newer <= older for newer, older in pairwise(i or 0 for i in ids)):
        return "the listing is not sorted by descending id"
    if len(ids) > limit:
        return f"a page of at most {limit} executions holds {len(ids)}"
    if len(ids) < limit and has_next:
        return f"a page of {len(ids)} executions, not {limit}, says that more follow"
    reached = ask.offset + len(ids)
    # Fewer rows than were counted: this is another page than requested. Past the end it is empty.
    if not has_next and total is not None and (total > reached or (ids and total < reached)):
        return f"a page that ends at execution {reached} of {total} says that none follows"
    return ""
