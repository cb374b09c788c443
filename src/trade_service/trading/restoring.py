"""Recovers a database that is older than the Execution Service's ledger, such as one restored from a backup."""

from collections.abc import Mapping
from typing import Protocol

import msgspec

from trade_service.domain.executions import SubmissionState
from trade_service.submission.downstream import DownstreamState
from trade_service.submission.downstream_scan import scan_downstream
from trade_service.submission.manual_resolution import check_words
from trade_service.submission.ports import DownstreamStore, Ledger


class LedgerUnreadable(Exception):
    """The ledger could not be read to its end; nothing was changed."""


class RestorePlan(msgspec.Struct, frozen=True):
    """The effect that a recovery would have."""

    state: DownstreamState
    greatest_execution_id: int
    """The greatest of our execution ids in the ledger; 0 when it holds none."""
    open_by_state: Mapping[SubmissionState, int]
    """Executions that are not final: each becomes unknown and is reconciled against the whole ledger."""
    of_earlier_epochs: Mapping[SubmissionState, int]
    """Executions sent before the ledger was reset or moved: absence from this one proves nothing."""

    @property
    def first_new_id(self) -> int:
        """The first id of new executions afterwards."""
        return max(self.greatest_execution_id, self.state.last_execution_id) + 1


class RestoreStore(Protocol):
    """The recovery's store. Every method may raise StoreUnavailable."""

    async def open_by_state(self) -> tuple[Mapping[SubmissionState, int], Mapping[SubmissionState, int]]:
        """Counts executions by open state: those of this epoch, and those of earlier ones."""

    async def recover(
        self, beyond: int, settle_ms: int, actor: str, reason: str, *, same_ledger: bool
    ) -> int:
        """Makes every open execution `unknown` with low-water id 0, in one transaction; returns how many changed.

        Executions sent in an earlier epoch are left alone unless `same_ledger`. New ids start after `beyond`,
        claims are allowed again, and actor and reason are stored as evidence. Absence is conclusive once
        `settle_ms` have passed since bytes could last have left. An execution that was never submitted returns
        to `none` when it proves absent.
        """


class DatabaseRestorer:
    """Reads the whole ledger, then recovers the database. Every method may raise StoreUnavailable.

    Example:
        plan = await restorer.look()
        changed = await restorer.recover(plan, "ann", "restored the backup of 6:00")
    """

    def __init__(
        self,
        store: RestoreStore,
        downstream: DownstreamStore,
        ledger: Ledger,
        settle_ms: int,
        max_pages: int,
    ) -> None:
        self._store = store
        self._downstream = downstream
        self._ledger = ledger
        self._settle_ms = settle_ms
        self._max_pages = max_pages

    async def look(self) -> RestorePlan:
        """Reads the ledger to its end. Changes nothing. Raises LedgerUnreadable."""
        seen = await scan_downstream(self._ledger, (), 0, self._max_pages)
        if seen.problem:
            raise LedgerUnreadable(
                f"the Execution Service's ledger could not be read to its end: {seen.problem}. Nothing was "
                "changed; check execution_service.base_url and try again"
            )
        state = await self._downstream.read()
        return RestorePlan(state, seen.max_execution_id, *await self._store.open_by_state())

    async def recover(self, plan: RestorePlan, actor: str, reason: str, *, same_ledger: bool = False) -> int:
        """Carries out a plan; returns how many executions became unknown. Raises InvalidInput.

        With `same_ledger` the operator vouches that executions of earlier epochs were sent to this ledger.
        """
        check_words(actor, reason)
        return await self._store.recover(
            plan.greatest_execution_id, self._settle_ms, actor, reason, same_ledger=same_ledger
        )
