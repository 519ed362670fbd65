"""Streams of upstreams, tidy and untidy."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.openai_chat_streams import chunk, read_stream, sse
from support.splits import every_way

from dragoman.canonical.conversation import (
    CallKind,
    Media,
    Native,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
)
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
from dragoman.canonical.fold import fold
from dragoman.canonical.usage import Usage
from dragoman.dialects.openai_chat import UPSTREAM
from dragoman.errors import (
    UpstreamBroken,
    UpstreamRateLimited,
    UpstreamRefused,
    UpstreamUnavailable,
)

STOP = (0, {}, "stop")


def answer(*chunks, **options):
    return fold(read_stream([sse(*chunks, **options)]))


def said(*chunks, **options):
    (choice,) = answer(*chunks, **options).choices
    return choice.parts


def failure(*chunks, **options):
    last = read_stream([sse(*chunks, **options)])[-1]
    assert isinstance(last, Failed)
    return last.error


def call(index, call_id=None, name=None, arguments="", **members):
    body = {"index": index, **members}
    if call_id is not None:
        body["id"] = call_id
    body["function"] = {"arguments": arguments, **({"name": name} if name else {})}
    return {"tool_calls": [body]}


def test_a_plain_stream_is_read_event_by_event():
    events = read_stream(
        [
            sse(
                chunk({"role": "assistant", "content": ""}),
                chunk({"content": "Hel"}),
                chunk({"content": "lo"}),
                chunk(STOP),
                chunk(usage={"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}),
            )
        ]
    )
    assert events == [
        Started("up-1", "up", 5),
        PartStarted(0, PartKind.TEXT),
        Delta(0, "Hel"),
        Delta(0, "lo"),
        PartFinished(0),
        ChoiceFinished(0, StopReason.END),
        Finished(Usage(input=3, output=2)),
    ]


PARALLEL = {
    "in one piece": [call(0, "a", "f", '{"x":1}'), call(1, "b", "g", "{}")],
    "one after the other": [
        call(0, "a", "f"), call(0, arguments='{"x"'), call(0, arguments=":1}"),
        call(1, "b", "g"), call(1, arguments="{}"),
    ],
    "mixed": [
        call(0, "a", "f"), call(1, "b", "g"), call(0, arguments='{"x"'),
        call(1, arguments="{"), call(0, arguments=":1}"), call(1, arguments="}"),
    ],
    "by id alone, the index always 0": [call(0, "a", "f", '{"x":1}'), call(0, "b", "g", "{}")],
    "without an index": [call(None, "a", "f", '{"x":1}'), call(None, "b", "g", "{}")],
    "the id in every fragment": [
        call(0, "a", "f"), call(0, "a", "f", '{"x":1}'), call(1, "b", "g", "{}"),
    ],
    "a fresh id in every fragment": [
        call(0, "a", "f"), call(0, "z1", None, '{"x":1}'), call(1, "b", "g"), call(1, "z2", None, "{}"),
    ],
    "the name later than the id": [
        call(0, "a"), call(0, None, "f"), call(0, arguments='{"x":1}'), call(1, "b", "g", "{}"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("case", PARALLEL)
def test_parallel_calls_are_untangled(case):
    parts = said(*(chunk(delta) for delta in PARALLEL[case]), chunk((0, {}, "tool_calls")))
    assert parts == (ToolCall("a", "f", '{"x":1}'), ToolCall("b", "g", "{}"))


def test_the_first_call_is_not_held_back():
    reader = UPSTREAM.stream_reader(None)
    reader.read(json.dumps(chunk(call(0, "a", "f"))).encode())
    reader.read(json.dumps(chunk(call(1, "b", "g"))).encode())
    assert reader.read(json.dumps(chunk(call(0, arguments="{"))).encode()) == [Delta(0, "{")]
    assert reader.read(json.dumps(chunk(call(1, arguments="{"))).encode()) == []


def test_text_between_fragments_of_a_call_follows_it():
    parts = said(
        chunk(call(0, "a", "f", "{")),
        chunk({"content": "words"}),
        chunk(call(0, arguments="}")),
        chunk((0, {}, "tool_calls")),
    )
    assert parts == (ToolCall("a", "f", "{}"), Text("words"))


@pytest.mark.parametrize(
    "deltas",
    [
        [call(0, None, "f", "{}"), call(1, None, "f", "{}")],
        [call(0, "", "f", "{}"), call(0, "", "f", "{}")],
        [call(0, "call_0", "f", "{}"), call(1, "call_1", "f", "{}")],
        [call(0, "0", "f", "{}"), call(1, "0", "f", "{}")] and [call(0, "0", "f"), call(1, "1", "f")],
    ],
)  # fmt: skip
def test_ids_that_are_missing_or_reused_are_made_from_the_answers_id(deltas):
    chunks = [chunk(delta) for delta in deltas]
    ids = [part.id for part in said(*chunks, chunk(STOP))]
    assert ids == [part.id for part in said(*chunks, chunk(STOP))]
    assert len(set(ids)) == 2
    assert all(found.startswith("call_") and len(found) == 29 for found in ids)
    other = [{**body, "id": "up-2"} for body in chunks]
    assert not set(ids) & {part.id for part in said(*other, chunk(STOP))}


def test_arguments_given_as_an_object_become_their_text():
    body = {"index": 0, "id": "a", "function": {"name": "f", "arguments": {"x": 1.50}}}
    raw = json.dumps(chunk({"tool_calls": [body]})).replace("1.5", "1.50")
    assert said(f"data: {raw}", chunk(STOP)) == (ToolCall("a", "f", '{"x": 1.50}'),)


def test_a_custom_call_is_read():
    start = {"index": 0, "id": "a", "type": "custom", "custom": {"name": "p", "input": ""}}
    more = {"index": 0, "custom": {"input": "*** x"}}
    parts = said(chunk({"tool_calls": [start]}), chunk({"tool_calls": [more]}), chunk(STOP))
    assert parts == (ToolCall("a", "p", "*** x", CallKind.CUSTOM),)


def test_a_deprecated_call_is_read():
    parts = said(
        chunk({"function_call": {"name": "f", "arguments": ""}}),
        chunk({"function_call": {"arguments": "{}"}}),
        chunk((0, {}, "function_call")),
    )
    assert [(part.name, part.arguments) for part in parts] == [("f", "{}")]


def test_the_signature_of_a_call_is_kept():
    (part,) = said(chunk(call(0, "a", "f", "{}", extra_content={"s": 1})), chunk(STOP))
    assert bytes(part.extras["openai_chat"]["extra_content"]) == b'{"s": 1}'


THOUGHTS = [
    ([{"reasoning_content": "a"}, {"reasoning_content": "b"}], "ab"),
    ([{"reasoning": "a"}, {"reasoning": "b"}], "ab"),
    ([{"reasoning": {"text": "a"}}], "a"),
    ([{"reasoning_content": "a", "reasoning": "a"}], "a"),
    ([{"reasoning": "a", "reasoning_details": [{"type": "reasoning.text", "text": "a"}]}], "a"),
    ([{"reasoning_details": [{"type": "reasoning.text", "text": "a"}]}], "a"),
    ([{"reasoning_details": [{"type": "reasoning.summary", "summary": "a"}]}], "a"),
    ([{"reasoning_details": [{"type": "reasoning.encrypted", "data": "x"}]}], ""),
    ([{"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "a"}]}]}], "a"),
    ([{"content": [{"type": "thinking", "thinking": "a"}]}], "a"),
]


@pytest.mark.parametrize(("deltas", "thought"), THOUGHTS)
def test_thoughts_are_read_under_all_their_names(deltas, thought):
    parts = said(*(chunk(delta) for delta in deltas), chunk({"content": "w"}), chunk(STOP))
    assert isinstance(parts[0], Reasoning)
    assert parts[0].text == thought
    assert parts[1] == Text("w")


def test_details_that_repeat_the_thoughts_do_not_double_them():
    detail = {"type": "reasoning.text", "text": "ab", "signature": "s"}
    (part, _) = said(
        chunk({"reasoning": "ab"}),
        chunk({"reasoning_details": [detail]}),
        chunk({"content": "w"}),
        chunk(STOP),
    )
    assert part.text == "ab"
    (kept,) = part.extras["openai_chat"]["reasoning_details"]
    assert json.loads(bytes(kept)) == detail


def test_content_as_a_list_of_parts_is_read():
    content = [{"type": "text", "text": "a"}, {"type": "reference", "ids": [1]}, "b"]
    parts = said(chunk({"content": content}), chunk(STOP))
    assert parts[0] == Text("a")
    assert isinstance(parts[1], Native)
    assert parts[2] == Text("b")


def test_pictures_and_refusals_are_read():
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}
    parts = said(chunk({"images": [image]}), chunk({"refusal": "no"}), chunk(STOP))
    assert isinstance(parts[0], Media)
    assert parts[0].data == "QUJD"
    assert parts[1] == Refusal("no")


def test_token_probabilities_stay_with_their_text():
    first = chunk({"content": "a"})
    first["choices"][0]["logprobs"] = {"content": [{"token": "a"}], "refusal": None}
    second = chunk({"content": "b"})
    second["choices"][0]["logprobs"] = {"content": [{"token": "b"}]}
    (part,) = said(first, second, chunk(STOP))
    tokens = part.extras["openai_chat"]["logprobs"]
    assert [json.loads(bytes(token))["token"] for token in tokens] == ["a", "b"]


REASONS = [
    ("stop", False, StopReason.END),
    ("length", False, StopReason.MAX_TOKENS),
    ("model_length", False, StopReason.MAX_TOKENS),
    ("content_filter", False, StopReason.FILTERED),
    ("tool_calls", False, StopReason.END),
    ("eos", False, StopReason.END),
    (7, False, StopReason.END),
    ("stop", True, StopReason.TOOL_CALL),
    ("tool_calls", True, StopReason.TOOL_CALL),
    ("function_call", True, StopReason.TOOL_CALL),
    ("odd", True, StopReason.TOOL_CALL),
    ("length", True, StopReason.MAX_TOKENS),
    ("content_filter", True, StopReason.FILTERED),
]


@pytest.mark.parametrize(("word", "called", "reason"), REASONS)
def test_the_reason_follows_what_the_model_did(word, called, reason):
    delta = call(0, "a", "f", "{}") if called else {"content": "x"}
    (choice,) = answer(chunk(delta), chunk((0, {}, word))).choices
    assert choice.reason is reason


def test_an_empty_reason_is_none():
    parts = said(chunk((0, {"content": "a"}, "")), chunk((0, {"content": "b"}, "stop")))
    assert parts == (Text("ab"),)


def test_what_follows_the_end_of_a_choice_is_passed_over():
    parts = said(chunk((0, {"content": "a"}, "stop")), chunk((0, {"content": "b"}, "length")))
    assert parts == (Text("a"),)


def test_several_choices_are_kept_apart():
    response = answer(
        chunk((0, {"content": "a"}, None), (1, {"content": "b"}, None)),
        chunk((1, {"content": "d"}, "length")),
        chunk((0, {"content": "c"}, "stop")),
    )
    assert [(c.index, c.parts, c.reason) for c in response.choices] == [
        (0, (Text("ac"),), StopReason.END),
        (1, (Text("bd"),), StopReason.MAX_TOKENS),
    ]


USAGES = [
    ({"prompt_tokens": 10, "completion_tokens": 2}, Usage(input=10, output=2)),
    (
        {
            "prompt_tokens": 10,
            "completion_tokens": 5,
            "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 1},
            "completion_tokens_details": {"reasoning_tokens": 3},
        },
        Usage(input=5, output=5, cache_read=4, cache_write=1, reasoning=3),
    ),
    (
        {"prompt_tokens": 10, "completion_tokens": 2, "prompt_cache_hit_tokens": 6},
        Usage(input=4, output=2, cache_read=6),
    ),
    (
        {
            "prompt_tokens": 10,
            "completion_tokens": 2,
            "total_tokens": 19,
            "completion_tokens_details": {"reasoning_tokens": 7},
        },
        Usage(input=10, output=9, reasoning=7),
    ),
    (
        {"prompt_tokens": 1, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 5}},
        Usage(output=2, cache_read=5),
    ),
    ({"prompt_tokens": 10.0, "completion_tokens": None}, Usage(input=10)),
    ({"prompt_tokens": "many"}, None),
    ({}, None),
]


@pytest.mark.parametrize(("counts", "usage"), USAGES)
def test_counts_are_read_wherever_they_are(counts, usage):
    assert answer(chunk(STOP), chunk(usage=counts)).usage == usage
    assert answer({**chunk(STOP), "usage": counts}).usage == usage
    assert answer(chunk(STOP), chunk(x_groq={"usage": counts})).usage == usage


def test_the_last_counts_win():
    early = {"prompt_tokens": 1, "completion_tokens": 1}
    late = {"prompt_tokens": 1, "completion_tokens": 9}
    chunks = [{**chunk({"content": "a"}), "usage": early}, {**chunk(STOP), "usage": late}]
    assert answer(*chunks, chunk(usage=None)).usage == Usage(input=1, output=9)


def test_a_first_chunk_without_choices_does_not_name_the_answer():
    first = {"id": "", "model": "", "created": 0, "choices": [], "prompt_filter_results": []}
    response = answer(first, chunk({"content": "a"}), chunk(STOP))
    assert (response.id, response.model) == ("up-1", "up")


def test_what_has_no_canonical_form_is_kept_with_the_answer():
    response = answer(chunk({"content": "a"}, service_tier="flex", obfuscation="x"), chunk(STOP))
    assert {k: bytes(v) for k, v in response.extras["openai_chat"].items()} == {
        "service_tier": b'"flex"'
    }


def test_a_server_that_never_says_done_has_finished():
    assert said(chunk({"content": "a"}), chunk(STOP), done=False) == (Text("a"),)


def test_done_alone_ends_an_answer_too():
    response = answer(chunk({"content": "a"}))
    assert response.choices[0].reason is StopReason.END


BROKEN = [
    (["data: {"], UpstreamBroken),
    (["data: 5"], UpstreamBroken),
    (["data: <html>"], UpstreamBroken),
    (["data: \udcff".encode("utf-8", "surrogateescape").decode("latin-1")], UpstreamBroken),
    ([chunk((0, {"content": 5}, None))], UpstreamBroken),
    ([chunk({"content": "a"}), chunk((0, {}, "error"))], UpstreamBroken),
    ([chunk(call(0, "a", "f", "{}")), chunk(call(1, "b", "g")), chunk(call(0, arguments="x"))], UpstreamBroken),
    ([], UpstreamBroken),
    ([chunk()], UpstreamBroken),
    ([{"error": {"message": "slow down", "code": "rate_limit_exceeded"}}], UpstreamRateLimited),
    ([chunk({"content": "a"}), {"error": {"message": "x", "code": 429}}], UpstreamRateLimited),
    ([{"error": "gone"}], UpstreamUnavailable),
    ([{"object": "error", "message": "x", "type": "server_error"}], UpstreamUnavailable),
    ([chunk({"content": "a"}), {"error": {"type": "invalid_request_error"}}], UpstreamRefused),
    ([chunk({"content": "a"}), 'event: error\ndata: {"message":"x"}'], UpstreamUnavailable),
    (["event: error\ndata: gone"], UpstreamUnavailable),
]  # fmt: skip


@pytest.mark.parametrize(("chunks", "kind"), BROKEN, ids=[str(case[0])[:60] for case in BROKEN])
def test_an_error_or_garbage_ends_in_a_failure(chunks, kind):
    assert isinstance(failure(*chunks), kind)


@pytest.mark.parametrize("chunks", [[], [chunk({"content": "a"})], [chunk(STOP, (1, {}, None))]])
def test_a_stream_that_merely_stops_has_failed(chunks):
    assert isinstance(failure(*chunks, done=False), UpstreamUnavailable)


def test_nothing_is_read_after_the_end():
    reader = UPSTREAM.stream_reader(None)
    reader.read(json.dumps(chunk((0, {"content": "a"}, "stop"))).encode())
    assert isinstance(reader.read(b"[DONE]")[-1], Finished)
    assert reader.read(json.dumps(chunk({"content": "b"})).encode()) == []
    assert reader.close() == []


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
        | st.fixed_dictionaries({"type": st.sampled_from(["text", "thinking", "odd"])}, optional={"text": texts, "thinking": texts}),
        max_size=2,
    ),
)  # fmt: skip
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


@settings(max_examples=200)
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
