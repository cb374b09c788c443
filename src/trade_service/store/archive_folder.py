"""The archive folder: compressed JSON lines, each file with a manifest; a crash leaves no partial file."""

import asyncio
import gzip
import hashlib
import os
import time
import uuid
import zlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from trade_service.store.durable_files import sync_folder, write_draft
from trade_service.trading.archive_model import (
    ArchiveDamaged,
    ArchiveFile,
    ArchiveKind,
    Manifest,
    Origin,
    described,
    read_line,
)

LINES = ".jsonl.gz"
MANIFEST = ".manifest.json"
_FOLDER_MODE = 0o700
_LEVEL = 6
_UNFINISHED = ".tmp"
LEFTOVER_AGE_S = 86_400.0
"""Age from which an unfinished file is abandoned. A younger one may belong to another database's run."""


class ArchiveFolder:
    """The port ArchiveFiles on a folder, which need not exist; the work is done in threads."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def write(self, kind: ArchiveKind, lines: Sequence[str], origin: Origin) -> ArchiveFile:
        return await asyncio.to_thread(self._write, kind, lines, origin)

    async def read(self, file: ArchiveFile) -> list[str]:
        return await asyncio.to_thread(self._read, file)

    async def discard(self, file: ArchiveFile) -> None:
        for end in ("", MANIFEST):
            await asyncio.to_thread((self._root / f"{file.name}{end}").unlink, missing_ok=True)

    async def remove_leftovers(self) -> None:
        await asyncio.to_thread(self._remove_leftovers)

    async def manifests(self) -> Mapping[str, Manifest | None]:
        return await asyncio.to_thread(self._manifests)

    def _write(self, kind: ArchiveKind, lines: Sequence[str], origin: Origin) -> ArchiveFile:
        first = read_line(lines[0]).place(kind).at.astimezone(UTC)
        name = f"{kind}/{first:%Y-%m}/{first:%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex}{LINES}"
        content = gzip.compress("".join(f"{line}\n" for line in lines).encode(), _LEVEL, mtime=0)
        file = described(kind, name, hashlib.sha256(content).hexdigest(), lines)
        manifest = msgspec.json.encode(Manifest(file, origin, datetime.now(UTC)))
        path = self._root / name
        _make_folder(path.parent)
        # The manifest first: a file that exists has one.
        _write_durably(path.with_name(f"{path.name}{MANIFEST}"), msgspec.json.format(manifest) + b"\n")
        _write_durably(path, content)
        return file

    def _read(self, file: ArchiveFile) -> list[str]:
        try:
            content = (self._root / file.name).read_bytes()
        except FileNotFoundError:
            raise ArchiveDamaged(file.name, "the file is missing") from None
        if hashlib.sha256(content).hexdigest() != file.sha256:
            raise ArchiveDamaged(file.name, "its SHA-256 is not the recorded one")
        try:
            lines = gzip.decompress(content).decode().split("\n")
        except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
            raise ArchiveDamaged(file.name, f"it cannot be decompressed: {error}") from error
        if lines.pop() or len(lines) != file.rows:
            raise ArchiveDamaged(file.name, f"it holds {len(lines)} whole rows instead of {file.rows}")
        return lines

    def _remove_leftovers(self) -> None:
        alone = (
            path
            for path in self._root.rglob(f"*{MANIFEST}")
            if not path.with_name(path.name.removesuffix(MANIFEST)).exists()
        )
        oldest = time.time() - LEFTOVER_AGE_S
        for path in (*self._root.rglob(f".*{_UNFINISHED}"), *alone):
            if path.stat().st_mtime < oldest:
                path.unlink(missing_ok=True)

    def _manifests(self) -> dict[str, Manifest | None]:
        found: dict[str, Manifest | None] = {}
        for path in sorted(self._root.rglob(f"*{LINES}")):
            if path.name.startswith("."):
                continue
            try:
                content = path.with_name(f"{path.name}{MANIFEST}").read_bytes()
                manifest = msgspec.json.decode(content, type=Manifest)
            except (FileNotFoundError, msgspec.DecodeError):
                manifest = None
            found[path.relative_to(self._root).as_posix()] = manifest
        return found


def _make_folder(folder: Path) -> None:
    """Creates a folder and those above it, and syncs the folder above each."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(_FOLDER_MODE, exist_ok=True)
    sync_folder(folder.parent)


def _write_durably(path: Path, content: bytes) -> None:
    """Writes the whole file or nothing; it is on disk when this returns."""
    beside = path.with_name(f".{path.name}{_UNFINISHED}")
    try:
        write_draft(beside, content)
        _drop_cached(beside)
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def _drop_cached(path: Path) -> None:
    """Asks the system to forget a file's cached pages, so that reading it back reads the disk."""
    if hasattr(os, "posix_fadvise"):
        with path.open("rb") as stream:
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
