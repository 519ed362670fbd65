import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.canonical.conversation import Reasoning, Text
from dragoman.canonical.events import (
    ChoiceFinished,
    Delta,
    Finished,
    Grammar,
    PartFinished,
    PartKind,
    PartStarted,
    Started,
    StopReason,
)
from dragoman.canonical.response import ChatResponse, Choice
from dragoman.canonical.stop import StopCutter
from dragoman.canonical.usage import Usage


def stream(deltas, kind=PartKind.TEXT):
    return [
        Started("a", "m", 1),
        PartStarted(0, kind),
        *(Delta(0, text) for text in deltas),
        PartFinished(0),
        ChoiceFinished(0, StopReason.END),
        Finished(Usage(1, 1)),
    ]


def text_of(events):
    return "".join(event.text for event in events if isinstance(event, Delta))


@pytest.mark.parametrize(
    ("stops", "deltas", "text", "is_cut"),
    [
        (["END"], ["one END two"], "one ", True),
        (["END"], ["one E", "N", "D two"], "one ", True),
        (["END"], ["one E", "N", "T two"], "one ENT two", False),
        (["END"], ["one EN"], "one EN", False),
        (["b", "ab"], ["xab"], "x", True),
        (["\n\n"], ["a\n", "b\n", "\nc"], "a\nb", True),
        (["конец"], ["это кон", "ец"], "это ", True),
        (["aab"], ["aaab"], "a", True),
        (["x"], ["x"], "", True),
        ([""], ["abc"], "abc", False),
    ],
)
def test_text_is_cut_at_the_first_stop_sequence(stops, deltas, text, is_cut):
    cutter = StopCutter(stops)
    out = [event for one in stream(deltas) for event in cutter.filter([one])]
    assert text_of(out) == text
    assert cutter.over is is_cut
    reasons = [event.reason for event in out if isinstance(event, ChoiceFinished)]
    assert reasons == [StopReason.STOP_SEQUENCE if is_cut else StopReason.END]


def test_reasoning_is_not_watched():
    cutter = StopCutter(["END"])
    out = cutter.filter(stream(["one END two"], PartKind.REASONING))
    assert text_of(out) == "one END two"


def test_nothing_follows_once_every_choice_has_been_cut():
    cutter = StopCutter(["END"])
    events = stream(["one END"])
    first = cutter.filter(events[:3])
    assert isinstance(first[-1], Finished)
    assert cutter.filter(events[3:]) == []


def test_a_whole_answer_is_cut_alike():
    response = ChatResponse(
        "i", "m", 1, (Choice(0, (Reasoning("END"), Text("one END two")), StopReason.END),), None
    )
    cut = StopCutter(["END"]).cut(response)
    assert cut.choices == (Choice(0, (Reasoning("END"), Text("one ")), StopReason.STOP_SEQUENCE),)


@given(
    st.lists(st.text("abE", max_size=4), max_size=8),
    st.lists(st.text("abE", min_size=1, max_size=3), min_size=1, max_size=3),
    st.data(),
)
def test_the_cut_does_not_depend_on_how_the_text_was_split(deltas, stops, data):
    whole = "".join(deltas)
    places = [(at + len(stop), at) for stop in stops if (at := whole.find(stop)) >= 0]
    expected = whole[: min(places)[1]] if places else whole
    cutter = StopCutter(stops)
    grammar = Grammar()
    out = []
    for event in stream(deltas):
        out += cutter.filter([event])
    assert all(grammar.accepts(event) for event in out)
    assert grammar.over
    assert text_of(out).startswith(expected) if not places else text_of(out) == expected
