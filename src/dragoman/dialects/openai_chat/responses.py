"""Whole answers, in both directions.

``read_response`` makes the canonical answer of an upstream's body, ``write_response`` a caller's
body of a canonical answer, ``read_usage`` looks for the counts of a body that passes unread.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Raw, Struct
from msgspec.json import Decoder

from dragoman.canonical.conversation import (
    Extras,
    Part,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
)
from dragoman.canonical.events import PartKind, StopReason
from dragoman.canonical.fold import merged
from dragoman.canonical.response import ChatResponse, Choice
from dragoman.canonical.usage import Usage
from dragoman.dialects.base import WrittenRequest
from dragoman.dialects.openai_chat.answers import (
    Piece,
    answer_created,
    answer_extras,
    answer_id,
    broken,
    call_arguments,
    call_extras,
    call_head,
    call_id,
    call_seed,
    function_arguments,
    id_text,
    pieces,
    stop_reason,
)
from dragoman.dialects.openai_chat.errors import read_reported_error
from dragoman.dialects.openai_chat.read_messages import own_extras
from dragoman.dialects.openai_chat.usage import Counts, read_usage_member, usage_of
from dragoman.dialects.openai_chat.wire import (
    ANSWER,
    NOTHING,
    AnswerChoice,
    Members,
    Said,
    present,
    reports_error,
)

_ENCODE: Final = msgspec.json.Encoder().encode


class _Outline(Struct, gc=False):
    """As much of an answer as its counts need."""

    choices: Raw = NOTHING
    usage: Members | None = None
    x_groq: Members | None = None
    error: Raw = NOTHING


class _Usual(Struct, gc=False):
    """The same of an answer whose counts are where OpenAI has them."""

    usage: Counts
    choices: list[Raw]
    error: None = None


_OUTLINE: Final = Decoder(_Outline)
_USUAL: Final = Decoder(_Usual)


def read_usage(body: bytes) -> Usage | None:
    """Counts of a whole answer; ``None`` when it has none.

    Raises ``UpstreamBroken`` when the body is no answer, or what a reported error means.
    """
    try:
        return usage_of(_USUAL.decode(body).usage)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return _read_usage_anywhere(body)


def _read_usage_anywhere(body: bytes) -> Usage | None:
    try:
        outline = _OUTLINE.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise broken("it is not a JSON object", error) from None
    if present(outline.error):
        raise read_reported_error(body)
    if not present(outline.choices):
        raise broken("it has no choices")
    return read_usage_member(outline.usage, outline.x_groq)


def read_response(body: bytes, _request: WrittenRequest) -> ChatResponse:
    """The canonical answer. Raises ``UpstreamBroken``, or what an error inside a 200 means."""
    try:
        answer = ANSWER.decode(body)
        if reports_error(answer, body):
            raise read_reported_error(body)
        if answer.choices is None:
            raise broken("it has no choices")
        seed = call_seed(answer)
        choices = tuple(_read_choice(choice, at, seed) for at, choice in enumerate(answer.choices))
        extras = answer_extras(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise broken("it is not of the form of a chat completion", error) from None
    return ChatResponse(
        answer_id(answer),
        answer.model or "",
        answer_created(answer),
        choices,
        read_usage_member(answer.usage, answer.x_groq),
        extras,
    )


def _read_choice(choice: AnswerChoice, at: int, seed: str) -> Choice:
    index = at if choice.index is None else choice.index
    said = choice.message or choice.delta or Said()
    if choice.finish_reason == "error":
        raise broken("the model's run ended in an error")
    parts = _joined(pieces(said))
    logprobs = choice.logprobs
    if logprobs is not None and logprobs.content:
        _attach(parts, own_extras({"logprobs": logprobs.content}))
    calls = _read_calls(said, index, seed)
    rest: dict[str, Any] = {}
    if said.annotations:
        rest["annotations"] = said.annotations
    if logprobs is not None and logprobs.refusal:
        rest["refusal_logprobs"] = logprobs.refusal
    if present(said.audio):
        rest["audio"] = said.audio
    reason = stop_reason(choice.finish_reason, called=bool(calls))
    return Choice(index, (*parts, *calls), reason, own_extras(rest))


def _joined(found: list[Piece]) -> list[Part]:
    """Parts of pieces; neighbours of one kind become one, as they do in a stream."""
    parts: list[Part] = []
    for kind, text, extras, whole in found:
        last = parts[-1] if parts else None
        match kind:
            case _ if whole is not None:
                parts.append(whole)
            case PartKind.REASONING if isinstance(last, Reasoning):
                parts[-1] = Reasoning(last.text + text, merged(last.extras, extras))
            case PartKind.REASONING:
                parts.append(Reasoning(text, extras))
            case PartKind.REFUSAL:
                parts.append(Refusal(text))
            case _ if isinstance(last, Text):
                parts[-1] = Text(last.text + text, merged(last.extras, extras))
            case _:
                parts.append(Text(text, extras))
    return parts


def _attach(parts: list[Part], extras: Extras) -> None:
    """Give ``extras`` to the first text; one without words where there is none."""
    for at, part in enumerate(parts):
        if isinstance(part, Text):
            parts[at] = Text(part.text, merged(part.extras, extras))
            return
    parts.append(Text("", extras))


def _read_calls(said: Said, choice: int, seed: str) -> list[ToolCall]:
    calls = []
    for number, call in enumerate(said.tool_calls or ()):
        name, kind = call_head(call)
        given = call_id(id_text(call), seed, choice, number)
        calls.append(ToolCall(given, name, call_arguments(call), kind, call_extras(call)))
    legacy = said.function_call
    if legacy is not None and legacy.name:
        given = call_id("", seed, choice, len(calls))
        calls.append(ToolCall(given, legacy.name, function_arguments(legacy)))
    return calls


_FINISH: Final = {
    StopReason.END: "stop",
    StopReason.STOP_SEQUENCE: "stop",
    StopReason.MAX_TOKENS: "length",
    StopReason.CONTEXT_WINDOW: "length",
    StopReason.TOOL_CALL: "stop",
    StopReason.FILTERED: "content_filter",
    StopReason.REFUSAL: "content_filter",
    StopReason.PAUSE: "stop",
}
_CUT: Final = frozenset({StopReason.MAX_TOKENS, StopReason.CONTEXT_WINDOW, StopReason.FILTERED})


def finish_reason(reason: StopReason, *, called: bool, refused: bool, legacy: bool) -> str:
    """OpenAI's word. A call was made: ``tool_calls``, whatever else, unless the answer is cut."""
    if called and reason not in _CUT:
        return "function_call" if legacy else "tool_calls"
    if reason is StopReason.REFUSAL and refused:
        return "stop"
    return _FINISH[reason]
