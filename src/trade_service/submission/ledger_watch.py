"""LedgerWatch: reads the Execution Service's ledger, and opens the gate while it is known and not in doubt."""

import asyncio
import contextlib

import structlog

from trade_service.submission.admission import UNREAD, DownstreamGate
from trade_service.submission.codes import AlarmCode
from trade_service.submission.downstream import (
    DownstreamState,
    LedgerLook,
    Ruling,
    Sign,
    Suspicion,
    listing_suspicion,
    rule_on_suspicion,
    same_address,
)
from trade_service.submission.downstream_scan import (
    LedgerPage,
    LedgerReader,
    LedgerUnread,
    execution_id_of,
    id_of,
)
from trade_service.submission.engine_settings import EngineSettings
from trade_service.submission.events import AlarmEvent, EventBus
from trade_service.submission.listing_walk import PAGE
from trade_service.submission.ports import Clock, DownstreamStore, Ledger, StoreUnavailable

_log = structlog.get_logger(__name__)

RAISE_EVERY_S = 1.0
SECOND_LOOK_AFTER_S = 1.0
"""An earlier second look could get the same stale answer."""
ALARM_AFTER_S = 30.0
FIRST_RETRY_S, LAST_RETRY_S = 0.2, 5.0
ID_MARGIN = 1000
"""New execution ids begin so far after the greatest in the ledger: calls in flight carry ids too."""
ID_GAP = 20_000
"""The least gap; its size is random, since the database that was lost may have left one too."""
BLOCKED_POLL_S = 2.0
"""How often a state is read again that only an operator or another process can end."""

RECOVER = "run `trade-service recover`"


