"""Answers of the Messages API: what depends on how the request was written, and what comes instead.

Whole and streamed, each answer says the same. Recorded answers are held against the vendor's SDK
in tests/replay.
"""

import json

import pytest

from dragoman.canonical.conversation import CallKind, Native, Reasoning, Text, ToolCall
from dragoman.canonical.events import Failed, Grammar, StopReason
from dragoman.canonical.fidelity import Fidelity
from dragoman.canonical.fold import fold
from dragoman.dialects.anthropic_messages import UPSTREAM
from dragoman.dialects.base import WrittenRequest
from dragoman.errors import (
    UpstreamBroken,
    UpstreamForbidden,
    UpstreamOutOfCredit,
    UpstreamRateLimited,
    UpstreamRefused,
    UpstreamRejectedKey,
    UpstreamUnavailable,
)

USAGE = {
    "input_tokens": 5,
    "cache_creation_input_tokens": 3,
    "cache_read_input_tokens": 2,
    "output_tokens": 7,
    "output_tokens_details": {"thinking_tokens": 4},
}


def request(**members):
    return WrittenRequest(
        body=[], **{"fidelity": Fidelity(), "tool_names": {"a_b_1": "a.b"}, **members}
    )


def whole(blocks, reason="end_turn", written=None, **members):
    body = {"id": "msg_1", "model": "m", "content": blocks, "stop_reason": reason, "usage": USAGE}
    encoded = json.dumps(body | members).encode()
    return UPSTREAM.read_response(encoded, written or request())


def pieces(block):
    """The block as a stream begins it, and its deltas."""
    match block["type"]:
        case "text":
            return {**block, "text": ""}, [{"type": "text_delta", "text": c} for c in block["text"]]
        case "thinking":
            deltas = [{"type": "thinking_delta", "thinking": c} for c in block["thinking"]]
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
            return {"type": "thinking", "thinking": "", "signature": ""}, deltas
        case "tool_use" | "server_tool_use":
            text = json.dumps(block["input"]) if block["input"] else ""
            deltas = [{"type": "input_json_delta", "partial_json": c} for c in text]
            return {**block, "input": {}}, deltas
    return block, []


def streamed(blocks, reason="end_turn", written=None):
    frames = [{"type": "message_start", "message": {"id": "msg_1", "model": "m", "usage": USAGE}}]
    for index, block in enumerate(blocks):
        opened, deltas = pieces(block)
        frames.append({"type": "content_block_start", "index": index, "content_block": opened})
        frames += [{"type": "content_block_delta", "index": index, "delta": d} for d in deltas]
        frames.append({"type": "content_block_stop", "index": index})
    frames.append({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": USAGE})
    frames.append({"type": "message_stop"})
    reader = UPSTREAM.stream_reader(written or request())
    events = [event for frame in frames for event in reader.read(json.dumps(frame).encode())]
    grammar = Grammar()
    assert all(grammar.accepts(event) for event in events)
    return fold(events)


CALL = {"type": "tool_use", "id": "t", "name": "a_b_1", "input": {"x": 1}}
SEARCH = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "x"}}

CASES = [
    ([{"type": "text", "text": "Hi"}], {}, [Text("Hi")]),
    (
        [{"type": "thinking", "thinking": "Hm", "signature": "s"}],
        {},
        [Reasoning("Hm", {"anthropic_messages": {"signature": "s"}})],
    ),
    (
        [{"type": "redacted_thinking", "data": "x"}],
        {},
        [Reasoning("", {"anthropic_messages": {"redacted_thinking": "x"}})],
    ),
    ([CALL], {}, [ToolCall("t", "a.b", '{"x":1}')]),
    ([{**CALL, "input": {}}], {}, [ToolCall("t", "a.b", "{}")]),
    (
        [{**CALL, "input": {"input": "free text"}}],
        {"custom_tools": frozenset({"a.b"})},
        [ToolCall("t", "a.b", "free text", CallKind.CUSTOM)],
    ),
    ([{**CALL, "name": "json_output"}], {"json_tool": "json_output"}, [Text('{"x":1}')]),
]


@pytest.mark.parametrize(("blocks", "members", "parts"), CASES)
def test_blocks(blocks, members, parts):
    written = request(**members)
    for answer in (whole(blocks, written=written), streamed(blocks, written=written)):
        (choice,) = answer.choices
        said = [compact(part) for part in choice.parts]
        assert said == parts
        called = any(isinstance(part, ToolCall) for part in parts)
        assert choice.reason is (StopReason.TOOL_CALL if called else StopReason.END)
        counts = (answer.usage.input, answer.usage.cache_write, answer.usage.cache_read)
        assert counts == (5, 3, 2)
        assert (answer.usage.output, answer.usage.reasoning) == (7, 4)


def compact(part):
    """JSON in one spelling."""
    if isinstance(part, ToolCall) and part.kind is CallKind.FUNCTION:
        arguments = json.dumps(json.loads(part.arguments), separators=(",", ":"))
        return ToolCall(part.id, part.name, arguments)
    if isinstance(part, Text) and part.text.startswith("{"):
        return Text(json.dumps(json.loads(part.text), separators=(",", ":")))
    return part


def test_what_the_provider_runs_itself_is_no_call():
    for answer in (whole([SEARCH], "pause_turn"), streamed([SEARCH], "pause_turn")):
        (part,) = answer.choices[0].parts
        assert isinstance(part, Native)
        assert json.loads(bytes(part.body)) == SEARCH
        assert answer.choices[0].reason is StopReason.PAUSE


ERRORS = [
    (400, "invalid_request_error", "messages: bad", UpstreamRefused),
    (400, "invalid_request_error", "Your credit balance is too low", UpstreamOutOfCredit),
    (401, "authentication_error", "invalid x-api-key", UpstreamRejectedKey),
    (402, "billing_error", "pay", UpstreamOutOfCredit),
    (403, "permission_error", "no", UpstreamForbidden),
    (404, "not_found_error", "model: x", UpstreamRefused),
    (413, "request_too_large", "long", UpstreamRefused),
    (429, "rate_limit_error", "slow", UpstreamRateLimited),
    (500, "api_error", "oops", UpstreamUnavailable),
    (504, "timeout_error", "late", UpstreamUnavailable),
    (529, "overloaded_error", "busy", UpstreamUnavailable),
]


@pytest.mark.parametrize(("status", "kind", "message", "expected"), ERRORS)
def test_errors_by_status_and_in_a_stream_by_type_alone(status, kind, message, expected):
    body = json.dumps({"type": "error", "error": {"type": kind, "message": message}}).encode()
    assert type(UPSTREAM.read_error(status, {}, body)) is expected
    reader = UPSTREAM.stream_reader(request())
    (event,) = reader.read(body)
    assert isinstance(event, Failed)
    assert type(event.error) is expected
    assert reader.read(b'{"type":"message_stop"}') == reader.close() == []


def test_a_wait_is_passed_on():
    body = b'{"type":"error","error":{"type":"rate_limit_error","message":"x"}}'
    assert UPSTREAM.read_error(429, {"retry-after": "7"}, body).retry_after == 7


@pytest.mark.parametrize(
    "body", [b"<html>", b"{}", b'{"content":[]}', b'{"content":[{}]}', b"\xff"]
)
def test_what_is_no_answer(body):
    with pytest.raises(UpstreamBroken):
        UPSTREAM.read_response(body, request())
