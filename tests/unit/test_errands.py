"""One call from its key to its answer: what is tried again, and that every key goes back once."""

import asyncio

import pytest

from dragoman.clock import SystemClock, TimerWheel
from dragoman.errands import HIGH_WATER, Errand, Messenger
from dragoman.errors import (
    NoCredential,
    UpstreamBroken,
    UpstreamRateLimited,
    UpstreamRefused,
    UpstreamRejectedKey,
    UpstreamUnavailable,
)
from dragoman.pool.broker import Broker, PoolLimits
from dragoman.providers.base import Credential
from dragoman.providers.signing import FixedSigner, bearer
from dragoman.transport.calls import Head

ERRORS = {400: UpstreamRefused, 401: UpstreamRejectedKey, 429: UpstreamRateLimited}


class Signer(FixedSigner):
    """A token that may be renewed as often as it has lives."""

    def __init__(self, name, lives=0):
        super().__init__(bearer(f"{name}-access-token"))
        self.lives = lives

    def rejected(self, authorization):
        assert authorization == self.authorization()
        self.lives -= 1
        return self.lives >= 0


class Flight:
    def __init__(self):
        self.said = []

    def pause(self):
        self.said.append("pause")

    def resume(self):
        self.said.append("resume")

    def abort(self):
        self.said.append("abort")


class Origin:
    """Plays one scene a call: a status, an error that is a loss, or whatever a function does."""

    def __init__(self, *scenes):
        self.scenes = list(scenes)
        self.calls = []
        self.flights = []

    def send(self, call, listener):
        self.calls.append(call)
        flight = Flight()
        self.flights.append(flight)
        scene = self.scenes.pop(0)
        asyncio.get_running_loop().call_soon(self.play, scene, listener)
        return flight

    def play(self, scene, listener):
        if callable(scene):
            scene(listener)
        elif isinstance(scene, int):
            listener.head(Head(scene, {}))
            listener.end(b"body")
        else:
            listener.lost(scene)


class Trail:
    caller = "someone"

    def __init__(self):
        self.attempts = 0


def read_error(status, headers, body):
    return ERRORS.get(status, UpstreamBroken)(f"{status}")


def errand(**members):
    return Errand(head=b"POST / HTTP/1.1\r\n", body=[b"x"], read_error=read_error, **members)


class World:
    def __init__(self, *scenes, keys=3, lives=0, attempts=3, in_flight=1):
        credentials = [Credential(f"p/{n}", Signer(n, lives)) for n in range(keys)]
        clock = SystemClock()
        wheel = TimerWheel(clock.now())
        limits = PoolLimits(in_flight=in_flight)
        self.broker = Broker("p", credentials, clock, wheel, limits)
        self.broker.strict = True
        self.origin = Origin(*scenes)
        self.messenger = Messenger(self.broker, self.origin, attempts)
        self.trail = Trail()

    async def ask(self, limit=1000, **members):
        return await self.messenger.ask(errand(**members), self.trail, limit=limit)

    def keys(self):
        return [call.head.split(b"Bearer ")[1].split(b"-")[0] for call in self.origin.calls]

    def is_whole(self):
        pool = self.broker.snapshot()
        assert pool.in_flight == pool.waiting == self.broker.released_twice == 0
        assert len(self.origin.calls) == self.trail.attempts


async def test_an_answer_comes_whole():
    world = World(200)
    assert await world.ask() == b"body"
    assert world.origin.calls[0].body == [b"x"]
    world.is_whole()


@pytest.mark.parametrize(
    ("scenes", "outcome", "keys"),
    [
        ((429, 200), b"body", [b"0", b"1"]),
        ((UpstreamUnavailable("gone"), 200), b"body", [b"0", b"1"]),
        ((429, 429, 200), b"body", [b"0", b"1", b"2"]),
        ((429, 429, 429), UpstreamRateLimited, [b"0", b"1", b"2"]),
        ((400,), UpstreamRefused, [b"0"]),
        ((302,), UpstreamBroken, [b"0"]),
        ((401, 200), b"body", [b"0", b"1"]),
        ((401, 401, 401), UpstreamRejectedKey, [b"0", b"1", b"2"]),
    ],
)
async def test_what_is_tried_again_is_tried_with_another_key(scenes, outcome, keys):
    world = World(*scenes)
    if isinstance(outcome, bytes):
        assert await world.ask() == outcome
    else:
        with pytest.raises(outcome):
            await world.ask()
    assert world.keys() == keys
    world.is_whole()


