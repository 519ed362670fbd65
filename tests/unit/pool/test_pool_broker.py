import asyncio

import pytest

from dragoman import errors
from dragoman.pool.broker import Broker, PoolLimits
from dragoman.pool.keys import Pauses
from dragoman.pool.leases import Lease
from dragoman.providers.base import Credential
from support.fake_clock import FakeClock
from support.waiters import NextTurn, RecordingWaiter


class NoSigner:
    """The pool never asks it anything."""


class House:
    def __init__(self, keys=1, **limits):
        self.clock = FakeClock()
        self.soon = NextTurn()
        self.credentials = [Credential(f"k{i}", NoSigner()) for i in range(1, keys + 1)]
        self.broker = Broker(
            "giga",
            self.credentials,
            self.clock,
            self.clock.wheel,
            PoolLimits(**limits),
            soon=self.soon,
        )
        self.broker.strict = True

    def acquire(self, caller="a", **options):
        waiter = RecordingWaiter()
        return self.broker.acquire(caller, waiter, **options), waiter


def test_a_free_key_is_lent_at_once_with_its_credential_and_without_a_callback():
    house = House()
    lease, waiter = house.acquire()
    assert isinstance(lease, Lease)
    assert lease.credential is house.credentials[0]
    assert lease.key_id == "k1"
    house.soon.run()
    assert waiter.told == 0
    assert len(house.clock.wheel) == 0


def test_who_waits_is_told_a_moment_after_the_release_and_not_inside_it():
    house = House(in_flight=1)
    lease, _ = house.acquire()
    ticket, waiter = house.acquire()
    assert not isinstance(ticket, Lease)
    lease.release()
    assert waiter.told == 0
    house.soon.run()
    assert waiter.lease.key_id == "k1"


def test_a_client_that_leaves_in_the_instant_of_its_grant_gives_the_key_back():
    house = House(in_flight=1)
    lease, _ = house.acquire()
    ticket, waiter = house.acquire("b")
    _, third = house.acquire("c")
    lease.release()
    ticket.cancel()
    ticket.cancel()
    house.soon.run()
    assert waiter.told == 0
    assert third.lease.key_id == "k1"
    third.lease.release()
    snapshot = house.broker.snapshot()
    assert (snapshot.in_flight, snapshot.waiting) == (0, 0)
    assert snapshot.keys[0].served == 2


def test_cancelling_after_the_telling_changes_nothing():
    house = House(in_flight=1)
    lease, _ = house.acquire()
    ticket, waiter = house.acquire()
    lease.release()
    house.soon.run()
    ticket.cancel()
    assert house.broker.snapshot().in_flight == 1
    waiter.lease.release()
    assert house.broker.snapshot().in_flight == 0


def test_a_client_that_leaves_before_its_refusal_is_told_hears_nothing():
    house = House(in_flight=1, max_queue=0)
    house.acquire()
    ticket, waiter = house.acquire()
    assert waiter.told == 0
    ticket.cancel()
    house.soon.run()
    assert waiter.told == 0


def test_a_refusal_is_told_from_the_loop_too():
    house = House(in_flight=1, max_queue=0)
    house.acquire()
    _, waiter = house.acquire()
    house.soon.run()
    assert isinstance(waiter.error, errors.QueueFull)


def test_a_ticket_is_refused_when_it_has_waited_as_long_as_it_may():
    house = House(in_flight=1, max_wait=30)
    house.acquire()
    _, waiter = house.acquire()
    _, hasty = house.acquire(max_wait=2)
    house.clock.advance(2.3)
    house.soon.run()
    assert isinstance(hasty.error, errors.QueueTimeout)
    assert waiter.told == 0
    house.clock.advance(28)
    house.soon.run()
    assert isinstance(waiter.error, errors.QueueTimeout)
    assert len(house.clock.wheel) == 0


def test_a_rate_limited_key_cools_and_comes_back_by_itself():
    house = House(in_flight=1)
    lease, _ = house.acquire()
    lease.release(errors.UpstreamRateLimited("slow down", retry_after=5))
    _, waiter = house.acquire()
    house.clock.advance(4.9)
    house.soon.run()
    assert waiter.told == 0
    house.clock.advance(0.3)
    house.soon.run()
    assert waiter.lease.key_id == "k1"


