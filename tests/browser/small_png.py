"""Makes screenshots small: 256 colours, which are enough for pages of text, and the strongest compression."""

import struct
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOURS = 256
_FREQUENT = 128


def shrink(path: Path) -> None:
    """Rewrites an RGB or RGBA picture of 8 bits without interlacing in place."""
    data = path.read_bytes()
    chunks = list(_chunks(data))
    width, height, depth, kind = struct.unpack(">IIBB", chunks[0][1][:10])
    assert (depth, kind) in ((8, 2), (8, 6)), f"{path} has colours of kind {kind}, {depth} bits"
    raw = zlib.decompress(b"".join(body for name, body in chunks if name == b"IDAT"))
    size = 3 if kind == 2 else 4
    rows = list(_unfiltered(raw, width * size, height, size))
    pixels = [row[i : i + 3] for row in rows for i in range(0, len(row), size)]
    palette = _palette(Counter(pixels))
    index = {colour: place for place, colour in enumerate(palette)}
    for colour in set(pixels) - index.keys():
        index[colour] = min(range(len(palette)), key=lambda place: _distance(palette[place], colour))
    places = bytes(index[pixel] for pixel in pixels)
    lines = b"".join(b"\x00" + places[start : start + width] for start in range(0, len(places), width))
    body = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
        (b"PLTE", b"".join(palette)),
        (b"IDAT", zlib.compress(lines, 9)),
        (b"IEND", b""),
    ]
    path.write_bytes(_SIGNATURE + b"".join(_chunk(name, content) for name, content in body))


def _palette(counts: Counter[bytes]) -> list[bytes]:
    """The most frequent colours, then those that differ most from all before: signs are small and colourful."""
    chosen = [colour for colour, _ in counts.most_common(_FREQUENT)]
    far = {
        colour: min(_distance(colour, other) for other in chosen) for colour in counts.keys() - set(chosen)
    }
    while far and len(chosen) < _COLOURS:
        added = max(far, key=lambda colour: (far[colour], colour))
        chosen.append(added)
        del far[added]
        for colour, distance in far.items():
            far[colour] = min(distance, _distance(colour, added))
    return chosen


def _distance(one: bytes, other: bytes) -> int:
    return (one[0] - other[0]) ** 2 + (one[1] - other[1]) ** 2 + (one[2] - other[2]) ** 2


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_SIGNATURE)
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        at += 12 + length


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _unfiltered(raw: bytes, stride: int, height: int, size: int) -> Iterator[bytes]:
    before = bytes(stride)
    for y in range(height):
        start = y * (stride + 1)
        row = bytearray(raw[start + 1 : start + 1 + stride])
        _unfilter(raw[start], row, before, size)
        before = bytes(row)
        yield before


def _unfilter(kind: int, row: bytearray, above: bytes, size: int) -> None:
    if kind == 2:
        row[:] = bytes((one + other) & 255 for one, other in zip(row, above, strict=True))
    elif kind != 0:
        predict = (_left, _left, _left, _average, _paeth)[kind]
        for i in range(len(row)):
            left, corner = (row[i - size], above[i - size]) if i >= size else (0, 0)
            row[i] = (row[i] + predict(left, above[i], corner)) & 255


def _left(left: int, _above: int, _corner: int) -> int:
    return left


def _average(left: int, above: int, _corner: int) -> int:
    return (left + above) // 2


def _paeth(left: int, above: int, corner: int) -> int:
    to_left, to_above = abs(above - corner), abs(left - corner)
    to_corner = abs(left + above - 2 * corner)
    if to_left <= to_above and to_left <= to_corner:
        return left
    return above if to_above <= to_corner else corner
