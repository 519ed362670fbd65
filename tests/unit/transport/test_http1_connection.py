"""One connection on a fake transport: exact events, exact bytes, exact moments of closing."""

import gc

import pytest

from dragoman.errors import UpstreamBroken, UpstreamUnavailable
from dragoman.transport.calls import Call
from dragoman.transport.http1 import JOINED_WRITE, Connection

HEAD = b"POST /x HTTP/1.1\r\nhost: h\r\n"
OK = b"HTTP/1.1 200 OK\r\n"
DONE = OK + b"content-length: 2\r\n\r\nhi"


class FakeTransport:
    def __init__(self):
        self.writes = []
        self.aborted = False
        self.paused = False
        self.unsent = 0

    def write(self, data):
        self.writes.append(data)

    def writelines(self, parts):
        self.writes.extend(parts)

    def get_write_buffer_size(self):
        return self.unsent

    def is_closing(self):
        return self.aborted

    def abort(self):
        self.aborted = True

    def pause_reading(self):
        self.paused = True

    def resume_reading(self):
        self.paused = False


class Told:
    """A sink and a keeper that write down what they are told."""

    def __init__(self):
        self.events = []
        self.at_head = None

    def head(self, head, *, whole):
        self.events.append(("head", head.status, whole))
        if self.at_head is not None:
            self.at_head()

    def data(self, block):
        self.events.append(("data", block))

    def end(self, block):
        self.events.append(("end", block))

    def lost(self, error, *, unanswered):
        self.events.append(("lost", type(error), unanswered))

    def gone(self, connection):
        self.events.append(("gone",))


@pytest.fixture
def told():
    return Told()


@pytest.fixture
def wire():
    return FakeTransport()


@pytest.fixture
def connection(told, wire):
    connection = Connection(told)
    assert not connection.alive
    connection.connection_made(wire)
    assert connection.alive
    return connection


def send(connection, told, *body, head=HEAD):
    connection.send(Call(head=head, body=body), told)


