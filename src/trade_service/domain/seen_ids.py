"""A compact set of whole numbers: a million order ids take a few megabytes at most."""

from array import array
from bisect import bisect_left

_ARRAY_LIMIT = 4096
"""With more than this many of 65,536 neighbours, a bitmap of 8 KiB is smaller than their list."""
_BITMAP_BYTES = 8192


class SeenIds:
    """Whole numbers seen so far: lists of 16-bit remainders by high part, bitmaps where they are dense."""

    def __init__(self) -> None:
        self._lists: dict[int, array[int]] = {}
        self._bitmaps: dict[int, bytearray] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, number: int) -> bool:
        high, low = number >> 16, number & 0xFFFF
        bitmap = self._bitmaps.get(high)
        if bitmap is not None:
            return bool(bitmap[low >> 3] & (1 << (low & 7)))
        lows = self._lists.get(high)
        if lows is None:
            return False
        place = bisect_left(lows, low)
        return place < len(lows) and lows[place] == low

    def add(self, number: int) -> bool:
        """Adds a number; returns False if it was there already."""
        if number in self:
            return False
        self._count += 1
        high, low = number >> 16, number & 0xFFFF
        bitmap = self._bitmaps.get(high)
        if bitmap is None:
            lows = self._lists.setdefault(high, array("H"))
            if len(lows) < _ARRAY_LIMIT:
                lows.insert(bisect_left(lows, low), low)
                return True
            bitmap = self._bitmaps[high] = bytearray(_BITMAP_BYTES)
            for other in self._lists.pop(high):
                bitmap[other >> 3] |= 1 << (other & 7)
        bitmap[low >> 3] |= 1 << (low & 7)
        return True
