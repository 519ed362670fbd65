import math

import pytest

from dragoman import errors
from dragoman.pool.keys import SERVED, Key, Verdict
from dragoman.pool.scheduler import AllBut, Granted, Place, Scheduler


class Desk:
    """A scheduler told its story with names instead of objects."""

    def __init__(self, *limits, max_queue=1000):
        self.keys = {f"k{i}": Key(f"k{i}", limit) for i, limit in enumerate(limits, start=1)}
        self.scheduler = Scheduler("giga", self.keys.values(), max_queue=max_queue)
        self.names = {}
        self.places = {}

    def submit(self, name, now=0, *, caller=None, deadline=math.inf, excluded=()):
        place = Place(caller or name, deadline=deadline, excluded=frozenset(excluded))
        self.names[place] = name
        self.places[name] = place
        return self.told(self.scheduler.submit(place, now))

    def release(self, key_id, verdict=SERVED, now=0):
        return self.told(self.scheduler.release(self.keys[key_id], verdict, now))

    def advance(self, now):
        return self.told(self.scheduler.advance(now))

    def cancel(self, name):
        self.scheduler.cancel(self.places[name])

    def told(self, decisions):
        return [
            (
                self.names[decision.place],
                decision.key.id if isinstance(decision, Granted) else type(decision.error).__name__,
            )
            for decision in decisions
        ]


def test_a_cooling_key_is_used_again_when_it_has_cooled():
    desk = Desk(1)
    assert desk.submit("a") == [("a", "k1")]
    assert desk.submit("b") == []
    assert desk.release("k1", Verdict(cool_until=10), now=1) == []
    assert desk.scheduler.next_wakeup() == 10
    assert desk.advance(9.9) == []
    assert desk.advance(10) == [("b", "k1")]
    assert desk.scheduler.next_wakeup() is None


def test_the_straight_way_prefers_idle_keys_and_then_those_idle_longest():
    desk = Desk(None, None, None)
    lent = [desk.scheduler.try_grant(now).id for now in range(3)]
    assert lent == ["k1", "k2", "k3"]
    desk.release("k3", now=4)
    desk.release("k1", now=5)
    assert [desk.scheduler.try_grant(6).id for _ in range(3)] == ["k3", "k1", "k2"]


def test_a_key_is_lent_no_more_often_than_its_limit():
    desk = Desk(2, 1)
    assert [desk.scheduler.try_grant(0).id for _ in range(3)] == ["k1", "k2", "k1"]
    assert desk.scheduler.try_grant(0) is None
    desk.release("k2")
    assert desk.scheduler.try_grant(0).id == "k2"


def test_the_tickets_of_one_caller_are_served_in_their_order():
    desk = Desk(1)
    desk.submit("first")
    for name in "abcd":
        assert desk.submit(name, caller="one") == []
    assert [desk.release("k1")[0][0] for _ in range(4)] == ["a", "b", "c", "d"]


def test_callers_take_turns_however_many_tickets_they_hold():
    desk = Desk(1, max_queue=2000)
    desk.submit("holder")
    for number in range(1000):
        desk.submit(f"greedy-{number}", caller="greedy")
    for number in range(10):
        desk.submit(f"modest-{number}")
    first_turns = [desk.release("k1")[0][0] for _ in range(12)]
    assert first_turns == ["greedy-0", *[f"modest-{n}" for n in range(10)], "greedy-1"]


def test_ten_thousand_tickets_of_a_hundred_callers_are_each_served_once_and_evenly():
    desk = Desk(*[3] * 20, max_queue=10_000)
    in_flight = []
    while (key := desk.scheduler.try_grant(0)) is not None:
        in_flight.append(key.id)
    assert len(in_flight) == 60
    for number in range(10_000):
        desk.submit(f"{number % 100}/{number}", caller=str(number % 100))
    served = []
    while in_flight:
        for name, key_id in desk.release(in_flight.pop(0)):
            served.append(name)
            in_flight.append(key_id)
    assert len(set(served)) == len(served) == 10_000
    for turn in range(100):
        callers = {name.split("/")[0] for name in served[turn * 100 : turn * 100 + 100]}
        assert len(callers) == 100
    assert all(key.in_flight == 0 for key in desk.keys.values())
    assert desk.scheduler.snapshot(0).waiting == 0


def test_a_cancelled_ticket_leaves_the_queue_and_nobody_minds_a_second_time():
    desk = Desk(1)
    for name in ("a", "b", "c"):
        desk.submit(name)
    desk.cancel("b")
    desk.cancel("b")
    assert desk.release("k1") == [("c", "k1")]
    desk.cancel("c")
    assert desk.release("k1") == []


