"""Compares this database with the Execution Service's ledger, execution by execution. Pure.

Ledger rows come once each, in any order, beside our row of the same execution; then our accepted executions come
in ascending order. Only two sets of ids are remembered in between: a million executions take some hundred kB.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

import msgspec

from trade_service.domain.executions import SubmissionState
from trade_service.domain.fields import is_service_id, shown_number
from trade_service.domain.seen_ids import SeenIds
from trade_service.submission.downstream_scan import same_identifier
from trade_service.submission.messages import RemoteExecution

CLOCK_SKEW = timedelta(minutes=5)
"""By how much the clocks of the two services may differ."""
SHOWN = 100
"""Findings of each kind that are kept; all of them are counted."""
_REMEMBERED = 10_000

_IN_FLIGHT = frozenset({SubmissionState.CLAIMED, SubmissionState.UNKNOWN})


class FindingKind(StrEnum):
    """What can be wrong."""

    UNBALANCED = "unbalanced"
    """Submitted executions are not the sum of those in each state."""
    QUANTITY = "quantity"
    """An order's quantitySent is not the sum over its executions."""
    NO_ID = "accepted_without_id"
    STRANDED = "stranded"
    """Not final, and no attempt will ever advance it."""
    TWICE = "accepted_twice"
    MISSING = "missing_downstream"
    EXTRA = "extra_downstream"
    """Accepted by the Execution Service, but not according to this database."""
    DIFFERENT = "different"
    ARCHIVE = "archive_differs"
    """An archive file's executions are not the archived ones, or one is both here and archived."""
    IMPOSSIBLE_ID = "impossible_id"
    """A ledger row with an id that cannot exist, such as one beyond 32 bits."""


class NoteKind(StrEnum):
    """What is worth a mention but not wrong."""

    IN_FLIGHT = "in_flight"
    FOREIGN = "foreign"
    """Ledger rows of other senders."""
    EARLIER_LIFE = "earlier_life"
    """Ledger rows older than the execution with their number: this database was created after them."""
    LEGACY_ROWS = "old_rows"
    """Executions that the legacy service sent."""
    LEGACY_ORDERS = "old_orders"
    """Legacy orders whose quantitySent is not the sum over their executions."""
    IDLE_ATTEMPTS = "idle_attempts"
    """Open attempts that no longer own an execution; recovery closes them when they are due."""
    FAILED_DIFFER = "failed_differ"
    """Executions that the table of failed executions lacks, or has wrongly; a daily check corrects it."""
    ARCHIVED = "archived"
    """Ledger rows of archived executions, compared like the others."""


class Finding(msgspec.Struct, frozen=True, rename="camel"):
    """One thing that is wrong; `id` is the execution's, for QUANTITY the trade order's."""

    kind: FindingKind
    id: int | None
    message: str


class OwnExecution(msgspec.Struct, frozen=True):
    """An execution as this database has it."""

    id: int
    state: SubmissionState | None
    """None for a legacy row that was not adopted."""
    execution_service_id: int | None
    created: datetime
    trade_type: str | None
    security_id: str
    quantity: Decimal
    destination: str
    archived: bool = False
    """Whether its row is in a file of the archive."""


class AcceptedExecution(msgspec.Struct, frozen=True):
    """An execution that this database holds as accepted; `legacy` when the legacy service sent it."""

    id: int
    execution_service_id: int | None
    legacy: bool


class Balance(msgspec.Struct, frozen=True, rename="camel"):
    """Counts and quantities of everything in this database, read in one statement."""

    orders: int
    executions: int
    submitted: int
    """Executions that this service was ever asked to send."""
    states: dict[str, int]
    quantity_sent: Decimal
    """Sum of quantitySent over all orders."""
    quantity_held: Decimal
    """Sum of the quantities of all executions whose quantity was not returned, archived ones included."""
    wrong_orders: int
    """Orders of this service whose quantitySent is not the sum over their executions."""
    old_orders: int
    """Legacy executions."""
    archived: int = 0
    """Executions whose rows are in files; the counts above are without them."""

    @property
    def is_balanced(self) -> bool:
        """Whether every submitted execution is in exactly one state."""
        return self.submitted == sum(count for state, count in self.states.items() if state != "none")


