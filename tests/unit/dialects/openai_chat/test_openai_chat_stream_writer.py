"""Streams for callers."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw, structs
from openai.types.chat import ChatCompletionChunk

from dragoman.canonical.conversation import (
    CallKind,
    Media,
    MediaKind,
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
    PartFinished,
    PartKind,
    PartStarted,
    Started,
    StopReason,
)
from dragoman.canonical.fold import fold, unfold
from dragoman.canonical.response import ChatResponse, Choice
from dragoman.canonical.usage import Usage
from dragoman.errors import UpstreamTimeout
from support.canonical_strategies import streams
from support.openai_chat_streams import (
    SdkReading,
    chunks_of,
    client_request,
    frames_of,
    read_stream,
    streamed_request,
    write_stream,
)

STARTED = Started("up", "real-model", 5)
LEGACY = {"functions": [{"name": "f"}]}


def answer(*parts, reason=StopReason.END, usage=None, extras=None):
    choice = Choice(0, parts, reason, *([{"openai_chat": extras}] if extras else []))
    return unfold(ChatResponse("up", "real-model", 5, (choice,), usage))


def deltas(events, **options):
    return [
        chunk["choices"][0]["delta"]
        for chunk in chunks_of(write_stream(events, streamed_request(**options)))
        if chunk["choices"]
    ]


def last_reason(events, **options):
    chunks = chunks_of(write_stream(events, streamed_request(**options)))
    reasons = [c["choices"][0]["finish_reason"] for c in chunks if c["choices"]]
    assert reasons[:-1] == [None] * (len(reasons) - 1)
    return reasons[-1]


def test_a_plain_stream_byte_for_byte():
    data = write_stream(answer(Text("Hi"), usage=Usage(input=3, output=1)))
    head = (
        b'data: {"id":"chatcmpl-ours","object":"chat.completion.chunk","created":1767225600,'
        b'"model":"asked","service_tier":null,"system_fingerprint":null,"choices":['
    )
    tail = b',"usage":null}\n\n'
    assert data == b"".join(
        [
            head
            + b'{"index":0,"delta":{"role":"assistant","content":"","refusal":null},'
            + b'"logprobs":null,"finish_reason":null}]'
            + tail,
            head
            + b'{"index":0,"delta":{"content":"Hi"},"logprobs":null,"finish_reason":null}]'
            + tail,
            head + b'{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]' + tail,
            head
            + b'],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4,'
            + b'"prompt_tokens_details":{"cached_tokens":0,"cache_write_tokens":0,'
            + b'"audio_tokens":0},'
            + b'"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,'
            + b'"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}}\n\n',
            b"data: [DONE]\n\n",
        ]
    )


def test_without_being_asked_no_chunk_speaks_of_usage():
    data = write_stream(answer(Text("a"), usage=Usage(input=1)), streamed_request(usage=False))
    assert b"usage" not in data
    assert all(chunk["choices"] for chunk in chunks_of(data))
    assert frames_of(data)[-1] == b"[DONE]"


def test_calls_are_numbered_over_the_whole_choice_and_named_once():
    events = answer(
        Text("w"), ToolCall("a", "f", '{"x":1}'), Text("v"), ToolCall("b", "g", ""), usage=None
    )
    calls = [d["tool_calls"][0] for d in deltas(events) if "tool_calls" in d]
    assert calls == [
        {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": ""}},
        {"index": 0, "function": {"arguments": '{"x":1}'}},
        {"index": 1, "id": "b", "type": "function", "function": {"name": "g", "arguments": ""}},
        {"index": 1, "function": {"arguments": "{}"}},
    ]


def test_a_call_that_comes_first_is_introduced_without_content():
    assert deltas(answer(ToolCall("a", "f", "{}")))[0] == {
        "role": "assistant",
        "content": None,
        "refusal": None,
    }


def test_a_custom_call_has_its_own_spelling():
    call = ToolCall("a", "p", "*** x", CallKind.CUSTOM)
    assert [d["tool_calls"][0] for d in deltas(answer(call)) if "tool_calls" in d] == [
        {"index": 0, "id": "a", "type": "custom", "custom": {"name": "p", "input": ""}},
        {"index": 0, "custom": {"input": "*** x"}},
    ]


def test_the_deprecated_spelling_has_room_for_one_call():
    events = answer(ToolCall("a", "f", "{}"), ToolCall("b", "g", "{}"))
    assert deltas(events, **LEGACY)[1:-1] == [
        {"function_call": {"name": "f", "arguments": ""}},
        {"function_call": {"arguments": "{}"}},
    ]
    assert last_reason(events, **LEGACY) == "function_call"


def test_extras_of_a_call_go_with_it():
    extras = {"openai_chat": {"extra_content": Raw(b'{"s":1}')}}
    (start, *_) = [
        d["tool_calls"][0]
        for d in deltas(answer(ToolCall("a", "f", "{}", extras=extras)))
        if "tool_calls" in d
    ]
    assert start["extra_content"] == {"s": 1}


REASONS = [
    (StopReason.END, (), "stop"),
    (StopReason.STOP_SEQUENCE, (), "stop"),
    (StopReason.MAX_TOKENS, (), "length"),
    (StopReason.CONTEXT_WINDOW, (), "length"),
    (StopReason.FILTERED, (), "content_filter"),
    (StopReason.PAUSE, (), "stop"),
    (StopReason.REFUSAL, (), "content_filter"),
    (StopReason.REFUSAL, (Refusal("no"),), "stop"),
    (StopReason.TOOL_CALL, (), "stop"),
    (StopReason.TOOL_CALL, (ToolCall("a", "f", "{}"),), "tool_calls"),
    (StopReason.END, (ToolCall("a", "f", "{}"),), "tool_calls"),
    (StopReason.MAX_TOKENS, (ToolCall("a", "f", "{"),), "length"),
    (StopReason.FILTERED, (ToolCall("a", "f", "{"),), "content_filter"),
]


@pytest.mark.parametrize(("reason", "parts", "word"), REASONS)
def test_the_finish_reason_tells_of_calls(reason, parts, word):
    assert last_reason(answer(*parts, reason=reason)) == word


def test_reasoning_refusals_and_pictures_have_their_members():
    image = Media(kind=MediaKind.IMAGE, media_type="image/png", data="QUJD")
    written = deltas(answer(Reasoning("r"), image, Refusal("no")))[1:-1]
    assert written == [
        {"reasoning_content": "r"},
        {"images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}]},
        {"refusal": "no"},
    ]


def test_what_belongs_to_another_dialect_is_not_said():
    events = answer(Native("gemini", "odd", Raw(b"{}")), Text("a"))
    assert deltas(events)[1:-1] == [{"content": "a"}]


def test_probabilities_and_annotations_are_written():
    text = Text("a", {"openai_chat": {"logprobs": [Raw(b'{"token":"a"}')]}})
    events = answer(text, extras={"annotations": [{"x": 1}], "refusal_logprobs": [{"token": "n"}]})
    choices = [c["choices"][0] for c in chunks_of(write_stream(events)) if c["choices"]]
    assert choices[2]["logprobs"] == {"content": [{"token": "a"}], "refusal": None}
    assert choices[3]["delta"] == {"annotations": [{"x": 1}]}
    assert choices[4]["logprobs"] == {"content": None, "refusal": [{"token": "n"}]}


def test_probabilities_of_a_delta_go_with_it():
    mark = {"openai_chat": {"logprobs": [Raw(b'{"token":"a"}')]}}
    events = [STARTED, PartStarted(0, PartKind.TEXT), Delta(0, "a", mark), Delta(0, "", mark)]
    chunks = chunks_of(write_stream(events))
    assert [c["choices"][0]["delta"] for c in chunks[1:]] == [{"content": "a"}, {}]
    assert all(c["choices"][0]["logprobs"]["content"] for c in chunks[1:])


def test_members_of_the_upstreams_answer_stand_in_every_chunk():
    started = Started("up", "m", 5, {"openai_chat": {"service_tier": Raw(b'"flex"')}})
    events = [started, ChoiceFinished(0, StopReason.END), Finished(None)]
    assert {c["service_tier"] for c in chunks_of(write_stream(events))} == {"flex"}


def test_an_answer_without_words_still_has_a_role_and_an_end():
    events = [STARTED, ChoiceFinished(0, StopReason.END), Finished(None)]
    assert deltas(events) == [{"role": "assistant", "content": "", "refusal": None}, {}]


@pytest.mark.parametrize("before", [0, 2, 4])
def test_a_failure_is_told_and_ends_the_stream_without_done(before):
    events = [*answer(Text("a"))[:before], Failed(UpstreamTimeout("too late"))]
    data = write_stream(events)
    assert b"[DONE]" not in data
    assert json.loads(frames_of(data)[-1]) == {
        "error": {"message": "too late", "type": "server_error", "param": None, "code": "timeout"}
    }


def test_nothing_to_say_is_no_bytes():
    assert write_stream([STARTED]) == b""
    assert write_stream([]) == b""


def test_only_its_own_requests_are_taken():
    with pytest.raises(TypeError):
        write_stream([], request=object())


def normal(response, *, usage_known=True):
    """``response`` as it can come back: neighbours joined, nothing empty, our own ids."""
    choices = []
    for choice in response.choices:
        parts = []
        for part in choice.parts:
            match part:
                case Native():
                    continue
                case ToolCall() if part.kind is CallKind.FUNCTION and not part.arguments:
                    part = structs.replace(part, arguments="{}")  # noqa: PLW2901
                case Text(text="") | Reasoning(text="") | Refusal(text=""):
                    continue
                case _:
                    pass
            last = parts[-1] if parts else None
            if type(part) is type(last) and isinstance(part, Text | Reasoning | Refusal):
                parts[-1] = type(part)(last.text + part.text)
            elif isinstance(part, Media | Refusal):
                parts.append(part)
            else:
                parts.append(structs.replace(part, extras={}))
        choices.append((choice.index, parts))
    return choices, response.usage


@settings(max_examples=60)
@given(streams(), st.integers(1, 5), st.booleans())
def test_every_legal_stream_is_written_and_read_back_the_same(events, blocks, usage):
    data = write_stream(events, streamed_request(usage=usage), blocks)
    for frame in frames_of(data):
        if b'"choices"' in frame and b'"custom"' not in frame:  # which its models do not know
            ChatCompletionChunk.model_validate_json(frame)
    again = read_stream([data])
    if isinstance(events[-1], Failed):
        assert isinstance(again[-1], Failed)
        return
    choices, counts = normal(fold(again))
    expected, expected_counts = normal(fold(events))
    assert sorted(choices) == sorted(expected)
    assert counts == (expected_counts if usage else None)


def test_the_sdk_reads_what_is_written():
    events = answer(Text("Hi"), ToolCall("a", "f", '{"x":1}'), usage=Usage(input=3, output=1))
    reading = SdkReading(chunks_of(write_stream(events)))
    assert reading.texts == {0: "Hi"}
    assert reading.calls == {(0, 0): ["a", "f", '{"x":1}']}
    assert reading.reasons == {0: "tool_calls"}
    assert reading.usage.total_tokens == 4


def test_parts_of_mixed_choices_keep_their_places():
    events = [
        STARTED,
        PartStarted(0, PartKind.TEXT),
        PartStarted(1, PartKind.TOOL_CALL, "a", "f"),
        Delta(0, "x"),
        Delta(1, "{}"),
        PartFinished(1),
        Delta(0, "y"),
        PartFinished(0),
        ChoiceFinished(1, StopReason.TOOL_CALL),
        ChoiceFinished(0, StopReason.END),
        Finished(None),
    ]
    reading = SdkReading(chunks_of(write_stream(events, client_request(stream=True))))
    assert reading.texts == {0: "xy"}
    assert reading.calls == {(1, 0): ["a", "f", "{}"]}
    assert reading.reasons == {0: "stop", 1: "tool_calls"}
