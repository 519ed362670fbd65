"""Framing: the same answers whole, byte by byte and split at random; and what is refused."""

import gzip
import itertools
import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.transport.answer import MAX_HEAD, AnswerReader
from dragoman.transport.heads import Misframed

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"
CHUNKS_OF_X = b"transfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"


def read(pieces, *, has_no_body=False, eof=False):
    """Feed pieces until the answer is complete; body, reader, what was left over."""
    reader = AnswerReader(has_no_body=has_no_body)
    body = b""
    rest = list(pieces)
    while rest and not reader.complete:
        body += reader.feed(rest.pop(0))
    if eof:
        assert reader.finish()
    return body, reader, b"".join(rest)


def bytewise(data):
    return [data[at : at + 1] for at in range(len(data))]


def at_random(data, seed):
    rng = random.Random(seed)
    cuts = sorted(rng.randrange(len(data) + 1) for _ in range(rng.randrange(1, 9)))
    edges = [0, *cuts, len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges) if a < b]


WHOLE = {
    "length": (OK + b"content-length: 5\r\n\r\nhello", b"hello", True),
    "length zero": (OK + b"content-length: 0\r\n\r\n", b"", True),
    "a body that looks like a head": (
        OK + b"content-length: 8\r\n\r\n\r\n\r\n\r\n\r\n",
        b"\r\n" * 4,
        True,
    ),
    "chunks": (CHUNKED + b"3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n", b"abc0123456789", True),
    "no chunk at all": (CHUNKED + b"0\r\n\r\n", b"", True),
    "chunk extension": (CHUNKED + b'3;name="v"\r\nabc\r\n0;x\r\n\r\n', b"abc", True),
    "trailers": (CHUNKED + b"1\r\na\r\n0\r\nx-sum: 1\r\nstatus: 500\r\n\r\n", b"a", True),
    "chunk of line ends": (CHUNKED + b"6\r\n\r\n\r\n\r\n\r\n0\r\n\r\n", b"\r\n" * 3, True),
    "interim answers": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"
        + OK
        + b"content-length: 2\r\n\r\nhi",
        b"hi",
        True,
    ),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", b"", True),
    "304 with a length": (b"HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n", b"", True),
    "no reason": (b"HTTP/1.1 200\r\ncontent-length: 1\r\n\r\nx", b"x", True),
    "connection close": (OK + b"connection: close\r\ncontent-length: 1\r\n\r\nx", b"x", False),
    "Connection: X, Close": (
        OK + b"Connection: X, Close\r\ncontent-length: 1\r\n\r\nx",
        b"x",
        False,
    ),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\nx", b"x", False),
    "HTTP/1.0 kept": (
        b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 1\r\n\r\nx",
        b"x",
        True,
    ),
    "HTTP/1.0 chunked": (
        b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\n" + CHUNKS_OF_X,
        b"x",
        False,
    ),
}


@pytest.mark.parametrize(("raw", "body", "keeps"), WHOLE.values(), ids=WHOLE.keys())
def test_an_answer_reads_the_same_however_it_is_split(raw, body, keeps):
    splits = [[raw], bytewise(raw), *(at_random(raw, seed) for seed in range(20))]
    for pieces in splits:
        found, reader, rest = read(pieces)
        assert (found, reader.complete, reader.excess, rest) == (body, True, False, b"")
        assert reader.keeps_alive is keeps


@pytest.mark.parametrize("extra", [b"x", b"\r\n", b"\n", b"\r", b"\r\n\r\n", OK + b"\r\n", CHUNKED])
@pytest.mark.parametrize("name", WHOLE)
def test_one_byte_behind_the_end_is_noticed(name, extra):
    raw, body, _ = WHOLE[name]
    for pieces in ([raw + extra], *(at_random(raw + extra, seed) for seed in range(20))):
        found, reader, rest = read(pieces)
        assert found == body
        assert reader.complete
        assert reader.excess or rest, "the connection must not be used again"


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=8), st.data())
def test_any_chunks_split_anywhere_give_their_bytes(chunks, data):
    framed = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    raw = CHUNKED + framed + b"0\r\n\r\n"
    cuts = sorted(data.draw(st.sets(st.integers(1, len(raw) - 1), max_size=10)))
    edges = [0, *cuts, len(raw)]
    found, reader, rest = read([raw[a:b] for a, b in itertools.pairwise(edges)])
    assert found == b"".join(chunks)
    assert (reader.complete, reader.excess, rest) == (True, False, b"")