def test_a_key_that_is_limited_again_and_again_cools_longer_each_time():
    house = House(pauses=Pauses(first=2, longest=10))
    pauses = []
    for _ in range(4):
        lease, _ = house.acquire()
        lease.release(errors.UpstreamRateLimited("slow down"))
        pauses.append(house.broker.snapshot().keys[0].cools_for)
        house.clock.advance(pauses[-1] + 0.3)
    assert pauses == pytest.approx([2, 4, 8, 10])
    lease, _ = house.acquire()
    lease.release()
    lease, _ = house.acquire()
    lease.release(errors.UpstreamRateLimited("slow down"))
    assert house.broker.snapshot().keys[0].cools_for == pytest.approx(2)


def test_a_key_whose_pause_is_over_is_lent_at_once_even_before_the_timer_has_run():
    house = House()
    lease, _ = house.acquire()
    lease.release(errors.UpstreamRateLimited("slow down", retry_after=5))
    house.clock._now += 5
    lease, waiter = house.acquire()
    assert isinstance(lease, Lease)
    house.soon.run()
    assert waiter.told == 0


def test_a_rejected_key_is_disabled_until_the_operator_enables_it():
    house = House()
    lease, _ = house.acquire()
    lease.release(errors.UpstreamRejectedKey("no", code="401"))
    _, waiter = house.acquire()
    house.soon.run()
    assert isinstance(waiter.error, errors.NoCredential)
    assert "401" in house.broker.snapshot().keys[0].reason
    house.broker.enable("k1")
    assert isinstance(house.acquire()[0], Lease)


def test_a_retry_gets_another_key():
    house = House(keys=3)
    lease, _ = house.acquire()
    lease.release(errors.UpstreamUnavailable("down"))
    tried = {lease.key_id}
    while len(tried) < 3:
        lease, _ = house.acquire(excluded=frozenset(tried))
        assert lease.key_id not in tried
        tried.add(lease.key_id)
        lease.release(errors.UpstreamUnavailable("down"))


def test_each_key_may_have_its_own_limit():
    house = House(keys=2, in_flight=1, in_flight_by_key={"k2": 3})
    leases = [house.acquire()[0] for _ in range(4)]
    assert sorted(lease.key_id for lease in leases) == ["k1", "k2", "k2", "k2"]
    assert not isinstance(house.acquire()[0], Lease)


def test_a_second_release_is_counted_and_returns_nothing():
    house = House(in_flight=1)
    lease, _ = house.acquire()
    lease.release()
    with pytest.raises(RuntimeError, match="released twice"):
        lease.release()
    house.broker.strict = False
    again, _ = house.acquire()
    lease.release(errors.UpstreamRejectedKey("no"))
    assert house.broker.released_twice == 2
    snapshot = house.broker.snapshot()
    assert (snapshot.in_flight, snapshot.disabled) == (1, 0)
    again.release()


def test_a_gateway_that_stops_refuses_those_who_wait_and_lets_the_rest_finish():
    house = House(in_flight=1)
    lease, _ = house.acquire()
    waiters = [house.acquire()[1] for _ in range(3)]
    house.broker.refuse_waiting(lambda: errors.ShuttingDown("The gateway is stopping."))
    house.soon.run()
    assert {type(waiter.error) for waiter in waiters} == {errors.ShuttingDown}
    lease.release()
    assert house.broker.snapshot().in_flight == 0
    assert len(house.clock.wheel) == 0


def test_the_operator_can_take_a_key_out_of_service():
    house = House(in_flight=1)
    lease, _ = house.acquire()
    _, waiter = house.acquire()
    house.broker.disable("k1", "Being replaced.")
    house.soon.run()
    assert isinstance(waiter.error, errors.NoCredential)
    lease.release()
    assert house.broker.snapshot().keys[0].reason == "Being replaced."


async def test_on_a_running_loop_the_telling_comes_in_its_next_turn():
    clock = FakeClock()
    broker = Broker(
        "giga",
        [Credential("k1", NoSigner())],
        clock,
        clock.wheel,
        PoolLimits(in_flight=1),
    )
    lease = broker.acquire("a", RecordingWaiter())
    waiter = RecordingWaiter()
    broker.acquire("a", waiter)
    lease.release()
    assert waiter.told == 0
    await asyncio.sleep(0)
    assert waiter.lease.key_id == "k1"
