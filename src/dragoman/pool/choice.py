"""Which of the free keys comes first: the least busy, among those the least recently used.

Free keys stand on levels by their number of loans, on each level in the order in which they
were last used; a bit for each occupied level finds the lowest at once. Nothing is ever
scanned, so a choice among a thousand keys costs what a choice among two does.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Protocol

from dragoman.pool.keys import Key


class Choice(Protocol):
    """The free keys of one provider in their order of choice."""

    def __bool__(self) -> bool:
        """Whether any key is free."""
        ...

    def add(self, key: Key) -> None:
        """``key`` is free, and now the last among those that are as busy."""
        ...

    def remove(self, key: Key) -> None:
        """``key`` is no longer free, or about to change; it must be in."""
        ...

    def first(self, excluded: AbstractSet[str]) -> Key | None:
        """The key to lend next, or ``None`` when each free one is among the ``excluded`` ids."""
        ...


class OnlyOne:
    """The choice among one key, which most providers have: there is nothing to keep."""

    __slots__ = ("_key",)

    def __init__(self, key: Key) -> None:
        self._key = key

    def __bool__(self) -> bool:
        return self._key.is_free

    def add(self, key: Key) -> None: ...

    def remove(self, key: Key) -> None: ...

    def first(self, excluded: AbstractSet[str]) -> Key | None:
        key = self._key
        return key if key.is_free and key.id not in excluded else None


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
        busy = key.in_flight
        levels = self._levels
        while busy >= len(levels):
            levels.append(OrderedDict())
        levels[busy][key] = None
        self._occupied |= 1 << busy

    def remove(self, key: Key) -> None:
        level = self._levels[key.in_flight]
        del level[key]
        if not level:
            self._occupied ^= 1 << key.in_flight

    def first(self, excluded: AbstractSet[str]) -> Key | None:
        occupied = self._occupied
        while occupied:
            lowest = occupied & -occupied
            for key in self._levels[lowest.bit_length() - 1]:
                if key.id not in excluded:
                    return key
            occupied ^= lowest
        return None


def choice_among(keys: Sequence[Key]) -> Choice:
    """The order of choice among ``keys``, all of which are free."""
    if len(keys) == 1:
        return OnlyOne(keys[0])
    free = LeastBusy()
    for key in keys:
        free.add(key)
    return free
