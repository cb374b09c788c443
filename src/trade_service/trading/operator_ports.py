"""What operators need of a store. Every method may raise StoreUnavailable."""

from collections.abc import Sequence
from typing import Protocol

from trade_service.submission.by_hand import Case, Resolution
from trade_service.trading.history import History, Unknowns
from trade_service.trading.requeueing import Plan, Requeue, Requeued, RequeueFilter


class OperatorStore(Protocol):
    """What operators see of executions that did not end well, and do about them."""

    async def cases(self, execution_ids: Sequence[int]) -> dict[int, Case]:
        """Those that exist, by id, as they are now."""
        ...

    async def unknowns(self, limit: int) -> Unknowns:
        """Executions whose outcome is open and that nobody is sending, the oldest first."""
        ...

    async def history(self, execution_id: int, limit: int) -> History:
        """The execution, and the first `limit` of its attempts and of its evidence; raises NotFound."""
        ...

    async def resolve(self, resolution: Resolution, seen: Case) -> Case:
        """Settles one execution as `check_resolution` and `outcome_state` say of its locked row.

        State, quantity and evidence change in one transaction; the rules are those of a recorded look-up.
        Returns the execution as it was. Raises NotFound, EvidenceConflict (also for an id that another
        execution has) and InFlight (also when `seen` is not its newest attempt any more).
        """
        ...

    async def find_ended(self, wanted: RequeueFilter, limit: int) -> list[int]:
        """Ids of executions that ended without acceptance and match, ascending."""
        ...

    async def requeue(self, execution_ids: Sequence[int], requeue: Requeue, plan: Plan) -> list[Requeued]:
        """Has executions looked up from the floor of their first attempt, then sent: one transaction.

        Locks executions and orders, asks `plan`, takes the quantities again and makes the executions
        `unknown` under new entries of the journal, with fresh budgets. Writes nothing on a dry run.
        Answers in id order, each id once; those that do not exist last.
        """
        ...
