"""What the heart needs from the world: a store, a gateway, a clock."""

from collections.abc import Collection, Sequence
from typing import Protocol

import msgspec

from trade_service.domain.executions import SubmissionState
from trade_service.submission.downstream import DownstreamState, Suspicion
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

    async def pause_budgets(self, attempt_id: AttemptId) -> None:
        """Stops the time budgets of executions that wait for an attempt's retry until they are claimed again."""
        ...

    async def states(self, execution_ids: Sequence[int]) -> tuple[NotClaimed, ...]:
        """The present submission states of executions; ids that do not exist are left out."""
        ...

    async def adopt(self, execution_ids: Sequence[int]) -> None:
        """Takes over rows written by the earlier service: accepted where they prove it, else unknown."""
        ...


class DownstreamStore(Protocol):
    """What all replicas know of the Execution Service's ledger. Every method may raise StoreUnavailable."""

    async def read(self) -> DownstreamState:
        """The present state. Its high-water id includes what recent attempts of this epoch have seen."""
        ...

    async def raise_high_water(self, epoch: int, service_id: int, execution_id: int) -> bool:
        """Notes a greater known id, and the execution that its row names, while `epoch` lasts unsuspected.

        Returns whether it did.
        """
        ...

    async def suspect(self, epoch: int, suspicion: Suspicion) -> bool:
        """Marks the ledger as suspected; False when it was already, or `epoch` is over."""
        ...

    async def dismiss(self, epoch: int, suspicion: Suspicion) -> None:
        """Removes the mark that `suspicion` describes, and no other."""
        ...

    async def begin_epoch(
        self, after: int, base_url: str, service_id: int, execution_id: int | None
    ) -> tuple[int, ...] | None:
        """Begins the epoch after `after`, with the newest row of the ledger; clears the mark.

        Returns the executions whose outcome is unknown by then; None when another replica was first.
        """
        ...

    async def note_ledger(self, epoch: int, base_url: str, service_id: int, execution_id: int | None) -> None:
        """Notes where the ledger is read and a row of it, in one step, while `epoch` lasts unsuspected."""
        ...

    async def leave_gap(self, size: int) -> None:
        """Lets new executions begin `size` ids further on."""
        ...

    async def held_as_unsent(self, execution_ids: Sequence[int]) -> tuple[int, ...]:
        """Those of them that this database holds as not sent, ascending: `none`, `queued` or `retry`."""
        ...

    async def block(self, reason: str) -> None:
        """Lets nothing be claimed until a person has recovered this database."""
        ...

    async def advance_sequence(self, beyond: int, since_s: float, reason: str) -> bool:
        """Lets new executions begin after `beyond`, the greatest of our ids in the ledger.

        Blocks claims with `reason` where executions are open that are older than `since_s` seconds; returns
        whether it did.
        """
        ...


class Listings(Protocol):
    """The Execution Service's books. Never raises for what the network or the service does."""

    async def list_newest(self, offset: int, limit: int) -> Listing:
        """One page of the service's executions, greatest id first."""
        ...


class Ledger(Listings, Protocol):
    """The Execution Service's ledger: its listing, and single executions in it."""

    async def find(self, service_id: int) -> Listing:
        """The execution of that id as a page of one; an empty page when there is none."""
        ...


class ExecutionGateway(Ledger, Protocol):
    """The Execution Service. Never raises for what the network or the service does."""

    async def submit_batch(
        self, request: BatchExecutionRequest, attempt_id: AttemptId, write_before: float
    ) -> GatewayReply:
        """Sends one batch, unless the boot clock has passed `write_before` when its bytes would leave."""
        ...


class Clock(Protocol):
    """Time, random numbers and new ids."""

    def monotonic(self) -> float:
        """Seconds that go on while the process is stopped and the machine suspended."""
        ...

    def random(self) -> float:
        """A number in [0, 1)."""
        ...

    def new_attempt_id(self) -> AttemptId:
        """A new UUID that sorts by the time of its making."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Waits."""
        ...
