"""Names of portfolios and securities, kept in the database so that lists can sort and filter by them.

Two other services own the names. Every name they return is stored with its time, where all replicas see it,
and is fetched again when a list shows it and it is older than `ttl_s`. While those services are away the
stored name is still shown, and an id stands in for a name that was never fetched. One request waits at most
`wait_ms` for names in total.
"""

import asyncio
import math
from collections import OrderedDict, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Protocol, Self, TypeAlias, TypeVar

import msgspec
import structlog

from trade_service.domain.orders import TradeOrder
from trade_service.single_flight import SingleFlight
from trade_service.submission.ports import Clock, StoreUnavailable
from trade_service.trading.trading_settings import NamesSettings

_log = structlog.get_logger(__name__)

ID_LENGTH = 24
"""Length of the other services' ids, as our columns have it."""
MAX_NAME = 200
_STORED_AT_ONCE = 500
IDS_AT_ONCE = 1000
"""The most ids fetched by one task; the rest are left to later requests."""
ABSENT_MEMORY_S = 1.0
"""How long the database is not searched again for a name that it lacks, while the name's service is away."""
KEPT_IN_MEMORY = 50_000
UNSEEN_TTL_S = 3600.0
"""Age at which a name that no list shows is fetched again."""
_MAX_IN_FLIGHT = 10
"""Times `IDS_AT_ONCE`: the most ids being fetched at any moment, for all requests together."""


class NameKind(StrEnum):
    """What a name belongs to."""

    PORTFOLIO = "portfolio"
    SECURITY = "security"


NameKey: TypeAlias = tuple[NameKind, str]


class NamesUnavailable(Exception):
    """The service that owns the names did not answer, or not usefully."""


class NameSource(Protocol):
    """The services that own the names."""

    async def name_of(self, kind: NameKind, identity: str) -> str | None:
        """The name; None when there is no such id. Raises NamesUnavailable."""

    async def search(self, kind: NameKind, name: str) -> Mapping[str, str]:
        """Ids and names of those with exactly this name. Raises NamesUnavailable."""

    def is_away(self, kind: NameKind) -> bool:
        """Whether a call is known to fail at the moment."""


class KnownName(msgspec.Struct, frozen=True):
    """What the database has stored for an id."""

    name: str | None
    """None when the owning service reported that there is no such id."""
    age_s: float


class NameStore(Protocol):
    """The names in the database. Every method is one statement and may raise StoreUnavailable."""

    async def known(
        self, portfolio_ids: Collection[str], security_ids: Collection[str]
    ) -> Mapping[NameKey, KnownName]:
        """What is stored for these ids."""

    async def remember(self, kind: NameKind, names: Mapping[str, str | None]) -> Mapping[str, str | None]:
        """Stores the names, as of now, and returns what is stored. An id reported as unknown keeps its name."""

    async def ids_of(self, kind: NameKind, texts: Sequence[str]) -> Mapping[str, str]:
        """Ids, and the names that lists show for them, where the name is one of the texts, ignoring case.

        An id without a name is shown as itself.
        """

    async def nameless(self, kind: NameKind, limit: int, older_than_s: float) -> list[str]:
        """Ids that trade orders use and that have no stored name, followed by those with the oldest names."""

    async def forget(self, kind: NameKind, kept: int) -> None:
        """Deletes all but the `kept` most recently fetched names."""


class WaitBudget(msgspec.Struct):
    """How much longer one request may wait for names, over all its waits."""

    left_s: float


class NameBook(msgspec.Struct, frozen=True):
    """Names at one moment; an id stands in for a missing name."""

    names: Mapping[NameKey, str | None]

    def portfolio(self, identity: str) -> str:
        return self.names.get((NameKind.PORTFOLIO, identity)) or identity

    def security(self, identity: str) -> str:
        return self.names.get((NameKind.SECURITY, identity)) or identity


