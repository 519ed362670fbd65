import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.canonical.conversation import Reasoning, Text
from dragoman.canonical.events import (
    ChoiceFinished,
    Delta,
    Failed,
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
from dragoman.errors import UpstreamBroken


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


def test_a_failure_behind_the_cut_does_not_matter():
    cutter = StopCutter(["END"])
    broken = Failed(UpstreamBroken("x"))
    assert cutter.filter([*stream(["one END"])[:3], broken])[-1] == Finished(None)
    cutter = StopCutter(["END"])
    assert cutter.filter([*stream(["one EN"])[:3], broken])[-1] == broken


def test_counts_that_came_with_the_cut_are_kept():
    assert StopCutter(["END"]).filter(stream(["END"]))[-1] == Finished(Usage(1, 1))


def test_a_long_sequence_that_nearly_matches_again_and_again_is_linear_work():
    stop = "a" * 999 + "b"
    cutter = StopCutter([stop])
    out = cutter.filter(stream(["a"] * 20_000))
    assert text_of(out) == "a" * 20_000


def first_cut(whole, stops):
    """Letter by letter, as a model that knows stop sequences would do it."""
    for end in range(1, len(whole) + 1):
        starts = [end - len(stop) for stop in stops if whole[:end].endswith(stop)]
        if starts:
            return min(starts)
    return None


def holdable(text, stops):
    """The longest end of ``text`` that begins a stop sequence."""
    return max(
        (n for stop in stops for n in range(len(stop)) if text.endswith(stop[:n])), default=0
    )


@given(
    st.lists(st.text("abE", max_size=4), max_size=8),
    st.lists(st.text("abE", min_size=1, max_size=4), min_size=1, max_size=4),
)
def test_the_cut_is_exact_however_the_text_is_split(deltas, stops):
    whole = "".join(deltas)
    cut = first_cut(whole, stops)
    cutter = StopCutter(stops)
    grammar = Grammar()
    out = []
    seen = ""
    for event in stream(deltas):
        out += cutter.filter([event])
        if isinstance(event, Delta) and not cutter.over:
            seen += event.text
            assert text_of(out) == seen[: len(seen) - holdable(seen, stops)], "no more is held"
    assert all(grammar.accepts(event) for event in out)
    assert grammar.over
    assert text_of(out) == (whole if cut is None else whole[:cut])
    assert cutter.over is (cut is not None)
    response = ChatResponse("i", "m", 1, (Choice(0, (Text(whole),), StopReason.END),), None)
    (choice,) = StopCutter(stops).cut(response).choices
    assert "".join(part.text for part in choice.parts) == text_of(out)
