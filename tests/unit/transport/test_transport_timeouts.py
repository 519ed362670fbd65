"""The line before a pool's connections, time-outs in every phase, expiry, closing."""

import asyncio

import pytest

from dragoman.errors import UpstreamUnavailable
from dragoman.transport.calls import Timeouts
from dragoman.transport.pool import Limits
from support.descriptors import descriptors_come_back
from support.polling import until
from support.recording_listener import RecordingListener
from support.scripted_upstream import ScriptedUpstream, answering, ok

OK = b"HTTP/1.1 200 OK\r\n"


class Gate:
    """A script that answers each request when it is let through."""

    def __init__(self):
        self.let_through = asyncio.Semaphore(0)

    async def __call__(self, peer):
        while True:
            request = await peer.request()
            await self.let_through.acquire()
            await peer.write(ok(request.body))


@pytest.fixture
def gate():
    return Gate()


async def test_half_a_head_is_no_first_byte(networks, post):
    async def half(peer):
        await peer.request()
        await peer.write(OK)
        await peer.gone()

    async with ScriptedUpstream(half) as upstream:
        pool = networks(timeouts=Timeouts(first_byte=0.05)).origin(upstream.url)
        listener = RecordingListener()
        pool.send(post(), listener)
        await listener.finished()
        assert listener.error.code == "first_byte"


async def test_half_a_head_then_close_is_unavailable(networks, post):
    async def half(peer):
        await peer.request()
        await peer.write(OK)

    async with ScriptedUpstream(half) as upstream:
        listener = RecordingListener()
        networks().origin(upstream.url).send(post(), listener)
        await listener.finished()
        assert isinstance(listener.error, UpstreamUnavailable)


async def test_silence_in_the_middle_is_an_idle_time_out_but_slow_chunks_are_not(
    networks_of_still_time, post
):
    clock = networks_of_still_time.clock
    go_on = asyncio.Semaphore(0)

    async def stops(peer):
        await peer.request()
        await peer.write(OK + b"content-length: 100\r\n\r\n")
        for _ in range(10):
            await go_on.acquire()
            await peer.write(b"x")
        await peer.gone()

    async with ScriptedUpstream(stops) as upstream:
        pool = networks_of_still_time(timeouts=Timeouts(idle=10)).origin(upstream.url)
        listener = RecordingListener()
        pool.send(post(), listener)
        await listener.happened("head")
        for size in range(1, 11):
            clock.advance(8)
            go_on.release()
            await until(lambda size=size: len(listener.body) == size)
        clock.advance(8)
        assert listener.error is None
        clock.advance(4)
        assert listener.error.code == "idle"


async def test_a_head_without_a_body_times_out_as_idle(networks, post):
    async def stops(peer):
        await peer.request()
        await peer.write(OK + b"content-length: 100\r\n\r\n")
        await peer.gone()

    async with ScriptedUpstream(stops) as upstream:
        pool = networks(timeouts=Timeouts(idle=0.05)).origin(upstream.url)
        listener = RecordingListener()
        pool.send(post(), listener)
        await listener.finished()
        assert listener.error.code == "idle"


async def test_the_whole_call_has_its_time_out_too(networks, post):
    async def endless(peer):
        await peer.request()
        await peer.write(OK + b"\r\n")
        while True:
            await peer.write(b"x")
            await asyncio.sleep(0.01)

    async with ScriptedUpstream(endless) as upstream:
        pool = networks(timeouts=Timeouts(idle=5, total=0.1)).origin(upstream.url)
        listener = RecordingListener()
        pool.send(post(), listener)
        await listener.finished()
        assert listener.error.code == "total"


async def trickles(peer):
    await peer.request()
    await peer.write(OK + b"content-length: 10\r\n\r\nx")
    await peer.gone()


async def test_a_pause_rests_the_idle_time_out_but_not_the_total_one(networks_of_still_time, post):
    clock = networks_of_still_time.clock
    async with ScriptedUpstream(trickles) as upstream:
        pool = networks_of_still_time(timeouts=Timeouts(idle=10, total=60)).origin(upstream.url)
        listener = RecordingListener()
        flight = pool.send(post(), listener)
        await listener.happened("data")
        flight.pause()
        clock.advance(50)
        assert listener.error is None
        clock.advance(15)
        assert listener.error.code == "total"


async def test_after_a_pause_the_idle_time_out_begins_anew(networks_of_still_time, post):
    clock = networks_of_still_time.clock
    async with ScriptedUpstream(trickles) as upstream:
        pool = networks_of_still_time(timeouts=Timeouts(idle=10)).origin(upstream.url)
        listener = RecordingListener()
        flight = pool.send(post(), listener)
        await listener.happened("data")
        flight.pause()
        clock.advance(100)
        flight.resume()
        clock.advance(8)
        assert listener.error is None
        clock.advance(4)
        assert listener.error.code == "idle"


