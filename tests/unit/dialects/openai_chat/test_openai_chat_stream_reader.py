"""Streams of upstreams, tidy and untidy."""

import json

import pytest

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
    Finished,
    PartFinished,
    PartKind,
    PartStarted,
    Started,
    StopReason,
)
from dragoman.canonical.usage import Usage
from dragoman.dialects.openai_chat import UPSTREAM
from support.openai_chat_streams import call, chunk, read_stream, said, sse

STOP = (0, {}, "stop")


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
        call(0, "a", "f"),
        call(0, arguments='{"x"'),
        call(0, arguments=":1}"),
        call(1, "b", "g"),
        call(1, arguments="{}"),
    ],
    "mixed": [
        call(0, "a", "f"),
        call(1, "b", "g"),
        call(0, arguments='{"x"'),
        call(1, arguments="{"),
        call(0, arguments=":1}"),
        call(1, arguments="}"),
    ],
    "by id alone, the index always 0": [call(0, "a", "f", '{"x":1}'), call(0, "b", "g", "{}")],
    "without an index": [call(None, "a", "f", '{"x":1}'), call(None, "b", "g", "{}")],
    "the id in every fragment": [
        call(0, "a", "f"),
        call(0, "a", "f", '{"x":1}'),
        call(1, "b", "g", "{}"),
    ],
    "a fresh id in every fragment": [
        call(0, "a", "f"),
        call(0, "z1", None, '{"x":1}'),
        call(1, "b", "g"),
        call(1, "z2", None, "{}"),
    ],
    "the name later than the id": [
        call(0, "a"),
        call(0, None, "f"),
        call(0, arguments='{"x":1}'),
        call(1, "b", "g", "{}"),
    ],
}


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
        [call(0, "0", "f", "{}"), call(1, "1", "f", "{}")],
    ],
)
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
