"""A canonical answer to a caller's body.

``_Body`` and what it is made of are the answer as it goes on the wire, in OpenAI's order; a
member that is not said stays ``UNSET``.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import UNSET, Struct, UnsetType

from dragoman.canonical.conversation import (
    NO_EXTRAS,
    CallKind,
    Media,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
)
from dragoman.canonical.events import StopReason
from dragoman.canonical.response import ChatResponse, Choice
from dragoman.dialects.base import AnswerFacts, ReadRequest
from dragoman.dialects.openai_chat.requests import own_request
from dragoman.dialects.openai_chat.thoughts import written_details
from dragoman.dialects.openai_chat.usage import WrittenUsage, write_usage
from dragoman.dialects.openai_chat.wire import NAME
from dragoman.dialects.openai_chat.write_messages import write_call, write_citation, write_media

_ENCODE: Final = msgspec.json.Encoder().encode

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
    if refused and reason is StopReason.REFUSAL:
        return "stop"
    return _FINISH[reason]


class _Message(Struct, gc=False):
    role: str
    content: str | None
    reasoning_content: str | UnsetType = UNSET
    reasoning_details: list[Any] | UnsetType = UNSET
    images: list[Any] | UnsetType = UNSET
    function_call: Any = UNSET
    tool_calls: list[Any] | UnsetType = UNSET
    refusal: str | None = None
    annotations: Any = ()
    audio: Any = UNSET


class _Choice(Struct, gc=False):
    index: int
    message: _Message
    logprobs: dict[str, Any] | None
    finish_reason: str


class _Body(Struct, gc=False):
    id: str
    object: str
    created: int
    model: str
    choices: list[_Choice]
    usage: WrittenUsage | UnsetType
    service_tier: Any = None
    system_fingerprint: Any = None


def write_response(response: ChatResponse, request: ReadRequest, facts: AnswerFacts) -> bytes:
    """The body for the caller, with the model's name as the caller asked for it."""
    legacy = own_request(request).legacy_functions
    body = _Body(
        "chatcmpl-" + facts.id,
        "chat.completion",
        facts.created,
        facts.model,
        [_write_choice(choice, legacy) for choice in response.choices],
        UNSET if response.usage is None else write_usage(response.usage),
    )
    if response.extras is NO_EXTRAS:
        return _ENCODE(body)
    members = {**msgspec.structs.asdict(body), **response.extras.get(NAME, {})}
    return _ENCODE({name: value for name, value in members.items() if value is not UNSET})


def _write_choice(choice: Choice, legacy: bool) -> _Choice:  # noqa: FBT001 - called by position
    parts = choice.parts
    extras = choice.extras
    if len(parts) == 1 and extras is NO_EXTRAS and not choice.citations:
        part = parts[0]
        if type(part) is Text and part.extras is NO_EXTRAS:  # as nearly every answer is
            message = _Message("assistant", part.text)
            return _Choice(choice.index, message, None, _FINISH[choice.reason])
    own = extras.get(NAME, {})
    calls = [part for part in parts if isinstance(part, ToolCall)]
    refusals = [part.text for part in parts if isinstance(part, Refusal)]
    message = _write_message(choice, calls, legacy=legacy)
    if refusals:
        message.refusal = "".join(refusals)
    message.annotations = own.get("annotations", ())
    if choice.citations:
        cited = [write_citation(citation) for citation in choice.citations]
        message.annotations = [*message.annotations, *cited]
    message.audio = own.get("audio", UNSET)
    reason = finish_reason(choice.reason, called=bool(calls), refused=bool(refusals), legacy=legacy)
    return _Choice(choice.index, message, _write_logprobs(choice), reason)


def _write_message(choice: Choice, calls: list[ToolCall], *, legacy: bool) -> _Message:
    texts: list[str] = []
    thoughts: list[str] = []
    details: list[Any] = []
    images: list[Any] = []
    for part in choice.parts:
        match part:
            case Text():
                texts.append(part.text)
            case Reasoning():
                thoughts.append(part.text)
                own = part.extras.get(NAME, {}).get("reasoning_details", [])
                details += own or written_details(part.extras, part.text, len(details))
            case Media():
                body = write_media(part)
                images += [] if body is None else [body]
            case _:
                pass
    content = "".join(texts)
    wordless = not content and (bool(calls) or any(isinstance(p, Refusal) for p in choice.parts))
    message = _Message("assistant", None if wordless else content)
    if thoughts:
        message.reasoning_content = "".join(thoughts)
    if details:
        message.reasoning_details = details
    if images:
        message.images = images
    if calls and legacy and calls[0].kind is CallKind.FUNCTION:
        message.function_call = write_call(calls[0])["function"]
    elif calls:
        message.tool_calls = [write_call(call) for call in calls]
    return message


def _write_logprobs(choice: Choice) -> dict[str, Any] | None:
    content: list[Any] = []
    for part in choice.parts:
        if isinstance(part, Text):
            content += part.extras.get(NAME, {}).get("logprobs", [])
    refusal = choice.extras.get(NAME, {}).get("refusal_logprobs")
    if not content and not refusal:
        return None
    return {"content": content or None, "refusal": refusal}
