"""Calls over real sockets: bodies, reuse, races, misframing, back-pressure, aborts."""

import asyncio
import random
import socket

import pytest

from dragoman.errors import UpstreamBroken, UpstreamUnavailable
from support.polling import until
from support.recording_listener import RecordingListener
from support.scripted_upstream import ScriptedUpstream, answering, chunked, ok

OK = b"HTTP/1.1 200 OK\r\n"


ANSWERS = {
    "length": (ok(b"hello"), b"hello"),
    "chunked": (chunked(b"a", b"bc", b"def", trailers=b"x-t: 1\r\n"), b"abcdef"),
    "interim": (b"HTTP/1.1 100 Continue\r\n\r\n" + ok(b"x"), b"x"),
    "until close": (OK + b"\r\nuntil the end", b"until the end"),
    "empty": (ok(), b""),
}


async def call(pool, request):
    listener = RecordingListener()
    pool.send(request, listener)
    return await listener.finished()


@pytest.mark.parametrize(("raw", "body"), ANSWERS.values(), ids=ANSWERS.keys())
@pytest.mark.parametrize("split", ["whole", "bytes", "random"])
async def test_a_body_arrives_whole_however_it_was_sent(networks, post, raw, body, split):
    async def script(peer):
        await peer.request()
        if split == "whole":
            await peer.write(raw)
        elif split == "bytes":
            await peer.dribble(raw)
        else:
            rng, rest = random.Random(5), raw
            while rest:
                size = rng.randrange(1, 9)
                await peer.dribble(rest[:size], size)
                rest = rest[size:]
        peer.half_close()

    async with ScriptedUpstream(script) as upstream:
        listener = await call(networks().origin(upstream.url), post())
    assert (listener.status, listener.body, listener.error) == (200, body, None)


async def test_a_large_body_in_parts_arrives_whole(networks, post):
    parts = [bytes([at]) * 700_000 for at in range(5)]
    async with ScriptedUpstream(answering(ok(b"y"))) as upstream:
        pool = networks().origin(upstream.url)
        for _ in range(2):
            assert (await call(pool, post(*parts))).body == b"y"
        assert upstream.connections == 1
    assert [request.body for request in upstream.requests] == [b"".join(parts)] * 2


async def test_connections_are_reused_last_in_first_out(networks, post):
    async def numbered(peer):
        number = upstream.connections
        while True:
            await peer.request()
            await held.wait()
            await peer.write(ok(b"%d" % number))

    held = asyncio.Event()
    async with ScriptedUpstream(numbered) as upstream:
        pool = networks().origin(upstream.url)
        listeners = [RecordingListener() for _ in range(3)]
        for listener in listeners:
            pool.send(post(), listener)
        await until(lambda: len(upstream.requests) == 3)
        assert pool.snapshot().in_use == 3
        held.set()
        order = [(await listener.finished()).body for listener in listeners]
        assert sorted(order) == [b"1", b"2", b"3"]
        last = (await call(pool, post())).body
        for _ in range(5):
            assert (await call(pool, post())).body == last, "the warmest connection is taken"
        seen = pool.snapshot()
        assert (seen.opened, seen.reused, seen.in_use, seen.idle) == (3, 6, 0, 3)
        assert upstream.connections == 3


async def test_a_listener_may_send_again_from_its_end(networks, post):
    async with ScriptedUpstream(answering(ok(b"x"))) as upstream:
        pool = networks().origin(upstream.url)
        second = RecordingListener()
        first = RecordingListener(
            lambda event: pool.send(post(), second) if event == "end" else None
        )
        pool.send(post(), first)
        await second.finished()
        assert upstream.connections == 1


async def test_a_fresh_connection_has_its_socket_options(networks, post):
    async with ScriptedUpstream(answering(ok(b"x"))) as upstream:
        pool = networks().origin(upstream.url)
        await call(pool, post())
        (connection,) = pool._idle
        sock = connection._transport.get_extra_info("socket")
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


@pytest.mark.parametrize("how", ["close", "reset", "half_close"])
async def test_a_call_that_meets_a_closed_idle_connection_is_sent_once_more(networks, post, how):
    """The upstream closes in the instant in which the next request is written."""

    async def answers_once(peer):
        await peer.request()
        await peer.write(ok(b"x"))
        getattr(peer, how)()

    async with ScriptedUpstream(answers_once) as upstream:
        pool = networks().origin(upstream.url)
        rng = random.Random(11)
        for number in range(60):
            # From at once, when the end is not yet known, to well after it was noticed.
            for _ in range(rng.randrange(4)):
                await asyncio.sleep(0)
            listener = await call(pool, post(b"%d" % number))
            assert (listener.body, listener.error) == (b"x", None)
    bodies = [request.body for request in upstream.requests]
    assert bodies == [b"%d" % number for number in range(60)], "nothing lost, nothing done twice"


async def test_a_race_that_is_certain_is_retried_and_counted(networks, post):
    async def closes_at_the_second(peer):
        await peer.request()
        await peer.write(ok(b"x"))
        await peer.reader.readexactly(1)
        peer.reset()

    async with ScriptedUpstream(closes_at_the_second, answering(ok(b"y"))) as upstream:
        pool = networks().origin(upstream.url)
        assert (await call(pool, post())).body == b"x"
        assert (await call(pool, post())).body == b"y"
        assert pool.retried == 1
        assert upstream.connections == 2


