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
