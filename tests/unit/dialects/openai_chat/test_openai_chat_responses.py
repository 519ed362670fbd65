"""Whole answers in both directions."""

import json

import pytest
from hypothesis import given, settings
from msgspec import Raw
from openai.types.chat import ChatCompletion

from dragoman.canonical.conversation import (
    CallKind,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
)
from dragoman.canonical.events import StopReason
from dragoman.canonical.fold import fold
from dragoman.canonical.response import ChatResponse, Choice
from dragoman.canonical.usage import Usage
from dragoman.dialects.openai_chat import CLIENT, UPSTREAM
from dragoman.errors import (
    UpstreamBroken,
    UpstreamRateLimited,
    UpstreamRefused,
    UpstreamUnavailable,
)
from support.canonical_strategies import responses
from support.openai_chat_streams import FACTS, client_request, read_stream, sse

FUNCTION = {"name": "f", "arguments": '{"x":1}'}


def body(message, reason="stop", **members):
    choice = {"index": 0, "message": message, "finish_reason": reason}
    return json.dumps(
        {"id": "up-1", "created": 5, "model": "up", "choices": [choice], **members}
    ).encode()


def read(message, reason="stop", **members):
    return UPSTREAM.read_response(body(message, reason, **members), None)


MESSAGES = [
    {"role": "assistant", "content": "Hi"},
    {"content": None},
    {"content": "", "tool_calls": None, "function_call": {"name": "", "arguments": ""}},
    {"content": "a", "reasoning_content": "r"},
    {"content": "a", "reasoning": "r", "reasoning_details": [{"text": "r"}]},
    {"content": {"a": 1}},
    {"content": [{"type": "thinking", "thinking": [{"text": "r"}]}, {"type": "text", "text": "a"}]},
    {"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
    {"content": None, "refusal": "no"},
    {"content": None, "tool_calls": [{"id": "c", "type": "function", "function": FUNCTION}]},
    {
        "content": "w",
        "tool_calls": [{"function": FUNCTION}, {"id": "call_1", "function": FUNCTION}],
    },
    {"tool_calls": [{"id": "c", "function": {"name": "f"}}]},
    {"tool_calls": [{"id": "c", "function": {"name": "f", "arguments": {"x": [1]}}}]},
    {"tool_calls": [{"id": "c", "custom": {"name": "p", "input": "x"}}]},
    {"function_call": FUNCTION},
    {"content": "a", "images": [{"image_url": {"url": "data:image/png;base64,QUJD"}}]},
    {"content": "a", "annotations": [{"type": "url_citation"}]},
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: str(message)[:50])
def test_a_whole_answer_reads_like_the_same_answer_in_one_chunk(message):
    whole = read(message)
    choice = {"index": 0, "delta": message, "finish_reason": "stop"}
    chunk = {"id": "up-1", "created": 5, "model": "up", "choices": [choice]}
    assert whole == fold(read_stream([sse(chunk)]))


def test_a_plain_answer_is_read():
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    response = read({"content": "Hi"}, usage=usage, service_tier="flex", system_fingerprint=None)
    extras = {"openai_chat": {"service_tier": Raw(b'"flex"')}}
    choice = Choice(0, (Text("Hi"),), StopReason.END)
    assert response == ChatResponse("up-1", "up", 5, (choice,), Usage(input=3, output=2), extras)


def test_probabilities_stay_with_the_text():
    choice = {
        "message": {"content": "a"},
        "logprobs": {"content": [{"token": "a"}], "refusal": [{"token": "r"}]},
    }
    response = UPSTREAM.read_response(json.dumps({"choices": [choice]}).encode(), None)
    (found,) = response.choices
    assert bytes(found.parts[0].extras["openai_chat"]["logprobs"][0]) == b'{"token": "a"}'
    assert bytes(found.extras["openai_chat"]["refusal_logprobs"][0]) == b'{"token": "r"}'


@pytest.mark.parametrize("reason", [None, "", "eos", "stop"])
def test_a_missing_or_odd_reason_is_an_end(reason):
    assert read({"content": "a"}, reason).choices[0].reason is StopReason.END


BROKEN = [
    (b"", UpstreamBroken),
    (b"<html>", UpstreamBroken),
    (b"[]", UpstreamBroken),
    (b"{}", UpstreamBroken),
    (b'{"choices":null}', UpstreamBroken),
    (b"[" * 5000, UpstreamBroken),
    (b'{"error":{"message":"x","code":429}}', UpstreamRateLimited),
    (b'{"error":{"type":"invalid_request_error"}}', UpstreamRefused),
    (b'{"error":"gone"}', UpstreamUnavailable),
]


@pytest.mark.parametrize(("data", "kind"), BROKEN)
def test_what_is_no_answer_is_told_by_both_readers(data, kind):
    with pytest.raises(kind):
        UPSTREAM.read_response(data, None)
    with pytest.raises(kind):
        CLIENT.read_usage(data)


@pytest.mark.parametrize(
    "data", [b'{"choices":5}', b'{"choices":[{"message":{"content":5}}]}', b'{"choices":["x"]}']
)
def test_an_answer_of_another_form_is_broken(data):
    with pytest.raises(UpstreamBroken):
        UPSTREAM.read_response(data, None)


def test_a_run_that_ended_in_an_error_is_no_answer():
    with pytest.raises(UpstreamBroken):
        read({"content": "a"}, "error")


def test_counts_of_a_passing_answer_are_found():
    usage = {"prompt_tokens": 3, "completion_tokens": 2}
    assert CLIENT.read_usage(body({"content": "x"}, usage=usage)) == Usage(input=3, output=2)
    assert CLIENT.read_usage(body({"content": "x"})) is None
    assert CLIENT.read_usage(body({"content": "x"}, usage=None, error=None)) is None


def write(*parts, reason=StopReason.END, extras=None, request=None, usage=None):
    choice = Choice(0, parts, reason, {"openai_chat": extras} if extras else {})
    response = ChatResponse("up", "real", 1, (choice,), usage)
    data = CLIENT.write_response(response, request or client_request(), FACTS)
    return json.loads(data)


def test_the_shape_of_an_answer():
    usage = Usage(input=3, output=5, cache_read=2, cache_write=1, reasoning=4)
    assert write(Text("Hi"), usage=usage) == {
        "id": "chatcmpl-ours",
        "object": "chat.completion",
        "created": 1767225600,
        "model": "asked",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "Hi",
                    "refusal": None,
                    "annotations": [],
                },
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 6,
            "completion_tokens": 5,
            "total_tokens": 11,
            "prompt_tokens_details": {
                "cached_tokens": 2,
                "cache_write_tokens": 1,
                "audio_tokens": 0,
            },
            "completion_tokens_details": {
                "reasoning_tokens": 4,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        },
        "service_tier": None,
        "system_fingerprint": None,
    }


