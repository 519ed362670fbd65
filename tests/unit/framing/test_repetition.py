"""Heads that a connection repeats: what is taken for the known one, and what never."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.framing.repetition import Repetition

LINES = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: %b\r\nX-Last: 1"


def message(body: bytes, length: bytes | None = None) -> bytes:
    return LINES % (b"%d" % len(body) if length is None else length) + b"\r\n\r\n" + body


def taught() -> Repetition:
    repetition = Repetition()
    assert repetition.learn(message(b"hello"))
    return repetition


@given(st.binary(min_size=1, max_size=200))
def test_the_same_head_with_another_body_is_recognised(body):
    assert taught().body_of(message(body)) == body


@given(st.binary(max_size=20), st.integers(0, 120), st.integers(0, 5))
def test_anything_else_is_left_to_the_parser(inserted, at, removed):
    """Whatever is cut out or put in: either it is such a message after all, or it is refused."""
    good = message(b"some body")
    changed = good[:at] + inserted + good[at + removed :]
    lines, _, body = changed.partition(b"\r\n\r\n")
    is_one = lines == LINES % (b"%d" % len(body)) and body
    assert taught().body_of(changed) == (body if is_one else None)


@pytest.mark.parametrize("length", [b"05", b"+5", b" 5", b"5 ", b"5,5", b"0x5", b"4", b"6", b""])
def test_a_length_is_taken_in_its_one_spelling_only(length):
    assert taught().body_of(message(b"hello", length)) is None


@pytest.mark.parametrize(
    "data",
    [
        b"POST /x HTTP/1.1\r\nHost: a\r\n\r\nhello",
        message(b""),
        message(b"hello", b"4"),
        b"POST /x HTTP/1.1\r\nX-Content-Length: 5\r\n\r\nhello",
        b"POST /x HTTP/1.1\r\nX: " + b"x" * 9000 + b"\r\nContent-Length: 5\r\n\r\nhello",
    ],
    ids=["no length", "no body", "not its length", "another header", "too long"],
)
def test_what_cannot_be_repeated_is_not_learnt(data):
    repetition = Repetition()
    assert not repetition.learn(data)
    assert repetition.body_of(data) is None


def test_the_length_may_stand_last_and_in_any_case():
    repetition = Repetition()
    assert repetition.learn(b"HTTP/1.1 200 OK\r\nA: 1\r\nCONTENT-length:\t5 \r\n\r\nhello")
    assert repetition.body_of(b"HTTP/1.1 200 OK\r\nA: 1\r\nCONTENT-length:\t2 \r\n\r\nho") == b"ho"
    assert repetition.learn(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
    assert repetition.body_of(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nho") == b"ho"


def test_many_lengths_keep_few_heads():
    repetition = taught()
    for size in range(1, 200):
        assert repetition.body_of(message(b"x" * size)) == b"x" * size
    assert len(repetition._spelled) <= 16


def test_a_sender_whose_heads_all_differ_is_given_up():
    repetition = Repetition()
    learnt = [
        repetition.learn(b"POST /%d HTTP/1.1\r\nContent-Length: 1\r\n\r\nx" % number)
        for number in range(20)
    ]
    assert learnt == [True] * 8 + [False] * 12


def test_a_sender_that_repeats_itself_now_and_then_is_not():
    repetition = Repetition()
    for number in range(50):
        data = b"POST /%d HTTP/1.1\r\nContent-Length: 1\r\n\r\nx" % number
        assert repetition.learn(data)
        assert repetition.body_of(data) == b"x"
