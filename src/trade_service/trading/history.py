"""The history of one execution, as its journal tells it."""

import msgspec

from trade_service.domain.executions import SubmissionState
from trade_service.domain.instants import Moment
from trade_service.submission.by_hand import Case
from trade_service.submission.model import AttemptId


class Found(msgspec.Struct, frozen=True, rename="camel"):
    """What an attempt, or a look-up for it, found out of an execution: everything but a plain acceptance."""

    state: SubmissionState
    code: str
    message: str


class AttemptHistory(msgspec.Struct, frozen=True, rename="camel"):
    """One attempt, as far as one execution is concerned."""

    attempt_id: AttemptId
    state: str
    """queued: a durable intent; sent: its call may be on the wire; answered: recorded."""
    owner: str
    size: int
    """Executions of the attempt."""
    started_at: Moment
    lease_until: Moment | None
    closed_at: Moment | None
    next_action_at: Moment | None
    """None: nothing is left to do for it."""
    floor_id: int
    floor_void: bool
    adopted: bool
    look_ups: int
    kind: str | None
    code: str | None
    message: str | None
    http_status: int | None
    duration_ms: int | None
    is_newest: bool
    """Whether the execution is, or was last, this attempt's."""
    outcomes: tuple[Found, ...]


class Evidence(msgspec.Struct, frozen=True, rename="camel"):
    """What came to light, or was done by a person, beside the attempts."""

    found_at: Moment
    source: str
    """operator, answer, look_up, fill or books."""
    code: str
    attempt_id: AttemptId | None
    state_before: SubmissionState | None
    state: SubmissionState
    execution_service_id_before: int | None
    execution_service_id: int | None
    actor: str | None
    message: str


class History(msgspec.Struct, frozen=True):
    """All that is known of how an execution came to be what it is; each list in the order of time."""

    case: Case
    attempts: tuple[AttemptHistory, ...]
    evidence: tuple[Evidence, ...]


class Unknowns(msgspec.Struct, frozen=True):
    """Executions whose outcome is open and that nobody is sending, the oldest first."""

    cases: tuple[Case, ...]
    total: int
