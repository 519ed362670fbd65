"""Recorded answers of the Messages API, read by us and by the vendor's own SDK.

Streams are fed whole, byte by byte and cut at random.
"""

import json

import anthropic
import pytest

from dragoman.canonical.conversation import Native, Reasoning, Text, ToolCall
from dragoman.canonical.events import Failed, Grammar
from dragoman.canonical.fidelity import Fidelity
from dragoman.canonical.fold import fold
from dragoman.dialects.anthropic_messages.answers import read_response
from dragoman.dialects.anthropic_messages.errors import read_error
from dragoman.dialects.anthropic_messages.stream import MessagesStreamReader
from dragoman.dialects.anthropic_messages.wire import NAME, REASONS
from dragoman.dialects.base import WrittenRequest
from dragoman.framing.sse import SseDecoder
from support.anthropic_reading import read_stream, read_whole
from support.recordings import answer_bytes, exchanges
from support.splits import every_way

WRITTEN = WrittenRequest(body=[], fidelity=Fidelity(), tool_names={})


def cases(api):
    return [pytest.param(exchange, id=exchange["id"]) for exchange in exchanges(api)]


def part_of(block):
    """A block of the SDK's message as we would say it."""
    match block["type"]:
        case "text":
            return ("text", block["text"])
        case "thinking":
            return ("thinking", block["thinking"], block["signature"])
        case "redacted_thinking":
            return ("redacted", block["data"])
        case "tool_use":
            return ("call", block["id"], block["name"], block["input"])
        case kind:
            return ("native", kind)


def own(part):
    match part:
        case Text():
            return ("text", part.text)
        case Reasoning():
            members = part.extras.get(NAME, {})
            if "redacted_thinking" in members:
                return ("redacted", members["redacted_thinking"])
            return ("thinking", part.text, members.get("signature", ""))
        case ToolCall():
            return ("call", part.id, part.name, json.loads(part.arguments))
        case Native():
            return ("native", part.kind)


def same(response, message):
    (choice,) = response.choices
    theirs = [part_of(block) for block in message["content"] if block.get("text") != ""]
    assert [own(part) for part in choice.parts] == theirs
    assert (response.id, response.model) == (message["id"], message["model"])
    assert choice.reason is REASONS[message["stop_reason"]]
    assert choice.extras.get(NAME, {}).get("stop_sequence") == message["stop_sequence"]
    counted = message["usage"]
    assert response.usage.input == counted["input_tokens"]
    assert response.usage.output == counted["output_tokens"]
    assert response.usage.cache_read == (counted.get("cache_read_input_tokens") or 0)
    assert response.usage.cache_write == (counted.get("cache_creation_input_tokens") or 0)


@pytest.mark.parametrize("exchange", cases("anthropic.messages"))
def test_whole_answers(exchange):
    answer = exchange["response"]
    if answer["status"] != 200:
        with pytest.raises(anthropic.APIStatusError) as raised:
            read_whole(exchange)
        error = read_error(answer["status"], answer["headers"], answer_bytes(exchange))
        assert error.status == {401: 502}.get(raised.value.status_code, raised.value.status_code)
        return
    same(read_response(answer_bytes(exchange), WRITTEN), read_whole(exchange))


def events_of(blocks):
    decoder, reader = SseDecoder(), MessagesStreamReader(WRITTEN)
    frames = [frame for block in blocks for frame in decoder.feed(block)] + decoder.close()
    return [e for frame in frames for e in reader.read(frame.data, frame.event)] + reader.close()


STREAMS = cases("anthropic.messages.stream")


def is_answer(case):
    return case.values[0]["response"]["status"] == 200


@pytest.mark.parametrize("exchange", STREAMS)
def test_streams_say_what_the_vendors_sdk_reads(exchange):
    answer = exchange["response"]
    if answer["status"] != 200:
        error = read_error(answer["status"], answer["headers"], answer_bytes(exchange))
        assert error.status == {401: 502}.get(answer["status"], answer["status"])
        return
    message = read_stream(exchange)
    events = events_of([answer_bytes(exchange)])
    grammar = Grammar()
    assert all(grammar.accepts(event) for event in events)
    assert grammar.over
    same(fold(events), message)
    for name, blocks in every_way(answer_bytes(exchange)):
        assert events_of(blocks) == events, name


@pytest.mark.parametrize("exchange", [one for one in STREAMS if is_answer(one)][::6])
def test_a_stream_that_is_cut_anywhere_fails(exchange):
    body = answer_bytes(exchange)
    events = body.replace(b"\r\n", b"\n").split(b"\n\n")
    last = next(at for at, event in enumerate(events) if b"message_stop" in event)
    for end in range(last + 1):
        for cut in (b"\n\n".join(events[:end]), b"\n\n".join(events[:end]) + b"\n\nevent: x"):
            said = events_of([cut])
            assert isinstance(said[-1], Failed)
            grammar = Grammar()
            assert all(grammar.accepts(event) for event in said)
