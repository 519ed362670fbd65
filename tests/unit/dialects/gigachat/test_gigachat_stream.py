"""Streamed answers."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.canonical.conversation import CallKind
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
from dragoman.canonical.fidelity import Fidelity
from dragoman.canonical.usage import Usage
from dragoman.dialects import gigachat
from dragoman.dialects.base import WrittenRequest
from dragoman.errors import UpstreamBroken, UpstreamRefused, UpstreamUnavailable
from dragoman.framing import Frame

STATE = "0199aaaa-bbbb-cccc-dddd-eeeeffff0000"
STATE_ID = "call_gc_0199aaaabbbbccccddddeeeeffff0000"
PLAIN = WrittenRequest(body=[], fidelity=Fidelity(), tool_names={})
DONE = b"[DONE]"
USAGE = {"prompt_tokens": 17, "completion_tokens": 42, "precached_prompt_tokens": 2}


def event(delta=None, finish=None, usage=None, index=0):
    choice = {"delta": delta or {}, "index": index}
    if finish:
        choice["finish_reason"] = finish
    body = {"choices": [choice], "created": 7, "model": "GigaChat:2.0.28.2"}
    if usage:
        body["usage"] = usage
    return json.dumps(body, ensure_ascii=False).encode()


def words(text):
    return event({"content": text})


def call(name="f", arguments=None, **members):
    function = {"name": name, "arguments": {} if arguments is None else arguments}
    return {"content": "", "function_call": function, **members}


def shown(events):
    """Comparable, also with an error inside."""
    return [repr(event) for event in events]


def read(*frames, written=PLAIN):
    """All events but ``Started``, which is checked here."""
    reader = gigachat.UPSTREAM.stream_reader(written)
    events = [event for frame in frames for event in reader.read(frame)] + reader.close()
    for cut in range(len(frames)):
        blocks = [[Frame(b"", frame) for frame in part] for part in (frames[:cut], frames[cut:])]
        batched = gigachat.UPSTREAM.stream_reader(written)
        together = [event for block in blocks if block for event in batched.read_all(block)]
        assert shown(together + batched.close()) == shown(events)
    grammar = Grammar()
    assert all(grammar.accepts(event) for event in events)
    assert grammar.over
    assert reader.read(words("late")) == []
    assert reader.close() == []
    if isinstance(events[0], Started):
        assert events.pop(0) == Started("", "GigaChat:2.0.28.2", 7)
    return events


def finished(reason=StopReason.END, usage=None):
    return [ChoiceFinished(0, reason), Finished(usage)]


def part(kind, *texts):
    return [PartStarted(0, kind), *(Delta(0, text) for text in texts), PartFinished(0)]


def a_call(arguments="{}", call_id=STATE_ID, name="f", kind=CallKind.FUNCTION):
    return [
        PartStarted(0, PartKind.TOOL_CALL, call_id, name, kind),
        Delta(0, arguments),
        PartFinished(0),
    ]


def test_words():
    assert read(
        event({"content": "1, 2", "role": "assistant"}),
        words(", 3"),
        event({"content": ""}, "stop", USAGE),
        DONE,
    ) == [
        *part(PartKind.TEXT, "1, 2", ", 3"),
        *finished(usage=Usage(input=15, output=42, cache_read=2)),
    ]


def test_an_event_without_words_says_nothing():
    assert read(words(""), words("a"), words(""), event({}, "stop"), DONE) == [
        *part(PartKind.TEXT, "a"),
        *finished(),
    ]


def test_thoughts_come_before_words():
    assert read(
        event({"reasoning_content": "h"}),
        event({"reasoning_content": "m"}),
        words("yes"),
        event({"content": "!"}, "stop"),
        DONE,
    ) == [*part(PartKind.REASONING, "h", "m"), *part(PartKind.TEXT, "yes", "!"), *finished()]


def test_thoughts_between_words_are_a_part_of_their_own():
    assert read(words("a"), event({"content": "c", "reasoning_content": "b"}, "stop"), DONE) == [
        *part(PartKind.TEXT, "a"),
        *part(PartKind.REASONING, "b"),
        *part(PartKind.TEXT, "c"),
        *finished(),
    ]


CALL = call(arguments={"город": "Омск"}, functions_state_id=STATE)
CALLS = {
    "call and end in one event": [event(CALL, "function_call", USAGE)],
    "call and end in two events": [event(CALL), event({"content": ""}, "function_call", USAGE)],
    "the call repeated in the closing event": [event(CALL), event(CALL, "function_call", USAGE)],
    "the state ahead of the call": [
        event({"functions_state_id": STATE}),
        event(call(arguments={"город": "Омск"}), "function_call", USAGE),
    ],
    "the upstream says stop": [event(CALL), event({}, "stop", USAGE)],
}


@pytest.mark.parametrize("frames", CALLS.values(), ids=CALLS)
def test_a_call(frames):
    assert read(*frames, DONE) == [
        *a_call('{"город":"Омск"}'),
        *finished(StopReason.TOOL_CALL, Usage(input=15, output=42, cache_read=2)),
    ]


def test_words_before_a_call():
    assert read(words("one moment"), event(CALL, "function_call"), DONE) == [
        *part(PartKind.TEXT, "one moment"),
        *a_call('{"город":"Омск"}'),
        *finished(StopReason.TOOL_CALL),
    ]


def test_two_calls_with_one_state_keep_different_ids():
    events = read(
        event(call("f", functions_state_id=STATE)),
        event(call("g", functions_state_id=STATE), "function_call"),
        DONE,
    )
    ids = [event.call_id for event in events if isinstance(event, PartStarted)]
    assert ids[0] == STATE_ID
    assert len(set(ids)) == 2


def test_names_custom_tools_and_the_function_for_an_answer_are_turned_back():
    written = WrittenRequest(
        body=[],
        fidelity=Fidelity(),
        tool_names={"p_1": "p.q"},
        custom_tools=frozenset({"p.q"}),
    )
    delta = call("p_1", {"input": "text"}, functions_state_id=STATE)
    assert read(event(delta, "function_call"), DONE, written=written) == [
        *a_call("text", name="p.q", kind=CallKind.CUSTOM),
        *finished(StopReason.TOOL_CALL),
    ]
    written = WrittenRequest(body=[], fidelity=Fidelity(), tool_names={}, json_tool="json_output")
    assert read(
        event(call("json_output", {"n": 1})), event({}, "function_call"), DONE, written=written
    ) == [*part(PartKind.TEXT, '{"n":1}'), *finished()]


FORMED = WrittenRequest(body=[], fidelity=Fidelity(), tool_names={}, json_tool="json_output")
ANSWER = call("json_output", {"n": 1})
BESIDE = {
    "words ahead of it": [words("Here: "), event(ANSWER), event({}, "function_call")],
    "words with it": [event({**ANSWER, "content": "Here: "}, "function_call")],
    "words behind it": [event(ANSWER), words("that"), words("was it"), event({}, "stop")],
    "the call repeated": [event(ANSWER), event(ANSWER, "function_call")],
}


@pytest.mark.parametrize("frames", BESIDE.values(), ids=BESIDE)
def test_words_do_not_spoil_an_answer_that_has_a_form(frames):
    assert read(*frames, DONE, written=FORMED) == [*part(PartKind.TEXT, '{"n":1}'), *finished()]


def test_words_instead_of_such_an_answer_are_all_there_is():
    assert read(words("I "), words("won't"), event({}, "stop"), DONE, written=FORMED) == [
        *part(PartKind.TEXT, "I won't"),
        *finished(),
    ]
    assert read(words("wait"), event(CALL, "function_call"), DONE, written=FORMED) == [
        *part(PartKind.TEXT, "wait"),
        *a_call('{"город":"Омск"}'),
        *finished(StopReason.TOOL_CALL),
    ]


TAGGED = [words("<th"), words("ink>h"), words("m</think>\n\ny"), words("es")]


def test_thoughts_in_tags_are_thoughts():
    assert read(*TAGGED, event({"content": "<"}, "stop"), DONE) == [
        *part(PartKind.REASONING, "h", "m"),
        *part(PartKind.TEXT, "y", "es", "<"),
        *finished(),
    ]
    assert read(*TAGGED[:2], event({}, "length"), DONE) == [
        *part(PartKind.REASONING, "h"),
        *finished(StopReason.MAX_TOKENS),
    ]
    assert read(*TAGGED[:3], event(CALL, "function_call"), DONE) == [
        *part(PartKind.REASONING, "h", "m"),
        *part(PartKind.TEXT, "y"),
        *a_call('{"город":"Омск"}'),
        *finished(StopReason.TOOL_CALL),
    ]


def test_half_a_tag_is_what_it_is():
    assert read(event({"content": "<"}), event({}, "stop"), DONE) == [
        *part(PartKind.TEXT, "<"),
        *finished(),
    ]


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("length", StopReason.MAX_TOKENS),
        ("blacklist", StopReason.FILTERED),
        ("odd", StopReason.END),
    ],
)
def test_other_ends(word, reason):
    assert read(words("a"), event({}, word), DONE) == [
        *part(PartKind.TEXT, "a"),
        *finished(reason),
    ]


def test_what_follows_the_end_is_passed_over_but_for_the_counts():
    assert read(words("a"), event({}, "stop"), words("b"), event({}, usage=USAGE), DONE) == [
        *part(PartKind.TEXT, "a"),
        *finished(usage=Usage(input=15, output=42, cache_read=2)),
    ]


def test_counts_on_every_event_are_cumulative():
    growing = [{**USAGE, "completion_tokens": n} for n in (1, 2, 3)]
    events = read(
        event({"content": "a"}, usage=growing[0]),
        event({"content": "b"}, usage=growing[1]),
        event({}, "stop", growing[2]),
        DONE,
    )
    assert events[-1] == Finished(Usage(input=15, output=3, cache_read=2))


def test_a_missing_done_is_forgiven_once_the_answer_has_ended():
    assert read(words("a"), event({}, "stop")) == [*part(PartKind.TEXT, "a"), *finished()]


CUT = {
    "nothing": [],
    "only done": [DONE],
    "words": [words("a")],
    "words and done": [words("a"), DONE],
    "an open call": [event(CALL)],
    "an empty reason": [words("a"), event({}, "")],
}


@pytest.mark.parametrize("frames", CUT.values(), ids=CUT)
def test_a_stream_without_an_end_has_failed(frames):
    last = read(*frames)[-1]
    assert isinstance(last, Failed)
    assert isinstance(last.error, UpstreamUnavailable)


@pytest.mark.parametrize(
    "data",
    [b"<html>", b"{", b'{"choices":7}', b'{"choices":[{"delta":{"content":"\xff"}}]}', b"[]"],
)
@pytest.mark.parametrize("before", [[], [words("a")]], ids=["first", "later"])
def test_an_event_that_cannot_be_read_is_a_failure(before, data):
    last = read(*before, data)[-1]
    assert isinstance(last, Failed)
    assert isinstance(last.error, UpstreamBroken)


@pytest.mark.parametrize("before", [[], [words("a")]], ids=["first", "later"])
def test_an_error_in_the_stream_is_a_failure(before):
    last = read(*before, b'{"status":422,"message":"Invalid params: x"}')[-1]
    assert isinstance(last, Failed)
    assert isinstance(last.error, UpstreamRefused)
    last = read(*before, b'{"error":{"message":"oops"}}')[-1]
    assert isinstance(last, Failed)
    assert isinstance(last.error, UpstreamBroken)


def test_a_spoiled_call_is_a_failure():
    last = read(words("a"), event({}, "error"), DONE)[-1]
    assert isinstance(last, Failed)
    assert last.error.code == "model_error"


def test_an_event_without_choices_is_passed_over():
    empty = b'{"choices":[],"created":7,"model":"GigaChat"}'
    assert read(empty, words("a"), empty, event({}, "stop"), DONE) == [
        *part(PartKind.TEXT, "a"),
        *finished(),
    ]


DELTAS = st.fixed_dictionaries(
    {},
    optional={
        "content": st.sampled_from(["", "a", None, " ", "<think>", "</think>", "<th"]),
        "reasoning_content": st.sampled_from(["", "b", None]),
        "function_call": st.sampled_from(
            [
                None,
                {},
                {"name": "f", "arguments": {}},
                {"name": "g", "arguments": "{}"},
                {"name": "json_output", "arguments": {}},
            ]
        ),
        "functions_state_id": st.sampled_from([None, "", STATE, "x"]),
    },
)
EVENTS = st.builds(
    event,
    DELTAS,
    st.sampled_from([None, "stop", "length", "function_call", "blacklist", "error"]),
    st.sampled_from([None, USAGE]),
    st.integers(0, 2),
)
OTHERS = st.sampled_from([DONE, b"", b"null", b"{}", b'{"error":"x"}', b'{"choices":[]}'])


@given(st.lists(EVENTS | OTHERS, max_size=12), st.sampled_from([PLAIN, FORMED]))
def test_every_stream_keeps_the_grammar(frames, written):
    assert read(*frames, written=written)
