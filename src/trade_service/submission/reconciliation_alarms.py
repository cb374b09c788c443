"""The alarms and events of look-ups. Pure."""

from collections.abc import Iterable, Mapping, Sequence

from trade_service.domain.errors import shorten
from trade_service.domain.executions import SubmissionState
from trade_service.domain.fields import MAX_SERVICE_ID
from trade_service.submission.codes import AlarmCode
from trade_service.submission.downstream_scan import DownstreamScan, why_doubtful
from trade_service.submission.events import AlarmEvent, LookUpEvent, RetriedExecution
from trade_service.submission.model import AttemptClosing, AttemptId, DueAttempt, OpenItem

MAX_NAMED = 1000


def impossible_ids(rows: Mapping[int, int | None], unclear: Iterable[int]) -> AlarmEvent:
    """The alarm of rows with ids that none can have, with the executions that they name; `unclear`: of those
    the ones that are looked for."""
    named = ", ".join(
        f"{row_id} (execution {'none' if ours is None else ours})" for row_id, ours in rows.items()
    )
    message = (
        f"the Execution Service's books hold ids outside 1 to {MAX_SERVICE_ID}: {shorten(named, MAX_NAMED)}; "
        "these rows count for nothing, and what they name stays unknown where it is not found under another id"
    )
    return AlarmEvent(AlarmCode.DOWNSTREAM_ID_IMPOSSIBLE, message, tuple(unclear))


def accepted_twice(item: OpenItem, ids: Sequence[int]) -> AlarmEvent:
    """The alarm of an execution that the ledger holds under several ids."""
    message = (
        f"execution {item.execution_id} was accepted {len(ids)} times, as {list(ids)}: cancel all but the first "
        "at the Execution Service"
    )
    return AlarmEvent(AlarmCode.ACCEPTED_TWICE, message, (item.execution_id,))


def requeued_though_accepted(item: OpenItem, service_id: int) -> AlarmEvent:
    """The alarm of a requeued execution that the ledger held before."""
    message = (
        f"execution {item.execution_id} was requeued, and the Execution Service had it as {service_id} all along: "
        "nothing was sent again; check its order and whatever took its place"
    )
    return AlarmEvent(AlarmCode.ACCEPTED_LATE, message, (item.execution_id,))


def doubtful_row(item: OpenItem, row_id: int, seen: DownstreamScan) -> AlarmEvent:
    """The alarm of a row that may or may not be an execution of ours."""
    message = (
        f"execution {row_id} of the Execution Service bears the id of execution {item.execution_id}, which is "
        f"unknown, but {why_doubtful(seen, item.execution_id)}: nothing is concluded; resolve this execution by "
        "hand"
    )
    return AlarmEvent(AlarmCode.LOOK_UP_DOUBTFUL, message, (item.execution_id,))


def ledger_began_anew(attempt: DueAttempt, newest_id: int, items: Sequence[OpenItem]) -> AlarmEvent:
    """The alarm of executions of an older epoch that a look-up did not find."""
    message = (
        f"the Execution Service's ledger began anew after attempt {attempt.attempt_id}, before which "
        f"{attempt.low_water_id} was known (newest now: {newest_id}): absence proves nothing for these "
        "executions, resolve them by hand"
    )
    return AlarmEvent(AlarmCode.DOWNSTREAM_RESET, message, tuple(item.execution_id for item in items))


def reconciled(
    seen: DownstreamScan,
    closings: Sequence[AttemptClosing],
    wanted: int,
    recovered: Mapping[AttemptId, tuple[RetriedExecution, ...]],
) -> LookUpEvent:
    """The event of a pass for `wanted` executions."""
    outcomes = [outcome for closing in closings for outcome in closing.outcomes]
    found = sum(outcome.state is SubmissionState.ACCEPTED for outcome in outcomes)
    return LookUpEvent(
        attempts=len(closings),
        wanted=wanted,
        found=found,
        absent=len(outcomes) - found,
        still_unknown=wanted - len(outcomes),
        pages=seen.pages,
        problem=seen.problem,
        recovered=recovered,
    )
