import pytest
from hypothesis import given, settings

from dragoman.canonical.conversation import NO_EXTRAS, Text, ToolResult
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
from dragoman.canonical.fold import fold, merged, unfold
from dragoman.canonical.response import ChatResponse, Choice
from dragoman.errors import UpstreamBroken, UpstreamTimeout
from support.canonical_strategies import responses, streams

STARTED = Started("a", "m", 1)


@settings(max_examples=60)
@given(responses)
def test_an_unfolded_answer_folds_into_itself(response):
    assert fold(unfold(response)) == response


@settings(max_examples=60)
@given(responses)
def test_an_unfolded_answer_is_a_legal_stream(response):
    grammar = Grammar()
    assert all(grammar.accepts(event) for event in unfold(response))
    assert grammar.over


@settings(max_examples=60)
@given(streams())
def test_every_legal_stream_folds_or_raises_its_error(events):
    last = events[-1]
    if isinstance(last, Failed):
        with pytest.raises(type(last.error)):
            fold(events)
    else:
        assert fold(unfold(fold(events))) == fold(events)


def test_deltas_are_joined_and_choices_kept_apart():
    events = [
        STARTED,
        PartStarted(1, PartKind.TEXT),
        PartStarted(0, PartKind.TEXT),
        Delta(1, "b"),
        Delta(0, "a"),
        Delta(1, "c"),
        PartFinished(0),
        PartFinished(1),
        ChoiceFinished(0, StopReason.END),
        ChoiceFinished(1, StopReason.MAX_TOKENS),
        Finished(None),
    ]
    assert fold(events).choices == (
        Choice(1, (Text("bc"),), StopReason.MAX_TOKENS),
        Choice(0, (Text("a"),), StopReason.END),
    )


def test_extras_of_deltas_are_joined_in_the_part():
    events = [
        STARTED,
        PartStarted(0, PartKind.TEXT),
        Delta(0, "a", {"d": {"logprobs": [1], "last": 1}}),
        Delta(0, "b", {"d": {"logprobs": [2], "last": 2}}),
        PartFinished(0, {"e": {"signature": "s"}}),
        ChoiceFinished(0, StopReason.END),
        Finished(None),
    ]
    (part,) = fold(events).choices[0].parts
    assert part.extras == {"d": {"logprobs": [1, 2], "last": 2}, "e": {"signature": "s"}}


@pytest.mark.parametrize(
    "events",
    [
        [],
        [STARTED],
        [Finished(None)],
        [STARTED, PartStarted(0, PartKind.TEXT), PartFinished(0), Finished(None)],
        [STARTED, PartFinished(0)],
    ],
)
def test_a_stream_that_is_not_whole_is_no_answer(events):
    with pytest.raises(UpstreamBroken):
        fold(events)


def test_a_failure_is_raised():
    with pytest.raises(UpstreamTimeout, match="late"):
        fold([STARTED, Failed(UpstreamTimeout("late"))])


def test_a_tool_result_cannot_be_said_by_a_model():
    choice = Choice(0, (ToolResult("c", "f", ()),), StopReason.END)
    with pytest.raises(ValueError, match="no tool results"):
        unfold(ChatResponse("a", "m", 1, (choice,), None))


def test_merging_with_nothing_changes_nothing():
    some = {"d": {"a": 1}}
    assert merged(some, NO_EXTRAS) is some
    assert merged(NO_EXTRAS, some) is some
