"""The audit: is what our books say the same as what the Execution Service's books say? Pure.

Downstream rows come once each, in any order, beside our own row of the same execution; then our accepted
executions come, ascending. What is remembered in between are two sets of ids, so that a million executions
take some hundred kilobytes.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

import msgspec

from trade_service.domain.executions import SubmissionState, is_service_id
from trade_service.domain.money import shown
from trade_service.submission.look_up import same_identifier
from trade_service.submission.messages import RemoteExecution
from trade_service.trading.seen_ids import SeenIds

CLOCK_SKEW = timedelta(minutes=5)
"""By how much the clocks of the two services may differ."""
SHOWN = 100
"""Findings of a kind that are kept one by one; all of them are counted."""
_REMEMBERED = 10_000

_IN_FLIGHT = frozenset({SubmissionState.CLAIMED, SubmissionState.UNKNOWN})


class FindingKind(StrEnum):
    """What an audit finds wrong."""

    UNBALANCED = "unbalanced"
    """Submitted executions are not the sum of those in each state."""
    QUANTITY = "quantity"
    """An order's quantitySent is not the sum over its executions."""
    NO_ID = "accepted_without_id"
    STRANDED = "stranded"
    """Not final, and no attempt will ever drive it on."""
    TWICE = "accepted_twice"
    MISSING = "missing_downstream"
    EXTRA = "extra_downstream"
    """Accepted there, while our books say that it was not."""
    DIFFERENT = "different"
    IMPOSSIBLE_ID = "impossible_id"
    """A downstream row under an id that cannot be, such as one beyond 32 bits."""


class NoteKind(StrEnum):
    """What an audit mentions and nobody has to mend."""

    IN_FLIGHT = "in_flight"
    FOREIGN = "foreign"
    """Downstream rows of other senders."""
    EARLIER_LIFE = "earlier_life"
    """Downstream rows older than the execution of their number: our database was set up anew since."""
    OLD_ROWS = "old_rows"
    """Written by the earlier service."""
    OLD_ORDERS = "old_orders"
    """Orders of the earlier service whose quantitySent is not the sum over their executions."""
    IDLE_ATTEMPTS = "idle_attempts"
    """Open attempts that own nothing any more; recovery closes them when they are due."""


class Finding(msgspec.Struct, frozen=True, rename="camel"):
    """One thing that is wrong; `id` is our execution's, or the trade order's for QUANTITY."""

    kind: FindingKind
    id: int | None
    message: str


class OwnExecution(msgspec.Struct, frozen=True):
    """An execution as our books have it."""

    id: int
    state: SubmissionState | None
    """None for a row of the earlier service that nobody took over."""
    execution_service_id: int | None
    created: datetime
    trade_type: str | None
    security_id: str
    quantity: Decimal
    destination: str


class AcceptedExecution(msgspec.Struct, frozen=True):
    """An execution that our books call accepted; `old` when the earlier service sent it."""

    id: int
    execution_service_id: int | None
    old: bool