def test_a_retry_waits_for_another_key_while_one_is_ready():
    desk = Desk(1, 1)
    desk.submit("a")
    desk.submit("b")
    desk.release("k1")
    assert desk.submit("retry", excluded=["k1"]) == []
    assert desk.submit("other") == [("other", "k1")]
    assert desk.release("k1") == []
    assert desk.release("k2") == [("retry", "k2")]


def test_who_wants_one_key_waits_for_it_and_holds_up_nobody():
    desk = Desk(1, 1)
    desk.submit("a")
    desk.submit("b")
    wanted = Place("keeper", excluded=AllBut("k2"))
    desk.names[wanted] = "wanted"
    assert desk.told(desk.scheduler.submit(wanted, 0)) == []
    assert desk.release("k1") == []
    assert desk.submit("other") == [("other", "k1")]
    assert desk.release("k1", Verdict(cool_until=9)) == []
    assert desk.release("k2") == [("wanted", "k2")]
    again = Place("keeper", excluded=AllBut("k1"))
    desk.names[again] = "again"
    assert desk.told(desk.scheduler.submit(again, 1)) == []
    assert desk.release("k2", now=2) == []
    assert desk.advance(9) == [("again", "k1")]


def test_a_retry_does_not_hold_up_other_tickets_of_its_caller():
    desk = Desk(1, 1)
    desk.submit("a")
    desk.submit("b")
    desk.submit("retry", caller="me", excluded=["k1"])
    desk.submit("next", caller="me")
    assert desk.release("k1") == [("next", "k1")]
    assert desk.release("k1") == []
    assert desk.release("k2") == [("retry", "k2")]


@pytest.mark.parametrize("verdict", [Verdict(cool_until=50), Verdict(disable="Revoked.")])
def test_a_retry_takes_the_key_it_avoided_when_no_other_is_ready(verdict):
    desk = Desk(1, 1)
    desk.submit("a")
    desk.submit("b")
    desk.release("k1")
    assert desk.submit("retry", excluded=["k1", "unknown"]) == []
    assert desk.release("k2", verdict) == [("retry", "k1")]


def test_a_retry_has_the_only_key_again():
    desk = Desk(None)
    assert desk.submit("retry", excluded=["k1"]) == [("retry", "k1")]


def test_a_retry_for_which_every_key_was_tried_is_not_refused():
    desk = Desk(1, 1)
    assert desk.submit("retry", excluded=["k1", "k2"]) == [("retry", "k1")]


def test_the_queue_has_a_bound_and_says_when_to_come_again():
    desk = Desk(1, max_queue=4)
    for now, name in enumerate(["holder", "a", "b", "c", "d"]):
        desk.submit(name, now)
    for now in (10, 13, 16):
        desk.release("k1", now=now)
        desk.submit(f"at {now}", now)
    place = Place("late")
    (decision,) = desk.scheduler.submit(place, 17)
    assert isinstance(decision.error, errors.QueueFull)
    assert decision.error.retry_after == 12
    assert "provider giga" in decision.error.message
    assert "in 12 s" in decision.error.message


def test_a_ticket_is_refused_when_its_time_is_up():
    desk = Desk(1)
    desk.submit("holder")
    desk.submit("a", deadline=5)
    desk.submit("b", deadline=7)
    assert desk.scheduler.next_wakeup() == 5
    assert desk.advance(4.9) == []
    assert desk.advance(5) == [("a", "QueueTimeout")]
    assert desk.scheduler.next_wakeup() == 7
    assert desk.release("k1", now=6) == [("b", "k1")]
    assert desk.scheduler.next_wakeup() is None


def test_a_ticket_that_may_not_wait_is_refused_at_once():
    desk = Desk(1)
    desk.submit("holder", 3)
    assert desk.submit("a", 3, deadline=3) == [("a", "QueueTimeout")]


def test_a_ticket_is_refused_at_once_when_every_key_cools_for_longer_than_it_may_wait():
    desk = Desk(1, 1)
    desk.submit("a")
    desk.submit("b")
    desk.release("k1", Verdict(cool_until=30.2), now=0)
    desk.release("k2", Verdict(cool_until=40), now=0)
    place = Place("late", deadline=20)
    (decision,) = desk.scheduler.submit(place, 1)
    assert isinstance(decision.error, errors.UpstreamRateLimited)
    assert decision.error.retry_after == 30
    assert desk.submit("patient", 1, deadline=30.2) == []
    assert desk.advance(30.2) == [("patient", "k1")]