@pytest.mark.parametrize("split", [lambda data: [data], bytewise])
def test_a_body_without_length_ends_with_the_connection(split):
    found, reader, _ = read(split(OK + b"\r\nuntil the end"), eof=True)
    assert (found, reader.keeps_alive) == (b"until the end", False)


@pytest.mark.parametrize(
    "raw", [OK + b"content-length: 5\r\n\r\nhell", CHUNKED + b"3\r\nabc\r\n0\r\n", OK, b"HT"]
)
def test_a_cut_answer_is_not_ended_by_the_end_of_the_connection(raw):
    reader = AnswerReader()
    reader.feed(raw)
    assert not reader.finish()
    assert not reader.complete


@pytest.mark.parametrize(
    "framing", [b"content-length: 99\r\n", b"transfer-encoding: chunked\r\n", b""]
)
def test_an_answer_to_head_has_no_body(framing):
    found, reader, _ = read([OK + framing + b"\r\n"], has_no_body=True)
    assert (found, reader.complete, reader.excess) == (b"", True, False)


REFUSED = {
    "two lengths": OK + b"content-length: 3\r\ncontent-length: 4\r\n\r\nabc",
    "the same length twice": OK + b"content-length: 3\r\ncontent-length: 3\r\n\r\nabc",
    "a list of lengths": OK + b"content-length: 3, 3\r\n\r\nabc",
    "a signed length": OK + b"content-length: +3\r\n\r\nabc",
    "an endless length": OK + b"content-length: 99999999999999999999999\r\n\r\n",
    "length and chunks": OK + b"content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and length": OK + b"transfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n0\r\n\r\n",
    "another transfer coding": OK + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": OK
    + b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "a bad chunk size": CHUNKED + b"xyz\r\nabc\r\n0\r\n\r\n",
    "a negative chunk size": CHUNKED + b"-1\r\nabc\r\n0\r\n\r\n",
    "a chunk longer than said": CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n",
    "bare LF in chunks": CHUNKED + b"3\nabc\n0\n\n",
    "garbage for a status line": b"hello world\r\n\r\n",
    "a TLS alert": b"\x15\x03\x01\x00\x02\x02\x46",
    "an SSH greeting": b"SSH-2.0-OpenSSH_9.9\r\n",
    "an empty line first": b"\r\n" + OK + b"content-length: 0\r\n\r\n",
    "a bad status": b"HTTP/1.1 abc OK\r\n\r\n",
    "HTTP/2": b"HTTP/2.0 200 OK\r\n\r\n",
    "a folded header": OK + b"a: b\r\n c: d\r\n\r\n",
    "white space before the colon": OK + b"content-length : 3\r\n\r\nabc",
    "bare LF in the head": OK + b"a: b\ncontent-length: 3\r\n\r\nabc",
    "a NUL in a header": OK + b"a: \x00\r\n\r\n",
    "a switch of protocols": b"HTTP/1.1 101 X\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
    "101 without upgrade": b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    "a long head": OK + b"a: " + b"x" * MAX_HEAD + b"\r\n\r\n",
    "a head without end": OK + b"a: b\r\n" * 20_000,
    "many headers": OK + b"a: b\r\n" * 300 + b"\r\n",
    "endless interim answers": b"HTTP/1.1 100 Continue\r\n\r\n" * 4000,
    "endless trailers": CHUNKED + b"0\r\n" + b"a: b\r\n" * 20_000,
    "one endless trailer": CHUNKED + b"0\r\na: " + b"b" * 200_000,
    "an endless chunk extension": CHUNKED + b"1;" + b"b" * 200_000,
    "a coding nobody asked for": OK + b"content-encoding: br\r\ncontent-length: 3\r\n\r\nabc",
    "two codings": OK + b"content-encoding: gzip, gzip\r\ncontent-length: 3\r\n\r\nabc",
}


@pytest.mark.parametrize("raw", REFUSED.values(), ids=REFUSED.keys())
def test_a_misframed_answer_is_refused(raw):
    for pieces in (
        [raw],
        [raw[at : at + 1000] for at in range(0, len(raw), 1000)],
        at_random(raw, 7),
    ):
        with pytest.raises(Misframed):
            read(pieces)