class AuditLog:
    """Findings and notes: all counted, the first of each kind kept."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.counts: Counter[FindingKind] = Counter()
        self.notes: Counter[NoteKind] = Counter()

    def find(self, kind: FindingKind, identity: int | None, message: str) -> None:
        """Notes something wrong."""
        self.counts[kind] += 1
        if self.counts[kind] <= SHOWN:
            self.findings.append(Finding(kind, identity, message))

    def set_count(self, kind: FindingKind, count: int) -> None:
        """Says how many there are of a kind of which only the first were noted one by one."""
        self.counts[kind] = max(count, self.counts[kind])

    @property
    def is_clean(self) -> bool:
        """Whether nothing is wrong."""
        return not self.counts.total()


class BooksComparison:
    """Compares the Execution Service's books with ours, row by row."""

    def __init__(self, log: AuditLog) -> None:
        self._log = log
        self._seen = SeenIds()
        """Executions that have a row downstream."""
        self._matched = SeenIds()
        """Those that have it under the id that we know."""
        self._other_ids: dict[int, int] = {}
        self.rows = 0

    def compare(self, rows: Iterable[RemoteExecution], own: Mapping[int, OwnExecution]) -> None:
        """Takes downstream rows, and our executions of those numbers."""
        for row in rows:
            self.rows += 1
            if not is_service_id(row.id or 0):
                whose = row.trade_service_execution_id
                message = f"the Execution Service holds execution {whose} under the impossible id {row.id}"
                self._log.find(FindingKind.IMPOSSIBLE_ID, whose, message)
                continue
            ours = own.get(row.trade_service_execution_id or 0)
            if ours is None:
                self._log.notes[NoteKind.FOREIGN] += 1
            elif row.id != ours.execution_service_id and _is_older(row, ours):
                self._log.notes[NoteKind.EARLIER_LIFE] += 1
            else:
                self._compare_one(row, ours)

    def is_missing(self, accepted: AcceptedExecution) -> bool:
        """Whether no downstream row came for an accepted execution; tells one known by another id."""
        if accepted.id in self._matched:
            return False
        if accepted.id not in self._seen:
            return True
        if accepted.execution_service_id is not None:
            other = self._other_ids.get(accepted.id)
            message = (
                f"execution {accepted.id}: its executionServiceId is {accepted.execution_service_id} here "
                f"and {'another' if other is None else other} there"
            )
            self._log.find(FindingKind.DIFFERENT, accepted.id, message)
        return False

    def tell_missing(self, missing: Sequence[AcceptedExecution]) -> None:
        """Tells accepted executions that really have no row downstream."""
        for accepted in missing:
            if accepted.old:
                self._log.notes[NoteKind.OLD_ROWS] += 1
                continue
            known = accepted.execution_service_id
            message = (
                f"execution {accepted.id}: accepted here{'' if known is None else f' as {known}'}, and the "
                "Execution Service does not have it"
            )
            self._log.find(FindingKind.MISSING, accepted.id, message)

    def _compare_one(self, row: RemoteExecution, ours: OwnExecution) -> None:
        for difference in _differences(row, ours):
            self._log.find(
                FindingKind.DIFFERENT, ours.id, f"execution {ours.id} ({row.id} there): {difference}"
            )
        known = row.id == ours.execution_service_id
        if known:
            self._matched.add(ours.id)
        if not self._seen.add(ours.id):
            other = ours.execution_service_id if not known else self._other_ids.get(ours.id)
            message = (
                f"execution {ours.id}: accepted as {row.id} and also as "
                f"{'another' if other in (None, row.id) else other}: cancel one of the two there"
            )
            self._log.find(FindingKind.TWICE, ours.id, message)
            return
        if not known and len(self._other_ids) < _REMEMBERED:
            self._other_ids[ours.id] = row.id or 0
        self._judge_state(row, ours)

    def _judge_state(self, row: RemoteExecution, ours: OwnExecution) -> None:
        if ours.state is None:
            self._log.notes[NoteKind.OLD_ROWS] += 1
        elif ours.state in _IN_FLIGHT:
            self._log.notes[NoteKind.IN_FLIGHT] += 1
        elif ours.state is not SubmissionState.ACCEPTED:
            message = (
                f"execution {ours.id}: the Execution Service has it as {row.id}, and here it is {ours.state}"
            )
            self._log.find(FindingKind.EXTRA, ours.id, message)


def _differences(row: RemoteExecution, ours: OwnExecution) -> list[str]:
    texts = {
        "security": (ours.security_id, row.security_name),
        "trade type": (ours.trade_type, row.trade_type),
        "destination": (ours.destination, row.destination),
    }
    told = [
        f"{name} is {here} here and {there} there"
        for name, (here, there) in texts.items()
        if not same_identifier(here, there)
    ]
    if ours.quantity != row.quantity:
        told.append(f"quantity is {shown(ours.quantity)} here and {shown(row.quantity)} there")
    return told


def _is_older(row: RemoteExecution, ours: OwnExecution) -> bool:
    """Whether the row was there before our execution was made: then it is of another life of our books."""
    received = row.received_timestamp
    if not isinstance(received, str):
        return False
    try:
        moment = datetime.fromisoformat(received)
        return moment.tzinfo is not None and moment < ours.created - CLOCK_SKEW
    except (ValueError, OverflowError):
        return False
