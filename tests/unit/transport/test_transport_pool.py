"""The line before a pool's connections, time-outs in every phase, expiry, closing."""

import asyncio

import pytest

from dragoman.errors import UpstreamTimeout, UpstreamUnavailable
from dragoman.transport.calls import Timeouts
from dragoman.transport.pool import Limits
from support.descriptors import descriptors_come_back
from support.polling import until
from support.recording_listener import RecordingListener
from support.scripted_upstream import ScriptedUpstream, answering, ok, refusing_port

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


async def test_calls_beyond_the_limit_are_served_in_order(networks, post, gate):
    async with ScriptedUpstream(gate) as upstream:
        pool = networks(limits=Limits(connections=2)).origin(upstream.url)
        order = []
        listeners = []
        for number in range(8):

            def note(event, number=number):
                if event == "end":
                    order.append(number)

            listeners.append(RecordingListener(note))
            pool.send(post(b"%d" % number), listeners[-1])
        await until(lambda: len(upstream.requests) == 2)
        seen = pool.snapshot()
        assert (seen.in_use, seen.waiting, seen.connecting) == (2, 6, 0)
        for served in range(1, 9):
            gate.let_through.release()
            await until(lambda served=served: len(order) == served)
        assert [listener.body for listener in listeners] == [b"%d" % n for n in range(8)]
        assert order[2:] == list(range(2, 8))
        assert [request.body for request in upstream.requests][2:] == [
            b"%d" % n for n in range(2, 8)
        ]
        assert upstream.connections == 2


async def test_a_call_waits_for_a_connection_no_longer_than_the_connect_time_out(
    networks, post, gate
):
    async with ScriptedUpstream(gate) as upstream:
        network = networks(limits=Limits(connections=1), timeouts=Timeouts(connect=0.1))
        pool = network.origin(upstream.url)
        first, second, third = (RecordingListener() for _ in range(3))
        pool.send(post(b"1"), first)
        await until(lambda: upstream.requests)
        pool.send(post(b"2"), second)
        await second.finished()
        assert isinstance(second.error, UpstreamTimeout)
        assert second.error.code == "connect"
        assert first.error is None
        pool.send(post(b"3"), third)
        gate.let_through.release()
        gate.let_through.release()
        assert (await third.finished()).body == b"3"
        assert [request.body for request in upstream.requests] == [b"1", b"3"]


async def test_an_aborted_wait_leaves_the_line(networks, post, gate):
    async with ScriptedUpstream(gate) as upstream:
        pool = networks(limits=Limits(connections=1)).origin(upstream.url)
        listeners = [RecordingListener() for _ in range(3)]
        flights = [pool.send(post(b"%d" % at), listener) for at, listener in enumerate(listeners)]
        await until(lambda: upstream.requests)
        flights[1].abort()
        gate.let_through.release()
        gate.let_through.release()
        assert (await listeners[2].finished()).body == b"2"
        assert listeners[1].events == []


async def test_the_line_has_an_end(networks, post, gate):
    async with ScriptedUpstream(gate) as upstream:
        pool = networks(limits=Limits(connections=1, waiting=1)).origin(upstream.url)
        listeners = [RecordingListener() for _ in range(3)]
        pool.send(post(), listeners[0])
        await until(lambda: upstream.requests)
        pool.send(post(), listeners[1])
        pool.send(post(), listeners[2])
        assert listeners[2].events == [], "the sender has its flight before it is told anything"
        await listeners[2].finished()
        assert isinstance(listeners[2].error, UpstreamUnavailable)
        gate.let_through.release()
        gate.let_through.release()
        await listeners[1].finished()


async def test_an_idle_connection_is_used_before_a_dial_ends_and_the_new_one_kept(
    networks, post, gate
):
    slow_dial = asyncio.Event()
    async with ScriptedUpstream(gate) as upstream:
        pool = networks().origin(upstream.url)
        first, second = RecordingListener(), RecordingListener()
        pool.send(post(b"1"), first)
        await until(lambda: upstream.requests)
        dial = pool._dialer.dial

        async def slowly(make):
            await slow_dial.wait()
            return await dial(make)

        pool._dialer.dial = slowly
        pool.send(post(b"2"), second)
        gate.let_through.release()
        gate.let_through.release()
        assert (await second.finished()).body == b"2"
        assert pool.snapshot().connecting == 1
        slow_dial.set()
        await until(lambda: pool.snapshot().idle == 2)
        assert pool.snapshot().opened == 2


async def test_a_retry_beside_idle_connections_at_the_limit_makes_room(networks, post):
    """All places are taken by connections that may be as dead as the one before."""

    async def dies_at_the_second(peer):
        await peer.request()
        await both.wait()
        await peer.write(ok(b"x"))
        await peer.reader.readexactly(1)
        peer.reset()

    both = asyncio.Event()
    async with ScriptedUpstream(
        dies_at_the_second, dies_at_the_second, answering(ok(b"y"))
    ) as upstream:
        pool = networks(limits=Limits(connections=2)).origin(upstream.url)
        pair = [RecordingListener(), RecordingListener()]
        for listener in pair:
            pool.send(post(), listener)
        await until(lambda: len(upstream.requests) == 2)
        both.set()
        for listener in pair:
            await listener.finished()
        again = [RecordingListener(), RecordingListener()]
        for listener in again:
            pool.send(post(), listener)
        for listener in again:
            assert (await listener.finished()).body == b"y"
        assert pool.snapshot().retried == 2