class LedgerWatch:
    """Follows up what was noted at the gate, and the state that all replicas share.

    Nothing is claimed before the ledger was read, nor while it is in doubt.
    """

    def __init__(
        self,
        gate: DownstreamGate,
        store: DownstreamStore,
        gateway: Ledger,
        clock: Clock,
        events: EventBus,
        settings: EngineSettings,
    ) -> None:
        self.gate = gate
        self._store = store
        self._reader = LedgerReader(gateway)
        self._clock = clock
        self._events = events
        self._base_url = settings.execution_service.base_url.rstrip("/")
        self._same_ledger = settings.execution_service.same_ledger
        self._max_pages = settings.submission.look_up_max_pages
        self._began = self._failing_since = clock.monotonic()
        self._is_starting, self._must_read_back = True, False
        self._failures = 0
        self._alarmed: set[str] = set()
        self._raise_at = 0.0

    async def start(self, timeout_s: float) -> None:
        """Tries to read the ledger before anything is queued; a failure leaves the gate closed.

        This database may have been restored from a backup. New executions then begin after a gap until the ledger
        is read: the lost database may have used the ids that follow.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._attend()
        if not self.gate.has_read and (await self._store.read()).base_url is not None:
            await self._store.leave_gap(round(ID_GAP * (1 + 9 * self._clock.random())))

    async def run(self) -> None:
        """Reads the ledger and the shared state until cancelled."""
        while True:
            try:
                pause_s = await self._attend()
            except StoreUnavailable as error:
                _log.warning("downstream_state_waits_for_database", error=str(error))
                pause_s = RAISE_EVERY_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self.gate.woken.wait()

    async def _attend(self) -> float | None:
        """Does what is due; returns the seconds until something is due again, None when nothing will be."""
        self.gate.woken.clear()
        self.gate.raise_is_planned = False
        try:
            pause_s = await self._look_after()
        except LedgerUnread as error:
            self._note_failure(str(error))
            return self._retry_s()
        self._failures = 0
        return pause_s

    async def _look_after(self) -> float | None:
        if self.gate.suspicion is not None:
            await self._store.suspect(self.gate.epoch, self.gate.suspicion)
            self.gate.suspicion = None
        state = await self._store.read()
        if state.suspicion is not None and self._is_ours(state):
            return await self._settle_suspicion(state, state.suspicion)
        if (state.epoch, state.high_water_id) < (self.gate.epoch, self.gate.high_water_id):
            self.gate.is_older_database(state.high_water_id, self.gate.high_water_id)
        if not self.gate.has_read:
            if not await self._first_look(state):
                return SECOND_LOOK_AFTER_S
            state = await self._store.read()
            self.gate.has_read, self.gate.epoch, self.gate.high_water_id = True, state.epoch, 0
        beyond = self.gate.greatest_of_ours
        if beyond > state.last_execution_id:
            await self._advance(state, beyond)
        if self._must_read_back:
            await self._read_back()
            state = await self._store.read()
        self._is_starting = False
        if self.gate.greatest_of_ours == beyond:
            self.gate.greatest_of_ours = 0
        return await self._follow(state)

    async def _settle_suspicion(self, state: DownstreamState, suspicion: Suspicion) -> float:
        self.gate.close(suspicion.reason)
        wait_s = SECOND_LOOK_AFTER_S - suspicion.age_s
        if wait_s <= 0:
            await self._second_look(state, suspicion)
        return max(0.0, wait_s)

    async def _follow(self, state: DownstreamState) -> float | None:
        """Opens or closes according to the shared state, and raises the high-water id."""
        if state.suspicion is not None:
            self.gate.close(state.suspicion.reason)
            return SECOND_LOOK_AFTER_S
        if state.blocked_reason is not None:
            self.gate.close(state.blocked_reason, blocked=True)
            self._alarm_once(AlarmCode.DATABASE_RESTORED, state.blocked_reason)
            return BLOCKED_POLL_S
        if not self._is_ours(state):
            reason = (
                "this database's ledger is at another address than the one that this process asks: restart the "
                "replicas that ask a wrong one, or set execution_service.same_ledger if both are one"
            )
            self.gate.close(reason, blocked=True)  # Without the addresses, since callers read it.
            addresses = f"the database has {state.base_url}, this process asks {self._base_url}"
            self._alarm_once(AlarmCode.DOWNSTREAM_MOVED, f"{reason} ({addresses})")
            return BLOCKED_POLL_S
        if state.epoch != self.gate.epoch:
            self.gate.epoch, self.gate.greatest_seen = state.epoch, (0, 0)
        self.gate.high_water_id = state.high_water_id
        self.gate.open()
        if self.gate.is_open:
            self._alarmed.clear()
        return await self._raise()

    async def _raise(self) -> float | None:
        service_id, execution_id = self.gate.greatest_seen
        if service_id <= self.gate.high_water_id:
            return None
        wait_s = self._raise_at - self._clock.monotonic()
        self.gate.raise_is_planned = wait_s > 0
        if self.gate.raise_is_planned:
            return wait_s
        self._raise_at = self._clock.monotonic() + RAISE_EVERY_S
        if await self._store.raise_high_water(self.gate.epoch, service_id, execution_id):
            self.gate.high_water_id = service_id
        return None

    async def _first_look(self, state: DownstreamState) -> bool:
        """Reads what is new in the ledger; False when a second look must come first."""
        page = await self._reader.page(0)
        newest_id, newest_execution_id = page.top
        if not self._is_ours(state):
            await self._move(state, newest_id, newest_execution_id)
            return True
        if newest_id < state.known_id:
            await self._store.suspect(state.epoch, listing_suspicion(state.known_id, newest_id))
            return False
        if state.base_url is not None:
            await self._check_what_is_new(state.high_water_id, page)
        if page.greatest_of_ours > state.last_execution_id:
            # Other replicas may have created and sent executions since `state` was read.
            now = await self._store.read()
            if page.greatest_of_ours > now.last_execution_id:
                await self._advance(now, page.greatest_of_ours)
        # A row that names an execution identifies the ledger; without any, the newest row is the high-water id.
        named = max((row for row in page.rows if execution_id_of(row)), key=id_of, default=None)
        row_id, row_execution_id = (
            (newest_id, None) if named is None else (id_of(named), execution_id_of(named))
        )
        if named is None and state.high_water_id:
            row_id = 0
        await self._store.note_ledger(state.epoch, self._base_url, row_id, row_execution_id)
        return True

    async def _check_what_is_new(self, low_water_id: int, page: LedgerPage) -> None:
        """Blocks claims if a row above `low_water_id` is unsent here: it was sent after this database's backup."""
        for offset in range(PAGE, self._max_pages * PAGE, PAGE):
            newer = sorted({execution_id_of(row) for row in page.rows if id_of(row) > low_water_id} - {0})
            unsent = await self._store.held_as_unsent(newer) if newer else ()
            if unsent:
                await self._store.block(
                    f"the Execution Service's ledger holds execution {unsent[0]}, which this database holds as "
                    f"not sent: it was restored from a backup, or it is not the only sender. {RECOVER}"
                )
                return
            if not page.has_next or not page.rows or id_of(page.rows[-1]) <= low_water_id:
                return
            page = await self._reader.page(offset)

    async def _move(self, state: DownstreamState, newest_id: int, execution_id: int | None) -> None:
        unknown = await self._store.begin_epoch(state.epoch, self._base_url, newest_id, execution_id)
        if unknown:
            message = (
                f"the Execution Service was at {state.base_url} and is at {self._base_url} now: absence "
                f"there proves nothing for {len(unknown)} executions whose outcome is unknown. Resolve them "
                f"manually; if it is the same ledger, {RECOVER} with --same-ledger"
            )
            self._events.emit(AlarmEvent(AlarmCode.DOWNSTREAM_MOVED, message, unknown))

    async def _advance(self, state: DownstreamState, beyond: int) -> None:
        """The ledger holds executions that this database has not created: it was restored, or is not alone.

        Claims are blocked if executions are open, except for those that this process queued while it started.
        """
        found = (
            f"the Execution Service's ledger holds execution {beyond} of ours, and this database has created "
            f"{state.last_execution_id} at most"
        )
        reason = (
            f"{found}: it was restored from a backup, or it is not the only sender. Executions that are open here "
            f"may have been accepted: {RECOVER}"
        )
        self.gate.close(reason)
        self._must_read_back = True
        since_s = self._clock.monotonic() - self._began if self._is_starting else 0.0
        if not await self._store.advance_sequence(beyond + ID_MARGIN, since_s, reason):
            message = f"{found}: no execution was open, so new ones begin after {beyond + ID_MARGIN}"
            self._events.emit(AlarmEvent(AlarmCode.DATABASE_RESTORED, message))

    async def _read_back(self) -> None:
        """Reads up to `max_pages` back: executions are not accepted in the order of their ids."""
        beyond = 0
        for number in range(self._max_pages):
            page = await self._reader.page(number * PAGE)
            beyond = max(beyond, page.greatest_of_ours)
            if not page.has_next:
                break
        state = await self._store.read()
        if beyond > state.last_execution_id:
            await self._advance(state, beyond)
        self._must_read_back = False

    async def _second_look(self, state: DownstreamState, suspicion: Suspicion) -> None:
        newest_id, newest_execution_id = (await self._reader.page(0)).top
        anchor = await self._reader.row(state.high_water_id)
        suspect = None if suspicion.sign is Sign.LISTING else await self._reader.row(suspicion.service_id)
        look = LedgerLook(
            newest_id,
            anchor_found=anchor is not None,
            anchor_execution_id=None if anchor is None else anchor.trade_service_execution_id,
            suspect_execution_id=None if suspect is None else suspect.trade_service_execution_id,
        )
        match rule_on_suspicion(state, look):
            case Ruling.SAME_LEDGER:
                await self._store.dismiss(state.epoch, suspicion)
                _log.warning("suspicion_dismissed", reason=suspicion.reason, newest_id=newest_id)
            case Ruling.LOOK_AGAIN:
                await self._store.dismiss(state.epoch, suspicion)
                await self._store.suspect(state.epoch, listing_suspicion(state.known_id, newest_id))
            case Ruling.NEW_EPOCH:
                await self._begin_epoch(state, newest_id, newest_execution_id)

    async def _begin_epoch(self, state: DownstreamState, newest_id: int, execution_id: int | None) -> None:
        unknown = await self._store.begin_epoch(state.epoch, state.base_url or "", newest_id, execution_id)
        if unknown is not None:
            message = (
                f"the Execution Service's ledger was reset or restored: {state.known_id} was its newest id, "
                f"now it is {newest_id}. Sending goes on in a new epoch; absence proves nothing for "
                f"{len(unknown)} executions whose outcome is unknown: resolve them manually"
            )
            self._events.emit(AlarmEvent(AlarmCode.DOWNSTREAM_RESET, message, unknown))

    def _note_failure(self, problem: str) -> None:
        now = self._clock.monotonic()
        self._failing_since = self._failing_since if self._failures else now
        self._failures += 1
        if not self.gate.has_read:
            self.gate.close(f"{UNREAD}: {problem}")
        if now - self._failing_since >= ALARM_AFTER_S:
            self._alarm_once(
                AlarmCode.DOWNSTREAM_UNREAD, f"{self.gate.reason}. Nothing is sent until it has been read"
            )

    def _retry_s(self) -> float:
        step_s = min(LAST_RETRY_S, FIRST_RETRY_S * 2.0 ** min(self._failures, 16))
        return step_s * (0.5 + 0.5 * self._clock.random())

    def _is_ours(self, state: DownstreamState) -> bool:
        return state.base_url is None or self._same_ledger or same_address(state.base_url, self._base_url)

    def _alarm_once(self, code: AlarmCode, message: str) -> None:
        if code not in self._alarmed:
            self._alarmed.add(code)
            self._events.emit(AlarmEvent(code, message))
