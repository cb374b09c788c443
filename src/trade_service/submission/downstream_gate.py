"""DownstreamGate: nothing is claimed before the ledger is read, nor while it is in doubt."""

import asyncio
import contextlib

import structlog

from trade_service.domain.fields import is_service_id
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

UNREAD = "the Execution Service's ledger has not been read yet"
RECOVER = "run `trade-service recover`"


class DownstreamGate:
    """Open while this process may claim. `run` maintains it; everything is called on one loop."""

    def __init__(
        self,
        store: DownstreamStore,
        gateway: Ledger,
        clock: Clock,
        events: EventBus,
        settings: EngineSettings,
    ) -> None:
        self._store = store
        self._reader = LedgerReader(gateway)
        self._clock = clock
        self._events = events
        self._base_url = settings.execution_service.base_url.rstrip("/")
        self._same_ledger = settings.execution_service.same_ledger
        self._max_pages = settings.submission.look_up_max_pages
        self._began = self._failing_since = clock.monotonic()
        self.is_open = False
        """Whether executions may be claimed."""
        self.epoch = 0
        """The epoch that this process has read; 0 before it has."""
        self.high_water_id = 0
        """The one in the database: a claim that begins now gets no lower low-water id."""
        self._has_read, self._is_starting, self._must_read_back = False, True, False
        self._failures = 0
        self._alarmed: set[str] = set()
        self._sign: Suspicion | None = None
        self._beyond = 0
        self._high_water = (0, 0)
        self._raise_at = 0.0
        self._raise_is_planned = False
        self._opened, self._woken = asyncio.Event(), asyncio.Event()
        self._woken.set()
        self.reason = UNREAD
        """Why it is closed, for people; empty while it is open."""

    async def wait_open(self) -> None:
        """Returns when executions may be claimed."""
        await self._opened.wait()

    def note_seen(self, service_id: int, execution_id: int) -> None:
        """Notes a ledger id and the execution that its row names.

        It becomes the low-water id of later attempts within a second. A row that names no execution cannot:
        it does not identify the ledger.
        """
        if service_id > self._high_water[0] and is_service_id(execution_id):
            self._high_water = (service_id, execution_id)
            # Without a plan `run` sleeps; with one it would read the shared state anew for every batch.
            if self.is_open and not self._raise_is_planned:
                self._woken.set()

    def note_ours(self, execution_id: int) -> None:
        """Notes the greatest of our execution ids in the ledger: this database must have created it."""
        if execution_id > self._beyond:
            self._beyond = execution_id
            self._woken.set()

    def suspect(self, suspicion: Suspicion) -> None:
        """Closes at once; `run` makes the mark durable and takes a second look."""
        if self._sign is None:
            self._sign = suspicion
            self._close(suspicion.reason)
            message = f"{suspicion.reason}: nothing is sent until a second look has decided"
            ids = (
                (suspicion.execution_id,) if suspicion.sign is Sign.ANSWER and suspicion.execution_id else ()
            )
            self._events.emit(AlarmEvent(AlarmCode.DOWNSTREAM_SUSPECTED, message, ids))
        self._woken.set()

    def is_older_database(self, low_water_id: int, least_id: int) -> bool:
        """Whether a claim's low-water id is below `high_water_id` when it began: the database went back in time.

        Nothing may be sent then; the ledger is read again.
        """
        if low_water_id >= least_id:
            return False
        self._close(
            "this database is older than it was a moment ago: the Execution Service's ledger is read again"
        )
        self._has_read = False
        self._woken.set()
        return True

    def note_refused(self) -> None:
        """Closes after a claim that found the shared state closed or in another epoch; that is read again."""
        self._close("another process is checking the Execution Service's ledger")
        self._woken.set()

    async def start(self, timeout_s: float) -> None:
        """Tries to read the ledger before anything is queued; a failure leaves the gate closed.

        This database may have been restored from a backup. New executions then begin after a gap until the ledger
        is read: the lost database may have used the ids that follow.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._attend()
        if not self._has_read and (await self._store.read()).base_url is not None:
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
                    await self._woken.wait()

    async def _attend(self) -> float | None:
        """Does what is due; returns the seconds until something is due again, None when nothing will be."""
        self._woken.clear()
        self._raise_is_planned = False
        try:
            pause_s = await self._look_after()
        except LedgerUnread as error:
            self._note_failure(str(error))
            return self._retry_s()
        self._failures = 0
        return pause_s

    async def _look_after(self) -> float | None:
        if self._sign is not None:
            await self._store.suspect(self.epoch, self._sign)
            self._sign = None
        state = await self._store.read()
        if state.suspicion is not None and self._is_ours(state):
            return await self._settle_suspicion(state, state.suspicion)
        if (state.epoch, state.high_water_id) < (self.epoch, self.high_water_id):
            self.is_older_database(state.high_water_id, self.high_water_id)
        if not self._has_read:
            if not await self._first_look(state):
                return SECOND_LOOK_AFTER_S
            state = await self._store.read()
            self._has_read, self.epoch, self.high_water_id = True, state.epoch, 0
        beyond = self._beyond
        if beyond > state.last_execution_id:
            await self._advance(state, beyond)
        if self._must_read_back:
            await self._read_back()
            state = await self._store.read()
        self._is_starting = False
        if self._beyond == beyond:
            self._beyond = 0
        return await self._follow(state)

    async def _settle_suspicion(self, state: DownstreamState, suspicion: Suspicion) -> float:
        self._close(suspicion.reason)
        wait_s = SECOND_LOOK_AFTER_S - suspicion.age_s
        if wait_s <= 0:
            await self._second_look(state, suspicion)
        return max(0.0, wait_s)

    async def _follow(self, state: DownstreamState) -> float | None:
        """Opens or closes according to the shared state, and raises the high-water id."""
        if state.suspicion is not None:
            self._close(state.suspicion.reason)
            return SECOND_LOOK_AFTER_S
        if state.blocked_reason is not None:
            self._close(state.blocked_reason)
            self._alarm_once(AlarmCode.DATABASE_RESTORED, state.blocked_reason)
            return BLOCKED_POLL_S
        if not self._is_ours(state):
            reason = (
                "this database's ledger is at another address than the one that this process asks: restart the "
                "replicas that ask a wrong one, or set execution_service.same_ledger if both are one"
            )
            self._close(reason)  # Without the addresses, since callers read it.
            addresses = f"the database has {state.base_url}, this process asks {self._base_url}"
            self._alarm_once(AlarmCode.DOWNSTREAM_MOVED, f"{reason} ({addresses})")
            return BLOCKED_POLL_S
        if state.epoch != self.epoch:
            self.epoch, self._high_water = state.epoch, (0, 0)
        self.high_water_id = state.high_water_id
        self._open()
        return await self._raise()

    async def _raise(self) -> float | None:
        service_id, execution_id = self._high_water
        if service_id <= self.high_water_id:
            return None
        wait_s = self._raise_at - self._clock.monotonic()
        self._raise_is_planned = wait_s > 0
        if self._raise_is_planned:
            return wait_s
        self._raise_at = self._clock.monotonic() + RAISE_EVERY_S
        if await self._store.raise_high_water(self.epoch, service_id, execution_id):
            self.high_water_id = service_id
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
        self._close(reason)
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
        if not self._has_read:
            self._close(f"{UNREAD}: {problem}")
        if now - self._failing_since >= ALARM_AFTER_S:
            self._alarm_once(AlarmCode.DOWNSTREAM_UNREAD, f"{self.reason}. Nothing is sent until it was read")

    def _retry_s(self) -> float:
        step_s = min(LAST_RETRY_S, FIRST_RETRY_S * 2.0 ** min(self._failures, 16))
        return step_s * (0.5 + 0.5 * self._clock.random())

    def _is_ours(self, state: DownstreamState) -> bool:
        return state.base_url is None or self._same_ledger or same_address(state.base_url, self._base_url)

    def _open(self) -> None:
        if self._sign is None:
            self.is_open = True
            self._opened.set()
            self._alarmed.clear()
            self.reason = ""

    def _close(self, reason: str) -> None:
        self.is_open = False
        self._opened.clear()
        self.reason = reason

    def _alarm_once(self, code: AlarmCode, message: str) -> None:
        if code not in self._alarmed:
            self._alarmed.add(code)
            self._events.emit(AlarmEvent(code, message))
