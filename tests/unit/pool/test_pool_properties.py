from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dragoman import errors
from dragoman.pool.broker import Broker, PoolLimits
from dragoman.pool.leases import Lease
from dragoman.providers.base import Credential
from support.fake_clock import FakeClock
from support.waiters import NextTurn, RecordingWaiter

LIMITS = {"k1": 1, "k2": 2, "k3": 3}
ENDS = st.sampled_from(
    [
        lambda: None,
        lambda: errors.UpstreamRateLimited("slow down", retry_after=3),
        lambda: errors.UpstreamRateLimited("slow down"),
        lambda: errors.UpstreamRejectedKey("no"),
        lambda: errors.UpstreamUnavailable("down"),
        lambda: errors.UpstreamRefused("bad request"),
    ]
)


class NoSigner:
    """The pool never asks it anything."""


class Request(RecordingWaiter):
    """One caller's wish for a key, and the checks on what it hears."""

    def __init__(self, pool, caller, excluded):
        super().__init__()
        self.pool = pool
        self.caller = caller
        self.excluded = excluded
        self.cancelled = False
        self.ticket = None

    def granted(self, lease):
        assert not self.cancelled
        super().granted(lease)
        self.pool.held.append(lease)

    def refused(self, error):
        assert not self.cancelled
        super().refused(error)


class PoolMachine(RuleBasedStateMachine):
    """Requests come, wait, leave and end in any order."""

    def __init__(self):
        super().__init__()
        self.clock = FakeClock()
        self.soon = NextTurn()
        self.broker = Broker(
            "giga",
            [Credential(key_id, NoSigner()) for key_id in LIMITS],
            self.clock,
            self.clock.wheel,
            PoolLimits(in_flight_by_key=LIMITS, max_queue=12, max_wait=10),
            soon=self.soon,
        )
        self.broker.strict = True
        self.held = []
        self.waiting = []
        self.granted_in_order = []

    def key(self, key_id):
        return next(key for key in self.broker.snapshot().keys if key.id == key_id)

    @rule(
        caller=st.sampled_from("abc"),
        excluded=st.one_of(st.just(frozenset()), st.frozensets(st.sampled_from(sorted(LIMITS)))),
        max_wait=st.sampled_from([None, 0, 1, 5, 100]),
    )
    def acquire(self, caller, excluded, max_wait):
        request = Request(self, caller, excluded)
        got = self.broker.acquire(caller, request, excluded=excluded, max_wait=max_wait)
        assert request.told == 0
        if isinstance(got, Lease):
            assert self.key(got.key_id).state == "ready"
            self.held.append(got)
        else:
            request.ticket = got
            self.waiting.append(request)

    @precondition(lambda self: self.held)
    @rule(data=st.data(), end=ENDS)
    def release(self, data, end):
        lease = self.held.pop(data.draw(st.integers(0, len(self.held) - 1)))
        lease.release(end())

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def leave(self, data):
        request = self.waiting.pop(data.draw(st.integers(0, len(self.waiting) - 1)))
        request.cancelled = not request.told
        request.ticket.cancel()

    @rule(seconds=st.sampled_from([0.05, 1, 3, 20]))
    def time_passes(self, seconds):
        self.clock.advance(seconds)

    @rule()
    def the_loop_turns(self):
        self.soon.run()
        self.forget_the_told()

    @rule(key_id=st.sampled_from(sorted(LIMITS)))
    def enable(self, key_id):
        self.broker.enable(key_id)

    @rule(key_id=st.sampled_from(sorted(LIMITS)))
    def disable(self, key_id):
        self.broker.disable(key_id, "Taken out of service.")

    def forget_the_told(self):
        for request in self.waiting:
            assert request.told <= 1
            assert (request.lease is None) or (request.error is None)
        self.waiting = [request for request in self.waiting if not request.told]

    @invariant()
    def no_key_is_lent_more_often_than_its_limit(self):
        for key in self.broker.snapshot().keys:
            assert 0 <= key.in_flight <= LIMITS[key.id]

    @invariant()
    def loans_add_up(self):
        promised = sum(
            1 for request in self.waiting if request.ticket._key is not None and not request.told
        )
        assert self.broker.snapshot().in_flight == len(self.held) + promised

    @invariant()
    def the_queue_holds_exactly_those_without_a_decision(self):
        undecided = [
            request
            for request in self.waiting
            if request.ticket._key is None and request.ticket._error is None and not request.told
        ]
        assert {request.ticket for request in undecided} == set(self.broker._scheduler.waiting())
        assert self.broker.snapshot().waiting == len(undecided) <= 12

    @invariant()
    def nobody_waits_for_a_key_that_is_free(self):
        free = {
            key.id
            for key in self.broker.snapshot().keys
            if key.state == "ready" and key.in_flight < LIMITS[key.id]
        }
        for ticket in self.broker._scheduler.waiting():
            assert free <= ticket.excluded

    @invariant()
    def a_timer_is_set_while_time_can_change_anything(self):
        snapshot = self.broker.snapshot()
        if snapshot.waiting or snapshot.cooling:
            assert len(self.clock.wheel) == 1

    def teardown(self):
        for request in self.waiting:
            request.cancelled = not request.told
            request.ticket.cancel()
        for lease in self.held:
            lease.release()
        self.soon.run()
        snapshot = self.broker.snapshot()
        assert (snapshot.in_flight, snapshot.waiting) == (0, 0)
        assert self.broker.released_twice == 0


PoolMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestPool = PoolMachine.TestCase


class OneCallersOrder(RuleBasedStateMachine):
    """Without exclusions, the tickets of one caller are granted in the order of their drawing."""

    def __init__(self):
        super().__init__()
        clock, soon = FakeClock(), NextTurn()
        credential = Credential("k", NoSigner())
        self.broker = Broker(
            "giga", [credential], clock, clock.wheel, PoolLimits(in_flight=1), soon=soon
        )
        self.soon = soon
        self.drawn = {caller: [] for caller in "abc"}
        self.lease = self.broker.acquire("z", RecordingWaiter())

    @rule(caller=st.sampled_from("abc"))
    def draw(self, caller):
        waiter = RecordingWaiter()
        self.broker.acquire(caller, waiter)
        self.drawn[caller].append(waiter)

    @precondition(lambda self: any(self.drawn.values()))
    @rule()
    def serve(self):
        waiting = [caller for caller, line in self.drawn.items() if line]
        self.lease.release()
        self.soon.run()
        served = [caller for caller in waiting if self.drawn[caller][0].told]
        assert len(served) == 1
        self.lease = self.drawn[served[0]].pop(0).lease
        assert not any(waiter.told for line in self.drawn.values() for waiter in line)


OneCallersOrder.TestCase.settings = settings(max_examples=40, deadline=None)
TestOrder = OneCallersOrder.TestCase
