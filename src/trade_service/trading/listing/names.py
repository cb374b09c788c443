"""Names of portfolios and securities: kept in the database, so that lists sort and filter by them as a whole.

Two other services own them. What they told is remembered with the time, shown to all replicas, and asked for
again when it is seen and older than `ttl_s`; while they are away the older name goes on being shown, and an
id stands in for a name that was never told. No request waits longer than `wait_s` for them, all told.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from enum import StrEnum
from types import TracebackType
from typing import Any, Protocol, Self

import msgspec
import structlog

from trade_service.submission.ports import Clock, StoreUnavailable
from trade_service.trading.listing.flights import Flights

_log = structlog.get_logger(__name__)

ID_LENGTH = 24
"""Of the ids in the other services, as the database's columns have it."""
MAX_NAME = 200
_REMEMBERED_AT_ONCE = 500
_MOST_ASKED = 10
"""Times `ids_at_once`: ids that are being asked for at the same time, whoever wants them."""


class NameKind(StrEnum):
    """Whose name it is."""

    PORTFOLIO = "portfolio"
    SECURITY = "security"


class NamesUnavailable(Exception):
    """The service that knows did not answer, or not usefully."""


class NameSource(Protocol):
    """The services that know the names."""

    async def name_of(self, kind: NameKind, identity: str) -> str | None:
        """The name; None when there is no such id. Raises NamesUnavailable."""
        ...

    async def search(self, kind: NameKind, name: str) -> Mapping[str, str]:
        """Ids and names of those with exactly this name. Raises NamesUnavailable."""
        ...

    def is_away(self, kind: NameKind) -> bool:
        """Whether asking is known to be in vain for the moment."""
        ...


class KnownName(msgspec.Struct, frozen=True):
    """What the database remembers of an id."""

    name: str | None
    """None when the service said that there is no such id."""
    age_s: float


class NameStore(Protocol):
    """The names in the database. Every method is one statement and may raise StoreUnavailable."""

    async def known(
        self, portfolio_ids: Collection[str], security_ids: Collection[str]
    ) -> Mapping[tuple[NameKind, str], KnownName]:
        """What is remembered of these ids."""
        ...

    async def remember(self, kind: NameKind, names: Mapping[str, str | None]) -> None:
        """Keeps the names, as of now. An id that is said not to exist keeps the name it had."""
        ...

    async def ids_of(self, kind: NameKind, texts: Sequence[str]) -> Mapping[str, str]:
        """Ids, and the names that lists show for them, where that is one of the texts in any case of letters.

        An id without a name shows itself.
        """
        ...

    async def nameless(self, kind: NameKind, limit: int, older_than_s: float) -> list[str]:
        """Ids that trade orders have and nothing is remembered of; then those remembered for longest."""
        ...

    async def forget(self, kind: NameKind, kept: int) -> None:
        """Forgets the names that were told longest ago, beyond the `kept` newest."""
        ...


class NamesSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Times in seconds."""

    wait_s: float = 1.0
    ttl_s: float = 300.0
    calls_at_once: int = 16
    """For each of the two services."""
    ids_at_once: int = 1000
    """Asked for in one go; ids beyond are left to the next."""
    max_kept: int = 200_000
    """Names of a kind in the database."""
    memory_s: float = 10.0
    """For this time a name is shown again without a look into the database."""
    kept_in_memory: int = 50_000
    pause_s: float = 60.0
    """Between two rounds in the background."""
    unseen_ttl_s: float = 3600.0
    """A name that no list shows is asked for again when it is older."""
    complete_every_s: float = 10.0
    """Sorting by names looks for ids without one no more often than this."""


class _Told(msgspec.Struct, frozen=True):
    name: str | None
    at: float


class Patience(msgspec.Struct):
    """What is left of the time that one request waits for names, however often it has to."""

    left_s: float


class NameBook(msgspec.Struct, frozen=True):
    """Names at one moment; an id stands in for its missing name."""

    names: Mapping[tuple[NameKind, str], str | None]

    def portfolio(self, identity: str) -> str:
        """The name of a portfolio."""
        return self.names.get((NameKind.PORTFOLIO, identity)) or identity

    def security(self, identity: str) -> str:
        """The ticker of a security."""
        return self.names.get((NameKind.SECURITY, identity)) or identity


class Names:
    """The names that lists show. `async with` ends what is being asked for."""

    def __init__(self, source: NameSource, store: NameStore, clock: Clock, settings: NamesSettings) -> None:
        self._source = source
        self._store = store
        self._clock = clock
        self._settings = settings
        self._fetches: Flights[None] = Flights("names")
        self._asked: dict[tuple[NameKind, str], asyncio.Task[None]] = {}
        self._told: OrderedDict[tuple[NameKind, str], _Told] = OrderedDict()
        self._searched: OrderedDict[tuple[NameKind, str], float] = OrderedDict()
        self._completed = dict.fromkeys(NameKind, float("-inf"))
        self._slots = {kind: asyncio.Semaphore(settings.calls_at_once) for kind in NameKind}

    async def __aenter__(self) -> Self:
        await self._fetches.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._fetches.__aexit__(exc_type, exc, traceback)

    async def run(self) -> None:
        """Names what trade orders point to, before anybody lists it; runs until cancelled."""
        settings = self._settings
        while True:
            await self._clock.sleep(settings.pause_s)
            for kind in NameKind:
                try:
                    ids = await self._store.nameless(kind, settings.ids_at_once, settings.unseen_ttl_s)
                    await asyncio.wait([self._fetch(kind, ids)])
                    await self._store.forget(kind, settings.max_kept)
                except StoreUnavailable as error:
                    _log.warning("names_not_kept", kind=kind.value, error=str(error))

    def patience(self) -> Patience:
        """Of a new request: `wait_s`."""
        return Patience(self._settings.wait_s)

    async def book(
        self, portfolio_ids: Collection[str], security_ids: Collection[str], patience: Patience
    ) -> NameBook:
        """The names of these ids: those that are known, and what the services tell in time.

        Raises StoreUnavailable.
        """
        now = self._clock.boottime()
        names: dict[tuple[NameKind, str], str | None] = {}
        wanted: dict[NameKind, list[str]] = {NameKind.PORTFOLIO: [], NameKind.SECURITY: []}
        for kind, ids in ((NameKind.PORTFOLIO, portfolio_ids), (NameKind.SECURITY, security_ids)):
            for identity in ids:
                told = self._told.get((kind, identity))
                if told is not None and now - told.at < self._settings.memory_s:
                    names[kind, identity] = told.name
                else:
                    wanted[kind].append(identity)
        if any(wanted.values()):
            names |= await self._looked_up(wanted, patience)
        return NameBook(names)

    async def _looked_up(
        self, wanted: Mapping[NameKind, Sequence[str]], patience: Patience
    ) -> dict[tuple[NameKind, str], str | None]:
        """What the database knows of these ids, and what the services tell in time."""
        known = await self._store.known(wanted[NameKind.PORTFOLIO], wanted[NameKind.SECURITY])
        waiting: set[asyncio.Task[None]] = set()
        for kind, ids in wanted.items():
            missing = [i for i in ids if (kind, i) not in known]
            old = [i for i in ids if (kind, i) in known and known[kind, i].age_s > self._settings.ttl_s]
            for identity in set(ids).difference(missing, old):
                self._tell(kind, identity, known[kind, identity].name)
            if self._source.is_away(kind):
                continue
            if missing:
                self._fetch(kind, missing)
                waiting |= {self._asked[kind, i] for i in missing if (kind, i) in self._asked}
            if old:
                self._fetch(kind, old)
        await self._wait(waiting, patience)
        names = {one: told.name for one, told in known.items()}
        for kind, ids in wanted.items():
            for identity in ids:
                if (kind, identity) not in known and (kind, identity) in self._told:
                    names[kind, identity] = self._told[kind, identity].name
        return names

    async def ids_of(self, kind: NameKind, texts: Sequence[str], patience: Patience) -> set[str]:
        """The ids that lists show under one of these names; raises StoreUnavailable."""
        await self.complete(kind, patience)
        found = await self._store.ids_of(kind, texts)
        shown = {name.lower() for identity, name in found.items() if identity != name}
        unknown = [text for text in texts if text.lower() not in shown and not self._was_searched(kind, text)]
        if unknown:
            searches = {
                self._fetches.join((kind, "search", text), self._search(kind, text)) for text in unknown
            }
            await self._wait(searches, patience)
            found = await self._store.ids_of(kind, texts)
        return set(found)

    async def complete(self, kind: NameKind, patience: Patience) -> None:
        """Names what trade orders point to and has no name yet, as far as the services tell in time."""
        now = self._clock.boottime()
        if now - self._completed[kind] < self._settings.complete_every_s:
            return
        self._completed[kind] = now
        ids = await self._store.nameless(kind, self._settings.ids_at_once, float("inf"))
        if ids:
            await self._wait({self._fetch(kind, ids)}, patience)

    async def _wait(self, tasks: Collection[asyncio.Task[None]], patience: Patience) -> None:
        """For the tasks, while there is patience; they go on after that."""
        if tasks:
            began = self._clock.boottime()
            await asyncio.wait(tasks, timeout=patience.left_s)
            patience.left_s = max(0.0, patience.left_s - (self._clock.boottime() - began))

    def _was_searched(self, kind: NameKind, text: str) -> bool:
        searched_at = self._searched.get((kind, text))
        return searched_at is not None and self._clock.boottime() - searched_at < self._settings.ttl_s

    def _fetch(self, kind: NameKind, ids: Iterable[str]) -> asyncio.Task[None]:
        """Has these ids named; those that are being asked for already are not asked for twice."""
        room = max(0, _MOST_ASKED * self._settings.ids_at_once - len(self._asked))
        fresh = [i for i in ids if (kind, i) not in self._asked][: min(room, self._settings.ids_at_once)]
        task = self._fetches.join((kind, "ids", tuple(fresh)), lambda: self._fetched(kind, fresh))
        for identity in fresh:
            self._asked[kind, identity] = task
        return task

    async def _fetched(self, kind: NameKind, ids: Sequence[str]) -> None:
        todo = deque(ids)
        names: dict[str, str | None] = {}
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self._settings.calls_at_once, len(todo))):
                    group.create_task(self._drain(kind, todo, names))
            await self._remember(kind, names)
        finally:
            for identity in ids:
                self._asked.pop((kind, identity), None)

    async def _drain(self, kind: NameKind, todo: deque[str], names: dict[str, str | None]) -> None:
        while todo:
            identity = todo.popleft()
            try:
                async with self._slots[kind]:
                    name = await self._source.name_of(kind, identity)
            except NamesUnavailable as error:
                _log.debug("name_not_told", kind=kind.value, id=identity, error=str(error))
                if self._source.is_away(kind):
                    todo.clear()
                continue
            names[identity] = name
            self._tell(kind, identity, name)
            if len(names) >= _REMEMBERED_AT_ONCE:
                told = dict(names)
                names.clear()
                await self._remember(kind, told)

    def _search(self, kind: NameKind, text: str) -> Callable[[], Coroutine[Any, Any, None]]:
        async def search() -> None:
            try:
                async with self._slots[kind]:
                    names = await self._source.search(kind, text)
            except NamesUnavailable as error:
                _log.debug("name_not_searched", kind=kind.value, name=text, error=str(error))
                return
            self._searched[kind, text] = self._clock.boottime()
            while len(self._searched) > self._settings.ids_at_once:
                self._searched.popitem(last=False)
            await self._remember(kind, names)

        return search

    async def _remember(self, kind: NameKind, names: Mapping[str, str | None]) -> None:
        kept = {
            identity: None if name is None else name.replace("\x00", "")[:MAX_NAME]
            for identity, name in names.items()
            if len(identity) <= ID_LENGTH
        }
        if kept:
            await self._store.remember(kind, kept)

    def _tell(self, kind: NameKind, identity: str, name: str | None) -> None:
        """Whoever waits for a batch sees what came of it so far, and the next page need not look it up."""
        self._told[kind, identity] = _Told(name, self._clock.boottime())
        self._told.move_to_end((kind, identity))
        while len(self._told) > self._settings.kept_in_memory:
            self._told.popitem(last=False)
