"""Checks an operator's manual resolution against the recorded state and the ledger. Pure."""

from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

import msgspec

from trade_service.domain.errors import DomainError, EvidenceConflict, InFlight, InvalidInput
from trade_service.domain.executions import QUANTITY_RETURNED, SubmissionState
from trade_service.domain.fields import MAX_SERVICE_ID, checked_text, is_positive, is_service_id, shown_number
from trade_service.submission.downstream_scan import DownstreamScan, agrees, doubtful, matches, why_doubtful
from trade_service.submission.messages import Listing
from trade_service.submission.model import AttemptId, OpenItem

MAX_ACTOR = 80
MAX_REASON = 2000

_S = SubmissionState


class Resolution(msgspec.Struct, frozen=True):
    """What an operator knows of an execution with an unknown outcome."""

    execution_id: int
    accepted_as: int | None
    """Its id at the Execution Service; None: it was not accepted."""
    actor: str
    reason: str


class ExecutionCase(msgspec.Struct, frozen=True):
    """The recorded state of an execution; times in seconds by the database's clock."""

    execution_id: int
    state: SubmissionState
    legacy: bool
    """Written by the legacy service and not adopted yet."""
    execution_service_id: int | None
    trade_order_id: int
    order_id: int
    security_id: str
    trade_type: str | None
    destination: str
    quantity: Decimal
    quantity_filled: Decimal
    attempts_spent: int
    attempt_id: AttemptId | None
    """The newest attempt, which owns an open execution."""
    attempt_began: datetime | None
    open_s: float | None
    """Since that attempt began."""
    kind: str | None
    code: str | None
    low_water_id: int
    low_water_void: bool
    adopted: bool
    requeued: bool
    look_ups: int
    settles_in_s: float | None
    """Until absence may be concluded; negative once the settle time is over, None before it begins."""
    due_in_s: float | None
    """Until recovery advances it; negative if overdue, None: never."""

    @property
    def item(self) -> OpenItem:
        """The execution as a reconciliation compares it."""
        return OpenItem(
            self.execution_id,
            self.state,
            self.trade_type,
            self.destination,
            self.security_id,
            self.quantity,
            self.attempts_spent,
            0.0,
        )

    @property
    def next_action_at(self) -> datetime | None:
        """When recovery advances it; None: never."""
        if self.attempt_began is None or self.open_s is None or self.due_in_s is None:
            return None
        return self.attempt_began + timedelta(seconds=self.open_s + self.due_in_s)

    @property
    def reconciled_above(self) -> int:
        """The downstream id down to which a reconciliation reads; 0 if the ids restarted since."""
        return 0 if self.low_water_void else self.low_water_id


class LedgerFinding(StrEnum):
    """How the ledger relates to a resolution."""

    CONFIRMS = "confirms"
    SILENT = "silent"
    """It could not be read, or proves nothing."""
    DOUBTS = "doubts"
    """It makes the resolution unlikely: an override is needed."""
    CONTRADICTS = "contradicts"


class LedgerEvidence(msgspec.Struct, frozen=True):
    """What was found in the ledger, with a message for people."""

    finding: LedgerFinding
    message: str


def check_words(actor: str, reason: str) -> None:
    """Raises InvalidInput unless actor and reason are given, visible, and in lengths that the journal holds."""
    for field, value, limit in (("operator", actor, MAX_ACTOR), ("reason", reason, MAX_REASON)):
        checked_text(value, field, limit, "must not be blank, it is kept as evidence")


def check_resolution(case: ExecutionCase, resolution: Resolution) -> None:
    """Raises EvidenceConflict if a resolution contradicts our record, InFlight while the outcome may still change
    without intervention, InvalidInput for an impossible id."""
    if resolution.accepted_as is None:
        _check_not_accepted(case)
    else:
        _check_accepted(case, resolution.accepted_as)


def outcome_state(case: ExecutionCase, resolution: Resolution) -> SubmissionState:
    """The execution's new state. Without acceptance its quantity returns to the order, except for a legacy row."""
    if resolution.accepted_as is not None:
        return _S.ACCEPTED
    return _S.NONE if case.adopted else _S.EXHAUSTED


def check_evidence(evidence: LedgerEvidence, *, override: bool) -> None:
    """Raises EvidenceConflict if the ledger contradicts a resolution, or doubts it without an `override`."""
    if evidence.finding is LedgerFinding.CONTRADICTS:
        raise EvidenceConflict(f"{evidence.message}: nothing was changed", sight=evidence.finding)
    if evidence.finding is LedgerFinding.DOUBTS and not override:
        message = f"{evidence.message}: nothing was changed; force it if you know better"
        raise EvidenceConflict(message, sight=evidence.finding)


def evidence_of_absence(case: ExecutionCase, seen: DownstreamScan) -> LedgerEvidence:
    """The evidence of a pass over the ledger for 'it was not accepted'."""
    ids = matches(seen, [case.item], case.reconciled_above)[case.execution_id]
    if ids:
        message = f"the Execution Service has execution {case.execution_id} as {', '.join(map(str, ids))}"
        return LedgerEvidence(LedgerFinding.CONTRADICTS, message)
    row_id = doubtful(seen, case.item, case.reconciled_above)
    if row_id is not None:
        message = (
            f"execution {row_id} of the Execution Service bears the id of execution {case.execution_id} and "
            f"{why_doubtful(seen, case.execution_id)}"
        )
        return LedgerEvidence(LedgerFinding.DOUBTS, message)
    if seen.problem:
        return LedgerEvidence(
            LedgerFinding.SILENT, f"the Execution Service's ledger could not be read: {seen.problem}"
        )
    if case.low_water_void or seen.newest_id < case.low_water_id:
        message = (
            "the Execution Service's ids restarted since it was sent: that it is not there proves nothing"
        )
        return LedgerEvidence(LedgerFinding.SILENT, message)
    where = f"above id {case.reconciled_above}" if case.reconciled_above else "of all"
    return LedgerEvidence(
        LedgerFinding.CONFIRMS, f"the Execution Service does not have it: {seen.pages} pages {where} read"
    )


