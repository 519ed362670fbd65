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


class Counts(Struct, gc=False):
    """``usage`` as servers send it."""

    prompt_tokens: _Count = None
    completion_tokens: _Count = None
    total_tokens: _Count = None
    prompt_tokens_details: _InputDetails | None = None
    completion_tokens_details: _OutputDetails | None = None
    prompt_cache_hit_tokens: _Count = None
    cache_creation_input_tokens: _Count = None
    cached_tokens: _Count = None
    num_cached_tokens: _Count = None


_COUNTS: Final = Decoder(Counts)
_ENCODE: Final = msgspec.json.Encoder().encode
_NO_INPUT: Final = _InputDetails()
_NO_OUTPUT: Final = _OutputDetails()


def read_usage_member(usage: Members | None, x_groq: Members | None = None) -> Usage | None:
    """The counts of an answer's ``usage`` (else of ``x_groq.usage``); ``None`` without any."""
    if usage is None and x_groq is None:
        return None
    body = _ENCODE(usage) if usage is not None else (x_groq or {}).get("usage", NULL)
    try:
        return usage_of(_COUNTS.decode(body))
    except msgspec.DecodeError:
        return None


def usage_of(counts: Counts) -> Usage | None:
    """Our view of the counts; ``None`` when there is nothing of importance among them."""
    if counts.prompt_tokens is None and counts.completion_tokens is None:
        return None
    inputs = counts.prompt_tokens_details or _NO_INPUT
    outputs = counts.completion_tokens_details or _NO_OUTPUT
    read = (
        inputs.cached_tokens
        or counts.prompt_cache_hit_tokens
        or counts.cached_tokens
        or counts.num_cached_tokens
    )
    written = inputs.cache_write_tokens or counts.cache_creation_input_tokens
    prompt = _whole(counts.prompt_tokens)
    output = _whole(counts.completion_tokens)
    if not (read or written or outputs.reasoning_tokens):
        return Usage(prompt, output)
    read, written, reasoning = _whole(read), _whole(written), _whole(outputs.reasoning_tokens)
    if reasoning and _whole(counts.total_tokens) == prompt + output + reasoning:
        output += reasoning  # xAI counts reasoning beside the completion
    return Usage(max(prompt - read - written, 0), output, read, written, min(reasoning, output))


def _whole(count: _Count) -> int:
    if type(count) is int and count >= 0:
        return count
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
    prompt = usage.input + usage.cache_read + usage.cache_write
    return WrittenUsage(
        prompt,
        usage.output,
        prompt + usage.output,
        _WrittenInput(usage.cache_read, usage.cache_write),
        _WrittenOutput(usage.reasoning),
    )
