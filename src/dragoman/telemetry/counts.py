"""Counters and histograms as plain numbers in plain dicts, and gauges that others know.

What a metrics library would do with a lock and an object for each label set is here one
addition; ``exposition`` spells the numbers out for Prometheus.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from typing import Final, NamedTuple

MAX_LABEL_SETS: Final = 1000
"""Label sets of one family; what comes after is counted under ``OTHER``."""
OTHER: Final = "other"


class Gauge(NamedTuple):
    """A value that somebody else knows, read at each scrape."""

    name: str
    help: str
    labels: Mapping[str, str]
    value: float


class Counts:
    """Counters by label, bounded."""

    __slots__ = ("values",)

    def __init__(self) -> None:
        self.values: dict[str, int] = {}

    def add(self, label: str) -> None:
        """Count one more for ``label``."""
        values = self.values
        if label not in values and len(values) >= MAX_LABEL_SETS:
            label = OTHER
        values[label] = values.get(label, 0) + 1


class Histogram:
    """Observations in buckets with the given upper ``bounds``, which belong to their bucket."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds: Final = bounds
        self.counts = [0] * (len(bounds) + 1)
        """Observations in each bucket alone; the last is beyond all bounds."""
        self.total = 0.0
        """Sum of all observations."""

    def observe(self, value: float) -> None:
        """Count one observation."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class TargetCounts:
    """What is counted for one target; its histograms belong to the whole provider."""

    __slots__ = (
        "first_byte_seconds",
        "request_seconds",
        "requests",
        "tokens_cached",
        "tokens_input",
        "tokens_output",
    )

    def __init__(self, request_seconds: Histogram, first_byte_seconds: Histogram) -> None:
        self.requests: dict[int, int] = {}
        """Finished requests by status."""
        self.tokens_input = 0
        """Without those read from a cache."""
        self.tokens_cached = 0
        self.tokens_output = 0
        self.request_seconds: Final = request_seconds
        self.first_byte_seconds: Final = first_byte_seconds
