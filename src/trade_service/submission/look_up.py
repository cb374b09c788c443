"""One pass over the Execution Service's books: who is there, and how far back was read."""

from collections.abc import Iterable, Mapping
from itertools import pairwise

import msgspec

from trade_service.domain.executions import is_possible_id
from trade_service.submission.messages import RemoteExecution
from trade_service.submission.model import OpenItem
from trade_service.submission.ports import Listings

PAGE = 100
OVERLAP = 1
"""Pages shift while rows are inserted; each page has to show the last row of the one before."""


class LookUpPass(msgspec.Struct):
    """What one pass saw; ids are the Execution Service's."""

    found: dict[int, list[RemoteExecution]]
    """By our execution id, newest first."""
    top_id: int = 0
    read_down_to: int | None = None
    """Every row with at least this id was read; 0 when the pass reached the end, None when it saw nothing."""
    pages: int = 0
    problem: str = ""

    def is_complete_to(self, floor_id: int) -> bool:
        """Whether every row above `floor_id` was read."""
        return self.read_down_to is not None and self.read_down_to <= floor_id + 1


async def look_up(gateway: Listings, wanted: Iterable[int], floor_id: int, max_pages: int) -> LookUpPass:
    """Reads newest first, back to the first row at or below `floor_id`, collecting rows of `wanted`.

    A pass that fails, or that sees rows disappear between two pages, ends with its `problem` told.
    """
    seen = LookUpPass(found={execution_id: [] for execution_id in wanted})
    offset = 0
    last_id: int | None = None
    aligned = False
    while seen.pages < max_pages:
        listing = await gateway.list_newest(offset, PAGE)
        if listing.page is None:
            seen.problem = listing.message
            return seen
        rows = listing.page.content
        ids = [row.id or 0 for row in rows]
        seen.problem = _problem(ids, last_id, must_overlap=not aligned)
        if seen.problem:
            return seen
        _collect(seen, rows)
        if len(rows) < PAGE and listing.page.pagination is not None and listing.page.pagination.has_next:
            seen.problem = f"a page of {len(rows)} executions, not {PAGE}, says that more follow"
            return seen
        # Some versions round an offset down to a whole page: then the same page came again.
        aligned = aligned or (offset % PAGE != 0 and ids[-1:] == [last_id])
        # So many rows may have been inserted meanwhile that this page is all newer: go on from there.
        last_id = min(ids[-1], last_id or ids[-1]) if ids else None
        if last_id is None or len(rows) < PAGE or last_id <= floor_id:
            seen.read_down_to = floor_id + 1 if last_id is not None and last_id <= floor_id else 0
            return seen
        seen.read_down_to = last_id
        offset = (offset // PAGE + 1) * PAGE if aligned else offset + PAGE - OVERLAP
    seen.problem = f"not finished after {max_pages} pages"
    return seen


def agrees(item: OpenItem, remote: RemoteExecution) -> bool:
    """Whether a downstream row with our id is ours: ids restart when either database is reset."""
    return (
        remote.security_name == item.security_id
        and remote.trade_type == item.trade_type
        and remote.quantity == item.quantity
        and remote.destination == item.destination
    )


def matches(seen: LookUpPass, items: Iterable[OpenItem], floor_id: int) -> Mapping[int, list[int]]:
    """The downstream ids of each item, ascending: none, one, or more when it was accepted twice.

    Rows at or below `floor_id` were there before the attempt: they are another life's, however alike.
    """
    return {
        item.execution_id: sorted(
            {
                row.id
                for row in seen.found.get(item.execution_id, ())
                if row.id is not None and row.id > floor_id and agrees(item, row)
            }
        )
        for item in items
    }


def doubtful(seen: LookUpPass, item: OpenItem, floor_id: int) -> int | None:
    """The downstream id of a row that may be the item although it does not agree: it forbids absence.

    That is any that bears our id and came after a known floor: ids restarted long ago explain a stranger
    among old rows, not among those made since the attempt. Among old rows it is one whose terms are not all
    shown, and one of the same security: the earlier service may have sent another quantity than it stored,
    and a trade type that was deleted since is not known here any more.
    """
    for row in seen.found.get(item.execution_id, ()):
        if row.id is None or row.id <= floor_id or agrees(item, row):
            continue
        hidden = None in (row.security_name, row.trade_type, row.quantity, row.destination)
        if floor_id > 0 or hidden or row.security_name == item.security_id:
            return row.id
    return None


def _problem(ids: list[int], last_id: int | None, *, must_overlap: bool) -> str:
    """Why a page cannot follow one that ended at `last_id`; empty when it can."""
    impossible = next((i for i in ids if i < 1 or not is_possible_id(i)), None)
    if impossible is not None:
        return f"the listing holds the impossible id {impossible}"
    if any(newer <= older for newer, older in pairwise(ids)):
        return "the listing is not sorted by descending id"
    if must_overlap and last_id is not None and (not ids or ids[0] < last_id):
        return f"execution {last_id} disappeared from the listing between two pages"
    return ""


def _collect(seen: LookUpPass, rows: list[RemoteExecution]) -> None:
    seen.pages += 1
    for row in rows:
        seen.top_id = max(seen.top_id, row.id or 0)
        if row.trade_service_execution_id in seen.found:
            seen.found[row.trade_service_execution_id].append(row)
