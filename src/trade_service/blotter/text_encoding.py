"""The encoding and the line ends of a text, from its first bytes."""

import codecs
import io
from typing import BinaryIO

import msgspec

from trade_service.blotter.file_refusals import FileRefused

SAMPLE_BYTES = 1_048_576
"""What is read before the first row: the file's encoding, columns, numbers and dates show in it."""
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SHOWN = {"utf-8-sig": "UTF-8", "utf-8": "UTF-8", "cp1252": "Windows-1252"}
_KNOWN = frozenset(("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "ascii"))
_WIDE_SHARE = 0.35
"""Of every second byte: Western text in UTF-16 has a zero in nearly all of them."""


class Encoding(msgspec.Struct, frozen=True):
    """An encoding of a text, and whether it is a guess."""

    name: str
    is_guess: bool = False

    @property
    def shown(self) -> str:
        """Its usual name."""
        return _SHOWN.get(self.name, self.name.upper())


class Sample(msgspec.Struct, frozen=True):
    """The first bytes of a stream."""

    data: bytes
    is_whole: bool


def take_sample(stream: BinaryIO) -> Sample:
    """Reads the first bytes of a stream."""
    data = b""
    while len(data) < SAMPLE_BYTES and (piece := stream.read(SAMPLE_BYTES - len(data))):
        data += piece
    return Sample(data, len(data) < SAMPLE_BYTES)


def detect_encoding(sample: Sample, given: str | None) -> Encoding:
    """The encoding by its byte order mark, else UTF-16 by its zeros, else UTF-8, else Windows-1252 as a guess.

    Raises FileRefused for an encoding that is not one of these.
    """
    data = sample.data
    if given is not None:
        known = _known(given)
        if known == "cp1252" and not data.isascii() and _fits(data, "utf-8", final=sample.is_whole):
            raise FileRefused("it is UTF-8, not Windows-1252: leave --encoding out")
        return Encoding(known)
    for bom, name in _BOMS:
        if data.startswith(bom):
            return Encoding(name)
    if wide := _wide(data):
        return Encoding(wide)
    if _fits(data, "utf-8", final=sample.is_whole):
        return Encoding("utf-8")
    # With right UTF-8 beside wrong bytes, the bytes are damage; alone, they are the usual encoding of old systems.
    ascii_and_wrong = data.decode("utf-8", "ignore").isascii()
    if ascii_and_wrong and _fits(data, "cp1252", final=True):
        return Encoding("cp1252", is_guess=True)
    return Encoding("utf-8")


def line_end(sample: Sample, encoding: Encoding) -> str:
    """What ends the lines: CR where there is no LF at all."""
    text = sample.data.decode(encoding.name, "replace")
    return "\r" if "\r" in text and "\n" not in text else "\n"


def text_stream(sample: Sample, rest: BinaryIO, encoding: Encoding, newline: str) -> io.TextIOWrapper:
    """The whole text; bytes that are wrong become lone surrogates, in UTF-16 and UTF-32 replacement characters."""
    errors = "replace" if encoding.name.startswith(("utf-16", "utf-32")) else "surrogateescape"
    raw = io.BufferedReader(_Joined(sample.data, rest), 262_144)
    return io.TextIOWrapper(raw, encoding.name, errors=errors, newline=newline)


class _Joined(io.RawIOBase):
    """A stream whose first bytes were read already."""

    def __init__(self, first: bytes, rest: BinaryIO) -> None:
        self._first = memoryview(first)
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # a buffer of bytes, always
        piece: bytes | memoryview
        if self._first:
            piece, self._first = self._first[: len(buffer)], self._first[len(buffer) :]
        else:
            piece = self._rest.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)


def _known(given: str) -> str:
    try:
        name = codecs.lookup(given).name
    except LookupError:
        name = ""
    if name not in _KNOWN:
        raise FileRefused(f"its encoding must be one of UTF-8, UTF-16 and Windows-1252, not {given!r}")
    return name


def _wide(data: bytes) -> str | None:
    pairs = len(data) // 2
    first, second = data[: 2 * pairs : 2].count(0), data[1 : 2 * pairs : 2].count(0)
    if pairs < 2 or max(first, second) < _WIDE_SHARE * pairs or min(first, second) > pairs // 100:
        return None
    return "utf-16-le" if second > first else "utf-16-be"


def _fits(data: bytes, name: str, *, final: bool) -> bool:
    try:
        codecs.getincrementaldecoder(name)().decode(data, final)
    except UnicodeDecodeError:
        return False
    return True
