"""One call under way: its place in the pool, its time-outs, its listener.

::

    waiting --(a connection)--> flying --> over
       ^                          |
       +-------(sent again)-------+

One timer serves all four time-outs: its deadline is moved by assignment as the call proceeds, and
only a phase that is shorter than the one before it takes a new timer.
"""

from __future__ import annotations

from typing import Final, Protocol

from dragoman.clock import Clock, Timer, TimerWheel
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
    clock: Clock
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
        "_now",
        "_over",
        "_paused",
        "_phase",
        "_sent_at",
        "_timer",
        "_total_at",
        "needs_fresh",
    )

    def __init__(self, home: Home, call: Call, listener: Listener) -> None:
        self._home = home
        self._call = call
        self._listener = listener
        self._now = home.clock.now
        self._connection: Connection | None = None
        self._over = False
        self._paused = False
        self._phase = "connect"
        self._sent_at = 0.0
        self._total_at = self._now() + home.timeouts.total
        self._timer: Timer | None = None
        self.needs_fresh = False
        """It was sent once already, on a connection that was closed: only a new one will do."""

    # The pool's side

    def wait(self) -> None:
        """The connect time-out begins."""
        self._enter("connect", self._home.timeouts.connect)

    def fly(self, connection: Connection) -> None:
        """Send the call on ``connection``."""
        self._connection = connection
        connection.send(self._call, self)
        if self._paused:
            connection.pause()
        self._phase = "first_byte"
        self._sent_at = now = self._now()
        self._move(min(now + self._home.timeouts.first_byte, self._total_at))

    def fail(self, error: UpstreamError) -> None:
        """There is no connection for it. Harmless when it is over."""
        if not self._over:
            self._finish()
            self._listener.lost(error)

    # The connection's side

    def head(self, head: Head, *, whole: bool) -> None:
        """See ``Sink``."""
        if not whole:
            self._enter("idle", self._home.timeouts.idle)
        self._listener.head(head)

    def data(self, block: bytes) -> None:
        """See ``Sink``."""
        timer = self._timer
        if timer is not None and not self._paused:
            deadline = self._now() + self._home.timeouts.idle
            # Once a chunk: a comparison costs a third of a call of `min`.
            timer.deadline = deadline if deadline < self._total_at else self._total_at  # noqa: FURB136
        self._listener.data(block)

    def end(self, block: bytes) -> None:
        """See ``Sink``."""
        self._land()
        self._listener.end(block)

    def lost(self, error: UpstreamError, *, unanswered: bool) -> None:
        """See ``Sink``."""
        connection = self._connection
        if unanswered and connection is not None and self._may_go_again(connection):
            self._connection = None
            self.needs_fresh = True
            self._home.landed(connection)
            self._home.again(self)
            return
        self._land()
        self._listener.lost(error)

    def _may_go_again(self, connection: Connection) -> bool:
        if self.needs_fresh or connection.fresh:
            return False
        return self._call.idempotent or self._now() - self._sent_at <= IDLE_RACE

    # The caller's side

    def pause(self) -> None:
        """See ``Flight``."""
        if self._over or self._paused:
            return
        self._paused = True
        if self._connection is not None:
            self._connection.pause()
            if self._phase == "idle":
                self._move(self._total_at)

    def resume(self) -> None:
        """See ``Flight``."""
        if self._over or not self._paused:
            return
        self._paused = False
        if self._connection is not None:
            self._connection.resume()
            if self._phase == "idle":
                self._enter("idle", self._home.timeouts.idle)

    def abort(self) -> None:
        """See ``Flight``."""
        if self._over:
            return
        connection = self._connection
        self._finish()
        if connection is None:
            self._home.withdraw(self)
        else:
            connection.abort()
            self._home.landed(connection)

    # Time and the end

    def _enter(self, phase: str, seconds: float) -> None:
        self._phase = phase
        if self._paused and phase == "idle":
            self._move(self._total_at)
        else:
            self._move(min(self._now() + seconds, self._total_at))

    def _move(self, deadline: float) -> None:
        timer = self._timer
        if timer is not None:
            if deadline >= timer.deadline:
                timer.deadline = deadline
                return
            timer.cancel()
        self._timer = self._home.wheel.at(deadline, self._expire)

    def _expire(self) -> None:
        phase = "total" if self._now() >= self._total_at else self._phase
        limit = getattr(self._home.timeouts, phase)
        self.abort()
        self._listener.lost(
            UpstreamTimeout(_EXPIRED[phase], code=phase, detail=f"{phase} time-out of {limit:g} s")
        )

    def _land(self) -> None:
        connection = self._connection
        if self._paused and connection is not None:
            connection.resume()
        self._finish()
        if connection is not None:
            self._home.landed(connection)

    def _finish(self) -> None:
        self._over = True
        self._connection = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
