"""The connections of one origin, and the calls that fly on them.

An idle connection takes a call at once: no task, no future, nothing awaited. Without one the
call waits in line while a task dials; whichever comes first, a connection set free or a new one,
serves the head of the line. The most recently used idle connection is taken first, so that a
quiet hour lets the others expire.

A request on a connection that had already served can meet the upstream's decision to close it as
idle: the two cross on the wire. Then not a byte of an answer comes, and the upstream has not seen
the request, so it is sent once more on a fresh connection. The same silence long after the
request was written means that the upstream may have begun to work: only calls that say they are
``idempotent`` are repeated then (RFC 9110, section 9.2.2; RFC 9112, section 9.3.1).
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Protocol

from msgspec import Struct

from dragoman.clock import Clock, TimerWheel
from dragoman.errors import UpstreamError, UpstreamUnavailable
from dragoman.transport.calls import Call, Listener, Timeouts
from dragoman.transport.flight import PooledFlight
from dragoman.transport.http1 import Connection


class Limits(Struct, frozen=True, kw_only=True):
    """Bounds of one origin's pool."""

    connections: int = 4096
    """Open at the same time, idle ones included."""
    waiting: int = 4096
    """Calls in line for a connection."""
    keep_alive: float = 55.0
    """Seconds that an idle connection is kept; below the minute after which many servers and
    most NAT tables forget it."""


class PoolSnapshot(Struct, frozen=True):
    """Counters of a pool at one moment; the first three only grow."""

    opened: int
    """Connections dialled successfully."""
    reused: int
    """Calls put on a connection that had served before."""
    retried: int
    """Calls sent again after a reused connection turned out to be closed."""
    in_use: int
    idle: int
    connecting: int
    waiting: int


KEEP_ALIVE_MARGIN: Final = 1.0
"""Seconds that a connection is given up before the upstream says it will."""


class Dials(Protocol):
    """What opens connections: ``dialing.Dialer``, or a fake."""

    async def dial(self, make: Callable[[], Connection]) -> Connection:
        """One new connection. Raises ``UpstreamError``."""
        ...


