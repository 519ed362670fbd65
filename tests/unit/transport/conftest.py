"""Every test of the transport runs under asyncio's own loop and under uvloop."""

import asyncio

import pytest
import pytest_asyncio

from dragoman.clock import LoopTicker, SystemClock, TimerWheel
from dragoman.transport.calls import Call
from dragoman.transport.fetch import Network
from support.fake_clock import FakeClock

try:
    import uvloop
except ImportError:  # Windows has none
    LOOPS = {"asyncio": asyncio.new_event_loop}
else:
    LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


def pytest_asyncio_loop_factories(config, item):
    return LOOPS


@pytest_asyncio.fixture
async def networks():
    """Makes networks on a wheel with a fast tick, and closes them."""
    clock = SystemClock()
    wheel = TimerWheel(clock.now(), tick=0.01)
    ticker = LoopTicker(wheel, clock, asyncio.get_running_loop())
    ticker.start()
    made = []

    def make(**settings):
        network = Network(wheel=wheel, clock=clock, **settings)
        made.append(network)
        return network

    make.wheel = wheel
    yield make
    for network in made:
        await network.close()
    ticker.stop()
    assert len(wheel) == 0, "a timer outlived its call"


@pytest_asyncio.fixture
async def networks_of_still_time():
    """Makes networks on a clock that only the test moves (``.clock``), and closes them."""
    clock = FakeClock()
    made = []

    def make(**settings):
        network = Network(wheel=clock.wheel, clock=clock, **settings)
        made.append(network)
        return network

    make.clock = clock
    yield make
    for network in made:
        await network.close()
    assert len(clock.wheel) == 0, "a timer outlived its call"


@pytest.fixture
def post():
    """A POST with the body given."""

    def make(*body, head=b"POST /v1/x HTTP/1.1\r\nhost: upstream\r\n", idempotent=False):
        return Call(head=head, body=body or (b"{}",), idempotent=idempotent)

    return make
