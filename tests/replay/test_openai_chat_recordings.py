"""Recorded answers of OpenAI, Azure, Mistral and compatible servers.

The same events however the bytes are cut, the same as the official SDK's models read from them,
and the same bytes where they only pass through.
"""

import json

import pytest
from openai.types.chat import ChatCompletion

from dragoman.canonical.conversation import Reasoning, Text, ToolCall
from dragoman.canonical.events import Failed, StopReason
from dragoman.canonical.fold import fold
from dragoman.dialects.openai_chat import CLIENT, UPSTREAM
from dragoman.errors import GatewayError, UpstreamBroken
from support.openai_chat_streams import (
    FACTS,
    SdkReading,
    chunks_of,
    client_request,
    read_stream,
    streamed_request,
    write_stream,
)
from support.recordings import answer_bytes, exchanges, samples
from support.splits import every_way

REASONS = {"length": StopReason.MAX_TOKENS, "content_filter": StopReason.FILTERED}
APIS = ("openai.chat", "compat.chat", "azure.chat", "mistral.chat")


def recorded(ending, *, good):
    return [
        pytest.param(answer_bytes(exchange), id=exchange["id"])
        for api in APIS
        for exchange in exchanges(api + ending)
        if (exchange["response"]["status"] == 200) is good
    ]


STREAMS = [pytest.param(data, id=name) for name, data in samples("openai_chat", ".sse")]
STREAMS += recorded(".stream", good=True)
WHOLE = recorded("", good=True)
BAD = [
    pytest.param(exchange, id=exchange["id"])
    for api in APIS
    for ending in ("", ".stream")
    for exchange in exchanges(api + ending)
    if exchange["response"]["status"] != 200
]


def comparable(events):
    """Events without the error's identity."""
    return [repr(e.error) if isinstance(e, Failed) else e for e in events]


@pytest.mark.parametrize("data", STREAMS)
def test_a_stream_reads_the_same_however_it_is_cut(data):
    expected = comparable(read_stream([data]))
    for name, blocks in every_way(data, seeds=(1,)):
        assert comparable(read_stream(blocks)) == expected, name


def words(choice):
    return "".join(part.text for part in choice.parts if isinstance(part, Text))


def calls(choice):
    return [part for part in choice.parts if isinstance(part, ToolCall)]


def same_usage(ours, theirs):
    if theirs is None or theirs.prompt_tokens is None:
        assert ours is None
        return
    details = theirs.completion_tokens_details
    reasoning = (details and details.reasoning_tokens) or 0
    assert ours.input_total == max(theirs.prompt_tokens, ours.cache_read + ours.cache_write)
    beside = theirs.total_tokens == theirs.prompt_tokens + theirs.completion_tokens + reasoning
    assert ours.output == theirs.completion_tokens + (reasoning if beside else 0)
    assert ours.reasoning == min(reasoning, ours.output)


def same_reason(choice, word):
    if calls(choice) and word not in ("length", "content_filter"):
        assert choice.reason is StopReason.TOOL_CALL
    else:
        assert choice.reason is REASONS.get(word, StopReason.END)


def same_calls(choice, sdk):
    places = sorted(key for key in sdk.calls if key[0] == choice.index and key[1] is not None)
    if not places:  # no calls, or none that the SDK can tell apart
        return
    theirs = [sdk.calls[place] for place in places]
    found = calls(choice)
    assert [[call.name, call.arguments] for call in found] == [call[1:] for call in theirs]
    for ours, (call_id, *_) in zip(found, theirs, strict=True):
        assert ours.id == call_id or len(call_id) < 5  # an id that is given again in every answer


@pytest.mark.parametrize("data", STREAMS)
def test_a_stream_says_what_the_sdk_reads(data):
    events = read_stream([data])
    if isinstance(events[-1], Failed):
        return
    response = fold(events)
    sdk = SdkReading(chunks_of(data))
    for choice in response.choices:
        expected = sdk.texts.get(choice.index, "")
        if expected is not None:
            assert words(choice) == expected
        same_calls(choice, sdk)
        same_reason(choice, sdk.reasons.get(choice.index))
    same_usage(response.usage, sdk.usage)


