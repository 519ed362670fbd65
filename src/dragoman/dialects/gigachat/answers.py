"""A whole answer, and what it shares with a streamed one: wire types, calls, reasons, counts."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Raw, Struct

from dragoman.canonical.conversation import CallKind, Part, Reasoning, Text, ToolCall
from dragoman.canonical.events import StopReason
from dragoman.canonical.response import ChatResponse, Choice
from dragoman.canonical.usage import Usage
from dragoman.dialects.base import WrittenRequest
from dragoman.dialects.free_text_tools import free_text
from dragoman.dialects.gigachat.errors import read_error
from dragoman.dialects.gigachat.state_ids import call_id, derived_id
from dragoman.dialects.gigachat.thoughts import split_thoughts
from dragoman.errors import GatewayError, UpstreamBroken


class WireCall(Struct, gc=False):
    """``arguments`` is an object; a string is tolerated."""

    name: str = ""
    arguments: Raw = Raw(b"null")


class WireMessage(Struct, gc=False):
    """``message`` of a whole answer, ``delta`` of a streamed one."""

    content: str | None = None
    reasoning_content: str | None = None
    function_call: WireCall | None = None
    functions_state_id: str | None = None


class WireUsage(Struct, gc=False):
    """Counts; ``precached_prompt_tokens`` are taken to be part of ``prompt_tokens``."""

    prompt_tokens: int | None = 0
    completion_tokens: int | None = 0
    precached_prompt_tokens: int | None = 0


class WireChoice(Struct):
    """One answer of a whole body."""

    message: WireMessage
    index: int = 0
    finish_reason: str | None = None


class WireAnswer(Struct):
    """A whole body; an error that came with status 200 has no ``choices``."""

    choices: list[WireChoice] = []
    created: int | float | str | None = 0
    model: str | None = ""
    message_id: str | None = ""
    usage: WireUsage | None = None


_decoder: Final = msgspec.json.Decoder(WireAnswer)
_string: Final = msgspec.json.Decoder(str)

_END: Final = StopReason.END
_CALL: Final = StopReason.TOOL_CALL

REASONS: Final = {
    "stop": StopReason.END,
    "length": StopReason.MAX_TOKENS,
    "function_call": StopReason.TOOL_CALL,
    "blacklist": StopReason.FILTERED,
}
"""``finish_reason`` -> why a choice ended; words that are not here are ordinary ends."""


def read_response(body: bytes, written: WrittenRequest) -> ChatResponse:
    """Raises ``UpstreamBroken``, or what ``read_error`` gives for an error inside a 200."""
    try:
        answer = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UpstreamBroken(
            "GigaChat's answer could not be read. Try again.",
            # Not more of it: it is somebody's conversation, and this goes to the log.
            detail=f"{error}, in {len(body)} bytes that begin with {body[:1]!r}",
        ) from error
    if not answer.choices:
        raise read_error(200, {}, body)
    return ChatResponse(
        answer.message_id or "",
        answer.model or "",
        seconds(answer.created),
        tuple([_read_choice(choice, answer, written) for choice in answer.choices]),
        read_usage(answer.usage),
    )


def _read_choice(choice: WireChoice, answer: WireAnswer, written: WrittenRequest) -> Choice:
    message = choice.message
    parts: list[Part] = []
    if message.reasoning_content:
        parts.append(Reasoning(message.reasoning_content))
    if message.content:
        parts += split_thoughts(message.content)
    has_call = False
    if message.function_call is not None:
        calls = CallReader(written, answer.message_id or "", str(answer.created))
        read = calls.read(message.function_call, message.functions_state_id, choice.index)
        has_call = isinstance(read, ToolCall)
        if not has_call:  # words beside an answer that has a form would spoil it
            parts = [part for part in parts if not isinstance(part, Text)]
        parts.append(read)
    reason = choice.finish_reason
    if not reason:
        raise UpstreamBroken("GigaChat's answer does not say how it ended. Try again.")
    if reason == "error":
        raise model_failed()
    return Choice(choice.index, tuple(parts), stop_reason(reason, has_call=has_call))


class CallReader:
    """Reads the calls of one answer."""

    def __init__(self, written: WrittenRequest, answer_id: str, created: str) -> None:
        self._written = written
        self._answer = (answer_id, created)

    def read(self, call: WireCall, state: str | None, choice: int) -> ToolCall | Text:
        """The call, or the text that it stands for (see ``WrittenRequest.json_tool``)."""
        written = self._written
        arguments = read_arguments(call.arguments)
        if call.name == written.json_tool and call.name:
            return Text(arguments)
        name = written.tool_names.get(call.name, call.name)
        identity = call_id(state) if state else None
        if identity is None:
            identity = derived_id(*self._answer, str(choice), call.name, arguments)
        if name in written.custom_tools:
            return ToolCall(identity, name, free_text(arguments), CallKind.CUSTOM)
        return ToolCall(identity, name, arguments)


def read_arguments(raw: Raw) -> str:
    """Arguments as compact JSON text: key order and number spelling kept, escapes undone."""
    encoded = bytes(raw)
    if encoded in {b"null", b""}:
        return "{}"
    if encoded.startswith(b'"'):
        return _string.decode(encoded) or "{}"
    if b"\\u" in encoded:
        try:
            return msgspec.json.encode(msgspec.json.decode(encoded)).decode()
        except msgspec.MsgspecError:  # a number that Python cannot hold: leave the spelling
            return encoded.decode()
    if b" " in encoded or b"\n" in encoded:
        encoded = msgspec.json.format(encoded, indent=-1)
    return encoded.decode()


def stop_reason(word: str, *, has_call: bool) -> StopReason:
    """A call ends the turn as a call whatever the upstream says, unless it was cut short."""
    reason = REASONS.get(word, _END)
    if reason is _END or reason is _CALL:
        return _CALL if has_call else _END
    return reason


def model_failed() -> GatewayError:
    """``finish_reason: error``: the model wrote function arguments that cannot be read."""
    return UpstreamBroken(
        "The model wrote a function call that cannot be read. Try again, or make the function's"
        " schema simpler.",
        code="model_error",
    )


def read_usage(usage: WireUsage | None) -> Usage | None:
    """Disjoint counts whose sums are the provider's own figures."""
    if usage is None:
        return None
    prompt = usage.prompt_tokens or 0
    cached = usage.precached_prompt_tokens or 0
    output = usage.completion_tokens or 0
    if not 0 <= cached <= prompt or output < 0:
        prompt, output = max(prompt, 0), max(output, 0)
        cached = min(max(cached, 0), prompt)
    return Usage(prompt - cached, output, cached)


def seconds(created: float | str | None) -> int:
    """``created`` as Unix seconds; 0 when it is none."""
    try:
        return created if type(created) is int else int(created or 0)
    except (ValueError, OverflowError):
        return 0
