"""Where executions of a few states, or with a few reasons, are found: `execution` has no index on either.

Those that failed are in `failed_execution`; those that are open belong to open attempts, which have an index.
Only the text of statements.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum

from trade_service.domain.executions import OPEN, QUANTITY_RETURNED, SubmissionState
from trade_service.store.statements import expanded, fragments_of
from trade_service.trading.listing.model import CODE, SUBMISSION_STATE, Filter, Test

Conditions = Callable[[str, str], Sequence[str]]
"""The conditions on a field, for the expression that has its value."""


class FoundIn(StrEnum):
    """Where executions are found, without reading those in other states."""

    FAILED = "failed"
    REJECTED = "rejected"
    EXHAUSTED = "exhausted"
    QUEUED = "queued"
    """In attempts that wait for a sender, of which there may be very many."""
    SENT = "sent"
    """In the other open attempts, of which there are never many."""


_STATES: Mapping[FoundIn, frozenset[SubmissionState]] = {
    FoundIn.REJECTED: frozenset({SubmissionState.REJECTED}),
    FoundIn.EXHAUSTED: frozenset({SubmissionState.EXHAUSTED}),
    FoundIn.QUEUED: frozenset({SubmissionState.QUEUED}),
    FoundIn.SENT: OPEN,
}
_ONLY = {
    FoundIn.REJECTED: ["f.state = 'rejected'"],
    FoundIn.EXHAUSTED: ["f.state = 'exhausted'"],
    FoundIn.QUEUED: ["w.state = 'queued'"],
    FoundIn.SENT: ["w.state <> 'queued'"],
}
"""Words, not values: so the planner knows how many there are."""
_LEAD_TO_FEW = frozenset({"id", "tradeOrderId", "orderId", "executionServiceId"})
"""Fields whose index leads to few executions, whatever their states."""
_FAILED = """
SELECT f.execution_id AS id, f.state, NULL::uuid AS attempt_id FROM failed_execution f WHERE true
"""
_OPEN = """
SELECT u.id, NULL AS state, w.id AS attempt_id
FROM submission_attempt w CROSS JOIN LATERAL unnest(w.execution_ids) u(id)
WHERE w.next_action_at IS NOT NULL
"""
_OPEN_WITH_REASON = expanded(
    """
SELECT e.id, NULL AS state, e.attempt_id
FROM submission_attempt w
CROSS JOIN LATERAL unnest(w.execution_ids) u(id)
CROSS JOIN LATERAL (SELECT * FROM execution x WHERE x.id = u.id AND x.attempt_id = w.id OFFSET 0) e
{reasons}
WHERE w.next_action_at IS NOT NULL
""",
    fragments_of("shared"),
)
_REASON = f"nullif({fragments_of('shared')['reason_shown']}, '')"
_IS_THERE = """(
    {e}.submission_state = found.state
    OR {e}.attempt_id = found.attempt_id AND {e}.submission_state IN ('queued', 'claimed', 'retry', 'unknown'))"""
_NOTHING = "SELECT NULL::int AS id, NULL AS state, NULL::uuid AS attempt_id WHERE false"


def places_of(filters: Iterable[Filter]) -> tuple[FoundIn, ...] | None:
    """Where all executions are found that meet the filters; None when that needs the executions themselves.

    Most executions are accepted, so those are found soon among all. An execution has a reason only in a state that
    has a place.
    """
    states: set[str] = set(SubmissionState)
    with_reason = False
    for one in filters:
        if one.test is Test.ANY_OF and one.field in _LEAD_TO_FEW:
            return None
        if one.field == SUBMISSION_STATE:
            states &= {str(value).lower() for value in one.values}
        with_reason = with_reason or one.field == CODE
    if not with_reason and states & {SubmissionState.ACCEPTED, SubmissionState.NONE}:
        return None
    if states >= QUANTITY_RETURNED:
        return (
            FoundIn.FAILED,
            *(place for place in (FoundIn.QUEUED, FoundIn.SENT) if states & _STATES[place]),
        )
    return tuple(place for place, held in _STATES.items() if states & held)


def executions_found(
    places: Iterable[FoundIn], conditions: Conditions, order: str, *, of_few_orders: bool
) -> str:
    """Selects from the executions of these places as `e`, by `found.id` in order if one is wanted: ASC or DESC.

    The conditions on id and code are met; that on the state has still to be tested. Where an index leads to
    the orders, the planner may begin with those instead, and nothing is in order.
    """
    parts = [_part(place, conditions) for place in places]
    union = "\nUNION ALL\n".join(parts) or _NOTHING
    if of_few_orders:
        return f"({union}) found JOIN execution e ON e.id = found.id AND {_IS_THERE.format(e='e')}"
    # Sorted before they are read: a page reads no more executions than it needs.
    found = f"(SELECT * FROM ({union}) c ORDER BY c.id {order} OFFSET 0)" if order else f"({union})"
    held = f"SELECT * FROM execution x WHERE x.id = found.id AND {_IS_THERE.format(e='x')} OFFSET 0"
    return f"{found} found CROSS JOIN LATERAL ({held}) e"


def _part(place: FoundIn, conditions: Conditions) -> str:
    only = _ONLY.get(place, [])
    if place in (FoundIn.FAILED, FoundIn.REJECTED, FoundIn.EXHAUSTED):
        met = [*conditions("id", "f.execution_id"), *conditions(CODE, "nullif(f.code, '')")]
        return _and(_FAILED, [*only, *met])
    if not (with_reason := conditions(CODE, _REASON)):
        return _and(_OPEN, [*only, *conditions("id", "u.id")])
    # First the cheap question: most open attempts have no reason, or another one.
    known = " AND ".join(conditions(CODE, "c.code"))
    possible = (
        f"EXISTS (SELECT FROM unnest(w.finding_codes || ARRAY[w.code, 'RESOLVED']) c(code) WHERE {known})"
    )
    return _and(_OPEN_WITH_REASON, [*only, possible, *conditions("id", "u.id"), *with_reason])


def _and(text: str, conditions: Sequence[str]) -> str:
    return " AND ".join([text.strip(), *conditions])
