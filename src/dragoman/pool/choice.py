"""Which of the free keys comes first: the least busy, among those the least recently used.

Free keys stand on levels by their number of loans, on each level in the order in which they
were last used; a bit for each occupied level finds the lowest at once. Nothing is ever
scanned, so a choice among a thousand keys costs what a choice among two does.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Set as AbstractSet

from dragoman.pool.keys import Key


class LeastBusy:
    """The free keys in their order of choice. ``in_flight`` must not change while a key is in."""

    __slots__ = ("_levels", "_occupied")

    def __init__(self) -> None:
        # OrderedDict, not dict: finding the first of a dict walks over all that left before it.
        self._levels: list[OrderedDict[Key, None]] = []
        self._occupied = 0

    def __bool__(self) -> bool:
        return self._occupied != 0

    def add(self, key: Key) -> None:
        """Put ``key`` behind those that are as busy."""
        busy = key.in_flight
        levels = self._levels
        while busy >= len(levels):
            levels.append(OrderedDict())
        levels[busy][key] = None
        self._occupied |= 1 << busy

    def remove(self, key: Key) -> None:
        """Take ``key`` out; it must be in."""
        level = self._levels[key.in_flight]
        del level[key]
        if not level:
            self._occupied ^= 1 << key.in_flight

    def first(self, excluded: AbstractSet[str]) -> Key | None:
        """The key to lend next, or ``None`` when each free one is among the ``excluded`` ids."""
        occupied = self._occupied
        while occupied:
            lowest = occupied & -occupied
            for key in self._levels[lowest.bit_length() - 1]:
                if key.id not in excluded:
                    return key
            occupied ^= lowest
        return None
