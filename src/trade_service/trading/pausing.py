"""Pausing: an operator stops sending, to all destinations or to one, and resumes it.

A pause is a row that the statements which claim executions read. What is paused waits, and loses neither its place
nor its time budget. What was claimed before is sent.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

import msgspec
import structlog

from trade_service.domain.errors import InvalidInput
from trade_service.submission.clock import AlarmClock
from trade_service.submission.manual_resolution import check_words

ALL_DESTINATIONS = 0
"""Stands for all destinations where ids of some are expected."""
COUNTED_ATTEMPTS = 2000
"""Open attempts whose executions are counted: the figures take a bounded time."""
_ALL = "all destinations"

_log = structlog.get_logger(__name__)


class Pause(msgspec.Struct, frozen=True):
    """Sending that is paused."""

    id: int
    destination_id: int | None
    """None: all destinations."""
    destination: str | None
    """The destination's abbreviation."""
    reason: str
    paused_by: str
    paused_at: datetime


class PauseOrder(msgspec.Struct, frozen=True):
    """Who pauses or resumes which sending, and why."""

    destination: str | None
    """The abbreviation of a destination; None: all of them."""
    actor: str
    reason: str
    dry_run: bool = False
    """Reports the effect without changing anything."""

    @property
    def object(self) -> str:
        """What is paused or resumed, in words."""
        return _ALL if self.destination is None else f"destination {self.destination}"


class UnsentCounts(msgspec.Struct, frozen=True):
    """Executions that are not sent yet."""

    waiting: int = 0
    """Queued, or to be retried."""
    in_flight: int = 0
    """Claimed: these are sent in any case."""

    def __add__(self, other: "UnsentCounts") -> "UnsentCounts":
        return UnsentCounts(self.waiting + other.waiting, self.in_flight + other.in_flight)


class PauseEffect(msgspec.Struct, frozen=True):
    """What pausing or resuming did, or would do."""

    changed: bool
    """Whether something was changed."""
    figures: UnsentCounts
    message: str


class PauseStore(Protocol):
    """The pauses of a database. Every method may raise StoreUnavailable."""

    async def pauses(self) -> tuple[Pause, ...]:
        """All pauses, oldest first."""

    async def destination_ids(self, abbreviation: str) -> Sequence[int]:
        """The ids of the destinations with that abbreviation."""

    async def waiting(self, attempts: int) -> Mapping[int, UnsentCounts]:
        """The executions of the first `attempts` open attempts, by destination id."""

    async def pause(self, destination_ids: Sequence[int], order: PauseOrder) -> bool:
        """Pauses them, in one transaction with the audit log; False if they were paused already.

        No claim that begins after this returns takes an execution that goes there.
        """

    async def resume(self, destination_ids: Sequence[int], order: PauseOrder) -> bool:
        """Ends the pause of exactly these in one transaction; False if they were not paused.

        Time budgets that stood still go on when the executions are claimed again, and recovery of every replica
        finds what waited.
        """


class PauseService:
    """Pauses and resumes sending; from any replica, for all of them. Every method may raise StoreUnavailable."""

    def __init__(self, store: PauseStore, recovery_due: AlarmClock | None = None) -> None:
        """`recovery_due` wakes this process's recovery, if it runs one."""
        self._store = store
        self._recovery_due = recovery_due

    async def pauses(self) -> tuple[tuple[Pause, UnsentCounts], ...]:
        """All pauses, oldest first, and what each keeps waiting."""
        pauses = await self._store.pauses()
        waiting = await self._store.waiting(COUNTED_ATTEMPTS) if pauses else {}
        return tuple((pause, kept_by(pause, waiting)) for pause in pauses)

    async def pause(self, order: PauseOrder) -> PauseEffect:
        """Stops sending. What is in flight is sent; the rest waits. Raises InvalidInput."""
        ids = await self._checked(order)
        if order.dry_run:
            found = await self._figures(ids)
            message = f"sending to {order.object} would be paused: {found.waiting} executions would wait"
            return PauseEffect(changed=False, figures=found, message=message)
        changed = await self._store.pause(ids, order)
        found = await self._figures(ids)
        if not changed:
            message = f"sending to {order.object} was paused before: nothing was changed"
            return PauseEffect(changed=False, figures=found, message=message)
        _log.warning(
            "sending_paused",
            destination=order.destination,
            by=order.actor,
            reason=order.reason,
            waiting=found.waiting,
        )
        figures = f"{found.waiting} executions wait, {found.in_flight} are in flight"
        message = f"sending to {order.object} is paused: {figures}"
        return PauseEffect(changed=True, figures=found, message=message)

    async def resume(self, order: PauseOrder) -> PauseEffect:
        """Ends the pause of all destinations, or that of one, and no other. Raises InvalidInput."""
        ids = await self._checked(order)
        found = await self._figures(ids)
        if order.dry_run:
            message = f"sending to {order.object} would be resumed: {found.waiting} executions wait"
            return PauseEffect(changed=False, figures=found, message=message + await self._others(order, ids))
        if not await self._store.resume(ids, order):
            message = f"sending to {order.object} was not paused: nothing was changed"
            return PauseEffect(changed=False, figures=found, message=message + await self._others(order, ids))
        if self._recovery_due is not None:
            self._recovery_due.set_in(0)
        _log.warning(
            "sending_resumed",
            destination=order.destination,
            by=order.actor,
            reason=order.reason,
            waiting=found.waiting,
        )
        message = f"sending to {order.object} is resumed: {found.waiting} executions waited"
        return PauseEffect(changed=True, figures=found, message=message + await self._others(order, ids))

    async def _checked(self, order: PauseOrder) -> Sequence[int]:
        """The ids of the destinations; raises InvalidInput for bad words and an unknown destination."""
        if not order.dry_run:
            check_words(order.actor, order.reason)
        if order.destination is None:
            return [ALL_DESTINATIONS]
        ids = await self._store.destination_ids(order.destination)
        if not ids:
            raise InvalidInput.of(
                "destination", order.destination, "must be the abbreviation of a destination"
            )
        return ids

    async def _figures(self, destination_ids: Sequence[int]) -> UnsentCounts:
        return _of(await self._store.waiting(COUNTED_ATTEMPTS), destination_ids)

    async def _others(self, order: PauseOrder, destination_ids: Sequence[int]) -> str:
        """Which other pauses still hold some of these."""
        others = [
            _ALL if pause.destination_id is None else pause.destination or ""
            for pause in await self._store.pauses()
            if (pause.destination_id or ALL_DESTINATIONS) not in destination_ids
            and (order.destination is None or pause.destination_id is None)
        ]
        return f"; still paused: {', '.join(others)}" if others else ""


def kept_by(pause: Pause, waiting: Mapping[int, UnsentCounts]) -> UnsentCounts:
    """What a pause keeps of the unsent executions of each destination."""
    return _of(waiting, [pause.destination_id or ALL_DESTINATIONS])


def _of(waiting: Mapping[int, UnsentCounts], destination_ids: Sequence[int]) -> UnsentCounts:
    everything = ALL_DESTINATIONS in destination_ids
    counted = [found for one, found in waiting.items() if everything or one in destination_ids]
    return sum(counted, UnsentCounts())
