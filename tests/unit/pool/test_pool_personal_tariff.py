"""A person's tariff: one call at a time, and many who want one. Stories on a clock held still."""

import pytest

from dragoman.errors import QueueFull, QueueTimeout, UpstreamRateLimited
from dragoman.pool.broker import Broker, PoolLimits
from dragoman.pool.leases import Lease
from dragoman.providers.base import Credential
from support.fake_clock import FakeClock
from support.waiters import NextTurn


class Desk:
    """One key; notes in which order callers get it."""

    def __init__(self, **limits):
        self.clock = FakeClock()
        self.soon = NextTurn()
        limits = PoolLimits(**{"in_flight": 1, "max_queue": 100, "max_wait": 60.0, **limits})
        key = Credential("k1", None)
        self.broker = Broker("giga", [key], self.clock, self.clock.wheel, limits, soon=self.soon)
        self.broker.strict = True
        self.served = []
        self.refused = []
        self.held = []

    def ask(self, caller):
        asker = Asker(self, caller)
        loan = self.broker.acquire(caller, asker)
        if isinstance(loan, Lease):
            asker.granted(loan)

    def answer(self, seconds=1.0, error=None):
        """The call under way takes ``seconds`` and ends."""
        self.clock.advance(seconds)
        (lease,) = self.held
        self.held = []
        lease.release(error)
        self.soon.run()

    def answer_all(self):
        while self.held:
            self.answer(0.5)


class Asker:
    def __init__(self, desk, caller):
        self.desk = desk
        self.caller = caller

    def granted(self, lease):
        assert not self.desk.held, "the provider would answer 429 to a second call"
        self.desk.held.append(lease)
        self.desk.served.append(self.caller)

    def refused(self, error):
        self.desk.refused.append((self.caller, error))


CALLERS = [f"caller-{number:02}" for number in range(50)]


def test_fifty_callers_are_served_one_by_one_in_the_order_they_came():
    desk = Desk()
    for caller in CALLERS:
        desk.ask(caller)
    desk.answer_all()
    assert desk.served == CALLERS
    assert desk.refused == []


def test_one_callers_burst_delays_another_by_one_call_at_most():
    desk = Desk()
    for _ in range(40):
        desk.ask("greedy")
    for caller in ("a", "b", "c"):
        desk.ask(caller)
    for _ in range(7):
        desk.answer()
    assert desk.served[:5] == ["greedy", "greedy", "a", "b", "c"]
    desk.ask("late")
    desk.answer()
    desk.answer()
    assert "late" in desk.served[8:10]
    desk.answer_all()
    assert desk.served.count("greedy") == 40
    assert desk.refused == []


def test_who_comes_back_at_once_queues_behind_those_who_wait():
    desk = Desk()
    for caller in ("a", "b", "c"):
        desk.ask(caller)
    for caller in ("a", "b", "c", "a", "b"):
        desk.answer()
        desk.ask(caller)
    assert desk.served == ["a", "b", "c", "a", "b", "c"]


def test_a_429_pauses_the_key_and_refuses_nobody_who_can_wait():
    desk = Desk()
    for caller in CALLERS[:10]:
        desk.ask(caller)
    desk.answer(error=UpstreamRateLimited("busy elsewhere", retry_after=3))
    assert desk.held == []
    desk.clock.advance(4)
    desk.soon.run()
    desk.answer_all()
    assert desk.served == CALLERS[:10]
    assert desk.refused == []


@pytest.mark.parametrize(
    ("limits", "kind", "after"),
    [({"max_queue": 5}, QueueFull, 0), ({"max_wait": 5}, QueueTimeout, 6)],
)
def test_beyond_the_queues_limits_the_refusal_says_when_to_come_again(limits, kind, after):
    desk = Desk(**limits)
    for caller in CALLERS[:8]:
        desk.ask(caller)
    desk.clock.advance(after)
    desk.soon.run()
    assert desk.refused
    assert all(isinstance(error, kind) and error.retry_after >= 1 for _, error in desk.refused)