class DisplayNames:
    """The names that lists show. Leaving `async with` cancels the fetches under way."""

    def __init__(
        self,
        source: NameSource,
        store: NameStore,
        clock: Clock,
        settings: NamesSettings,
        *,
        memory_s: float = 10.0,
        complete_every_s: float = 10.0,
    ) -> None:
        """`memory_s`: how long a name is shown without reading the database again.

        `complete_every_s`: sorting by names fetches missing names no more often than this.
        """
        self._source = source
        self._store = store
        self._clock = clock
        self._settings = settings
        self._memory_s = memory_s
        self._complete_every_s = complete_every_s
        self._fetches: SingleFlight[None] = SingleFlight("names", StoreUnavailable)
        self._recent: OrderedDict[NameKey, tuple[str | None, float]] = OrderedDict()
        """Names and when they were last read or stored."""
        self._absent: OrderedDict[NameKey, float] = OrderedDict()
        """Ids without a stored name that nobody was fetching, and when that was read."""
        self._searched: OrderedDict[NameKey, float] = OrderedDict()
        self._completed = dict.fromkeys(NameKind, -math.inf)
        self._slots = {kind: asyncio.Semaphore(settings.max_connections) for kind in NameKind}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._fetches.__aexit__(*exc)

    async def run(self) -> None:
        """Fetches the names of ids in trade orders before any list shows them; runs until cancelled."""
        settings = self._settings
        while True:
            await self._clock.sleep(settings.poll_s)
            for kind in NameKind:
                read_from = self._clock.monotonic()
                try:
                    ids = await self._store.nameless(kind, IDS_AT_ONCE, UNSEEN_TTL_S)
                    if tasks := self._fetch(kind, ids, read_from):
                        await asyncio.wait(tasks)
                    await self._store.forget(kind, settings.max_kept)
                except StoreUnavailable as error:
                    _log.warning("names_not_kept", kind=kind.value, error=str(error))

    def budget(self) -> WaitBudget:
        """The waiting time of a new request."""
        return WaitBudget(self._settings.wait_ms / 1000)

    async def book(self, orders: Collection[TradeOrder], budget: WaitBudget | None = None) -> NameBook:
        """The names that these orders need: those that are stored, and those fetched within the budget.

        Raises StoreUnavailable.
        """
        keys = {(NameKind.PORTFOLIO, order.portfolio_id) for order in orders}
        keys |= {(NameKind.SECURITY, order.security_id) for order in orders}
        return await self._book(keys, budget)

    async def security_book(self, security_ids: Iterable[str]) -> NameBook:
        """The names of these securities, as `book` finds them. Raises StoreUnavailable."""
        return await self._book({(NameKind.SECURITY, identity) for identity in security_ids}, None)

    async def _book(self, keys: Collection[NameKey], budget: WaitBudget | None) -> NameBook:
        now = self._clock.monotonic()
        fresh_from, absent_from = now - self._memory_s, now - ABSENT_MEMORY_S
        recent = {key: self._recent[key] for key in keys if key in self._recent}
        names = {key: name for key, (name, read_at) in recent.items() if read_at > fresh_from}
        missing = [key for key in keys if key not in names and not self._is_absent(key, absent_from)]
        if missing:
            names |= await self._read(missing, budget or self.budget())
            for key in missing:
                if key not in names and self._fetches.running(key) is None:
                    _put(self._absent, key, now, KEPT_IN_MEMORY)
        return NameBook(names)

    def _is_absent(self, key: NameKey, absent_from: float) -> bool:
        """Whether the database lacked it a moment ago, and its service, being away, cannot have sent it since."""
        return self._absent.get(key, -math.inf) > absent_from and self._source.is_away(key[0])

    async def _read(self, keys: Sequence[NameKey], budget: WaitBudget) -> dict[NameKey, str | None]:
        """What the database has of these, and what the services return within the budget."""
        ids = {kind: [identity for of, identity in keys if of is kind] for kind in NameKind}
        read_from = self._clock.monotonic()
        known = await self._store.known(ids[NameKind.PORTFOLIO], ids[NameKind.SECURITY])
        old = {key for key, found in known.items() if found.age_s > self._settings.ttl_s}
        for key, found in known.items():
            if key not in old:
                self._keep(key, found.name)
        waiting: set[asyncio.Task[None]] = set()
        for kind in NameKind:
            if not self._source.is_away(kind):
                waiting |= self._fetch(kind, [i for i in ids[kind] if (kind, i) not in known], read_from)
                self._fetch(kind, [i for i in ids[kind] if (kind, i) in old], read_from)
        await self._wait(waiting, budget)
        fetched = {key: self._recent[key][0] for key in keys if key not in known and key in self._recent}
        return {key: found.name for key, found in known.items()} | fetched

    async def ids_of(self, kind: NameKind, texts: Sequence[str], budget: WaitBudget) -> set[str]:
        """The ids that lists show under one of these names; raises StoreUnavailable."""
        await self.complete(kind, budget)
        found = await self._store.ids_of(kind, texts)
        shown = {name.lower() for identity, name in found.items() if identity != name}
        since = self._clock.monotonic() - self._settings.ttl_s
        unknown = [
            text
            for text in texts
            if text.lower() not in shown and self._searched.get((kind, text), -math.inf) <= since
        ]
        if unknown:
            await self._wait({self._search(kind, text) for text in unknown}, budget)
            found = await self._store.ids_of(kind, texts)
        return set(found)

    async def complete(self, kind: NameKind, budget: WaitBudget) -> None:
        """Fetches, within the budget, names that ids in trade orders still lack."""
        now = self._clock.monotonic()
        if now - self._completed[kind] >= self._complete_every_s:
            self._completed[kind] = now
            ids = await self._store.nameless(kind, IDS_AT_ONCE, math.inf)
            await self._wait(self._fetch(kind, ids, now), budget)

    async def _wait(self, tasks: Collection[asyncio.Task[None]], budget: WaitBudget) -> None:
        """Waits while the budget lasts; the tasks go on after that."""
        if tasks:
            began = self._clock.monotonic()
            await asyncio.wait(tasks, timeout=budget.left_s)
            budget.left_s = max(0.0, budget.left_s - (self._clock.monotonic() - began))

    def _fetch(self, kind: NameKind, ids: Iterable[str], read_from: float) -> set[asyncio.Task[None]]:
        """The tasks that fetch these names, started for ids that are not being fetched yet.

        `read_from` is when the read began that found them missing or old. A name stored since then is not fetched
        again: the read may not have seen it.
        """
        keys = [(kind, identity) for identity in ids if not self._is_kept_since(read_from, (kind, identity))]
        running = {task for key in keys if (task := self._fetches.running(key)) is not None}
        room = min(IDS_AT_ONCE, _MAX_IN_FLIGHT * IDS_AT_ONCE - len(self._fetches))
        fresh = [key for key in keys if self._fetches.running(key) is None][: max(0, room)]
        if fresh:
            running.add(self._fetches.start(fresh, lambda: self._fetched(kind, [i for _, i in fresh])))
        return running

    async def _fetched(self, kind: NameKind, ids: Sequence[str]) -> None:
        queue = deque(ids)
        names: dict[str, str | None] = {}
        async with asyncio.TaskGroup() as group:
            for _ in range(min(self._settings.max_connections, len(queue))):
                group.create_task(self._drain(kind, queue, names))
        await self._store_names(kind, names)

    async def _drain(self, kind: NameKind, queue: deque[str], names: dict[str, str | None]) -> None:
        while queue:
            identity = queue.popleft()
            try:
                async with self._slots[kind]:
                    name = await self._source.name_of(kind, identity)
            except NamesUnavailable as error:
                _log.debug("name_not_told", kind=kind.value, id=identity, error=str(error))
                if self._source.is_away(kind):
                    queue.clear()
                continue
            names[identity] = name
            if name is not None:
                self._keep((kind, identity), name)
            if len(names) >= _STORED_AT_ONCE:
                part = dict(names)
                names.clear()
                await self._store_names(kind, part)

    def _search(self, kind: NameKind, text: str) -> asyncio.Task[None]:
        return self._fetches.join(("search", kind, text), lambda: self._searched_now(kind, text))

    async def _searched_now(self, kind: NameKind, text: str) -> None:
        try:
            async with self._slots[kind]:
                names = await self._source.search(kind, text)
        except NamesUnavailable as error:
            _log.debug("name_not_searched", kind=kind.value, name=text, error=str(error))
            return
        _put(self._searched, (kind, text), self._clock.monotonic(), IDS_AT_ONCE)
        await self._store_names(kind, names)

    async def _store_names(self, kind: NameKind, names: Mapping[str, str | None]) -> None:
        kept = {
            identity: None if name is None else name.replace("\x00", "")[:MAX_NAME]
            for identity, name in names.items()
            if len(identity) <= ID_LENGTH
        }
        if kept:
            for identity, name in (await self._store.remember(kind, kept)).items():
                self._keep((kind, identity), name)

    def _is_kept_since(self, moment: float, key: NameKey) -> bool:
        return key in self._recent and self._recent[key][1] > moment

    def _keep(self, key: NameKey, name: str | None) -> None:
        """For those who wait for a fetch that is not complete, and for the next pages."""
        _put(self._recent, key, (name, self._clock.monotonic()), KEPT_IN_MEMORY)


Entry = TypeVar("Entry")


def _put(kept: OrderedDict[NameKey, Entry], key: NameKey, entry: Entry, limit: int) -> None:
    """Adds an entry as the newest one; beyond the limit the oldest is dropped."""
    kept[key] = entry
    kept.move_to_end(key)
    if len(kept) > limit:
        kept.popitem(last=False)
