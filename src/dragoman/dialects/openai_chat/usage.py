"""Token counts: OpenAI's view of them and ours.

OpenAI counts cached tokens inside ``prompt_tokens``; we keep disjoint counts. Servers that call
themselves compatible put the same figures elsewhere: DeepSeek in ``prompt_cache_hit_tokens``,
Groq also in ``x_groq.usage``, others at the top level.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct
from msgspec.json import Decoder

from dragoman.canonical.usage import Usage
from dragoman.dialects.openai_chat.wire import NULL, Members

_Count = int | float | None


class _InputDetails(Struct, gc=False):
    cached_tokens: _Count = None
    cache_write_tokens: _Count = None


class _OutputDetails(Struct, gc=False):
    reasoning_tokens: _Count = None


class _Counts(Struct, gc=False):
    prompt_tokens: _Count = None
    completion_tokens: _Count = None
    total_tokens: _Count = None
    prompt_tokens_details: _InputDetails | None = None
    completion_tokens_details: _OutputDetails | None = None
    prompt_cache_hit_tokens: _Count = None
    cache_creation_input_tokens: _Count = None
    cached_tokens: _Count = None
    num_cached_tokens: _Count = None


_COUNTS: Final = Decoder(_Counts)
_ENCODE: Final = msgspec.json.Encoder().encode


def read_usage_member(usage: Members | None, x_groq: Members | None = None) -> Usage | None:
    """The counts of an answer's ``usage`` (else of ``x_groq.usage``); ``None`` without any."""
    if usage is None and x_groq is None:
        return None
    counts = _decoded(usage, x_groq or {})
    if counts is None or (counts.prompt_tokens is None and counts.completion_tokens is None):
        return None
    inputs = counts.prompt_tokens_details or _InputDetails()
    outputs = counts.completion_tokens_details or _OutputDetails()
    prompt = _whole(counts.prompt_tokens)
    read = _whole(
        inputs.cached_tokens
        or counts.prompt_cache_hit_tokens
        or counts.cached_tokens
        or counts.num_cached_tokens
    )
    written = _whole(inputs.cache_write_tokens or counts.cache_creation_input_tokens)
    output = _whole(counts.completion_tokens)
    reasoning = _whole(outputs.reasoning_tokens)
    if reasoning and _whole(counts.total_tokens) == prompt + output + reasoning:
        output += reasoning  # xAI counts reasoning beside the completion
    return Usage(
        input=max(prompt - read - written, 0),
        output=output,
        cache_read=read,
        cache_write=written,
        reasoning=min(reasoning, output),
    )


def _decoded(usage: Members | None, x_groq: Members) -> _Counts | None:
    body = _ENCODE(usage) if usage is not None else x_groq.get("usage", NULL)
    try:
        return _COUNTS.decode(body)
    except msgspec.DecodeError:
        return None


def _whole(count: _Count) -> int:
    return max(int(count), 0) if count else 0


class _WrittenInput(Struct, frozen=True):
    cached_tokens: int
    cache_write_tokens: int
    audio_tokens: int = 0


class _WrittenOutput(Struct, frozen=True):
    reasoning_tokens: int
    audio_tokens: int = 0
    accepted_prediction_tokens: int = 0
    rejected_prediction_tokens: int = 0


class WrittenUsage(Struct, frozen=True):
    """``usage`` as a caller reads it."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: _WrittenInput
    completion_tokens_details: _WrittenOutput


def write_usage(usage: Usage) -> WrittenUsage:
    """OpenAI's view of the disjoint counts."""
    return WrittenUsage(
        usage.input_total,
        usage.output,
        usage.total,
        _WrittenInput(usage.cache_read, usage.cache_write),
        _WrittenOutput(usage.reasoning),
    )