async def test_a_retry_leaves_a_freed_connection_to_others(networks, post, gate):
    """The one that comes free has served before, and may be as dead as the first one was."""

    async def dies_at_the_second(peer):
        await peer.request()
        # Else it may come free before the other dial ends, and take the second call.
        await until(lambda: len(upstream.requests) == 2)
        await peer.write(ok(b"x"))
        await peer.reader.readexactly(1)
        peer.reset()

    slow_dial = asyncio.Event()
    async with ScriptedUpstream(dies_at_the_second, gate) as upstream:
        pool = networks().origin(upstream.url)
        first, busy, retried = (RecordingListener() for _ in range(3))
        pool.send(post(b"1"), first)
        pool.send(post(b"2"), busy)
        await first.finished()
        await until(lambda: len(upstream.requests) == 2)
        dial = pool._dialer.dial

        async def slowly(make):
            await slow_dial.wait()
            return await dial(make)

        pool._dialer.dial = slowly
        pool.send(post(b"3"), retried)
        await until(lambda: pool.retried)
        gate.let_through.release()
        gate.let_through.release()
        await busy.finished()
        assert (pool.snapshot().idle, pool.snapshot().waiting) == (1, 1)
        slow_dial.set()
        assert (await retried.finished()).body == b"3"
        assert (upstream.connections, pool.snapshot().idle) == (3, 2)


async def test_a_failed_dial_is_told_to_one_and_tried_again_for_the_next(networks, post):
    async with refusing_port() as port:
        pool = networks(limits=Limits(connections=1)).origin(f"http://127.0.0.1:{port}")
        listeners = [RecordingListener() for _ in range(4)]
        for listener in listeners:
            pool.send(post(), listener)
        for listener in listeners:
            await listener.finished()
            assert isinstance(listener.error, UpstreamUnavailable)
        seen = pool.snapshot()
        assert (seen.opened, seen.waiting, seen.connecting, seen.in_use) == (0, 0, 0, 0)


async def test_hundreds_of_calls_at_once_are_all_answered(networks, post):
    async with ScriptedUpstream(answering(ok(b"x"))) as upstream:
        pool = networks(limits=Limits(connections=20)).origin(upstream.url)
        listeners = [RecordingListener() for _ in range(300)]
        for listener in listeners:
            pool.send(post(), listener)
        for listener in listeners:
            assert (await listener.finished()).body == b"x"
        assert upstream.connections <= 20
        assert len(upstream.requests) == 300


# Time-outs


async def test_no_first_byte_in_time(networks, post):
    async def silent(peer):
        await peer.request()
        await peer.gone()

    async with ScriptedUpstream(silent) as upstream:
        pool = networks(timeouts=Timeouts(first_byte=0.05)).origin(upstream.url)
        async with descriptors_come_back():
            listener = RecordingListener()
            pool.send(post(), listener)
            await listener.finished()
        assert isinstance(listener.error, UpstreamTimeout)
        assert listener.error.code == "first_byte"
        assert listener.events == ["lost"]


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


async def test_silence_in_the_middle_is_an_idle_time_out_but_slow_chunks_are_not(networks, post):
    async def stops(peer):
        await peer.request()
        await peer.write(OK + b"content-length: 100\r\n\r\n")
        for _ in range(10):
            await peer.write(b"x")
            await asyncio.sleep(0.03)
        await peer.gone()

    async with ScriptedUpstream(stops) as upstream:
        pool = networks(timeouts=Timeouts(idle=0.15)).origin(upstream.url)
        listener = RecordingListener()
        pool.send(post(), listener)
        await listener.finished()
        assert listener.error.code == "idle"
        assert len(listener.body) == 10, "ten chunks over twice the idle time-out arrive"


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


async def test_a_pause_rests_the_idle_time_out_but_not_the_total_one(networks, post):
    async def trickles(peer):
        await peer.request()
        await peer.write(OK + b"content-length: 10\r\n\r\nx")
        await peer.gone()

    async with ScriptedUpstream(trickles) as upstream:
        pool = networks(timeouts=Timeouts(idle=0.05, total=0.3)).origin(upstream.url)
        listener = RecordingListener()
        flight = pool.send(post(), listener)
        await listener.happened("head")
        flight.pause()
        await asyncio.sleep(0.15)
        assert listener.error is None
        await listener.finished()
        assert listener.error.code == "total"


async def test_after_a_pause_the_idle_time_out_begins_anew(networks, post):
    async def trickles(peer):
        await peer.request()
        await peer.write(OK + b"content-length: 10\r\n\r\nx")
        await peer.gone()

    async with ScriptedUpstream(trickles) as upstream:
        pool = networks(timeouts=Timeouts(idle=0.05)).origin(upstream.url)
        listener = RecordingListener()
        flight = pool.send(post(), listener)
        await listener.happened("head")
        flight.pause()
        await asyncio.sleep(0.1)
        flight.resume()
        await listener.finished()
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


# Keep-alive


async def test_idle_connections_expire(networks, post):
    async with ScriptedUpstream(answering(ok(b"x"))) as upstream:
        pool = networks(limits=Limits(keep_alive=0.05)).origin(upstream.url)
        async with descriptors_come_back():
            listener = RecordingListener()
            pool.send(post(), listener)
            await listener.finished()
            assert pool.snapshot().idle == 1
            await until(lambda: pool.snapshot().idle == 0)


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


async def test_a_connection_in_use_beyond_its_rest_is_not_reaped(networks, post, gate):
    async with ScriptedUpstream(gate) as upstream:
        pool = networks(limits=Limits(keep_alive=0.05)).origin(upstream.url)
        first, second = RecordingListener(), RecordingListener()
        gate.let_through.release()
        pool.send(post(b"1"), first)
        await first.finished()
        pool.send(post(b"2"), second)
        await asyncio.sleep(0.12)
        gate.let_through.release()
        assert (await second.finished()).body == b"2"
        await until(lambda: pool.snapshot().idle == 0)
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


# Closing


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
