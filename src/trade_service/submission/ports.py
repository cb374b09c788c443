"""What the engine needs from outside: stores, the Execution Service, a clock."""

from collections.abc import Collection, Sequence
from typing import Protocol

from trade_service.domain.executions import SubmissionState
from trade_service.submission.downstream import DownstreamState, Suspicion
from trade_service.submission.messages import BatchExecutionRequest, Listing
from trade_service.submission.model import (
    AttemptClosing,
    AttemptId,
    Claim,
    DueAttempt,
    GatewayReply,
    NewAttempt,
    NotClaimed,
    Recorded,
)


class StoreUnavailable(Exception):
    """The store did not answer; whether it did what was asked is unknown.

    `public` is the message for callers of the API: without the driver's words, which quote addresses and users.
    """

    def __init__(self, message: str, public: str | None = None) -> None:
        super().__init__(message)
        self.public = public or message


class SubmissionStore(Protocol):
    """Durable submission state. Every method may raise StoreUnavailable."""

    async def claim(
        self, attempt: NewAttempt, execution_ids: Sequence[int], claimable: Collection[SubmissionState]
    ) -> Claim:
        """Writes the attempt, and makes it the owner of every listed execution in a `claimable` state.

        Those of a paused destination stay as they are: no claim that begins after a pause was committed takes
        them.
        One statement, which writes no attempt when nothing can be claimed.
        """

    async def record(self, closing: AttemptClosing) -> tuple[Recorded, ...]:
        """Records outcomes and closes or reschedules the attempt: one statement, safe to repeat.

        Negative evidence changes only executions that the attempt still owns in `closing.owned_as`; positive
        evidence always counts. Quantity of what ends without acceptance returns to its order at once.
        """

    async def take_due(self, owner: str, limit: int, hold_ms: int, grace_ms: int) -> tuple[DueAttempt, ...]:
        """Up to `limit` attempts whose next action is due, reserved for `owner` for `hold_ms`.

        Executions of an attempt whose lease has passed become `unknown`. An attempt that another process took
        last is left to it for `grace_ms`.
        """

    async def under_way(self, limit: int) -> tuple[AttemptId, ...]:
        """Up to `limit` attempts whose owners have recorded nothing yet and still may, nearest end first."""

    async def postpone(self, attempt_id: AttemptId, delay_ms: int | None) -> None:
        """Sets when an attempt is due again; None closes it."""

    async def park(self, attempt_ids: Sequence[AttemptId], wait_ms: int) -> None:
        """Leaves open attempts until a pause ends, at most `wait_ms`, in one statement.

        One of which not all that it has to send is paused is due at once.
        """

    async def pause_budgets(self, attempt_id: AttemptId) -> None:
        """Stops the time budgets of executions that wait for the attempt's retry until they are claimed again."""

    async def states(self, execution_ids: Sequence[int]) -> tuple[NotClaimed, ...]:
        """The present submission states of executions; ids that do not exist are left out."""

    async def adopt(self, execution_ids: Sequence[int]) -> None:
        """Adopts legacy rows: accepted where they prove it, else unknown."""


class DownstreamStore(Protocol):
    """What all replicas know of the Execution Service's ledger. Every method may raise StoreUnavailable."""

    async def read(self) -> DownstreamState:
        """The present state, including what recent attempts of this epoch have seen."""

    async def raise_high_water(self, epoch: int, service_id: int, execution_id: int) -> bool:
        """Records a greater known id and the execution that its row names; whether `epoch` lasts unsuspected."""

    async def suspect(self, epoch: int, suspicion: Suspicion) -> bool:
        """Marks the ledger as suspected; False when it was already, or `epoch` is over."""

    async def dismiss(self, epoch: int, suspicion: Suspicion) -> None:
        """Removes the mark that `suspicion` describes, and no other."""

    async def begin_epoch(
        self, after: int, base_url: str, service_id: int, execution_id: int | None
    ) -> tuple[int, ...] | None:
        """Begins the epoch after `after`, with the newest row of the ledger, and clears the mark; returns the
        executions whose outcome is unknown, None when another replica was first."""

    async def note_ledger(self, epoch: int, base_url: str, service_id: int, execution_id: int | None) -> None:
        """Records the ledger's address and one of its rows together, while `epoch` lasts unsuspected."""

    async def leave_gap(self, size: int) -> None:
        """Skips `size` ids before the next new execution."""

    async def held_as_unsent(self, execution_ids: Sequence[int]) -> tuple[int, ...]:
        """Those of them that this database holds as not sent, ascending: `none`, `queued` or `retry`."""

    async def block(self, reason: str) -> None:
        """Stops all claims until an operator has recovered this database."""

    async def advance_sequence(self, beyond: int, since_s: float, reason: str) -> bool:
        """Gives new executions ids after `beyond`; whether it blocked claims with `reason`, since executions
        older than `since_s` seconds are open."""


class Listings(Protocol):
    """The Execution Service's listing. Never raises for what the network or the service does."""

    async def list_newest(self, offset: int, limit: int) -> Listing:
        """One page of executions, greatest id first."""


class Ledger(Listings, Protocol):
    """The Execution Service's ledger: its listing, and single rows."""

    async def find(self, service_id: int) -> Listing:
        """The row of that id as a page of one; an empty page when there is none."""


class ExecutionGateway(Ledger, Protocol):
    """The Execution Service. Never raises for what the network or the service does."""

    async def submit_batch(
        self, request: BatchExecutionRequest, attempt_id: AttemptId, write_before: float
    ) -> GatewayReply:
        """Sends one batch, unless the monotonic clock is past `write_before` when its bytes would leave."""


class Clock(Protocol):
    """Time, random numbers and new ids."""

    def monotonic(self) -> float:
        """Seconds that also pass while the process is stopped or the machine suspended."""

    def random(self) -> float:
        """A number in [0, 1)."""

    def new_attempt_id(self) -> AttemptId:
        """A new UUID that sorts by its time of creation."""

    async def sleep(self, seconds: float) -> None:
        """Waits without blocking the loop."""
