"""Who is in a plan already: a set of a million people that takes some dozen megabytes.

Python's own set of their ids would take four times as much. What is kept of each is a digest of 128 bits, so that no
two people are ever taken for one. There are many small tables, so that none holds the event loop while it grows.
"""

import hashlib
from array import array
from struct import unpack

_PARTS = 256
_FIRST = 16  # places in a part; doubled whenever two thirds are taken


class Seen:
    """A set of texts, to which some are added and from which none is taken."""

    def __init__(self) -> None:
        self._parts: list[_Part | None] = [None] * _PARTS

    def __len__(self) -> int:
        return sum(part.count for part in self._parts if part)

    def __contains__(self, text: str) -> bool:
        low, high = _digest(text)
        part = self._parts[high % _PARTS]
        return part is not None and part.holds(low, high)

    def add(self, text: str) -> bool:
        """Add a text; return whether it is new."""
        low, high = _digest(text)
        part = self._parts[high % _PARTS]
        if part is None:
            part = self._parts[high % _PARTS] = _Part()
        return part.add(low, high)


class _Part:
    """A hash table with open addressing: a digest is two numbers side by side, and zero marks a free place."""

    def __init__(self) -> None:
        self._table = array("Q", bytes(16 * _FIRST))
        self.count = 0

    def holds(self, low: int, high: int) -> bool:
        return self._table[self._place(low, high)] != 0

    def add(self, low: int, high: int) -> bool:
        place = self._place(low, high)
        if self._table[place]:
            return False
        self._table[place], self._table[place + 1] = low, high
        self.count += 1
        if self.count * 3 > len(self._table):
            self._grow()
        return True

    def _place(self, low: int, high: int) -> int:
        table = self._table
        mask = len(table) - 1
        place = (low * 2) & mask
        while table[place] and (table[place] != low or table[place + 1] != high):
            place = (place + 2) & mask
        return place

    def _grow(self) -> None:
        old = self._table
        self._table = array("Q", bytes(16 * len(old)))
        for at in range(0, len(old), 2):
            if old[at]:
                place = self._place(old[at], old[at + 1])
                self._table[place], self._table[place + 1] = old[at], old[at + 1]


def _digest(text: str) -> tuple[int, int]:
    low, high = unpack("<QQ", hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest())
    return low or 1, high
