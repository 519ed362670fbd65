"""Streamed answers: every kind of event, in every order."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.canonical.conversation import Citation
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
from dragoman.canonical.fold import fold
from dragoman.canonical.usage import Usage
from dragoman.dialects.base import WrittenRequest
from dragoman.dialects.gigachat.v2 import UPSTREAM
from dragoman.dialects.gigachat.v2.call_ids import CallOrigin, call_id, origin_of
from dragoman.errors import UpstreamBroken, UpstreamRefused, UpstreamUnavailable
from dragoman.framing import Frame
from support.splits import every_way

STATE = "019e8373-dc9a-7883-af60-ebb20b79e1e1"
PLAIN = WrittenRequest(body=[], fidelity=Fidelity(), tool_names={})
CITING = WrittenRequest(body=[], fidelity=Fidelity(), tool_names={}, cites=True)
DELTA, DONE = b"response.message.delta", b"response.message.done"
USAGE = {"input_tokens": 9, "input_tokens_details": {"cached_tokens": 4}, "output_tokens": 2}


def frame(name, **members):
    body = {"model": "GigaChat-3-Ultra:32.3.18.5", "created_at": 7, **members}
    return Frame(name, json.dumps(body, ensure_ascii=False).encode())


def delta(*parts, role="assistant", **members):
    message = {"role": role, "content": list(parts), **members}
    return frame(DELTA, messages=[{k: v for k, v in message.items() if v is not None}])


def words(text, **members):
    return delta({"text": text}, **members)


def call(name="f", arguments=None, **more):
    return {"function_call": {"name": name, "arguments": arguments or {}, **more}}


def done(finish="stop", **members):
    return frame(DONE, finish_reason=finish, usage=USAGE, **members)


def read(*frames, written=PLAIN):
    reader = UPSTREAM.stream_reader(written)
    events = [event for each in frames for event in reader.read(each.data, each.event)]
    return events + reader.close()


def texts(events):
    return "".join(event.text for event in events if isinstance(event, Delta))


STARTED = Started("", "GigaChat-3-Ultra:32.3.18.5", 7)
END = [
    PartFinished(0),
    ChoiceFinished(0, StopReason.END),
    Finished(Usage(5, 2, 4)),
]


def test_words_and_the_last_word():
    assert read(words("При"), words("вет"), words("!", role=None), done()) == [
        STARTED,
        PartStarted(0, PartKind.TEXT),
        Delta(0, "При"),
        Delta(0, "вет"),
        Delta(0, "!"),
        *END,
    ]


def test_what_comes_after_the_last_word_is_passed_over():
    assert read(words("A"), done(), words("B"), Frame(b"", b"[DONE]")) == read(words("A"), done())


def test_unnamed_events_are_read_by_what_they_hold():
    unnamed = [Frame(b"", each.data) for each in (words("A"), words("B"), done())]
    assert read(*unnamed) == read(words("A"), words("B"), done())


def test_thoughts_are_a_part_of_their_own():
    events = read(
        words("hm", role="reasoning"), words(" so", role=None), words("A"), words("B"), done()
    )
    assert events[1:-3] == [
        PartStarted(0, PartKind.REASONING),
        Delta(0, "hm"),
        Delta(0, " so"),
        PartFinished(0),
        PartStarted(0, PartKind.TEXT),
        Delta(0, "A"),
        Delta(0, "B"),
    ]


def test_calls_in_one_delta_or_in_several_are_the_same():
    one = read(
        delta(call(id="a"), call("g", {"x": 1}, id="b"), tool_state_id=STATE),
        done("function_call"),
    )
    several = read(
        delta(call(id="a"), tool_state_id=STATE),
        delta(call("g", {"x": 1}, id="b"), tool_state_id=STATE),
        done("function_call"),
    )
    assert one == several
    starts = [event for event in one if isinstance(event, PartStarted)]
    assert [(each.call_name, origin_of(each.call_id)) for each in starts] == [
        ("f", CallOrigin(STATE, "a", 0)),
        ("g", CallOrigin(STATE, "b", 1)),
    ]
    assert one[-2] == ChoiceFinished(0, StopReason.TOOL_CALL)


@pytest.mark.parametrize(
    "frames",
    [
        [delta(call()), done("function_call", tools_state_id=STATE)],
        [delta(call()), delta(tool_state_id=STATE), done("function_call")],
        [frame(b"response.tool.completed", tools_state_id=STATE), delta(call()), done()],
    ],
)
def test_a_state_that_comes_apart_from_its_call_is_waited_for(frames):
    (start,) = [event for event in read(*frames) if isinstance(event, PartStarted)]
    assert start.call_id == call_id(CallOrigin(STATE, "", 0))


def test_a_call_whose_state_never_comes_has_an_id_that_carries_none():
    events = read(words("A"), delta(call()), done("function_call"))
    start = next(e for e in events if isinstance(e, PartStarted) and e.kind is PartKind.TOOL_CALL)
    assert start.call_id
    assert origin_of(start.call_id) is None


def test_tools_that_gigachat_runs_itself_are_passed_over():
    running = frame(b"response.tool.in_progress", tool_execution={"name": "web_search"})
    named_oddly = frame(b"response.tool.web_search.searching")
    inside = delta({"tool_execution": {"name": "web_search", "status": "completed"}})
    events = read(running, named_oddly, inside, words("A"), done())
    assert events == read(words("A"), done())


def test_a_tools_event_may_bring_what_the_tool_made():
    file = {"id": "i-1", "mime": "image/jpeg", "target": "image"}
    message = {"role": "assistant", "content": [{"files": [file]}]}
    events = read(frame(b"response.tool.completed", messages=[message]), done())
    assert texts(events) == '<img src="i-1" fuse="true"/>'


def test_unknown_events_are_passed_over():
    odd = [Frame(b"response.created", b"not json"), Frame(b"ping", b"{}"), Frame(b"x", b"[1]")]
    assert read(*odd, words("A"), odd[0], done()) == read(words("A"), done())


def test_pages_are_cited_at_the_end():
    sources = {"1": {"url": "https://a.example/", "title": "A"}}
    events = read(
        words("Yes [sour"),
        words("ces=[1]]."),
        delta({"text": "", "inline_data": {"sources": sources}}),
        done(),
        written=CITING,
    )
    assert texts(events) == "Yes [1].\n\nSources:\n- [1] [A](https://a.example/)"
    citation = Citation("https://a.example/", "A", 4, 7)
    assert events[-2] == ChoiceFinished(0, StopReason.END, {}, (citation,))


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("stop", StopReason.END),
        ("length", StopReason.MAX_TOKENS),
        ("blacklist", StopReason.FILTERED),
    ],
)
def test_how_an_answer_ends(word, reason):
    assert read(words("A"), done(word))[-2] == ChoiceFinished(0, reason)
    early = frame(DELTA, messages=[{"content": [{"text": "A"}], "finish_reason": word}])
    assert read(early, frame(DONE))[-2] == ChoiceFinished(0, reason)


def test_an_answer_may_be_empty():
    assert read(done()) == [STARTED, *END[1:]]


def test_a_structured_answer_is_a_text():
    written = WrittenRequest(body=[], fidelity=Fidelity(), tool_names={}, json_tool="json_output")
    frames = [delta(call("json_output", {"a": 1})), done("function_call")]
    events = read(*frames, written=written)
    assert events[1:3] == [PartStarted(0, PartKind.TEXT), Delta(0, '{"a":1}')]
    assert events[-2] == ChoiceFinished(0, StopReason.END)


def test_words_beside_a_structured_answer_are_kept_back():
    written = WrittenRequest(body=[], fidelity=Fidelity(), tool_names={}, json_tool="json_output")
    form = delta(call("json_output", {"a": 1}))
    assert texts(read(words("Here: "), form, words("."), done(), written=written)) == '{"a":1}'
    assert texts(read(words("No "), words("form."), done(), written=written)) == "No form."
    both = read(words("First."), delta(call(), tool_state_id=STATE), done(), written=written)
    assert texts(both) == "First.{}"


def test_thoughts_in_tags_are_told_from_the_answer():
    events = read(words("<thi"), words("nk>hm</th"), words("ink>A"), words("B"), done())
    assert events[1:-3] == [
        PartStarted(0, PartKind.REASONING),
        Delta(0, "hm"),
        PartFinished(0),
        PartStarted(0, PartKind.TEXT),
        Delta(0, "A"),
        Delta(0, "B"),
    ]


BROKEN = [
    ([], UpstreamUnavailable),
    ([words("A")], UpstreamUnavailable),
    ([words("A"), Frame(b"", b"[DONE]")], UpstreamUnavailable),
    ([delta(call(), tool_state_id=STATE)], UpstreamUnavailable),
    ([words("A"), Frame(DELTA, b'{"messages":[')], UpstreamBroken),
    ([words("A"), Frame(b"", b"\xff")], UpstreamBroken),
    ([words("A"), done(None)], UpstreamBroken),
    ([words("A"), done("error")], UpstreamBroken),
    ([words("A"), Frame(b"error", b'{"status":500,"message":"x"}')], UpstreamUnavailable),
    ([words("A"), Frame(b"response.failed", b"no json")], UpstreamBroken),
    (
        [words("A"), Frame(b"response.error", b'{"error":{"status":422,"message":"x"}}')],
        UpstreamRefused,
    ),
    ([Frame(DELTA, b'{"status":422,"message":"x"}')], UpstreamRefused),
]


@pytest.mark.parametrize(("frames", "kind"), BROKEN)
def test_what_ends_badly_is_told_once(frames, kind):
    events = read(*frames)
    assert [type(event) for event in events].count(Failed) == 1
    assert isinstance(events[-1], Failed)
    assert isinstance(events[-1].error, kind)


STREAM = b"".join(
    b"event: %b\ndata: %b\n\n" % (each.event, each.data)
    for each in (
        words("Ищу", role="reasoning"),
        frame(b"response.tool.in_progress", tool_execution={"name": "web_search"}),
        words("Привет 🌍 [sources=[1]]"),
        delta(
            {"text": "!", "inline_data": {"sources": {"1": {"url": "https://a.b", "title": "A"}}}}
        ),
        delta(call("f", {"город": "Омск"}), call("g"), tool_state_id=STATE),
        done("function_call"),
    )
)


def test_however_the_bytes_arrive_they_say_the_same():
    outcomes = []
    for _, blocks in every_way(STREAM, seeds=range(20)):
        decoder, reader = UPSTREAM.framing(), UPSTREAM.stream_reader(CITING)
        events = [e for b in blocks for f in [decoder.feed(b)] if f for e in reader.read_all(f)]
        events += [e for f in decoder.close() for e in reader.read(f.data, f.event)]
        outcomes.append([*events, *reader.close()])
    grammar = Grammar()
    assert all(grammar.accepts(event) for event in outcomes[0])
    assert grammar.over
    assert all(outcome == outcomes[0] for outcome in outcomes)
    assert isinstance(outcomes[0][-1], Finished)


PARTS = st.one_of(
    st.builds(lambda text: {"text": text}, st.text(max_size=4)),
    st.builds(call, st.sampled_from("fg"), st.just({"x": 1}), id=st.sampled_from(["", "a", "b"])),
    st.just({"files": [{"id": "i", "mime": "image/png"}]}),
    st.just({"tool_execution": {"name": "web_search"}}),
)
MESSAGES = st.builds(
    lambda role, parts: {"role": role, "content": parts, "tool_state_id": STATE},
    st.sampled_from(["assistant", "reasoning", "tool"]),
    st.lists(PARTS, max_size=3),
)


@given(st.lists(MESSAGES, max_size=5), st.sampled_from(["stop", "length", "function_call"]))
def test_a_stream_folds_into_the_whole_answer(messages, finish):
    """A message an event says what all messages in one body say."""
    body = {"created_at": 7, "model": "m", "finish_reason": finish, "usage": USAGE}
    whole = UPSTREAM.read_response(json.dumps({**body, "messages": messages}).encode(), PLAIN)
    frames = [frame(DELTA, model="m", messages=[message]) for message in messages]
    folded = fold(read(*frames, frame(DONE, **body)))
    assert folded.usage == whole.usage
    if messages:
        assert folded.choices[0].reason is whole.choices[0].reason
        assert folded.choices[0].parts == whole.choices[0].parts


NAMES = st.sampled_from([DELTA, DONE, b"", b"error", b"response.tool.completed", b"x"])
BODIES = st.sampled_from(
    [
        words("A").data,
        words("B", role="reasoning").data,
        delta(call(), tool_state_id=STATE).data,
        delta(call(id="a")).data,
        done().data,
        done("error").data,
        b"{}",
        b"[]",
        b"",
        b'{"messages":null}',
        b'{"messages":[{}]}',
        b'{"messages":[{"content":null,"role":null}]}',
        b'{"error":"x"}',
        b"[DONE]",
        b"\xff",
    ]
)


@given(st.lists(st.tuples(NAMES, BODIES), max_size=8), st.booleans())
def test_whatever_comes_the_grammar_holds(frames, cites):
    grammar = Grammar()
    events = read(*(Frame(*each) for each in frames), written=CITING if cites else PLAIN)
    assert all(grammar.accepts(event) for event in events), events
    assert grammar.over