async def test_connecting_takes_no_longer_than_its_time_out(networks, post):
    async def never(make):
        await asyncio.Event().wait()

    network = networks(timeouts=Timeouts(connect=0.05))
    pool = network.origin("http://127.0.0.1:9")
    pool._dialer.dial = never
    listener = RecordingListener()
    pool.send(post(), listener)
    await listener.finished()
    assert listener.error.code == "connect"
    assert pool.snapshot().connecting == 0, "nobody dials for nobody"


async def test_idle_connections_expire(networks_of_still_time, post):
    clock = networks_of_still_time.clock
    async with ScriptedUpstream(answering(ok(b"x"))) as upstream:
        pool = networks_of_still_time(limits=Limits(keep_alive=10)).origin(upstream.url)
        async with descriptors_come_back():
            listener = RecordingListener()
            pool.send(post(), listener)
            await listener.finished()
            clock.advance(8)
            assert pool.snapshot().idle == 1
            clock.advance(4)
            assert pool.snapshot().idle == 0


async def test_the_upstreams_own_keep_alive_is_honoured_with_a_margin(networks, post):
    answer = ok(b"x", b"keep-alive: timeout=5")
    short = ok(b"x", b"keep-alive: timeout=1")
    async with ScriptedUpstream(answering(answer), answering(short)) as upstream:
        pool = networks().origin(upstream.url)
        now = pool.clock.now()
        listener = RecordingListener()
        pool.send(post(), listener)
        await listener.finished()
        (connection,) = pool._idle
        assert connection.timer.deadline - now == pytest.approx(4, abs=0.5)
        connection.abort()
        listener = RecordingListener()
        pool.send(post(), listener)
        await listener.finished()
        assert pool.snapshot().idle == 0, "a second is too short to rely on"


async def test_an_expired_connection_is_not_used_though_the_wheel_is_late(networks, post):
    async with ScriptedUpstream(answering(ok(b"x"))) as upstream:
        pool = networks().origin(upstream.url)
        for _ in range(2):
            listener = RecordingListener()
            pool.send(post(), listener)
            await listener.finished()
            for connection in pool._idle:
                connection.timer.deadline = 0.0
        assert upstream.connections == 2


async def test_a_connection_in_use_beyond_its_rest_is_not_reaped(
    networks_of_still_time, post, gate
):
    clock = networks_of_still_time.clock
    async with ScriptedUpstream(gate) as upstream:
        pool = networks_of_still_time(limits=Limits(keep_alive=10)).origin(upstream.url)
        first, second = RecordingListener(), RecordingListener()
        gate.let_through.release()
        pool.send(post(b"1"), first)
        await first.finished()
        pool.send(post(b"2"), second)
        clock.advance(100)
        gate.let_through.release()
        assert (await second.finished()).body == b"2"
        assert pool.snapshot().idle == 1
        clock.advance(12)
        assert pool.snapshot().idle == 0
        assert upstream.connections == 1


async def test_a_close_by_the_upstream_empties_the_pool(networks, post):
    async def closes(peer):
        await peer.request()
        await peer.write(ok(b"x"))

    async with ScriptedUpstream(closes) as upstream:
        pool = networks().origin(upstream.url)
        listener = RecordingListener()
        pool.send(post(), listener)
        await listener.finished()
        await until(lambda: pool.snapshot().idle == 0)


async def test_closing_ends_calls_in_flight_in_line_and_dialling(networks, post, gate):
    async with ScriptedUpstream(gate) as upstream:
        pool = networks(limits=Limits(connections=1)).origin(upstream.url)
        async with descriptors_come_back():
            flying, waiting, late = (RecordingListener() for _ in range(3))
            pool.send(post(), flying)
            await until(lambda: upstream.requests)
            pool.send(post(), waiting)
            await pool.close()
            assert isinstance(flying.error, UpstreamUnavailable)
            assert isinstance(waiting.error, UpstreamUnavailable)
            pool.send(post(), late)
            await late.finished()
            assert isinstance(late.error, UpstreamUnavailable)
            gate.let_through.release()
        seen = pool.snapshot()
        assert (seen.in_use, seen.idle, seen.waiting, seen.connecting) == (0, 0, 0, 0)


async def test_closing_while_dialling_leaves_nothing_open(networks, post, gate):
    async with ScriptedUpstream(gate) as upstream, descriptors_come_back():
        for turns in range(6):
            pool = networks().origin(upstream.url)
            listener = RecordingListener()
            pool.send(post(), listener)
            for _ in range(turns):
                await asyncio.sleep(0)
            await pool.close()
            assert isinstance(listener.error, UpstreamUnavailable)
