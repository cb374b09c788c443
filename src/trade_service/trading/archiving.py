"""Moves finished rows that are past their retention from the database to files.

A file is durable and verified before its rows leave the database, in the transaction that registers it. A crash at
any moment leaves the rows in the database, in a registered file, or in both; the next run completes what was left.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import msgspec
import structlog

from trade_service.submission.ports import Clock
from trade_service.trading.archive_model import (
    ArchiveDamaged,
    ArchiveFile,
    ArchiveKind,
    Cutoff,
    Manifest,
    Origin,
    PageRow,
    Place,
    RowsChanged,
)
from trade_service.trading.trading_settings import RetentionSettings

_log = structlog.get_logger(__name__)

_SMALLER = {ArchiveKind.ATTEMPTS: 4, ArchiveKind.AUDIT_LOG: 4, ArchiveKind.BULK_SUBMISSIONS: 100}
"""Divisors of `retention.file_rows` for kinds with large rows."""


class ArchiveStore(Protocol):
    """The rows to archive and the register of files. Every method may raise StoreUnavailable."""

    def alone(self) -> AbstractAsyncContextManager[None]:
        """Keeps other processes from archiving meanwhile; raises ArchiveBusy.

        This only saves work: removal is correct without it.
        """

    async def origin(self) -> Origin:
        """Describes this database for manifests."""

    async def cutoff(self, keep_days: int) -> Cutoff:
        """The cutoff for rows kept `keep_days`, by the database's clock."""

    async def page(
        self, kind: ArchiveKind, cutoff: Cutoff, after: Place | None, limit: int
    ) -> Sequence[PageRow]:
        """Up to `limit` old rows after a place, due or not, in order."""

    async def remove(self, file: ArchiveFile, lines: Sequence[str], cutoff: Cutoff) -> None:
        """Registers a file and removes its rows, in one transaction.

        Raises RowsChanged unless every row is still due and exactly as its line.
        """

    def files(self) -> AsyncIterator[ArchiveFile]:
        """All registered files, the oldest first."""


class ArchiveFiles(Protocol):
    """The archive folder. Every method may raise OSError."""

    async def write(self, kind: ArchiveKind, lines: Sequence[str], origin: Origin) -> ArchiveFile:
        """Writes a file and its manifest; both are durable when it returns."""

    async def read(self, file: ArchiveFile) -> list[str]:
        """The lines of a file; raises ArchiveDamaged unless it matches its description."""

    async def discard(self, file: ArchiveFile) -> None:
        """Deletes a file and its manifest."""

    async def remove_leftovers(self) -> None:
        """Deletes what interrupted writes left behind, unless it is recent."""

    async def manifests(self) -> Mapping[str, Manifest | None]:
        """The manifest of each file in the folder, by its name; None if it is missing or cannot be read."""


class Archived(msgspec.Struct):
    """What a run did, or would do, with rows of a kind."""

    kind: ArchiveKind
    keep_days: int
    """0: for ever."""
    rows: int = 0
    files: int = 0
    left: int = 0
    """Rows that changed while they were written: they stay for the next run."""


Progress = Callable[[Archived], None]


class Archiver:
    """Archives what is due.

    Example:
        for done in await Archiver(store, folder, retention, clock).run():
            print(done.kind, done.rows)
    """

    def __init__(
        self, store: ArchiveStore, folder: ArchiveFiles, retention: RetentionSettings, clock: Clock
    ) -> None:
        self._store = store
        self._folder = folder
        self._retention = retention
        self._clock = clock

    async def run(self, progress: Progress = lambda _: None, *, dry_run: bool = False) -> list[Archived]:
        """Archives every kind with a retention; with `dry_run` it counts what is due.

        Raises ArchiveBusy, StoreUnavailable, OSError, and ArchiveDamaged if the folder does not return what was
        written to it.
        """
        done = [Archived(kind, self._keep_days(kind)) for kind in ArchiveKind]
        if dry_run:
            for one in done:
                await self._archive(one, progress, None)
            return done
        async with self._store.alone():
            origin = await self._store.origin()
            await self._folder.remove_leftovers()
            await self._complete({one.kind: one for one in done})
            for one in done:
                await self._archive(one, progress, origin)
        return done

    def _keep_days(self, kind: ArchiveKind) -> int:
        days = getattr(self._retention, f"{kind}_days")
        assert isinstance(days, int)
        return days

    async def _complete(self, done: Mapping[ArchiveKind, Archived]) -> None:
        """Removes the rows of files that an interrupted run wrote. A file whose rows differ is left alone: it may
        belong to another database that was copied from this one."""
        registered = {file.name async for file in self._store.files()}
        for name, manifest in (await self._folder.manifests()).items():
            if manifest is None or manifest.file.name != name or name in registered:
                continue
            one = done[manifest.file.kind]
            if not one.keep_days:
                continue
            try:
                lines = await self._folder.read(manifest.file)
                await self._store.remove(manifest.file, lines, await self._store.cutoff(one.keep_days))
            except (ArchiveDamaged, RowsChanged) as error:
                _log.warning("archive_file_left_alone", name=name, reason=str(error))
            else:
                one.files += 1
                one.rows += len(lines)

    async def _archive(self, one: Archived, progress: Progress, origin: Origin | None) -> None:
        if not one.keep_days:
            return
        cutoff = await self._store.cutoff(one.keep_days)
        limit = max(1, self._retention.file_rows // _SMALLER.get(one.kind, 1))
        after: Place | None = None
        lines: list[str] = []
        is_last = False
        while not is_last:
            began = self._clock.monotonic()
            rows = await self._store.page(one.kind, cutoff, after, limit)
            after, is_last = (rows[-1].place if rows else after), len(rows) < limit
            lines += [row.line for row in rows if row.line is not None]
            if origin is None:
                one.rows += len(lines)
                lines.clear()
            while len(lines) >= limit or (lines and is_last):
                await self._move(one, lines[:limit], cutoff, origin)
                del lines[:limit]
                progress(one)
            if not is_last:
                await self._pause(self._clock.monotonic() - began)

    async def _move(self, one: Archived, lines: Sequence[str], cutoff: Cutoff, origin: Origin | None) -> None:
        assert origin is not None
        file = await self._folder.write(one.kind, lines, origin)
        # Only what was read back from the file is removed.
        written = await self._folder.read(file)
        try:
            await self._store.remove(file, written, cutoff)
        except RowsChanged:
            one.left += len(written)
            await self._folder.discard(file)
            return
        one.files += 1
        one.rows += len(written)

    async def _pause(self, worked_s: float) -> None:
        """Leaves the database to submissions for the rest of the time."""
        share = self._retention.busy_percent / 100
        await self._clock.sleep(worked_s * (1 - share) / share)
