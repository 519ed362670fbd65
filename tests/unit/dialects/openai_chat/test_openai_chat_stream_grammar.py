"""Wild streams: the grammar holds whatever an upstream sends."""

from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.canonical.events import (
    Failed,
    Finished,
    Grammar,
)
from dragoman.canonical.fold import fold
from dragoman.dialects.openai_chat import UPSTREAM
from support.openai_chat_streams import read_stream, sse
from support.splits import every_way

texts = st.sampled_from(["", "a", "{", "}", '{"x":1}', " "])
maybe = st.none() | st.sampled_from(["", "a", "b", "call_0"])
functions = st.fixed_dictionaries(
    {}, optional={"name": maybe, "arguments": texts | st.none() | st.just({"x": 1})}
)
wild_calls = st.fixed_dictionaries(
    {},
    optional={
        "index": st.none() | st.integers(0, 2),
        "id": maybe | st.integers(0, 3),
        "function": st.none() | functions,
        "custom": st.none() | st.fixed_dictionaries({}, optional={"name": maybe, "input": texts}),
    },
)
contents = st.one_of(
    st.none(),
    texts,
    st.just({"a": 1}),
    st.lists(
        texts
        | st.fixed_dictionaries(
            {"type": st.sampled_from(["text", "thinking", "odd"])},
            optional={"text": texts, "thinking": texts},
        ),
        max_size=2,
    ),
)
deltas = st.fixed_dictionaries(
    {},
    optional={
        "content": contents,
        "reasoning": st.none() | texts | st.just({"text": "t"}),
        "reasoning_content": st.none() | texts,
        "reasoning_details": st.none() | st.just([{"text": "t"}]),
        "refusal": st.none() | texts,
        "tool_calls": st.none() | st.lists(wild_calls, max_size=2),
        "function_call": st.none() | functions,
        "images": st.none() | st.just([{"image_url": {"url": "u"}}]),
    },
)
wild_choices = st.fixed_dictionaries(
    {},
    optional={
        "index": st.none() | st.integers(0, 1),
        "delta": st.none() | deltas,
        "finish_reason": st.sampled_from([None, None, None, "", "stop", "tool_calls", "error"]),
    },
)
wild_chunks = st.one_of(
    st.fixed_dictionaries({"choices": st.lists(wild_choices, max_size=2)}),
    st.just({"usage": {"prompt_tokens": 1, "completion_tokens": 1}, "choices": []}),
    st.sampled_from([{}, {"error": None}, {"error": {"message": "x"}}, "data: {"]),
)


@settings(max_examples=100)
@given(st.lists(wild_chunks, max_size=8), st.booleans(), st.sampled_from(["\n\n", "\r\n\r\n"]))
def test_the_grammar_is_kept_whatever_the_upstream_sends(chunks, done, end):
    data = sse(*chunks, done=done, end=end)
    expected = read_stream([data])
    if isinstance(expected[-1], Finished):
        fold(expected)
    for name, blocks in every_way(data, seeds=(1,)):
        again = read_stream(blocks)
        assert [type(event) for event in again] == [type(event) for event in expected], name
        assert [e for e in again if not isinstance(e, Failed)] == [
            e for e in expected if not isinstance(e, Failed)
        ], name


@given(st.lists(st.binary(max_size=20) | st.just(b'{"choices":[{"delta":{"content":"a"}}]}')))
def test_garbage_never_raises(frames):
    reader = UPSTREAM.stream_reader(None)
    grammar = Grammar()
    events = [event for data in frames for event in reader.read(data)] + reader.close()
    assert all(grammar.accepts(event) for event in events)
    assert grammar.over
