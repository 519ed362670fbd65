"""The proof of the exchange: every legal order of happenings keeps its three promises."""

import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.exchange_world import World

HAPPENINGS = 100_000


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_any_order_of_happenings_ends_in_one_settlement_and_an_honest_answer(data):
    world = World(lambda below: data.draw(st.integers(0, below - 1)) if below > 1 else 0)
    for _ in range(data.draw(st.integers(5, 40))):
        world.step()
    world.choose = lambda below: 0
    world.drain()
    world.check_over()


def test_the_promises_hold_over_a_hundred_thousand_happenings():
    done = seed = 0
    while done < HAPPENINGS:
        source = random.Random(seed)
        seed += 1
        world = World(source.randrange)
        for _ in range(400):
            world.step()
        world.drain()
        world.check_over()
        done += world.count
    assert done >= HAPPENINGS
