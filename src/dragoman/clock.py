"""Time as something handed in, and one coarse wheel for all timers.

Nothing else in the house reads a clock. ``TimerWheel`` is pure: somebody calls ``advance``
with the time; in the running gateway that is ``LoopTicker``, one ``call_later`` for all
requests in flight instead of one for each chunk.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final, Protocol


class Clock(Protocol):
    """Two readings of time, both in seconds."""

    def now(self) -> float:
        """Monotonic seconds; for durations and deadlines."""
        ...

    def wall(self) -> float:
        """Seconds since the Unix epoch; for what people and other programs read."""
        ...


class SystemClock:
    """The machine's clock."""

    now = staticmethod(time.monotonic)
    wall = staticmethod(time.time)


class Timer:
    """One deadline on the wheel. Moving ``deadline`` later costs an assignment."""

    __slots__ = ("bucket", "callback", "deadline", "found")

    def __init__(self, deadline: float, callback: Callable[[], None]) -> None:
        self.deadline = deadline
        """Monotonic seconds. May be moved later at any time; ``TimerWheel.move`` takes any."""
        self.found = deadline
        """The deadline by which the wheel found a place for it, and looks at it again."""
        self.callback = callback
        self.bucket: set[Timer] | None = None
        """Where the wheel keeps it; the wheel's affair."""

    def cancel(self) -> None:
        """Leave the wheel; harmless when already fired or cancelled."""
        if self.bucket is not None:
            self.bucket.discard(self)
            self.bucket = None


class TimerWheel:
    """Deadlines in buckets of ``tick`` seconds; a timer fires up to two ticks late, never early.

    Adding, moving and cancelling are O(1) and a cancelled timer is forgotten at once: at
    20,000 requests a second with time-outs of minutes, anything else would be a leak.
    """

    def __init__(self, start: float, tick: float = 0.1) -> None:
        self.tick: Final = tick
        self.buckets: dict[int, set[Timer]] = {}
        self._reached = int(start / tick)

    def __len__(self) -> int:
        return sum(len(bucket) for bucket in self.buckets.values())

    def at(self, deadline: float, callback: Callable[[], None]) -> Timer:
        """Call ``callback`` once, at the first ``advance`` well past ``deadline``."""
        timer = Timer(deadline, callback)
        self._put(timer)
        return timer

    def move(self, timer: Timer, deadline: float) -> None:
        """Set the deadline of ``timer``, later or earlier; a timer that has fired or was
        cancelled goes back on the wheel. As long as it is on the wheel and not due before the
        wheel looks at it anyway, this is an assignment.
        """
        timer.deadline = deadline
        if timer.bucket is None or deadline < timer.found:
            timer.cancel()
            self._put(timer)

    def advance(self, now: float) -> None:
        """Fire what is due at ``now``; a timer whose deadline was moved goes back on the wheel."""
        current = int(now / self.tick)
        while self._reached < current:
            self._reached += 1
            bucket = self.buckets.pop(self._reached, None)
            while bucket:
                timer = bucket.pop()
                timer.bucket = None
                if timer.deadline > now:
                    self._put(timer)
                else:
                    timer.callback()

    def _put(self, timer: Timer) -> None:
        slot = max(int(timer.deadline / self.tick), self._reached) + 1
        bucket = self.buckets.get(slot)
        if bucket is None:
            bucket = self.buckets[slot] = set()
        timer.bucket = bucket
        timer.found = timer.deadline
        bucket.add(timer)


class LoopTicker:
    """Drives a wheel from an event loop, one ``call_later`` a tick, until ``stop``."""

    def __init__(self, wheel: TimerWheel, clock: Clock, loop: asyncio.AbstractEventLoop) -> None:
        self._wheel = wheel
        self._clock = clock
        self._loop = loop
        self._handle: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to tick; calling it twice is harmless."""
        if self._handle is None:
            self._tick()

    def stop(self) -> None:
        """Stop ticking; timers stay on the wheel unfired."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _tick(self) -> None:
        self._handle = self._loop.call_later(self._wheel.tick, self._tick)
        self._wheel.advance(self._clock.now())
