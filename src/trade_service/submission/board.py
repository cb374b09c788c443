"""Who in this process waits for which execution."""

import asyncio
from collections.abc import Iterable, Sequence

from trade_service.submission.model import ExecutionSubmitResult, SubmitStatus

_PENDING = SubmitStatus.PENDING


class Watch:
    """One caller's interest in some executions; results arrive in any order.

    A `patient` one is not told that an execution was put off: it waits for the final result.
    """

    def __init__(self, *, patient: bool = False) -> None:
        self.patient = patient
        self.open: set[int] = set()
        self.results: dict[int, ExecutionSubmitResult] = {}
        self._changed = asyncio.Event()

    def settle(self, result: ExecutionSubmitResult) -> None:
        """Takes the result of an execution, which it then waits for no longer."""
        if result.execution_id in self.open:
            self.open.discard(result.execution_id)
            self.results[result.execution_id] = result
            self._changed.set()

    def take(self) -> dict[int, ExecutionSubmitResult]:
        """The results that have come since the last call."""
        results, self.results = self.results, {}
        self._changed.clear()
        return results

    async def changed(self) -> None:
        """Returns when at least one result has come since the last call."""
        await self._changed.wait()
        self._changed.clear()

    async def all(self) -> None:
        """Returns when every execution has its result."""
        while self.open:
            await self.changed()


class OutcomeBoard:
    """Passes results on to all who wait for them, and says which executions are already under way."""

    def __init__(self) -> None:
        self._watches: dict[int, list[Watch]] = {}
        self._elsewhere: dict[int, None] = {}

    def __len__(self) -> int:
        return len(self._watches)

    @staticmethod
    def new_watch(*, patient: bool = False) -> Watch:
        """A watch on nothing yet."""
        return Watch(patient=patient)

    def watch(self, execution_ids: Iterable[int]) -> tuple[Watch, list[int]]:
        """A watch on executions, and those of them that nobody waited for until now."""
        watch = Watch()
        return watch, self.join(watch, execution_ids)

    def join(self, watch: Watch, execution_ids: Iterable[int]) -> list[int]:
        """Adds executions to a watch; returns those that nobody waited for until now, in order."""
        fresh = []
        for execution_id in execution_ids:
            if execution_id in watch.open:
                continue
            watch.open.add(execution_id)
            watches = self._watches.get(execution_id)
            if watches is None:
                self._watches[execution_id] = [watch]
                fresh.append(execution_id)
            else:
                watches.append(watch)
        return fresh

    def forget(self, watch: Watch) -> None:
        """Ends a watch: what is still open is no longer waited for by it."""
        self.forget_ids(watch, tuple(watch.open))

    def forget_ids(self, watch: Watch, execution_ids: Sequence[int]) -> None:
        """Takes executions off a watch."""
        for execution_id in execution_ids:
            watch.open.discard(execution_id)
            watches = self._watches.get(execution_id)
            if watches is None:
                continue
            remaining = [other for other in watches if other is not watch]
            if remaining:
                self._watches[execution_id] = remaining
            else:
                del self._watches[execution_id]
                self._elsewhere.pop(execution_id, None)

    def settle(self, results: Iterable[ExecutionSubmitResult]) -> None:
        """Gives final results to all who wait for them; others are ignored."""
        for result in results:
            if result.status is _PENDING:
                continue
            if self._elsewhere:
                self._elsewhere.pop(result.execution_id, None)
            for watch in self._watches.pop(result.execution_id, ()):
                watch.settle(result)

    def put_off(self, results: Iterable[ExecutionSubmitResult]) -> None:
        """Tells all who wait for them, except the patient, that executions are PENDING for a while."""
        for result in results:
            for watch in self._watches.get(result.execution_id, ()):
                if not watch.patient:
                    watch.settle(result)
                    self.forget_ids(watch, (result.execution_id,))

    def settled_elsewhere(self, execution_ids: Iterable[int]) -> None:
        """Notes executions that somebody else will settle: their state has to be asked for."""
        self._elsewhere.update((i, None) for i in execution_ids if i in self._watches)

    def to_ask_for(self, limit: int) -> list[int]:
        """Up to `limit` executions that somebody waits for and that are settled elsewhere."""
        return [execution_id for execution_id, _ in zip(self._elsewhere, range(limit), strict=False)]
