"""The OpenAI simulator's streams: ``chat.completion.chunk`` events in the real ones' order."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from dragoman.simulators import chatter
from dragoman.simulators.delivery import DONE, Answer
from dragoman.simulators.openai_answers import Question, Said, logprobs, usage

_FRAGMENT: Final = 6
_BROKEN: Final = (
    b'data: {"error":{"message":"The server had an error while processing your request.",'
    b'"type":"server_error","param":null,"code":null}}\n\n'
)


def write_stream(question: Question, answers: list[Said]) -> Answer:
    """The answer as events; several choices take turns, as they do with the real service."""
    frame = question.frame("chat.completion.chunk")
    wants_usage = bool(question.body.get("stream_options", {}).get("include_usage"))
    tail: dict[str, Any] = {"usage": None} if wants_usage else {}
    streams = [list(_choices(question, index, said)) for index, said in enumerate(answers)]
    turns = itertools.chain.from_iterable(itertools.zip_longest(*streams))
    chunks = [{**frame, "choices": [choice], **tail} for choice in turns if choice is not None]
    if wants_usage and not question.plan.has("no-usage"):
        chunks.append({**frame, "choices": [], "usage": usage(question, answers)})
    events = [b"data: %b\n\n" % msgspec.json.encode(chunk) for chunk in chunks]
    return Answer(
        headers={"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"},
        events=[*events, DONE],
        broken_event=_BROKEN,
    )


def _choices(question: Question, index: int, said: Said) -> Iterator[dict[str, Any]]:
    for delta in _deltas(said):
        chunks = [delta["content"]] if delta.get("content") else []
        yield {
            "index": index,
            "delta": delta,
            "logprobs": logprobs(question, chunks) if chunks else None,
            "finish_reason": None,
        }
    if not question.plan.has("no-finish"):
        yield {"index": index, "delta": {}, "logprobs": None, "finish_reason": said.finish}


def _deltas(said: Said) -> Iterator[dict[str, Any]]:
    first: dict[str, Any] = {"role": "assistant", "content": "", "refusal": None}
    if said.calls or said.refusal is not None:
        first["content"] = None
    yield first
    for part in chatter.tokens(said.reasoning):
        yield {"reasoning_content": part}
    for part in said.chunks:
        yield {"content": part}
    for part in chatter.tokens(said.refusal or ""):
        yield {"refusal": part}
    for number, call in enumerate(said.calls):
        if said.is_legacy:
            yield from _legacy_deltas(call["function"])
        else:
            yield from _call_deltas(number, call)


def _call_deltas(number: int, call: dict[str, Any]) -> Iterator[dict[str, Any]]:
    kind = call["type"]
    member = "arguments" if kind == "function" else "input"
    opening = {**call[kind], member: ""}
    yield {"tool_calls": [{"index": number, "id": call["id"], "type": kind, kind: opening}]}
    for fragment in _fragments(call[kind][member]):
        yield {"tool_calls": [{"index": number, kind: {member: fragment}}]}


def _legacy_deltas(call: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield {"function_call": {"name": call["name"], "arguments": ""}}
    for fragment in _fragments(call["arguments"]):
        yield {"function_call": {"arguments": fragment}}


def _fragments(text: str) -> list[str]:
    return [text[at : at + _FRAGMENT] for at in range(0, len(text), _FRAGMENT)]