async def test_a_rejected_token_is_renewed_once():
    world = World(401, 200, lives=1)
    assert await world.ask() == b"body"
    assert world.keys() == [b"0", b"0"]
    assert world.broker.snapshot().disabled == 0
    world.is_whole()


async def test_that_no_key_is_left_says_less_than_why_the_last_one_failed():
    world = World(401, keys=1)
    with pytest.raises(UpstreamRejectedKey):
        await world.ask()
    with pytest.raises(NoCredential):
        await world.ask()
    world.is_whole()


async def test_what_an_upstream_echoes_of_the_credential_is_taken_out():
    world = World(400)
    echo = Errand(
        head=b"GET / HTTP/1.1\r\n",
        read_error=lambda *_: UpstreamRefused("0-access-token", detail="got 0-access-token"),
    )
    with pytest.raises(UpstreamRefused) as caught:
        await world.messenger.ask(echo, world.trail, limit=9)
    assert "access" not in f"{caught.value} {caught.value.detail}"


async def test_a_body_that_breaks_off_is_asked_for_again():
    def broken(listener):
        listener.head(Head(200, {}))
        listener.data(b"bo")
        listener.lost(UpstreamUnavailable("cut"))

    world = World(broken, 200)
    assert await world.ask() == b"body"
    world.is_whole()


async def test_an_answer_that_is_too_long_is_given_up():
    world = World(lambda listener: (listener.head(Head(200, {})), listener.data(b"x" * 1001)))
    with pytest.raises(UpstreamBroken):
        await world.ask()
    assert world.origin.flights[0].said == ["abort"]
    world.is_whole()


async def test_an_error_that_never_ends_is_read_only_so_far():
    world = World(lambda listener: (listener.head(Head(400, {})), listener.data(b"x" * 300 * 1024)))
    with pytest.raises(UpstreamRefused):
        await world.ask()
    assert "abort" in world.origin.flights[0].said
    world.is_whole()


@pytest.mark.parametrize("turns", range(6))
async def test_whoever_is_cancelled_leaves_nothing_behind(turns):
    world = World(lambda listener: None)
    task = asyncio.ensure_future(world.ask())
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    pool = world.broker.snapshot()
    assert pool.in_flight == pool.waiting == 0
    assert all("abort" in flight.said for flight in world.origin.flights)


@pytest.mark.parametrize("turns", range(6))
async def test_a_key_that_is_granted_to_one_who_leaves_goes_back(turns):
    world = World(200, keys=1)
    held = world.broker.acquire("other", None)
    task = asyncio.ensure_future(world.ask())
    await asyncio.sleep(0)
    assert world.broker.snapshot().waiting == 1
    held.release()
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await asyncio.sleep(0)
    pool = world.broker.snapshot()
    assert pool.in_flight == pool.waiting == world.broker.released_twice == 0


async def test_an_errand_for_one_key_waits_for_it_and_takes_no_other():
    world = World(200, 429)
    held = [world.broker.acquire("other", None) for _ in range(2)]
    wanted = held[1].key_id
    task = asyncio.ensure_future(world.ask(key_id=wanted))
    for _ in range(5):
        await asyncio.sleep(0)
    assert world.origin.calls == []
    held[0].release()
    await asyncio.sleep(0)
    assert world.origin.calls == []
    held[1].release()
    assert await task == b"body"
    with pytest.raises(UpstreamRateLimited):
        await world.ask(key_id=wanted)
    assert world.keys() == [wanted[-1:].encode()] * 2
    world.is_whole()


async def test_a_slow_reader_pauses_the_upstream():
    listeners = []
    world = World(lambda listener: (listener.head(Head(200, {})), listeners.append(listener)))
    answer = await world.messenger.open(errand(), world.trail)
    (listener,), (flight,) = listeners, world.origin.flights
    listener.data(b"x" * HIGH_WATER)
    assert flight.said == []
    listener.data(b"x")
    listener.data(b"x")
    assert flight.said == ["pause"]
    read = []

    async def reader():
        read.extend([len(block) async for block in answer.blocks()])

    task = asyncio.ensure_future(reader())
    while flight.said != ["pause", "resume"]:
        await asyncio.sleep(0)
    listener.end(b"yz")
    await task
    assert read == [HIGH_WATER, 1, 1, 2]
    world.is_whole()


async def test_an_answer_that_nobody_reads_is_closed_once():
    world = World(lambda listener: listener.head(Head(200, {})))
    answer = await world.messenger.open(errand(), world.trail)
    assert world.broker.snapshot().in_flight == 1
    answer.close()
    answer.close()
    world.is_whole()