def test_those_who_wait_are_refused_as_soon_as_it_is_certain_that_no_key_will_be_ready_in_time():
    desk = Desk(1)
    desk.submit("holder")
    desk.submit("short", deadline=8)
    desk.submit("exact", deadline=10)
    desk.submit("long", deadline=60)
    told = desk.release("k1", Verdict(cool_until=10), now=1)
    assert told == [("short", "UpstreamRateLimited")]
    assert desk.advance(10) == [("exact", "k1")]


def test_with_one_key_ready_nobody_is_refused_for_another_that_cools():
    desk = Desk(1, 1)
    desk.submit("a")
    desk.submit("b")
    desk.submit("waits", deadline=8)
    assert desk.release("k1", Verdict(cool_until=100), now=1) == []
    assert desk.release("k2", now=2) == [("waits", "k2")]


def test_all_who_wait_are_refused_when_the_last_key_is_disabled():
    desk = Desk(1, 1)
    desk.submit("a")
    desk.submit("b")
    desk.submit("c")
    desk.submit("d", deadline=9)
    assert desk.release("k1", Verdict(disable="Revoked."), now=1) == []
    told = desk.release("k2", Verdict(disable="Used up."), now=1)
    assert told == [("c", "NoCredential"), ("d", "NoCredential")]
    (decision,) = desk.scheduler.submit(Place("e"), 2)
    assert "provider giga is disabled" in decision.error.message
    assert decision.error.detail == "k1: Revoked. k2: Used up."


def test_a_provider_without_credentials_says_so():
    (decision,) = Desk().scheduler.submit(Place("a"), 0)
    assert isinstance(decision.error, errors.NoCredential)
    assert "giga has no credential" in decision.error.message


def test_an_enabled_key_serves_those_who_wait():
    desk = Desk(1, 1)
    desk.submit("a")
    desk.submit("b")
    desk.submit("c")
    desk.release("k1", Verdict(disable="Revoked."))
    assert desk.told(desk.scheduler.enable("k1", 1)) == [("c", "k1")]
    assert desk.told(desk.scheduler.enable("k2", 1)) == []
    with pytest.raises(KeyError):
        desk.scheduler.enable("k9", 1)


def test_enabling_a_key_ends_its_pause_for_good():
    desk = Desk(1)
    desk.submit("a")
    desk.release("k1", Verdict(cool_until=50), now=1)
    desk.scheduler.enable("k1", 2)
    assert desk.scheduler.next_wakeup() is None
    assert desk.scheduler.try_grant(2).id == "k1"


def test_a_key_disabled_by_the_operator_ends_its_loans_and_begins_none():
    desk = Desk(None)
    desk.submit("a")
    desk.scheduler.disable("k1", "Taken out of service.", 0)
    assert desk.scheduler.try_grant(0) is None
    assert desk.release("k1") == []
    assert desk.submit("b") == [("b", "NoCredential")]
    snapshot = desk.scheduler.snapshot(0)
    assert (snapshot.disabled, snapshot.in_flight) == (1, 0)
    assert snapshot.keys[0].reason == "Taken out of service."


def test_the_snapshot_shows_keys_and_queue():
    desk = Desk(1, None, 1)
    desk.scheduler.disable("k2", "Revoked.", 0)
    desk.submit("a", 0)
    desk.submit("b", 0)
    desk.submit("c", 1, caller="x")
    desk.submit("d", 1, caller="x")
    desk.release("k1", Verdict(cool_until=10, error="rate_limited"), now=4)
    snapshot = desk.scheduler.snapshot(6)
    assert (snapshot.ready, snapshot.cooling, snapshot.disabled) == (1, 1, 1)
    assert (snapshot.in_flight, snapshot.waiting, snapshot.waiting_callers) == (1, 2, 1)
    k1, k2, k3 = snapshot.keys
    assert (k1.state, k1.until, k1.cools_for, k1.last_error) == ("cooling", 10, 4, "rate_limited")
    assert (k1.failed, k1.served, k1.last_used) == (1, 0, 4)
    assert (k2.state, k2.until, k2.reason) == ("disabled", None, "Revoked.")
    assert (k3.state, k3.in_flight, k3.limit) == ("ready", 1, 1)


def test_two_keys_of_one_id_are_refused():
    with pytest.raises(ValueError, match="two keys of provider giga have the id k"):
        Scheduler("giga", [Key("k"), Key("k")])
