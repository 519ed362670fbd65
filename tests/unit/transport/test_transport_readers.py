"""Calls over real sockets: bodies, reuse, races, misframing, back-pressure, aborts."""

import asyncio
import socket

import pytest

from dragoman.errors import UpstreamUnavailable
from dragoman.transport.calls import Call, Timeouts
from support.descriptors import descriptors_come_back
from support.polling import until
from support.recording_listener import RecordingListener
from support.scripted_upstream import ScriptedUpstream, answering, ok, refusing_port

OK = b"HTTP/1.1 200 OK\r\n"


async def call(pool, request):
    listener = RecordingListener()
    pool.send(request, listener)
    return await listener.finished()


async def test_a_refused_connection_names_no_address_to_the_caller(networks, post):
    async with refusing_port() as port:
        listener = await call(networks().origin(f"http://127.0.0.1:{port}"), post())
    assert isinstance(listener.error, UpstreamUnavailable)
    assert "127.0.0.1" not in listener.error.message
    assert f"127.0.0.1:{port}" in listener.error.detail


async def test_an_upstream_that_closes_at_once_is_unavailable(networks, post):
    async def closes(peer):
        peer.reset()

    async with ScriptedUpstream(closes) as upstream:
        listener = await call(networks().origin(upstream.url), post())
        assert isinstance(listener.error, UpstreamUnavailable)


async def test_a_paused_reader_blocks_the_upstream_and_bounds_the_memory(
    networks_of_still_time, post
):
    block = b"z" * 65536
    total = 400
    sent = 0

    async def floods(peer):
        nonlocal sent
        await peer.request()
        await peer.write(OK + b"content-length: %d\r\n\r\n" % (len(block) * total))
        for _ in range(total):
            await peer.write(block)
            sent += 1

    async with ScriptedUpstream(floods) as upstream:
        pool = networks_of_still_time(timeouts=Timeouts(idle=10)).origin(upstream.url)
        listener = RecordingListener(lambda event: flight.pause() if event == "head" else None)
        flight = pool.send(post(), listener)
        await listener.happened("head")
        standing = -1
        while standing != sent:
            standing = sent
            await asyncio.sleep(0.1)
        assert sent < total, "the kernel's buffers are full and the upstream waits"
        assert len(listener.body) < 1_000_000
        networks_of_still_time.clock.advance(100)
        assert listener.error is None, "the idle time-out rests in a pause"
        flight.resume()
        await listener.finished()
        assert len(listener.body) == len(block) * total
        assert (await call(pool, post())).error is None


async def test_a_connection_paused_at_its_end_reads_again_for_the_next_call(networks, post):
    async with ScriptedUpstream(answering(ok(b"x"))) as upstream:
        pool = networks().origin(upstream.url)
        listener = RecordingListener(lambda event: flight.pause() if event == "head" else None)
        flight = pool.send(post(), listener)
        await listener.finished()
        flight.resume()
        assert (await call(pool, post())).body == b"x"
        assert upstream.connections == 1


async def test_a_call_paused_before_it_is_sent_reads_when_resumed(networks, post):
    async with ScriptedUpstream(answering(ok(b"x"))) as upstream:
        listener = RecordingListener()
        flight = networks().origin(upstream.url).send(post(), listener)
        flight.pause()
        await asyncio.sleep(0.05)
        assert listener.events == []
        flight.resume()
        assert (await listener.finished()).body == b"x"


@pytest.mark.parametrize("moment", ["at once", "connecting", "sent", "head", "data", "end"])
async def test_an_abort_at_any_moment_frees_the_descriptor(networks, post, moment):
    async def slow(peer):
        await peer.request()
        if moment == "sent":
            await peer.gone()
        await peer.write(OK + b"content-length: 10\r\n\r\n")
        await asyncio.sleep(0.01)
        await peer.write(b"12345")
        await asyncio.sleep(0.01)
        if moment != "data":
            await peer.write(b"67890")
        await peer.gone()

    async with ScriptedUpstream(slow) as upstream:
        pool = networks().origin(upstream.url)
        async with descriptors_come_back():
            listener = RecordingListener()
            flight = pool.send(post(), listener)
            if moment == "connecting":
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            elif moment == "sent":
                await until(lambda: upstream.requests)
            elif moment != "at once":
                await listener.happened(moment)
            events = list(listener.events)
            flight.abort()
            flight.abort()
            if moment == "end":
                await pool.close()
        await asyncio.sleep(0.03)
        assert listener.events == events, "nothing follows an abort"
        seen = pool.snapshot()
        assert (seen.in_use, seen.waiting, seen.connecting, seen.idle) == (0, 0, 0, 0)


async def test_the_end_of_a_call_is_harmless_to_abort_and_pause(networks, post):
    async with ScriptedUpstream(answering(ok(b"x"))) as upstream:
        pool = networks().origin(upstream.url)
        listener = RecordingListener()
        flight = pool.send(post(), listener)
        await listener.finished()
        flight.abort()
        flight.pause()
        flight.resume()
        assert pool.snapshot().idle == 1
        assert (await call(pool, post())).body == b"x"
        assert upstream.connections == 1


def has_ipv6_loopback():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6_loopback(), reason="this machine has no IPv6 loopback")
async def test_ipv6_literals_work(networks):
    async with ScriptedUpstream(answering(ok(b"six")), host="::1") as upstream:
        listener = RecordingListener()
        head = b"GET / HTTP/1.1\r\nhost: x\r\n"
        networks().origin(upstream.url).send(Call(head=head, body=()), listener)
        assert (await listener.finished()).body == b"six"