class WrongOrder(msgspec.Struct, frozen=True):
    """An order whose quantitySent is not the sum over its executions."""

    id: int
    order_id: int
    quantity_sent: Decimal
    quantity_held: Decimal


class ArchiveDifference(msgspec.Struct, frozen=True):
    """A file or an execution with an unexpected number of archived rows."""

    what: str
    expected: int
    found: int


class Listed(msgspec.Struct, frozen=True):
    """The first executions with the same problem, each with its state, and the number of all."""

    executions: tuple[tuple[int, str], ...]
    total: int


class AuditLog:
    """Findings and notes. All are counted; the first findings of each kind are kept."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.counts: Counter[FindingKind] = Counter()
        self.notes: Counter[NoteKind] = Counter()

    def find(self, kind: FindingKind, identity: int | None, message: str) -> None:
        self.counts[kind] += 1
        if self.counts[kind] <= SHOWN:
            self.findings.append(Finding(kind, identity, message))

    def set_count(self, kind: FindingKind, count: int) -> None:
        """Sets the exact count of a kind of which only the first findings were added."""
        self.counts[kind] = max(count, self.counts[kind])

    @property
    def is_clean(self) -> bool:
        return not self.counts.total()


class LedgerComparison:
    """Compares the Execution Service's ledger with this database, row by row.

    Example:
        comparison = LedgerComparison(log)
        for rows in ledger_pages:
            comparison.compare(rows, executions_of(rows))
        comparison.add_missing([one for one in accepted if comparison.is_missing(one)])
    """

    def __init__(self, log: AuditLog) -> None:
        self._log = log
        self._seen = SeenIds()
        """Executions that have a ledger row."""
        self._matched = SeenIds()
        """Executions that have it under the id that this database knows."""
        self._other_ids: dict[int, int] = {}
        self.rows = 0

    def compare(self, rows: Iterable[RemoteExecution], own: Mapping[int, OwnExecution]) -> None:
        """Compares ledger rows with the executions that they name."""
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
        """Whether an accepted execution has no ledger row; one with another id is a finding."""
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

    def add_missing(self, missing: Sequence[AcceptedExecution]) -> None:
        """Adds findings for accepted executions that really have no ledger row."""
        for accepted in missing:
            if accepted.legacy:
                self._log.notes[NoteKind.LEGACY_ROWS] += 1
                continue
            known = accepted.execution_service_id
            message = (
                f"execution {accepted.id}: accepted here{'' if known is None else f' as {known}'}, but the "
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
        if ours.archived:
            self._log.notes[NoteKind.ARCHIVED] += 1
        if ours.state is None:
            self._log.notes[NoteKind.LEGACY_ROWS] += 1
        elif ours.state in _IN_FLIGHT:
            self._log.notes[NoteKind.IN_FLIGHT] += 1
        elif ours.state is not SubmissionState.ACCEPTED:
            message = (
                f"execution {ours.id}: the Execution Service has it as {row.id}, but here it is {ours.state}"
            )
            self._log.find(FindingKind.EXTRA, ours.id, message)


def _differences(row: RemoteExecution, ours: OwnExecution) -> list[str]:
    texts = {
        "security": (ours.security_id, row.security_name),
        "trade type": (ours.trade_type, row.trade_type),
        "destination": (ours.destination, row.destination),
    }
    found = [
        f"{name} is {here} here and {there} there"
        for name, (here, there) in texts.items()
        if not same_identifier(here, there)
    ]
    if ours.quantity != row.quantity:
        found.append(f"quantity is {shown_number(ours.quantity)} here and {shown_number(row.quantity)} there")
    return found


def _is_older(row: RemoteExecution, ours: OwnExecution) -> bool:
    """Whether the row existed before our execution: then it belongs to an earlier life of this database."""
    received = row.received_timestamp
    if not isinstance(received, str):
        return False
    try:
        moment = datetime.fromisoformat(received)
        return moment.tzinfo is not None and moment < ours.created - CLOCK_SKEW
    except (ValueError, OverflowError):
        return False
