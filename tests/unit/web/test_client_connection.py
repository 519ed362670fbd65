"""What clients do on the wire, and what they are told."""

import asyncio
import contextlib
import gzip
import json
import random
import zlib

import pytest

from dragoman.sides import Answer
from support.echo_front import post, read_answer, serve_echo

BOTH = pytest.mark.parametrize("callbacks", [True, False], ids=["callbacks", "asgi"])
PATH = b"/v1/chat/completions"


def chunked(body: bytes, size: int) -> bytes:
    head = b"POST " + PATH + b" HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return head + b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"


@BOTH
async def test_bodies_arrive_whole_however_they_are_framed_and_split(callbacks):
    source = random.Random(1)
    async with serve_echo(callbacks=callbacks) as served:
        reader, writer = await served.connect()
        for size in (0, 1, 1000, 200_000):
            body = source.randbytes(size)
            for sent in (post(body), chunked(body, 7000) if size else post(body)):
                at = 0
                while at < len(sent):
                    step = source.choice([1, 50, 4096, 65536])
                    writer.write(sent[at : at + step])
                    await writer.drain()
                    at += step
                    if at < 300:
                        await asyncio.sleep(0)
                assert (await read_answer(reader))[2] == body
        writer.close()


@BOTH
@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
async def test_compressed_bodies_are_unpacked(callbacks, pack):
    async with serve_echo(callbacks=callbacks) as served:
        name = "gzip" if pack is gzip.compress else "deflate"
        reader, writer = await served.connect()
        writer.write(post(pack(b"x" * 5000), f"Content-Encoding: {name}"))
        assert (await read_answer(reader))[2] == b"x" * 5000
        writer.close()


@BOTH
@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [
        (gzip.compress(b"x" * 300_000), "gzip", 413),
        (b"not gzip", "gzip", 400),
        (gzip.compress(b"x" * 500)[:-9], "gzip", 400),
        (b"x", "br", 415),
        (b"x" * 200_000, "identity", 413),
    ],
    ids=["bomb", "no gzip", "cut gzip", "unknown coding", "too large"],
)
async def test_bodies_that_cannot_be_taken_are_refused_in_the_callers_shape(
    callbacks, body, encoding, status
):
    async with serve_echo(callbacks=callbacks, body_limit=100_000) as served:
        reader, writer = await served.connect()
        writer.write(post(body, f"Content-Encoding: {encoding}"))
        answered, headers, told = await read_answer(reader)
        assert answered == status
        assert headers["content-type"] == "application/json"
        assert json.loads(told)["error"]["message"]
        assert served.pipeline.exchanges == []
        writer.close()


async def test_a_refused_upload_gets_its_answer_although_the_client_still_sends():
    async with serve_echo(body_limit=100_000) as served:
        for sent in (post(b"x" * 20_000_000), chunked(b"x" * 20_000_000, 1 << 16)):
            answer = await served.exchange_bytes(sent)
            assert answer.startswith(b"HTTP/1.1 413")
            assert b"connection: close" in answer


@BOTH
async def test_a_client_that_asks_first_is_told_to_go_on(callbacks):
    async with serve_echo(callbacks=callbacks) as served:
        reader, writer = await served.connect()
        head, _, _ = post(b"hello", "Expect: 100-continue").partition(b"hello")
        writer.write(head)
        assert await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5) == (
            b"HTTP/1.1 100 Continue\r\n\r\n"
        )
        writer.write(b"hello")
        assert (await read_answer(reader))[2] == b"hello"
        writer.close()


@pytest.mark.parametrize(
    "sent",
    [
        b"GARBAGE\r\n\r\n",
        b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd" % PATH,
        b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"0\r\n\r\n" % PATH,
        b"POST %b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n"
        b"0\r\n\r\n" % PATH,
        b"POST %b HTTP/1.1\r\nHost: x\r\nHost: y\r\nContent-Length: 1\r\n\r\na" % PATH,
        b"GET /health HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        b"POST %b HTTP/1.1\r\nHost: x\r\nX-A: b\r\n folded\r\nContent-Length: 1\r\n\r\na" % PATH,
        b"POST %b HTTP/1.1\nHost: x\nContent-Length: 1\n\na" % PATH,
        b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n" % PATH,
        b"POST %b HTTP/1.1\r\nHost: x\r\nX: \x00\r\nContent-Length: 1\r\n\r\na" % PATH,
        b"POST %b HTTP/1.1\r\nHost : x\r\nContent-Length: 1\r\n\r\na" % PATH,
    ],
)
async def test_ambiguous_framing_is_refused_and_the_connection_closed(sent):
    async with serve_echo() as served:
        answer = await served.exchange_bytes(sent)
        assert answer.startswith(b"HTTP/1.1 400")
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["message"]
        assert served.pipeline.exchanges == []