def evidence_of_row(case: ExecutionCase, service_id: int, listing: Listing) -> LedgerEvidence:
    """The evidence of a ledger row, or of its absence, for 'it was accepted under this id'."""
    if listing.page is None:
        return LedgerEvidence(
            LedgerFinding.SILENT, f"the Execution Service could not be asked: {listing.message}"
        )
    row = next((row for row in listing.page.content if row.id == service_id), None)
    if row is None:
        if case.low_water_void:
            message = (
                "it was sent before the Execution Service's ids restarted: that no execution "
                f"{service_id} is there now proves nothing"
            )
            return LedgerEvidence(LedgerFinding.SILENT, message)
        return LedgerEvidence(LedgerFinding.DOUBTS, f"the Execution Service has no execution {service_id}")
    if row.trade_service_execution_id != case.execution_id:
        whose = row.trade_service_execution_id
        owner = "none of ours" if whose is None else f"execution {whose}"
        message = (
            f"execution {service_id} of the Execution Service is {owner}, not execution {case.execution_id}"
        )
        return LedgerEvidence(LedgerFinding.CONTRADICTS, message)
    if not agrees(case.item, row):
        message = (
            f"execution {service_id} of the Execution Service bears the id of execution {case.execution_id}, but "
            f"is {row.trade_type} {shown_number(row.quantity)} {row.security_name} at {row.destination}"
        )
        return LedgerEvidence(LedgerFinding.DOUBTS, message)
    return LedgerEvidence(LedgerFinding.CONFIRMS, f"the Execution Service has it as {service_id}")


def waits_for(case: ExecutionCase) -> str:
    """What an open execution waits for, for people."""
    if case.legacy:
        return "being submitted: it is a row of the legacy service, adopted at its first submission"
    if case.due_in_s is None:
        return "nothing: no attempt owns it, see `trade-service audit`"
    if case.due_in_s < -OVERDUE_S:
        return f"a running service: recovery is overdue for {-case.due_in_s:.0f} s"
    if case.state is not _S.UNKNOWN:
        return f"recovery, in {max(0.0, case.due_in_s):.0f} s"
    if case.low_water_void:
        return (
            "you: ask the Execution Service's operators; its ids restarted, so its ledger proves no absence"
        )
    if case.settles_in_s is None or case.settles_in_s > 0:
        left = "" if case.settles_in_s is None else f", {case.settles_in_s:.0f} s of the settle time are left"
        return f"being found by a look-up; absence proves nothing yet{left}"
    return f"a complete look-up: {case.look_ups} so far, the next in {max(0.0, case.due_in_s):.0f} s"


def needs_person(case: ExecutionCase) -> bool:
    """Whether only a person can settle it: nothing that the service can still read proves its absence."""
    return not case.legacy and case.state is _S.UNKNOWN and (case.low_water_void or case.due_in_s is None)


OVERDUE_S = 30.0
"""Recovery of a running service is never so late."""


def _check_not_accepted(case: ExecutionCase) -> None:
    name = f"execution {case.execution_id}"
    if (
        case.execution_service_id is not None
        or case.state is _S.ACCEPTED
        or is_positive(case.quantity_filled)
    ):
        known = case.execution_service_id
        proof = "a fill" if known is None else f"its id there, {known},"
        raise _conflict(f"{name} was accepted, {proof} proves it", case)
    if case.state in QUANTITY_RETURNED:
        raise _conflict(
            f"{name} is {case.state} already: that is 'not accepted', nothing is left to do", case
        )
    if case.legacy:
        message = f"{name} was written by the legacy service: submit it, then it is adopted and looked up"
        raise _conflict(message, case)
    if case.state is not _S.UNKNOWN:
        raise InFlight(f"{name} is {case.state}, not unknown: {_NOT_UNKNOWN[case.state]}", state=case.state)
    if case.settles_in_s is None or case.settles_in_s > 0:
        left = "" if case.settles_in_s is None else f" for another {case.settles_in_s:.0f} s"
        message = f"{name} may still be accepted{left}: what was sent is given the settle time to arrive"
        raise InFlight(message, state=case.state, settlesInS=case.settles_in_s)


def _check_accepted(case: ExecutionCase, service_id: int) -> None:
    if not is_service_id(service_id):
        raise InvalidInput.of("executionServiceId", service_id, f"must be from 1 to {MAX_SERVICE_ID}")
    known = case.execution_service_id
    if known is None:
        return
    if known != service_id:
        message = (
            f"execution {case.execution_id} is known as {known} at the Execution Service, not {service_id}"
        )
        raise _conflict(f"{message}; if both are there it was accepted twice: cancel one of them", case)
    if case.state is _S.ACCEPTED:
        raise _conflict(f"execution {case.execution_id} is accepted as {known} already: nothing to do", case)


def _conflict(message: str, case: ExecutionCase) -> DomainError:
    return EvidenceConflict(
        message, state=case.state, executionServiceId=case.execution_service_id, executionId=case.execution_id
    )


_NOT_UNKNOWN = {
    _S.NONE: "it was never sent",
    _S.QUEUED: "it is sent automatically",
    _S.CLAIMED: "an attempt owns it; once its lease has passed a running service makes it unknown",
    _S.RETRY: "it was proven absent, and is sent again automatically",
}