@pytest.mark.parametrize("data", WHOLE)
def test_a_whole_answer_says_what_the_sdk_reads(data):
    response = UPSTREAM.read_response(data, None)
    sdk = ChatCompletion.construct(**json.loads(data))
    assert [choice.index for choice in response.choices] == [c.index for c in sdk.choices]
    for choice, theirs in zip(response.choices, sdk.choices, strict=True):
        message = theirs.message
        if isinstance(message.content, str | None):
            assert words(choice) == (message.content or "")
        wanted = [
            (call.id, call.function.name, call.function.arguments or "")
            if getattr(call, "function", None)
            else (call.id, call.custom["name"], call.custom["input"])
            if isinstance(call.custom, dict)
            else (call.id, call.custom.name, call.custom.input)
            for call in message.tool_calls or []
        ]
        found = calls(choice)
        if message.function_call and message.function_call.name:
            assert found[0].arguments == message.function_call.arguments
        else:
            assert [(call.id, call.name, call.arguments) for call in found] == wanted
        thought = getattr(message, "reasoning_content", None) or getattr(message, "reasoning", None)
        if thought:
            assert thought == "".join(p.text for p in choice.parts if isinstance(p, Reasoning))
        same_reason(choice, theirs.finish_reason)
    same_usage(response.usage, sdk.usage)
    assert CLIENT.read_usage(data) == response.usage


@pytest.mark.parametrize("data", STREAMS)
@pytest.mark.parametrize("asked", [True, False])
def test_a_stream_passes_through_but_for_hidden_counts(data, asked):
    events = read_stream([data])
    outs = []
    for _, blocks in every_way(data, small=5000, seeds=(1,)):
        passage = CLIENT.passage(streamed_request(usage=asked))
        out = b"".join([*(passage.feed(block) for block in blocks), passage.close()])
        outs.append(out)
        if isinstance(events[-1], Failed):
            assert type(passage.error) is type(events[-1].error)
            continue
        assert passage.error is None
        assert passage.begun
        assert passage.complete
        assert passage.usage == events[-1].usage
    assert len(set(outs)) == 1
    if asked and not isinstance(events[-1], Failed):
        assert outs[0] == data
    elif not isinstance(events[-1], Failed):
        assert all(c["choices"] or not c.get("usage") for c in chunks_of(outs[0]))
        assert data.startswith(outs[0][: len(outs[0]) - 64])


@pytest.mark.parametrize("data", STREAMS)
def test_a_stream_written_again_is_read_the_same(data):
    events = read_stream([data])
    again = read_stream([write_stream(events)])
    assert type(again[-1]) is type(events[-1])
    if isinstance(events[-1], Failed):
        return
    first, second = fold(events), fold(again)
    assert second.usage == first.usage
    for ours, theirs in zip(first.choices, second.choices, strict=True):
        assert words(ours) == words(theirs)
        assert [(c.id, c.name, c.arguments or "{}") for c in calls(ours)] == [
            (c.id, c.name, c.arguments) for c in calls(theirs)
        ]
        assert ours.reason is theirs.reason


@pytest.mark.parametrize("data", WHOLE)
def test_a_whole_answer_written_again_is_read_the_same(data):
    response = UPSTREAM.read_response(data, None)
    body = CLIENT.write_response(response, client_request(), FACTS)
    strict = json.loads(body)
    strict.pop("service_tier", None)  # other vendors have tiers that OpenAI does not know
    ChatCompletion.model_validate({"usage": None, **strict})
    again = UPSTREAM.read_response(body, None)
    assert again.usage == response.usage
    for ours, theirs in zip(response.choices, again.choices, strict=True):
        assert words(ours) == words(theirs)
        assert [(c.id, c.arguments or "{}") for c in calls(ours)] == [
            (c.id, c.arguments) for c in calls(theirs)
        ]
        assert ours.reason is theirs.reason


@pytest.mark.parametrize("exchange", BAD)
def test_a_recorded_error_is_understood(exchange):
    answer = exchange["response"]
    data = answer_bytes(exchange)
    error = UPSTREAM.read_error(answer["status"], answer["headers"], data)
    assert isinstance(error, GatewayError)
    assert not isinstance(error, UpstreamBroken)
    if answer["status"] in (400, 404, 422, 429):
        assert error.status == answer["status"]
    with pytest.raises(GatewayError):
        CLIENT.read_usage(data)
