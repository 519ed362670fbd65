"""A whole answer of the Messages API."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Raw, Struct

from dragoman.canonical.conversation import (
    NO_EXTRAS,
    CallKind,
    Extras,
    Native,
    Part,
    Reasoning,
    Text,
    ToolCall,
)
from dragoman.canonical.response import ChatResponse, Choice
from dragoman.dialects.anthropic_messages.errors import read_error
from dragoman.dialects.anthropic_messages.wire import (
    NAME,
    Block,
    StopDetails,
    WireUsage,
    end_extras,
    read_usage,
    stop_reason,
)
from dragoman.dialects.base import WrittenRequest
from dragoman.dialects.free_text_tools import free_text
from dragoman.errors import UpstreamBroken


class _Answer(Struct):
    content: list[Raw] | None = None
    id: str = ""
    model: str = ""
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: StopDetails | None = None
    usage: WireUsage | None = None


_decode: Final = msgspec.json.Decoder(_Answer).decode
_decode_block: Final = msgspec.json.Decoder(Block).decode
_compact: Final = msgspec.json.format


def read_response(body: bytes, written: WrittenRequest) -> ChatResponse:
    """Raises ``UpstreamBroken``, or what ``read_error`` gives for an error inside a 200."""
    try:
        answer = _decode(body)
        if answer.content is None:
            raise read_error(200, {}, body)
        parts = [part for raw in answer.content if (part := read_block(raw, written)) is not None]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UpstreamBroken(
            "The model's answer could not be read. Try again.",
            # Not more of it: it is somebody's conversation, and this goes to the log.
            detail=f"{error}, in {len(body)} bytes that begin with {body[:1]!r}",
        ) from error
    if not answer.stop_reason:
        raise UpstreamBroken("The model's answer does not say how it ended. Try again.")
    has_call = any(isinstance(part, ToolCall) for part in parts)
    choice = Choice(
        0,
        tuple(parts),
        stop_reason(answer.stop_reason, has_call=has_call),
        end_extras(answer.stop_sequence, answer.stop_details) or NO_EXTRAS,
    )
    return ChatResponse(answer.id, answer.model, 0, (choice,), read_usage(answer.usage))


def read_block(raw: Raw, written: WrittenRequest) -> Part | None:
    """One content block; ``None`` for words that are none. Raises ``msgspec.DecodeError``."""
    block = _decode_block(raw)
    match block.type:
        case "text":
            return Text(block.text, citing(block.citations)) if block.text else None
        case "thinking":
            return Reasoning(block.thinking, signed(block.signature))
        case "redacted_thinking":
            return Reasoning("", redacted(block.data))
        case "tool_use":
            arguments = _compact(bytes(block.input), indent=-1).decode()
            return read_call(block, arguments, written)
        case _:
            return Native(NAME, block.type, raw)


def read_call(block: Block, arguments: str, written: WrittenRequest) -> ToolCall | Text:
    """A call, or the words that it stands for (see ``WrittenRequest.json_tool``)."""
    if block.name == written.json_tool and block.name:
        return Text(arguments)
    name = written.tool_names.get(block.name, block.name)
    if name in written.custom_tools:
        return ToolCall(block.id, name, free_text(arguments), CallKind.CUSTOM)
    return ToolCall(block.id, name, arguments or "{}")


def signed(signature: str) -> Extras:
    """The proof that thoughts are the model's own."""
    return {NAME: {"signature": signature}} if signature else NO_EXTRAS


def redacted(data: str) -> Extras:
    """Thoughts that only the provider can read."""
    return {NAME: {"redacted_thinking": data}}


def citing(citations: list[Raw] | None) -> Extras:
    """The sources of a block of words, as the provider spells them."""
    return {NAME: {"citations": citations}} if citations else NO_EXTRAS
