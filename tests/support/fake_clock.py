"""A clock that stands still until it is told to move, with the wheel it drives."""

from __future__ import annotations

from dragoman.clock import TimerWheel


class FakeClock:
    """Implements ``Clock``; ``advance`` fires the timers of ``wheel`` on its way."""

    def __init__(self, start: float = 1000.0, *, wall: float = 1_800_000_000.0) -> None:
        self._now = start
        self._wall_offset = wall - start
        self.wheel = TimerWheel(start)

    def now(self) -> float:
        return self._now

    def wall(self) -> float:
        return self._now + self._wall_offset

    def advance(self, seconds: float) -> None:
        """Move on in steps no longer than the wheel's tick, as a running ticker would."""
        end = self._now + seconds
        while self._now < end:
            self._now = min(self._now + self.wheel.tick, end)
            self.wheel.advance(self._now)