def test_bytes_delivered_with_the_end_of_a_chunked_body_are_one_block():
    reader = AnswerReader()
    assert reader.feed(CHUNKED + b"1\r\na\r\n2\r\nbc\r\n") == b"abc"
    assert reader.feed(b"1\r\nd\r\n0\r\n\r\n") == b"d"
    assert reader.complete


def test_repeated_headers_are_joined_where_they_are_lists():
    raw = (
        OK + b"X-A: 1\r\nx-a: 2\r\nContent-Type: a/b\r\ncontent-type: c/d\r\n"
        b"Retry-After: 1\r\nretry-after: 2\r\nx-name: \xe9\r\ncontent-length: 0\r\n\r\n"
    )
    head = read([raw])[1].head
    assert head.status == 200
    assert head.headers == {
        "x-a": "1, 2",
        "content-type": "c/d",
        "retry-after": "2",
        "x-name": "\u00e9",
        "content-length": "0",
    }


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"timeout=5, max=100", 5),
        (b"max=3, Timeout = 20", 20),
        (b"max=3", None),
        (b"timeout=x", None),
    ],
)
def test_how_long_the_upstream_keeps_a_connection_is_read(value, seconds):
    reader = read([OK + b"keep-alive: " + value + b"\r\ncontent-length: 0\r\n\r\n"])[1]
    assert reader.keep_for == seconds


TEXT = "the same again, \u4f60\u597d ".encode() * 300
BARE = zlib.compressobj(wbits=-15)
PACKED = {
    "gzip": (b"gzip", gzip.compress(TEXT)),
    "x-gzip": (b"X-Gzip", gzip.compress(TEXT)),
    "two members": (b"gzip", gzip.compress(TEXT[:100]) + gzip.compress(TEXT[100:])),
    "zlib": (b"deflate", zlib.compress(TEXT)),
    "bare deflate": (b"deflate", BARE.compress(TEXT) + BARE.flush()),
}


@pytest.mark.parametrize(("coding", "packed"), PACKED.values(), ids=PACKED.keys())
@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_compressed_answers_are_unpacked_though_nobody_asked(coding, packed, framing):
    head = OK + b"content-encoding: " + coding + b"\r\n"
    raw = {
        "length": head + b"content-length: %d\r\n\r\n" % len(packed) + packed,
        "chunked": head
        + b"transfer-encoding: chunked\r\n\r\n%x\r\n" % len(packed)
        + packed
        + b"\r\n0\r\n\r\n",
        "close": head + b"\r\n" + packed,
    }[framing]
    for pieces in ([raw], bytewise(raw), at_random(raw, 3)):
        found, reader, _ = read(pieces, eof=framing == "close")
        assert found == TEXT
        assert "content-encoding" not in reader.head.headers
        assert "content-length" not in reader.head.headers


@pytest.mark.parametrize(("coding", "packed"), PACKED.values(), ids=PACKED.keys())
def test_a_compressed_body_that_is_cut_or_corrupt_is_refused(coding, packed):
    head = OK + b"content-encoding: " + coding + b"\r\n"
    for damaged in (packed[:-3], packed[: len(packed) // 2] + b"\xff\xff\xff\xff\xff\xff" * 5):
        with pytest.raises(Misframed):
            read([head + b"content-length: %d\r\n\r\n" % len(damaged) + damaged])
        with pytest.raises(Misframed):
            read([head + b"\r\n" + damaged], eof=True)


def test_bytes_behind_a_compressed_body_are_refused():
    for coding, packed in ((b"gzip", gzip.compress(TEXT)), (b"deflate", zlib.compress(TEXT))):
        with pytest.raises(Misframed):
            read([OK + b"content-encoding: " + coding + b"\r\n\r\n" + packed + b"tail"], eof=True)


def test_a_compression_bomb_is_refused_before_it_fills_the_memory():
    bomb = gzip.compress(b"\0" * 60_000_000, 9)
    with pytest.raises(Misframed, match="expands"):
        read([OK + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(bomb) + bomb])


def test_an_empty_compressed_body_is_empty():
    assert read([OK + b"content-encoding: gzip\r\n\r\n"], eof=True)[0] == b""
