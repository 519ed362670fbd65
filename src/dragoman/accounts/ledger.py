"""Usage written down and summed: in this process's memory, for as long as it lives."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from dragoman.canonical.usage import Usage

ROWS_KEPT: Final = 65_536
"""Callers and targets that are told apart: callers choose models, and some their own names."""
OTHERS: Final = ("others", "")
"""Where the rest is summed up."""


class Totals(Struct):
    """Sums over all settled requests of one caller at one target; counts are tokens."""

    requests: int = 0
    failures: int = 0
    estimated: int = 0
    """Requests whose tokens had to be estimated."""
    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    reasoning: int = 0


class Ledger:
    """Who used what."""

    def __init__(self) -> None:
        self._totals: dict[tuple[str, str], Totals] = {}

    def settle(self, caller: str, target: str, usage: Usage | None, *, failed: bool) -> None:
        """Write one finished request down. ``target`` is ``provider/model`` or empty."""
        key = (caller, target)
        totals = self._totals.get(key)
        if totals is None:
            key = key if len(self._totals) < ROWS_KEPT else OTHERS
            totals = self._totals.setdefault(key, Totals())
        totals.requests += 1
        totals.failures += failed
        if usage is not None:
            totals.estimated += usage.estimated
            totals.input += usage.input
            totals.output += usage.output
            totals.cache_read += usage.cache_read
            totals.cache_write += usage.cache_write
            totals.reasoning += usage.reasoning

    def totals(self) -> dict[tuple[str, str], Totals]:
        """(caller, target) -> sums, as they stand; a copy of the table, not of the sums."""
        return dict(self._totals)
