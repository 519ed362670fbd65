"""One call under way: its place in the pool, its time-outs, its listener.

::

    waiting --(a connection)--> flying --> over
       ^                          |
       +-------(sent again)-------+

All time-outs of a flying call are deadlines of its connection's one timer, moved by assignment as
the call proceeds; only a call that waits for a connection takes a timer of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from dragoman.clock import Timer, TimerWheel
from dragoman.errors import UpstreamError, UpstreamTimeout
from dragoman.transport.calls import Call, Head, Listener, Timeouts
from dragoman.transport.http1 import Connection

IDLE_RACE: Final = 3.0
"""Seconds after sending within which silence on a reused connection means that the upstream had
closed it already: a round trip to the far side of the world and a retransmission."""

_EXPIRED: Final = {
    "connect": "The provider could not be reached in time (connect).",
    "first_byte": "The provider did not begin to answer in time (first byte).",
    "idle": "The provider stopped in the middle of its answer (idle).",
    "total": "The provider did not finish its answer in time (total).",
}


class Home(Protocol):
    """Where a flight comes from and where its connection goes."""

    wheel: TimerWheel
    now: Callable[[], float]
    timeouts: Timeouts

    def landed(self, connection: Connection) -> None:
        """The call on ``connection`` ended; the connection may be alive or dead."""
        ...

    def withdraw(self, flight: PooledFlight) -> None:
        """The flight no longer waits for a connection."""
        ...

    def again(self, flight: PooledFlight) -> None:
        """The flight wants a fresh connection, before all others."""
        ...


class PooledFlight:
    """A ``Flight`` for its caller, a ``Sink`` for its connection."""

    __slots__ = (
        "_call",
        "_connection",
        "_home",
        "_listener",
        "_paused",
        "_phase",
        "_sent_at",
        "_timer",
        "_total_at",
        "needs_fresh",
    )

    def __init__(self, home: Home, call: Call, listener: Listener, now: float) -> None:
        self._home = home
        self._call = call
        self._listener = listener
        self._phase = "connect"
        self._connection: Connection | None = None
        self._timer: Timer | None = None
        self._paused = False
        self._total_at = now + home.timeouts.total
        self.needs_fresh = False
        """It was sent once already, on a connection that was closed: only a new one will do."""

    # The pool's side

    def wait(self) -> None:
        """The connect time-out begins."""
        home = self._home
        self._phase = "connect"
        deadline = min(home.now() + home.timeouts.connect, self._total_at)
        self._timer = home.wheel.at(deadline, self.expire)

    def fly(self, connection: Connection, now: float) -> None:
        """Send the call on ``connection``."""
        if self._timer is not None:
            self._timer.cancel()
        self._connection = connection
        self._timer = connection.timer
        self._phase = "first_byte"
        self._sent_at = now
        self._allow(now + self._home.timeouts.first_byte)
        connection.send(self._call, self)
        if self._paused:
            connection.pause()

    def fail(self, error: UpstreamError) -> None:
        """There is no connection for it. Harmless when it is over."""
        if self._phase != "over":
            self._end_wait()
            self._listener.lost(error)

    # The connection's side

    def head(self, head: Head, *, whole: bool) -> None:
        """See ``Sink``."""
        if not whole:
            self._phase = "idle"
            self._await_data()
        self._listener.head(head)

    def data(self, block: bytes) -> None:
        """See ``Sink``."""
        timer = self._timer
        if timer is not None and not self._paused:
            # Never earlier than the last one, so the wheel need not know.
            deadline = self._home.now() + self._home.timeouts.idle
            timer.deadline = deadline if deadline < self._total_at else self._total_at  # noqa: FURB136  (`min` takes three times as long)
        self._listener.data(block)

    def end(self, block: bytes) -> None:
        """See ``Sink``."""
        self._land()
        self._listener.end(block)

    def lost(self, error: UpstreamError, *, unanswered: bool) -> None:
        """See ``Sink``."""
        connection = self._connection
        if unanswered and connection is not None and self._may_go_again(connection):
            self._connection = self._timer = None
            self.needs_fresh = True
            self._home.landed(connection)
            self._home.again(self)
            return
        self._land()
        self._listener.lost(error)

    def expire(self) -> None:
        """The time-out of the phase has passed, or that of the whole call."""
        phase = "total" if self._home.now() >= self._total_at else self._phase
        limit = getattr(self._home.timeouts, phase)
        self.abort()
        self._listener.lost(
            UpstreamTimeout(_EXPIRED[phase], code=phase, detail=f"{phase} time-out of {limit:g} s")
        )

    # The caller's side

    def pause(self) -> None:
        """See ``Flight``."""
        if self._phase == "over" or self._paused:
            return
        self._paused = True
        if self._connection is not None:
            self._connection.pause()
            if self._phase == "idle":
                self._await_data()

    def resume(self) -> None:
        """See ``Flight``."""
        if self._phase == "over" or not self._paused:
            return
        self._paused = False
        if self._connection is not None:
            self._connection.resume()
            if self._phase == "idle":
                self._await_data()

    def abort(self) -> None:
        """See ``Flight``."""
        if self._phase == "over":
            return
        if self._connection is None:
            self._end_wait()
            self._home.withdraw(self)
        else:
            self._connection.abort()
            self._land()

    # Time and the end

    def _may_go_again(self, connection: Connection) -> bool:
        if self.needs_fresh or connection.fresh:
            return False
        return self._call.idempotent or self._home.now() - self._sent_at <= IDLE_RACE

    def _await_data(self) -> None:
        """The idle time-out begins, or rests while the flight is paused."""
        home = self._home
        self._allow(self._total_at if self._paused else home.now() + home.timeouts.idle)

    def _allow(self, deadline: float) -> None:
        if self._timer is not None:
            self._home.wheel.move(
                self._timer,
                deadline if deadline < self._total_at else self._total_at,  # noqa: FURB136  (see `data`)
            )

    def _end_wait(self) -> None:
        self._phase = "over"
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _land(self) -> None:
        """The connection, and its timer with it, goes back to the pool."""
        connection = self._connection
        self._phase = "over"
        self._connection = self._timer = None
        if connection is not None:
            if self._paused:
                connection.resume()
            self._home.landed(connection)
