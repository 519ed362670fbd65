"""Moments to come, earliest first, of which many are called off before they are due.

Nothing is searched for when something is called off: the entry stays until it comes to the
front or until half of all entries may be void, and is dropped then.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from typing import Final, Generic, TypeVar

T = TypeVar("T")

_SMALL: Final = 64
"""Entries that are not worth a sweep."""


class Agenda(Generic[T]):
    """Items with a moment each. ``holds(moment, item)`` says whether an entry still counts."""

    __slots__ = ("_count", "_heap", "_holds", "_sweep_at")

    def __init__(self, holds: Callable[[float, T], bool]) -> None:
        self._holds = holds
        self._heap: list[tuple[float, int, T]] = []
        self._count = 0
        self._sweep_at = _SMALL

    def __len__(self) -> int:
        """Entries kept, void ones included."""
        return len(self._heap)

    def add(self, moment: float, item: T) -> None:
        """Note ``item``; it may be noted several times."""
        if len(self._heap) >= self._sweep_at:
            self._heap = [entry for entry in self._heap if self._holds(entry[0], entry[2])]
            heapq.heapify(self._heap)
            self._sweep_at = max(_SMALL, 2 * len(self._heap))
        self._count += 1
        heapq.heappush(self._heap, (moment, self._count, item))

    def first(self) -> float | None:
        """The earliest moment that still counts."""
        heap = self._heap
        while heap:
            moment, _, item = heap[0]
            if self._holds(moment, item):
                return moment
            heapq.heappop(heap)
        return None

    def due(self, now: float) -> Iterator[T]:
        """Take out, one by one, what counts and lies at or before ``now``."""
        while True:
            moment = self.first()
            if moment is None or moment > now:
                return
            yield heapq.heappop(self._heap)[2]