EVENTS = {
    "whole in one read": ([DONE], [("head", 200, True), ("end", b"hi")]),
    "head apart": (
        [OK, b"content-length: 2\r\n\r\n", b"hi"],
        [("head", 200, False), ("end", b"hi")],
    ),
    "head with a part": ([DONE[:-1], b"i"], [("head", 200, False), ("data", b"h"), ("end", b"i")]),
    "chunks of one read are one block": (
        [
            OK + b"transfer-encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n",
            b"1\r\nc\r\n",
            b"0\r\n\r\n",
        ],
        [("head", 200, False), ("data", b"ab"), ("data", b"c"), ("end", b"")],
    ),
    "a read without a byte of the body is silent": (
        [OK + b"transfer-encoding: chunked\r\n\r\n", b"5", b"\r\n", b"abcde", b"\r\n0\r\n\r\n"],
        [("head", 200, False), ("data", b"abcde"), ("end", b"")],
    ),
    "interim answers are not told": (
        [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 102 P\r\n\r\n" + DONE],
        [("head", 200, True), ("end", b"hi")],
    ),
}


@pytest.mark.parametrize(("reads", "events"), EVENTS.values(), ids=EVENTS.keys())
def test_one_read_is_at_most_one_event_of_the_body(connection, told, wire, reads, events):
    send(connection, told, b"{}")
    for data in reads:
        connection.data_received(data)
    assert told.events == events
    assert connection.alive
    assert connection.served == 1
    send(connection, told, b"{}")
    connection.data_received(DONE)
    assert told.events[-1] == ("end", b"hi")


CLOSING = {
    "a byte too many": DONE + b"x",
    "a line end too many": DONE + b"\r\n",
    "a second answer": DONE + DONE,
    "connection close": OK + b"connection: close\r\ncontent-length: 2\r\n\r\nhi",
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nhi",
}


@pytest.mark.parametrize("data", CLOSING.values(), ids=CLOSING.keys())
def test_the_answer_is_delivered_but_the_connection_never_used_again(connection, told, wire, data):
    send(connection, told, b"{}")
    connection.data_received(data)
    assert told.events == [("head", 200, True), ("gone",), ("end", b"hi")]
    assert wire.aborted
    assert not connection.alive


def test_bytes_on_an_idle_connection_close_it(connection, told, wire):
    send(connection, told, b"{}")
    connection.data_received(DONE)
    connection.data_received(DONE)
    assert told.events == [("head", 200, True), ("end", b"hi"), ("gone",)]
    assert wire.aborted


def test_an_answer_that_overtakes_its_request_ends_the_connection(connection, told, wire):
    send(connection, told, b"{}")
    wire.unsent = 10
    connection.data_received(DONE)
    assert told.events[-1] == ("end", b"hi")
    assert not connection.alive


def test_misframing_is_told_as_broken_without_hosts_in_the_message(connection, told):
    send(connection, told, b"{}")
    connection.data_received(b"garbage")
    assert told.events == [("gone",), ("lost", UpstreamBroken, False)]


@pytest.mark.parametrize("data", [b"", b"HTTP/1.1 2", DONE[:-1]])
@pytest.mark.parametrize("how", ["eof", "reset"])
def test_closing_early_is_told_with_whether_anything_came(connection, told, data, how):
    send(connection, told, b"{}")
    if data:
        connection.data_received(data)
    told.events.clear()
    if how == "eof":
        connection.eof_received()
        connection.connection_lost(None)
    else:
        connection.connection_lost(ConnectionResetError())
    assert told.events == [("gone",), ("lost", UpstreamUnavailable, not data)]


def test_a_body_until_close_ends_with_eof_and_is_lost_by_a_reset(told):
    for ending, event in (
        (lambda c: c.eof_received(), ("end", b"")),
        (lambda c: c.connection_lost(ConnectionResetError()), ("lost", UpstreamUnavailable, False)),
    ):
        connection = Connection(told)
        connection.connection_made(FakeTransport())
        send(connection, told, b"{}")
        connection.data_received(OK + b"\r\nabc")
        ending(connection)
        assert told.events[-1] == event
        assert not connection.alive


def test_eof_inside_a_compressed_body_until_close_is_broken(connection, told):
    send(connection, told, b"{}")
    connection.data_received(OK + b"content-encoding: gzip\r\n\r\n\x1f\x8b")
    connection.eof_received()
    assert told.events[-1] == ("lost", UpstreamBroken, False)


def test_after_an_abort_the_sink_hears_nothing(connection, told, wire):
    send(connection, told, b"{}")
    told.at_head = connection.abort
    connection.data_received(DONE)
    connection.connection_lost(None)
    connection.abort()
    assert told.events == [("head", 200, True), ("gone",)]
    assert wire.aborted


def test_a_small_call_is_one_write(connection, told, wire):
    send(connection, told, b'{"a":', b"1}")
    assert wire.writes == [HEAD + b'content-length: 7\r\n\r\n{"a":1}']


def test_the_parts_of_a_large_call_are_not_joined(connection, told, wire):
    part = b"x" * JOINED_WRITE
    send(connection, told, part, b"y")
    assert wire.writes == [HEAD + b"content-length: %d\r\n\r\n" % (JOINED_WRITE + 1), part, b"y"]
    assert wire.writes[1] is part


@pytest.mark.parametrize(
    ("head", "framing"),
    [
        (b"GET / HTTP/1.1\r\n", b"\r\n"),
        (b"HEAD / HTTP/1.1\r\n", b"\r\n"),
        (b"DELETE / HTTP/1.1\r\n", b"\r\n"),
        (b"POST / HTTP/1.1\r\n", b"content-length: 0\r\n\r\n"),
        (b"PUT / HTTP/1.1\r\n", b"content-length: 0\r\n\r\n"),
    ],
)
def test_only_methods_with_a_body_say_that_it_is_empty(connection, told, wire, head, framing):
    send(connection, told, head=head)
    assert wire.writes == [head + framing]


def test_the_answer_to_head_ends_with_its_head(connection, told):
    send(connection, told, head=b"HEAD / HTTP/1.1\r\n")
    connection.data_received(OK + b"content-length: 100\r\n\r\n")
    assert told.events == [("head", 200, True), ("end", b"")]
    assert connection.alive


def test_two_calls_at_a_time_are_a_bug(connection, told):
    send(connection, told, b"{}")
    with pytest.raises(RuntimeError):
        send(connection, told, b"{}")


def test_nothing_refers_to_a_finished_answer(connection, told):
    """No cycle for the garbage collector: one for each request would cost pauses."""
    gc.collect()
    gc.disable()
    try:
        for _ in range(10):
            send(connection, told, b"{}")
            connection.data_received(DONE)
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_answers_that_repeat_their_head_are_told_like_the_first(connection, told):
    heads = []
    told.head = lambda head, whole: heads.append((head.status, head.headers, whole))

    def answer(data: bytes) -> None:
        connection.send(Call(HEAD, [b"{}"]), told)
        connection.data_received(data)

    for body in (b"one", b"three", b"three", b"x" * 5000):
        answer(OK + b"X-Kind: a\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        expected = {"x-kind": "a", "content-length": f"{len(body)}"}
        assert heads.pop() == (200, expected, True)
        assert told.events.pop() == ("end", body)
    answer(b"HTTP/1.1 404 No\r\nX-Kind: b\r\nContent-Length: 3\r\n\r\nno!")
    assert heads.pop() == (404, {"x-kind": "b", "content-length": "3"}, True)
    assert connection.alive
    answer(b"HTTP/1.1 404 No\r\nX-Kind: b\r\nContent-Length: 3\r\n\r\nno!x")
    assert not connection.alive