def message(*parts, **options):
    (choice,) = write(*parts, **options)["choices"]
    return choice["message"]


def test_calls_alone_leave_the_content_null():
    written = message(ToolCall("a", "f", ""), reason=StopReason.TOOL_CALL)
    assert written["content"] is None
    assert written["tool_calls"] == [
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    ]


def test_words_beside_a_call_are_kept():
    written = message(Text("w"), ToolCall("a", "p", "x", CallKind.CUSTOM))
    assert written["content"] == "w"
    assert written["tool_calls"] == [
        {"id": "a", "type": "custom", "custom": {"name": "p", "input": "x"}}
    ]


def test_no_calls_no_list():
    assert "tool_calls" not in message(Text("a"))
    assert message()["content"] == ""


def test_the_deprecated_spelling_is_used_when_asked():
    request = client_request(functions=[{"name": "f"}])
    (choice,) = write(ToolCall("a", "f", "{}"), request=request)["choices"]
    assert choice["message"]["function_call"] == {"name": "f", "arguments": "{}"}
    assert "tool_calls" not in choice["message"]
    assert choice["finish_reason"] == "function_call"


def test_other_parts_have_their_members():
    written = message(
        Reasoning("r", {"openai_chat": {"reasoning_details": [{"d": 1}]}}),
        Refusal("no"),
        reason=StopReason.REFUSAL,
        extras={"annotations": [{"x": 1}], "audio": {"id": "a"}},
    )
    assert written == {
        "role": "assistant",
        "content": None,
        "reasoning_content": "r",
        "reasoning_details": [{"d": 1}],
        "refusal": "no",
        "annotations": [{"x": 1}],
        "audio": {"id": "a"},
    }


def test_probabilities_are_written():
    text = Text("a", {"openai_chat": {"logprobs": [{"token": "a"}]}})
    (choice,) = write(text, extras={"refusal_logprobs": [{"token": "r"}]})["choices"]
    assert choice["logprobs"] == {"content": [{"token": "a"}], "refusal": [{"token": "r"}]}


@settings(max_examples=60)
@given(responses)
def test_the_sdk_takes_every_answer(response):
    data = CLIENT.write_response(response, client_request(), FACTS)
    body = json.loads(data)
    body.setdefault("usage", None)
    completion = ChatCompletion.model_validate(body)
    for choice, ours in zip(completion.choices, response.choices, strict=True):
        texts = "".join(part.text for part in ours.parts if isinstance(part, Text))
        calls = [part for part in ours.parts if isinstance(part, ToolCall)]
        assert (choice.message.content or "") == texts
        assert [call.id for call in choice.message.tool_calls or []] == [call.id for call in calls]
