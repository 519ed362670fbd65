"""The scheduler's hands: credentials by key id, one timer, and telling those who wait.

Decides nothing. ``acquire`` gives a ``Lease`` at once where a key is free; otherwise a
``Ticket``, and its waiter hears from the event loop later, never from inside ``acquire`` or
``release``. What happens between a grant and its telling belongs to the ticket: a waiter who
cancels in that instant gives the key back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Final

from msgspec import Struct

from dragoman.clock import Clock, Timer, TimerWheel
from dragoman.errors import GatewayError
from dragoman.pool.keys import SERVED, UNUSED, Key, Pauses, Verdict, verdict_of
from dragoman.pool.leases import Lease, Ticket, Waiter
from dragoman.pool.scheduler import NO_KEYS, Granted, Refused, Scheduler
from dragoman.pool.snapshot import PoolSnapshot
from dragoman.providers.base import Credential

Soon = Callable[[Callable[[], None]], object]
"""Calls a function a moment later, as ``loop.call_soon`` does."""


class PoolLimits(Struct, frozen=True, kw_only=True):
    """Bounds of one provider's pool."""

    in_flight: int | None = None
    """Loans of one key at a time; ``None``: no limit."""
    in_flight_by_key: Mapping[str, int] = {}
    """The same for single keys, by id."""
    max_queue: int = 1000
    """Tickets that may wait; one more is refused."""
    max_wait: float = 60.0
    """Seconds that a ticket may wait unless ``acquire`` says otherwise."""
    pauses: Pauses = Pauses()
    disables: bool = True
    """A key that its provider rejects is lent no more; ``False`` where nobody could ever enable it
    again."""


def soon_on_running_loop(call: Callable[[], None]) -> object:
    """Next turn of the event loop that runs now."""
    return asyncio.get_running_loop().call_soon(call)


class Broker:
    """The pool of one provider. Every method is called on the event loop's thread."""

    def __init__(
        self,
        provider: str,
        credentials: Iterable[Credential],
        clock: Clock,
        wheel: TimerWheel,
        limits: PoolLimits | None = None,
        *,
        soon: Soon = soon_on_running_loop,
    ) -> None:
        self._limits = limits = limits or PoolLimits()
        self._credentials = {credential.id: credential for credential in credentials}
        keys = [
            Key(key_id, limits.in_flight_by_key.get(key_id, limits.in_flight))
            for key_id in self._credentials
        ]
        self._scheduler: Scheduler[Ticket] = Scheduler(provider, keys, max_queue=limits.max_queue)
        self._clock = clock
        self._wheel = wheel
        self._soon = soon
        self._timer: Timer | None = None
        self._take_back: Final = self._end_loan
        self.provider: Final = provider
        self.strict = False
        """A lease that is released twice raises ``RuntimeError``: for tests."""
        self.released_twice = 0
        """How often that happened; anything but 0 is a bug."""

    def acquire(
        self,
        caller: str,
        waiter: Waiter,
        *,
        excluded: AbstractSet[str] = NO_KEYS,
        max_wait: float | None = None,
    ) -> Lease | Ticket:
        """A lease now, or a ticket whose ``waiter`` is told later.

        Callers (any string) take turns. ``excluded`` are ids of keys that have just failed for
        this request; they are avoided for as long as another key is ready. ``max_wait`` is in
        seconds. The waiter may hear ``QueueFull``, ``QueueTimeout``, ``NoCredential`` or
        ``UpstreamRateLimited`` (every key cools for longer than the ticket may wait).
        """
        now = self._clock.now()
        key = self._scheduler.try_grant(now, excluded)
        if key is not None:
            return Lease(self._credentials[key.id], key, self._take_back)
        deadline = now + (self._limits.max_wait if max_wait is None else max_wait)
        ticket = Ticket(caller, waiter, self, deadline=deadline, excluded=excluded)
        lease: Lease | None = None
        for decision in self._scheduler.submit(ticket, now):
            if isinstance(decision, Granted) and decision.place is ticket:
                lease = self.lend(decision.key)
            else:
                self._carry_out(decision)
        self._set_timer()
        return lease or ticket

    def enable(self, key_id: str) -> None:
        """Make a key ready whatever it was. Raises ``KeyError`` for an unknown id."""
        self._carry_out_all(self._scheduler.enable(key_id, self._clock.now()))

    def disable(self, key_id: str, reason: str) -> None:
        """Lend a key no more; ``reason`` is a sentence for the operator. Raises ``KeyError``."""
        self._carry_out_all(self._scheduler.disable(key_id, reason, self._clock.now()))

    def refuse_waiting(self, error: Callable[[], GatewayError]) -> None:
        """Tell everyone in the queue ``error()``; loans go on. For a gateway that stops."""
        for ticket in self._scheduler.waiting():
            self._scheduler.cancel(ticket)
            self._carry_out(Refused(ticket, error()))
        self._set_timer()

    def snapshot(self) -> PoolSnapshot:
        """What the status page and the metrics may see."""
        return self._scheduler.snapshot(self._clock.now())

    def lend(self, key: Key) -> Lease:
        """For ``Ticket``: the lease of a key that the scheduler has granted."""
        return Lease(self._credentials[key.id], key, self._take_back)

    def withdraw(self, ticket: Ticket, key: Key | None) -> None:
        """For ``Ticket``: it is cancelled, and ``key`` goes back if it was granted already."""
        if key is None:
            self._scheduler.cancel(ticket)
            self._set_timer()
        else:
            self._return(key, UNUSED, self._clock.now())

    def _end_loan(self, key: Key | None, error: GatewayError | None) -> None:
        if key is None:
            self.released_twice += 1
            if self.strict:
                raise RuntimeError("a lease was released twice")
            return
        now = self._clock.now()
        if error is None and self._scheduler.took_back(key, now):
            return
        verdict = verdict_of(error, now, key.strikes, self._limits.pauses)
        if verdict.disable is not None and not self._limits.disables:
            verdict = Verdict(error=verdict.error)
        self._return(key, verdict, now)

    def _return(self, key: Key, verdict: Verdict, now: float) -> None:
        decisions = self._scheduler.release(key, verdict, now)
        # A loan that ended well and woke nobody moves no moment: the straight way ends here.
        if decisions or verdict is not SERVED:
            self._carry_out_all(decisions)

    def _wake(self) -> None:
        self._timer = None
        self._carry_out_all(self._scheduler.advance(self._clock.now()))

    def _carry_out_all(self, decisions: Iterable[Granted[Ticket] | Refused[Ticket]]) -> None:
        for decision in decisions:
            self._carry_out(decision)
        self._set_timer()

    def _carry_out(self, decision: Granted[Ticket] | Refused[Ticket]) -> None:
        ticket = decision.place
        if isinstance(decision, Granted):
            ticket.decided(decision.key, None)
        else:
            ticket.decided(None, decision.error)
        self._soon(ticket.tell)

    def _set_timer(self) -> None:
        """Have one timer on the wheel, at the scheduler's next moment."""
        wakeup = self._scheduler.next_wakeup()
        timer = self._timer
        if timer is not None:
            if wakeup is not None and wakeup >= timer.deadline:
                timer.deadline = wakeup
                return
            timer.cancel()
            self._timer = None
        if wakeup is not None:
            self._timer = self._wheel.at(wakeup, self._wake)
