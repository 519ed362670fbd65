"""What is noted between an exchange and its client, whatever becomes of the two."""

import pytest

from dragoman.canonical.usage import Usage
from dragoman.errors import UpstreamBroken
from dragoman.pipeline import Arrival, RequestHead
from dragoman.sides import Answer, Outcome
from dragoman.telemetry.bodies import KEPT
from dragoman.web.tap import Recorder
from support.echo_front import DIALECT
from support.fake_clock import FakeClock


class Reader:
    def __init__(self, *, wants_bodies=True):
        self.wants_bodies = wants_bodies
        self.begun = []
        self.done = []

    def began(self, conversation):
        self.begun.append(conversation)

    def ended(self, conversation):
        self.done.append(conversation)


class Client:
    """Notes what it is told and how much had been written down by then."""

    def __init__(self, reader):
        self.reader = reader
        self.told = []

    def reply(self, answer, body):
        self.told.append((body, len(self.reader.done)))

    def open(self, answer, block):
        self.told.append((block, len(self.reader.done)))

    def write(self, block):
        self.told.append((block, len(self.reader.done)))

    def close(self, block):
        self.told.append((block, len(self.reader.done)))


@pytest.fixture
def world():
    class World:
        def __init__(self, *, wants_bodies=True):
            self.reader = Reader(wants_bodies=wants_bodies)
            self.client = Client(self.reader)
            self.recorder = Recorder([self.reader], {"fake": "/v1/fake"}, FakeClock())
            head = RequestHead(DIALECT, (b"key",), headers=((b"user-agent", b"x"),))
            self.arrival = Arrival(head, b"question", "r1", caller="key-1", model="m")
            self.tap = self.recorder.tap(self.arrival, "10.0.0.1", self.client)

        def settle(self, **outcome):
            self.recorder.settled(self.arrival, Outcome(target="p/m", **outcome), 1.5)

        @property
        def note(self):
            (note,) = self.reader.done
            assert self.recorder._open == {}
            return note

    return World


def test_a_whole_answer(world):
    it = world()
    assert it.reader.begun[0].request == b"question"
    it.settle(status=200, usage=Usage(input=3, output=4))
    it.tap.reply(Answer(200), b"answer")
    note = it.note
    assert it.client.told == [(b"answer", 1)]
    assert (note.status, note.seconds, note.target, note.model) == (200, 1.5, "p/m", "m")
    assert (note.answer, note.answer_size) == (b"answer", 6)
    assert (note.route, note.peer, note.token, note.caller) == (
        "/v1/fake",
        "10.0.0.1",
        b"key",
        "key-1",
    )
    assert note.tokens == {"input": 3, "output": 4, "cached": 0}


def test_a_stream(world):
    it = world()
    it.tap.open(Answer(200), b"a")
    it.tap.write(b"b")
    it.settle(status=200, error=UpstreamBroken("x"))
    it.tap.close(b"c")
    assert [block for block, _ in it.client.told] == [b"a", b"b", b"c"]
    assert (it.note.answer, it.note.error) == (b"abc", "upstream_broken")


def test_a_client_that_leaves_is_noted_at_once(world):
    it = world()
    it.tap.open(Answer(200), b"a")
    it.settle(status=200, client_left=True)
    assert (it.note.answer, it.note.client_left) == (b"a", True)


def test_bodies_are_kept_only_for_those_who_want_them(world):
    it = world(wants_bodies=False)
    it.settle(status=200)
    it.tap.reply(Answer(200), b"answer")
    assert (it.note.request, it.note.answer) == (b"", b"")
    assert (it.note.request_size, it.note.answer_size) == (8, 6)


def test_no_more_is_kept_than_is_written_down(world):
    it = world()
    it.tap.open(Answer(200), b"x" * (KEPT - 1))
    for _ in range(5):
        it.tap.write(b"y" * KEPT)
    assert sum(map(len, it.tap.parts)) < 2 * KEPT
    it.settle(status=200)
    it.tap.close(b"")
    assert len(it.note.answer) == KEPT
    assert it.note.answer_size == 6 * KEPT - 1
