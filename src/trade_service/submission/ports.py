"""What the heart needs from the world: a store, a gateway, a clock."""

from collections.abc import Collection, Sequence
from typing import Protocol

import msgspec

from trade_service.domain.executions import SubmissionState
from trade_service.submission.messages import BatchExecutionRequest, RemoteExecutionPage
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
    """The store did not answer; whether it did what was asked is unknown."""


class Listing(msgspec.Struct, frozen=True):
    """One page of the Execution Service's listing, or why there is none."""

    page: RemoteExecutionPage | None
    code: str = "OK"
    message: str = ""


class SubmissionStore(Protocol):
    """Durable submission state. Every method may raise StoreUnavailable."""

    async def claim(
        self, attempt: NewAttempt, execution_ids: Sequence[int], claimable: Collection[SubmissionState]
    ) -> Claim:
        """Writes the attempt and makes it the owner of every listed execution in a `claimable` state.

        One statement. No attempt is written when nothing could be claimed.
        """
        ...

    async def record(self, closing: AttemptClosing) -> tuple[Recorded, ...]:
        """Records outcomes and closes or reschedules the attempt: one statement, safe to repeat.

        Negative evidence changes only executions that the attempt still owns in `closing.owned_as`.
        Positive evidence always counts. Executions that end without acceptance give their quantity
        back to their orders in the same statement.
        """
        ...

    async def take_due(self, owner: str, limit: int, hold_ms: int, grace_ms: int) -> tuple[DueAttempt, ...]:
        """Up to `limit` attempts whose next action is due, held from others for `hold_ms`.

        Executions of an attempt whose lease has passed become `unknown`. An attempt that another
        process looked at last is left to it for `grace_ms`.
        """
        ...

    async def under_way(self, limit: int) -> tuple[AttemptId, ...]:
        """Up to `limit` attempts whose owners have recorded nothing yet and still may, nearest end first."""
        ...

    async def postpone(self, attempt_id: AttemptId, delay_ms: int | None) -> None:
        """Sets when an attempt is due again; None closes it."""
        ...

    async def states(self, execution_ids: Sequence[int]) -> tuple[NotClaimed, ...]:
        """The present submission states of executions; ids that do not exist are left out."""
        ...

    async def take_over(self, execution_ids: Sequence[int]) -> None:
        """Takes over rows written by the earlier service: accepted where they prove it, else unknown."""
        ...

    async def void_floors(self, above: int) -> None:
        """The downstream's ids restarted: absence proves nothing any more for open attempts whose floor
        is greater than `above`, even when the new ids have passed it, nor for those without a floor."""
        ...

    async def last_top_id(self) -> int:
        """The greatest downstream id that recent attempts have seen; 0 when none has."""
        ...


class Listings(Protocol):
    """The Execution Service's books. Never raises for what the network or the service does."""

    async def list_newest(self, offset: int, limit: int) -> Listing:
        """One page of the service's executions, greatest id first."""
        ...


class ExecutionGateway(Listings, Protocol):
    """The Execution Service. Never raises for what the network or the service does."""

    async def submit_batch(
        self, request: BatchExecutionRequest, attempt_id: AttemptId, write_before: float
    ) -> GatewayReply:
        """Sends one batch, unless the boot clock has passed `write_before` when its bytes would leave."""
        ...


class Clock(Protocol):
    """Time, dice and new ids."""

    def boottime(self) -> float:
        """Seconds that go on while the process is stopped and the machine suspended."""
        ...

    def dice(self) -> float:
        """A number in [0, 1)."""
        ...

    def new_attempt_id(self) -> AttemptId:
        """A new UUID that sorts by the time of its making."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Waits."""
        ...
