"""The short cut for plain answers: what it takes it reads as the whole reader does."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dragoman.transport.answer import AnswerReader
from dragoman.transport.heads import MAX_FIELDS, Misframed, read_keep_alive, read_whole

OK = b"HTTP/1.1 200 OK\r\n"

PLAIN = {
    "usual": OK + b"Content-Type: a/b\r\ncontent-length: 2\r\n\r\nhi",
    "no body": OK + b"content-length: 0\r\n\r\n",
    "an error": b"HTTP/1.1 429 \r\nretry-after: 3\r\ncontent-length: 1\r\n\r\nx",
    "kept": OK + b"Connection: Keep-Alive\r\nKeep-Alive: timeout=5\r\nContent-Length: 1\r\n\r\nx",
    "white space": OK + b"x-a:\t b c \t\r\nx-b:\r\ncontent-length: \t 1\r\n\r\nx",
    "Latin-1": OK + b"x-a: \xa0\xe9\x85\r\ncontent-length: 1\r\n\r\nx",
    "a body of line ends": OK + b"content-length: 4\r\n\r\n\r\n\r\n",
}

NOT_PLAIN = {
    "nothing": b"",
    "half a head": OK + b"content-length: 2\r\n",
    "half a body": OK + b"content-length: 2\r\n\r\nh",
    "a byte too many": OK + b"content-length: 2\r\n\r\nhi\n",
    "no length": OK + b"\r\nhi",
    "two lengths": OK + b"content-length: 2\r\nContent-Length: 2\r\n\r\nhi",
    "a list of lengths": OK + b"content-length: 2, 2\r\n\r\nhi",
    "a signed length": OK + b"content-length: +2\r\n\r\nhi",
    "a length with a zero before it": OK + b"x-a: 2\r\ncontent-length: 02\r\n\r\nhi",
    "a length without white space": OK + b"content-length:2\r\n\r\nhi",
    "a length in other digits": OK + b"content-length: \xb2\r\n\r\nhi",
    "chunks": OK + b"transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n",
    "compressed": OK + b"content-encoding: gzip\r\ncontent-length: 2\r\n\r\nhi",
    "repeated": OK + b"x-a: 1\r\nX-A: 2\r\ncontent-length: 2\r\n\r\nhi",
    "closing": OK + b"connection: close\r\ncontent-length: 2\r\n\r\nhi",
    "upgrading": OK + b"connection: upgrade\r\nupgrade: x\r\ncontent-length: 2\r\n\r\nhi",
    "interim": b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"content-length: 2\r\n\r\nhi",
    "interim with a length": b"HTTP/1.1 100 Continue\r\ncontent-length: 2\r\n\r\nhi",
    "204": b"HTTP/1.1 204 No\r\ncontent-length: 2\r\n\r\nhi",
    "304": b"HTTP/1.1 304 No\r\ncontent-length: 2\r\n\r\nhi",
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nhi",
    "another protocol": b"SSH-2.0 200 OK\r\ncontent-length: 2\r\n\r\nhi",
    "an empty line first": b"\r\n" + OK + b"content-length: 2\r\n\r\nhi",
    "bare LF": OK + b"x-a: b\ncontent-length: 2\r\n\r\nhi",
    "bare CR": OK + b"x-a: b\rc\r\ncontent-length: 2\r\n\r\nhi",
    "NUL": OK + b"x-a: \x00\r\ncontent-length: 2\r\n\r\nhi",
    "folded": OK + b"x-a: b\r\n c\r\ncontent-length: 2\r\n\r\nhi",
    "white space before the colon": OK + b"content-length : 2\r\n\r\nhi",
    "no name": OK + b": x\r\ncontent-length: 2\r\n\r\nhi",
    "no colon": OK + b"x\r\ncontent-length: 2\r\n\r\nhi",
    "a long head": OK + b"x-a: " + b"x" * 5000 + b"\r\ncontent-length: 2\r\n\r\nhi",
    "many headers": OK
    + b"".join(b"x%d:\r\n" % at for at in range(MAX_FIELDS))
    + b"content-length: 2\r\n\r\nhi",
}


def read_by_reader(data):
    reader = AnswerReader()
    body = reader.feed(data)
    assert reader.complete
    return reader, body


@pytest.mark.parametrize("data", PLAIN.values(), ids=PLAIN.keys())
def test_a_plain_answer_is_read_as_the_reader_reads_it(data):
    for _ in range(2):
        head, body = read_whole(data)
        reader, expected = read_by_reader(data)
        assert (head, body) == (reader.head, expected)
        assert (reader.keeps_alive, reader.excess) == (True, False)
        assert reader.keep_for == read_keep_alive(head.headers)


@pytest.mark.parametrize("data", NOT_PLAIN.values(), ids=NOT_PLAIN.keys())
def test_anything_else_is_left_to_the_reader(data):
    assert read_whole(data) is None


NOISE = st.binary(max_size=3) | st.sampled_from(
    [b"\r\n", b"content-length: 2\r\n", b"connection: close\r\n", b"X-a: b\r\n", b": ", b"hi"]
)


@given(st.sampled_from(list(PLAIN.values())), st.data())
@example(OK + b"content-length: 2\r\n\r\nhi", None)
def test_no_damage_makes_it_accept_what_the_reader_refuses(data, draws):
    if draws is not None:
        at = draws.draw(st.integers(0, len(data)))
        cut = draws.draw(st.integers(0, 3))
        data = data[:at] + draws.draw(NOISE) + data[at + cut :]
    found = read_whole(data)
    if found is None:
        return
    try:
        reader, body = read_by_reader(data)
    except Misframed as error:
        pytest.fail(f"the reader refuses {data!r}: {error}")
    assert found == (reader.head, body)
    assert (reader.keeps_alive, reader.excess) == (True, False)
