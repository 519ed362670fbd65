"""What HTTP/1.1 allows around a request's body, and what some senders make of it."""

import json

import pytest

from support.echo_front import post, read_answer, serve_echo

START = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n"
CHUNKED = START + b"Transfer-Encoding: chunked\r\n\r\n"
UPGRADE = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAA\r\n"
WISHES = [
    UPGRADE,
    b"Upgrade: websocket\r\nConnection: keep-alive, upgrade\r\n",
    b"Upgrade: h2c\r\n",
]


@pytest.mark.parametrize("wish", WISHES)
@pytest.mark.parametrize("size", [1, 7, 4096])
@pytest.mark.parametrize(
    "framed",
    [b"Content-Length: 3\r\n\r\none", b"Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n0\r\n\r\n"],
    ids=["length", "chunked"],
)
async def test_the_wish_for_another_protocol_is_ignored(wish, size, framed):
    data = START + wish + framed + post(b"two")
    async with serve_echo() as served:
        reader, writer = await served.connect()
        for at in range(0, len(data), size):
            writer.write(data[at : at + size])
            await writer.drain()
        assert (await read_answer(reader))[2] == b"one"
        assert (await read_answer(reader))[2] == b"two"
        writer.close()


async def test_a_connection_that_is_to_be_closed_is_whatever_else_is_wished():
    sent = START + b"Connection: close, Upgrade\r\nUpgrade: h2c\r\nContent-Length: 3\r\n\r\none"
    async with serve_echo() as served:
        answer = await served.exchange_bytes(sent)
        assert b"connection: close" in answer
        assert answer.endswith(b"one")


async def test_a_page_is_served_to_who_wishes_for_another_protocol():
    async with serve_echo() as served:
        reader, writer = await served.connect()
        writer.write(b"GET /page HTTP/1.1\r\nHost: x\r\n" + UPGRADE + b"\r\n" + post(b"two"))
        assert (await read_answer(reader))[2] == b"page /page"
        assert (await read_answer(reader))[2] == b"two"
        writer.close()


async def test_trailers_do_not_count_as_headers():
    sent = CHUNKED + b"3\r\none\r\n0\r\nAuthorization: Bearer x\r\nHost: y\r\n\r\n"
    async with serve_echo() as served:
        reader, writer = await served.connect()
        writer.write(sent)
        assert (await read_answer(reader))[2] == b"one"
        assert served.pipeline.exchanges[0].arrival.head.tokens == ()
        writer.close()


BROKEN = {
    "size": CHUNKED + b"zz\r\n",
    "bare LF": CHUNKED + b"3\none\n0\n\n",
    "another coding": START + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "unknown coding": START + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "endless extension": CHUNKED + b"1;" + b"e" * 1_000_000,
    "endless trailers": CHUNKED + b"1\r\nx\r\n0\r\n" + b"a: b\r\n" * 200_000,
}


@pytest.mark.parametrize("sent", BROKEN.values(), ids=BROKEN.keys())
async def test_a_body_that_is_no_body_is_refused_in_words(sent):
    async with serve_echo() as served:
        answer = await served.exchange_bytes(sent)
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 ")
        assert b"connection: close" in head
        assert json.loads(body)["error"]["message"]
        assert served.pipeline.exchanges == []