async def test_a_retry_goes_to_a_fresh_connection_though_others_are_idle(networks, post):
    """When an upstream restarts, every idle connection is dead."""

    async def answers_one_then_dies(peer):
        await peer.request()
        await both.wait()
        await peer.write(ok(b"x"))
        await peer.reader.readexactly(1)
        peer.reset()

    both = asyncio.Event()
    async with ScriptedUpstream(
        answers_one_then_dies, answers_one_then_dies, answering(ok(b"y"))
    ) as upstream:
        pool = networks().origin(upstream.url)
        pair = [RecordingListener(), RecordingListener()]
        for listener in pair:
            pool.send(post(), listener)
        await until(lambda: len(upstream.requests) == 2)
        both.set()
        for listener in pair:
            await listener.finished()
        assert (await call(pool, post())).body == b"y"
        assert upstream.connections == 3


async def test_a_retry_is_made_once(networks, post):
    async def first(peer):
        await peer.request()
        await peer.write(ok(b"x"))
        await peer.reader.readexactly(1)
        peer.reset()

    async def dies(peer):
        await peer.request()
        peer.reset()

    async with ScriptedUpstream(first, dies) as upstream:
        pool = networks().origin(upstream.url)
        await call(pool, post())
        listener = await call(pool, post())
        assert isinstance(listener.error, UpstreamUnavailable)
        assert upstream.connections == 2


@pytest.mark.parametrize("came", [b"H", OK, ok(b"hello")[:-1]])
async def test_what_was_answered_in_part_is_never_sent_again(networks, post, came):
    async def cut_at_the_second(peer):
        await peer.request()
        await peer.write(ok(b"x"))
        await peer.request()
        await peer.write(came)
        peer.close()

    async with ScriptedUpstream(cut_at_the_second) as upstream:
        pool = networks().origin(upstream.url)
        await call(pool, post())
        listener = await call(pool, post())
        assert isinstance(listener.error, UpstreamUnavailable)
        assert len(upstream.requests) == 2
        assert upstream.connections == 1


async def test_a_fresh_connection_that_dies_before_its_answer_is_not_retried(networks, post):
    async def dies(peer):
        await peer.request()
        peer.close()

    async with ScriptedUpstream(dies) as upstream:
        listener = await call(networks().origin(upstream.url), post())
        assert isinstance(listener.error, UpstreamUnavailable)
        assert listener.error.retryable
        assert upstream.connections == 1


@pytest.mark.parametrize(("idempotent", "answered"), [(True, True), (False, False)])
async def test_late_silence_repeats_only_what_may_be_repeated(
    networks, post, monkeypatch, idempotent, answered
):
    monkeypatch.setattr("dragoman.transport.flight.IDLE_RACE", 0.01)

    async def works_then_dies(peer):
        await peer.request()
        await peer.write(ok(b"x"))
        await peer.request()
        await asyncio.sleep(0.05)
        peer.close()

    async with ScriptedUpstream(works_then_dies, answering(ok(b"y"))) as upstream:
        pool = networks().origin(upstream.url)
        await call(pool, post())
        listener = await call(pool, post(idempotent=idempotent))
        assert (listener.body == b"y") is answered
        assert (listener.error is None) is answered


MISFRAMED = {
    "two lengths": OK + b"content-length: 1\r\ncontent-length: 2\r\n\r\nab",
    "bad chunk size": OK + b"transfer-encoding: chunked\r\n\r\nzz\r\n",
    "header bomb": OK + b"a: b\r\n" * 50_000,
    "garbage": b"\x00\x01\x02 what\r\n\r\n",
}


@pytest.mark.parametrize("raw", MISFRAMED.values(), ids=MISFRAMED.keys())
async def test_a_misframing_connection_is_never_used_again(networks, post, raw):
    async def misframes(peer):
        await peer.request()
        await peer.write(raw)
        await peer.gone()

    async with ScriptedUpstream(misframes, answering(ok(b"y"))) as upstream:
        pool = networks().origin(upstream.url)
        listener = await call(pool, post())
        assert isinstance(listener.error, UpstreamBroken)
        assert "127.0.0.1" not in listener.error.message
        assert (await call(pool, post())).body == b"y"
        assert upstream.connections == 2


@pytest.mark.parametrize("extra", [b"x", b"\r\n", ok(b"for somebody else")])
@pytest.mark.parametrize("apart", [True, False])
async def test_nobody_gets_bytes_that_came_outside_an_exchange(networks, post, extra, apart):
    async def too_much(peer):
        await peer.request()
        await peer.write(ok(b"mine") + (b"" if apart else extra))
        if apart:
            await asyncio.sleep(0.01)
            await peer.write(extra)
        await peer.gone()

    async with ScriptedUpstream(too_much, answering(ok(b"next"))) as upstream:
        pool = networks().origin(upstream.url)
        assert (await call(pool, post())).body == b"mine"
        await until(lambda: pool.snapshot().idle == 0)
        assert (await call(pool, post())).body == b"next"
