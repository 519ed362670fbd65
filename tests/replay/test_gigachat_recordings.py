"""Recorded GigaChat answers, read by us and by the vendor's own models.

The recordings beside the repository are used where they are; the samples here stand in for what
no recording shows. Streams are fed whole, byte by byte and cut at random.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from gigachat.models import ChatCompletion, ChatCompletionChunk

from dragoman.canonical.conversation import Reasoning, ToolCall, text_of
from dragoman.canonical.events import (
    ChoiceFinished,
    Delta,
    Event,
    Failed,
    Finished,
    Grammar,
    PartKind,
    PartStarted,
    Started,
    StopReason,
)
from dragoman.canonical.fidelity import Fidelity
from dragoman.canonical.usage import Usage
from dragoman.dialects import gigachat
from dragoman.dialects.base import WrittenRequest
from dragoman.dialects.gigachat.state_ids import state_id
from dragoman.errors import UpstreamRefused

ROOT = Path(__file__).parents[2]
RECORDINGS = ROOT.parent / "shared" / "recordings"
SAMPLES = Path(__file__).parent / "samples" / "gigachat"
WRITTEN = WrittenRequest(body=[], fidelity=Fidelity(), tool_names={})
REASONS = {
    "stop": StopReason.END,
    "length": StopReason.MAX_TOKENS,
    "function_call": StopReason.TOOL_CALL,
    "blacklist": StopReason.FILTERED,
}


def recorded(name: str) -> Iterator[tuple[str, int, dict[str, str], bytes]]:
    """Id, status, headers and body of each exchange."""
    path = RECORDINGS / name
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            item = json.loads(line)
            answer = item["response"]
            yield item["id"], answer["status"], answer["headers"], answer["body"].encode()


def sampled(pattern: str) -> Iterator[tuple[str, int, dict[str, str], bytes]]:
    for path in sorted(SAMPLES.glob(pattern)):
        yield path.name, 200, {}, path.read_bytes()


def cases(name: str, pattern: str) -> list[Any]:
    found = [*recorded(name), *sampled(pattern)]
    return [pytest.param(*rest, id=case) for case, *rest in found]


def events_of(blocks: list[bytes]) -> list[Event]:
    decoder = gigachat.UPSTREAM.framing()
    reader = gigachat.UPSTREAM.stream_reader(WRITTEN)
    frames = [frame for block in blocks for frame in decoder.feed(block)] + decoder.close()
    return [e for frame in frames for e in reader.read(frame.data, frame.event)] + reader.close()


def same_counts(usage: Usage | None, judged: Any) -> None:
    if judged is None:
        assert usage is None
    else:
        assert usage is not None
        assert usage.input_total == judged.prompt_tokens
        assert usage.output == judged.completion_tokens
        assert usage.total == judged.total_tokens
        assert usage.cache_read == (judged.precached_prompt_tokens or 0)


def same_call(call: ToolCall, judged: Any, state: str | None) -> None:
    assert call.name == judged.name
    assert json.loads(call.arguments) == judged.arguments
    assert list(json.loads(call.arguments)) == list(judged.arguments)
    assert call.arguments == json.dumps(judged.arguments, ensure_ascii=False, separators=(",", ":"))
    assert state_id(call.id) == state


@pytest.mark.parametrize(("status", "headers", "body"), cases("gigachat.chat.jsonl", "*.json"))
def test_whole_answers(status, headers, body):
    if status != 200:
        error = gigachat.UPSTREAM.read_error(status, headers, body)
        assert isinstance(error, UpstreamRefused)
        assert error.status == status
        assert json.loads(body)["message"] in error.message
        return
    judged = ChatCompletion.model_validate_json(body)
    response = gigachat.UPSTREAM.read_response(body, WRITTEN)
    assert (response.model, response.created) == (judged.model, judged.created)
    same_counts(response.usage, judged.usage)
    assert len(response.choices) == len(judged.choices)
    for choice, other in zip(response.choices, judged.choices, strict=True):
        message = other.message
        assert text_of(choice.parts) == message.content
        thoughts = [part.text for part in choice.parts if isinstance(part, Reasoning)]
        assert thoughts == ([message.reasoning_content] if message.reasoning_content else [])
        calls = [part for part in choice.parts if isinstance(part, ToolCall)]
        assert len(calls) == (message.function_call is not None)
        for call in calls:
            same_call(call, message.function_call, message.functions_state_id)
        assert choice.reason is REASONS[other.finish_reason]


def splits_of(body: bytes) -> list[list[bytes]]:
    """Whole, byte by byte, and thirty times at random."""
    dice = random.Random(len(body))
    found = [[body], [body[at : at + 1] for at in range(len(body))]]
    for _ in range(30):
        cuts = sorted(dice.sample(range(1, len(body)), dice.randint(1, 12)))
        edges = [0, *cuts, len(body)]
        found.append([body[a:b] for a, b in pairwise(edges)])
    return found


def judged_chunks(body: bytes) -> list[ChatCompletionChunk]:
    lines = body.decode().replace("\r\n", "\n").split("\n")
    data = [line.removeprefix("data: ") for line in lines if line.startswith("data: {")]
    return [ChatCompletionChunk.model_validate_json(each) for each in data]


STREAMS = cases("gigachat.chat.stream.jsonl", "*.sse")


@pytest.mark.parametrize(("status", "headers", "body"), STREAMS)
def test_streams_say_what_the_vendors_models_read(status, headers, body):
    chunks = judged_chunks(body)
    deltas = [choice.delta for chunk in chunks for choice in chunk.choices]
    ends = [c.finish_reason for chunk in chunks for c in chunk.choices if c.finish_reason]
    events = events_of([body])

    started = events[0]
    assert isinstance(started, Started)
    assert (started.model, started.created) == (chunks[0].model, chunks[0].created)
    said = dict.fromkeys(PartKind, "")
    kind = PartKind.TEXT
    for event in events:
        if isinstance(event, PartStarted):
            kind = event.kind
        elif isinstance(event, Delta):
            said[kind] += event.text
    assert said[PartKind.TEXT] == "".join(delta.content or "" for delta in deltas)
    assert said[PartKind.REASONING] == "".join(d.reasoning_content or "" for d in deltas)
    judged_calls = [delta for delta in deltas if delta.function_call is not None]
    opened = [e for e in events if isinstance(e, PartStarted) and e.kind is PartKind.TOOL_CALL]
    assert len(opened) == len(judged_calls)
    for event, delta in zip(opened, judged_calls, strict=True):
        call = ToolCall(event.call_id, event.call_name, said[PartKind.TOOL_CALL])
        same_call(call, delta.function_call, delta.functions_state_id)
    assert [e.reason for e in events if isinstance(e, ChoiceFinished)] == [REASONS[ends[-1]]]
    assert isinstance(events[-1], Finished)
    counted = [chunk.usage for chunk in chunks if chunk.usage is not None]
    same_counts(events[-1].usage, counted[-1] if counted else None)


@pytest.mark.parametrize(("status", "headers", "body"), STREAMS)
def test_however_a_stream_is_cut_into_blocks_it_says_the_same(status, headers, body):
    expected = events_of([body])
    grammar = Grammar()
    assert all(grammar.accepts(event) for event in expected)
    assert grammar.over
    for blocks in splits_of(body):
        assert events_of(blocks) == expected


@pytest.mark.parametrize(("status", "headers", "body"), STREAMS)
def test_a_stream_that_breaks_off_never_seems_complete(status, headers, body):
    end = body.index(b'"finish_reason"')
    dice = random.Random(len(body))
    for length in {0, 1, end, *(dice.randrange(end) for _ in range(30))}:
        assert isinstance(events_of([body[:length]])[-1], Failed)
