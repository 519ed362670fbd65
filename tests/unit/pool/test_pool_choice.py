import random

from dragoman.pool.choice import LeastBusy
from dragoman.pool.keys import SERVED, Key


def test_nothing_is_first_among_no_keys():
    free = LeastBusy()
    assert not free
    assert free.first(frozenset()) is None


def test_the_least_busy_comes_first_and_among_equals_the_least_recently_used():
    rng = random.Random(7)
    keys = [Key(f"k{i}") for i in range(8)]
    free = LeastBusy()
    for key in keys:
        free.add(key)
    for now in range(1, 2000):
        excluded = frozenset(rng.sample([key.id for key in keys], rng.randrange(8)))
        expected = min(
            (key for key in keys if key.id not in excluded),
            key=lambda key: (key.in_flight, key.last_used, keys.index(key)),
        )
        assert free.first(excluded) is expected
        busy = [key for key in keys if key.in_flight]
        key = rng.choice(busy) if busy and rng.random() < 0.5 else expected
        free.remove(key)
        if key is expected:
            key.begin_loan(now)
        else:
            key.end_loan(SERVED, now)
        free.add(key)


def test_keys_come_and_go_at_any_level():
    idle, busy = Key("idle"), Key("busy")
    for _ in range(300):
        busy.begin_loan(0)
    free = LeastBusy()
    free.add(busy)
    free.add(idle)
    assert free.first(frozenset()) is idle
    assert free.first({"idle"}) is busy
    assert free.first({"idle", "busy"}) is None
    free.remove(idle)
    assert free.first(frozenset()) is busy
    free.remove(busy)
    assert not free