async def test_two_user_agents_are_taken():
    async with serve_echo() as served:
        reader, writer = await served.connect()
        writer.write(post(b"hi", "User-Agent: a", "User-Agent: b"))
        assert (await read_answer(reader))[2] == b"hi"
        writer.close()


@pytest.mark.parametrize(
    "sent",
    [
        b"POST " + PATH + b" HTTP/1.1\r\nHost: x\r\n" + b"X-A: " + b"y" * 100_000,
        b"POST " + PATH + b" HTTP/1.1\r\nHost: x\r\n" + b"X-A: y\r\n" * 20_000,
        b"POST /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
    ids=["long header", "many headers", "long path"],
)
async def test_a_head_without_end_is_cut_short(sent):
    async with serve_echo() as served:
        answer = await served.exchange_bytes(sent)
        assert answer.startswith(b"HTTP/1.1 431")


@pytest.mark.parametrize(
    "sent",
    [
        b"POST /v1/chat",
        b"POST " + PATH + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc",
        b"",
    ],
    ids=["head", "body", "nothing"],
)
async def test_slow_requests_are_given_up(sent):
    async with serve_echo(receive_timeout=0.1) as served:
        answer = await served.exchange_bytes(sent)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 408")
        assert served.pipeline.exchanges == []


async def test_a_body_that_drips_is_given_up_in_the_end():
    async with serve_echo(receive_timeout=5.0, body_timeout=0.2, keep_alive=0.2) as served:
        _, writer = await served.connect()
        writer.write(b"POST " + PATH + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\n")
        with pytest.raises(ConnectionError):
            for _ in range(2000):
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.005)
        writer.close()


async def test_an_idle_connection_is_closed_after_its_time():
    async with serve_echo(keep_alive=0.1) as served:
        reader, writer = await served.connect()
        writer.write(post(b"one"))
        assert (await read_answer(reader))[2] == b"one"
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()


async def test_an_answer_under_way_has_no_time_limit_of_the_connection():
    async with serve_echo(keep_alive=0.3, receive_timeout=0.3) as served:
        later: list = []
        served.pipeline.act = later.append
        reader, writer = await served.connect()
        writer.write(post(b"one"))
        await asyncio.sleep(0.8)
        served.pipeline.echo(later[0])
        assert (await read_answer(reader))[2] == b"one"
        writer.close()


@BOTH
async def test_a_stream_is_chunks_with_the_head_in_the_first_write(callbacks):
    def stream(exchange):
        client = exchange.client
        client.open(Answer(status=200), b"a")
        client.write(b"bc")
        client.close(b"d")

    async with serve_echo(callbacks=callbacks) as served:
        served.pipeline.act = stream
        reader, writer = await served.connect()
        for _ in range(2):
            writer.write(post(b""))
            status, headers, body = await read_answer(reader)
            assert (status, body) == (200, b"abcd")
            assert headers["content-type"].startswith("text/event-stream")
        writer.close()


@BOTH
async def test_a_client_that_hangs_up_is_noticed_at_once(callbacks):
    async with serve_echo(callbacks=callbacks) as served:
        served.pipeline.act = lambda exchange: None
        _, writer = await served.connect()
        writer.write(post(b"one"))
        while not served.pipeline.exchanges:
            await asyncio.sleep(0.005)
        writer.close()
        for _ in range(400):
            if served.pipeline.exchanges[0].told:
                break
            await asyncio.sleep(0.005)
        assert served.pipeline.exchanges[0].told == ["gone"]
        assert served.front.disconnects == 1


@BOTH
async def test_a_slow_reader_pauses_the_upstream_and_a_reading_one_resumes_it(callbacks):
    async with serve_echo(callbacks=callbacks) as served:
        served.pipeline.act = lambda exchange: None
        reader, writer = await served.connect()
        writer.transport.pause_reading()
        writer.write(post(b"one"))
        while not served.pipeline.exchanges:
            await asyncio.sleep(0.005)
        exchange = served.pipeline.exchanges[0]
        await asyncio.sleep(0.01)
        exchange.client.open(Answer(status=200), b"x")
        block = b"y" * 65536
        sent = 1
        while "paused" not in exchange.told:
            exchange.client.write(block)
            sent += len(block)
            await asyncio.sleep(0)
            assert sent < 64 << 20
        writer.transport.resume_reading()
        reading = asyncio.ensure_future(read_answer(reader))
        while exchange.told[-1] != "resumed":
            await asyncio.sleep(0.005)
        exchange.client.close(b"")
        assert len((await reading)[2]) == sent
        writer.close()


async def test_a_client_that_wants_its_connection_closed_gets_that():
    async with serve_echo() as served:
        answer = await served.exchange_bytes(post(b"one", "Connection: close"))
        assert answer.endswith(b"one")
        assert b"connection: close" in answer


@BOTH
async def test_conversations_are_posted(callbacks):
    async with serve_echo(callbacks=callbacks) as served:
        reader, writer = await served.connect()
        writer.write(b"GET " + PATH + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        status, _, body = await read_answer(reader)
        assert status == 405
        assert json.loads(body)["error"]["kind"] == "method_not_allowed"
        writer.close()


async def test_garbage_behind_a_request_under_way_ends_the_connection():
    async with serve_echo() as served:
        served.pipeline.act = lambda exchange: None
        reader, writer = await served.connect()
        writer.write(post(b"one") + b"GARBAGE \x00\x01\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            assert await asyncio.wait_for(reader.read(), 5) == b""
        assert served.pipeline.exchanges[0].told == ["gone"]
        writer.close()


async def test_requests_that_repeat_their_head_are_told_apart():
    """The short cut for a repeated head never decides for a request that is different."""
    async with serve_echo(body_limit=100_000) as served:
        reader, writer = await served.connect()

        async def ask(sent: bytes) -> tuple[int, bytes]:
            writer.write(sent)
            status, _, body = await read_answer(reader)
            return status, body

        for body in (b"one", b"two", b"three" * 1000):
            assert await ask(post(body, "Authorization: Bearer a")) == (200, body)
        assert await ask(post(b"x", "Authorization: Bearer b")) == (200, b"x")
        assert await ask(post(b"y", "Authorization: Bearer a")) == (200, b"y")
        assert await ask(post(b"y", "Authorization: Bearer a")) == (200, b"y")
        tokens = [exchange.arrival.head.tokens for exchange in served.pipeline.exchanges]
        assert tokens == [(b"a",)] * 3 + [(b"b",)] + [(b"a",)] * 2
        requests = [exchange.arrival.request_id for exchange in served.pipeline.exchanges]
        assert len(set(requests)) == 6
        assert (await ask(post(b"x" * 100_001, "Authorization: Bearer a")))[0] == 413
        writer.close()


async def test_requests_with_a_repeated_head_that_come_together_are_all_answered():
    async with serve_echo() as served:
        reader, writer = await served.connect()
        for _ in range(3):
            writer.write(post(b"first"))
            assert (await read_answer(reader))[2] == b"first"
            writer.write(post(b"second") + post(b"third") + post(b"fourth")[:60])
            await asyncio.sleep(0.01)
            writer.write(post(b"fourth")[60:])
            answers = [(await read_answer(reader))[2] for _ in range(3)]
            assert answers == [b"second", b"third", b"fourth"]
        writer.close()


async def test_a_repeated_head_without_its_body_waits_for_it():
    async with serve_echo() as served:
        reader, writer = await served.connect()
        for _ in range(3):
            writer.write(post(b"first"))
            assert (await read_answer(reader))[2] == b"first"
        sent = post(b"later")
        for at in range(len(sent)):
            writer.write(sent[at : at + 1])
            await writer.drain()
        assert (await read_answer(reader))[2] == b"later"
        writer.close()