class OriginPool:
    """An ``Origin``: at most ``limits.connections`` connections and a line before them."""

    def __init__(
        self,
        dialer: Dials,
        *,
        wheel: TimerWheel,
        clock: Clock,
        timeouts: Timeouts | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.wheel = wheel
        self.clock = clock
        self.now = clock.now
        self.timeouts = timeouts or Timeouts()
        self.limits = limits or Limits()
        self.opened = 0
        self.reused = 0
        self.retried = 0
        self.in_use = 0
        self._dialer = dialer
        self._connections: set[Connection] = set()
        self._idle: dict[Connection, None] = {}
        self._waiting: OrderedDict[PooledFlight, None] = OrderedDict()
        self._dialling: dict[asyncio.Task[None], None] = {}
        self._closed = False

    def send(self, call: Call, listener: Listener) -> PooledFlight:
        """See ``Origin``. The listener hears nothing before ``send`` has returned."""
        now = self.now()
        flight = PooledFlight(self, call, listener, now)
        connection = self._take(now) if self._idle else None
        if connection is not None:
            self._launch(flight, connection, now)
        elif self._closed:
            self._refuse(flight, "the connections of this origin are closed")
        elif len(self._waiting) >= self.limits.waiting:
            self._refuse(flight, f"{len(self._waiting)} calls wait for a connection")
        else:
            self._waiting[flight] = None
            flight.wait()
            self._dial_for_waiting()
        return flight

    def snapshot(self) -> PoolSnapshot:
        """The counters now."""
        return PoolSnapshot(
            opened=self.opened,
            reused=self.reused,
            retried=self.retried,
            in_use=self.in_use,
            idle=len(self._idle),
            connecting=len(self._dialling),
            waiting=len(self._waiting),
        )

    async def close(self) -> None:
        """Close every connection; calls in flight and in line are lost. Sockets are closed when
        this returns.
        """
        self._closed = True
        dialling = list(self._dialling)
        self._dialling.clear()
        for task in dialling:
            task.cancel()
        error = UpstreamUnavailable("The gateway is stopping.", detail="the pool was closed")
        while self._waiting:
            self._waiting.popitem(last=False)[0].fail(error)
        for connection in list(self._connections):
            connection.give_up(error)
        await asyncio.gather(*dialling, return_exceptions=True)
        # The loop closes an aborted socket in its next round.
        await asyncio.sleep(0)

    # What flights and connections tell

    def landed(self, connection: Connection) -> None:
        """A call ended; its connection serves the next in line or rests."""
        self.in_use -= 1
        if self._waiting:
            self._offer(connection)
        elif not connection.dead:
            self._rest(connection)

    def withdraw(self, flight: PooledFlight) -> None:
        """A waiting call was aborted or timed out; nobody dials in vain."""
        self._waiting.pop(flight, None)
        if len(self._dialling) > len(self._waiting):
            self._dialling.popitem()[0].cancel()

    def again(self, flight: PooledFlight) -> None:
        """A call whose connection was closed before it came: to the head of the line."""
        if self._closed:
            self._refuse(flight, "the connections of this origin are closed")
            return
        self.retried += 1
        self._waiting[flight] = None
        self._waiting.move_to_end(flight, last=False)
        flight.wait()
        self._dial_for_waiting()

    def gone(self, connection: Connection) -> None:
        """A connection is dead; its place is free."""
        self._connections.discard(connection)
        self._idle.pop(connection, None)
        if connection.timer is not None:
            connection.timer.cancel()
            connection.timer = None
        if self._waiting:
            self._dial_for_waiting()

    # Idle connections

    def _take(self, now: float) -> Connection | None:
        while self._idle:
            connection, _ = self._idle.popitem()
            timer = connection.timer
            if timer is not None and timer.deadline > now and connection.alive:
                return connection
            connection.abort()
        return None

    def _launch(self, flight: PooledFlight, connection: Connection, now: float) -> None:
        self.in_use += 1
        if connection.served:
            self.reused += 1
        flight.fly(connection, now)

    def _offer(self, connection: Connection) -> None:
        """To the first in line who may have it, else to the idle ones."""
        if not connection.alive:
            return
        for flight in self._waiting:
            if connection.fresh or not flight.needs_fresh:
                del self._waiting[flight]
                self._launch(flight, connection, self.now())
                return
        self._rest(connection)
        if self._waiting:
            self._dial_for_waiting()

    def _rest(self, connection: Connection) -> None:
        seconds = self.limits.keep_alive
        if connection.keep_for is not None:
            seconds = min(seconds, connection.keep_for - KEEP_ALIVE_MARGIN)
        timer = connection.timer
        if timer is None or seconds <= 0 or self._closed:
            connection.abort()
            return
        connection.fresh = False
        self.wheel.move(timer, self.now() + seconds)
        self._idle[connection] = None

    # New connections

    def _dial_for_waiting(self) -> None:
        """One dial under way for each call in line, as far as the limit allows."""
        while len(self._dialling) < len(self._waiting) and not self._closed:
            if len(self._connections) + len(self._dialling) < self.limits.connections:
                self._dialling[asyncio.get_running_loop().create_task(self._dial())] = None
            elif self._idle:
                # Whoever waits beside an idle connection wants a fresh one: make room.
                next(iter(self._idle)).abort()
            else:
                return

    async def _dial(self) -> None:
        task = asyncio.current_task()
        try:
            connection = await self._dialer.dial(self._make)
        except UpstreamError as error:
            self._dialled(task)
            self._dial_failed(error)
            return
        if not self._dialled(task):
            connection.abort()
            return
        if not connection.alive:
            self._dial_failed(
                UpstreamUnavailable(
                    "The provider closed the connection before it answered.",
                    code="connect",
                    detail="connection closed as soon as it was open",
                )
            )
            return
        self.opened += 1
        self._connections.add(connection)
        connection.timer = self.wheel.at(self.now() + self.limits.keep_alive, connection.expire)
        self._offer(connection)

    def _make(self) -> Connection:
        return Connection(self)

    def _dialled(self, task: asyncio.Task[None] | None) -> bool:
        """Whether the dial that ends was still wanted."""
        if task is None or task not in self._dialling:
            return False
        del self._dialling[task]
        return True

    def _dial_failed(self, error: UpstreamError) -> None:
        """The head of the line hears of it, unless other dials are under way for all."""
        if len(self._waiting) > len(self._dialling):
            flight, _ = self._waiting.popitem(last=False)
            flight.fail(error)
            self._dial_for_waiting()

    def _refuse(self, flight: PooledFlight, detail: str) -> None:
        error = UpstreamUnavailable("The provider is not available now; try later.", detail=detail)
        asyncio.get_running_loop().call_soon(flight.fail, error)
