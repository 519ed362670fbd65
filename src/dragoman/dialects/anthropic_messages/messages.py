"""A conversation as the Messages API takes it.

``Conversation`` writes each of the caller's messages into the turn of its side; ``turns`` puts the
turns into the order that the API wants.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Raw

from dragoman.canonical.conversation import (
    CallKind,
    Extras,
    Media,
    Message,
    Native,
    Reasoning,
    Refusal,
    Role,
    Text,
    ToolCall,
    ToolResult,
    text_of,
)
from dragoman.dialects.anthropic_messages.draft import Draft, safe_id
from dragoman.dialects.anthropic_messages.marks import MEMBERS as MARKS
from dragoman.dialects.anthropic_messages.marks import mark_of
from dragoman.dialects.anthropic_messages.media import media_block
from dragoman.dialects.anthropic_messages.turns import Block, Turn, arrange, begun_answer
from dragoman.dialects.anthropic_messages.wire import NAME
from dragoman.errors import InvalidRequest, UnsupportedByTarget

_INSTRUCTING: Final = (Role.SYSTEM, Role.DEVELOPER)
_SILENT_MEMBERS: Final = MARKS | {
    "annotations",
    "audio",
    "citations",
    "name",
    "payload",  # ``detail`` of a picture
    "reasoning",
    "reasoning_content",
    "reasoning_details",
    "refusal",
    "thinking_blocks",
}
"""Members of messages and parts that have no bearing on what the model reads."""

_object: Final = msgspec.json.Decoder(dict[str, Raw])


def write_messages(draft: Draft) -> None:
    """``system`` and ``messages`` of the body. Raises ``InvalidRequest``."""
    messages = draft.request.messages
    start = 0
    system: list[Block] = []
    while start < len(messages) and messages[start].role in _INSTRUCTING:
        system += _instructions(draft, messages[start], f"messages[{start}]")
        start += 1
    conversation = Conversation(draft)
    for number in range(start, len(messages)):
        conversation.add(messages[number], number)
    inline = draft.facts.inline_system
    turns = arrange(conversation.turns, draft.fidelity, inline_system=inline)
    if not turns:
        if not system:
            raise InvalidRequest("The messages hold no words. Send some.", param="messages")
        draft.fidelity.adjust("messages", "system", "user")
        turns, system = [Turn("user", "messages", system)], []
    begun = begun_answer(turns)
    if begun is not None and not draft.facts.prefill:
        raise UnsupportedByTarget(
            "This model does not go on with an answer that has been begun. Let the last message be"
            " the user's.",
            param=begun.place,
        )
    system += [{"type": "text", "text": text} for text in draft.instructions]
    if system:
        draft.body["system"] = system
    draft.body["messages"] = [_message(turn) for turn in turns]


def _message(turn: Turn) -> dict[str, Any]:
    """Plain words as plain text."""
    blocks = turn.blocks()
    if len(blocks) == 1 and blocks[0].keys() == {"type", "text"}:
        return {"role": turn.role, "content": blocks[0]["text"]}
    return {"role": turn.role, "content": blocks}


def _instructions(draft: Draft, message: Message, place: str) -> list[Block]:
    blocks: list[Block] = []
    for number, part in enumerate(message.parts):
        if isinstance(part, Media):
            raise UnsupportedByTarget(
                "Claude takes pictures and files in the user's messages only. Move this there.",
                param=f"{place}.content[{number}]",
            )
        block = _spoken(draft, part, place)
        if block is not None:
            blocks.append(block)
    _finish(draft, message.extras, blocks, place)
    return blocks


def _spoken(draft: Draft, part: Any, place: str) -> Block | None:
    """The block of a part that is words, or one of Anthropic's own; ``None`` for nothing."""
    match part:
        case Text(text=text, extras=extras):
            if not text.strip():
                return None
            block: Block = {"type": "text", "text": text}
            if extras:
                _finish(draft, extras, [block], f"{place}.content[]")
            return block
        case Refusal(text=text) if text.strip():
            return {"type": "text", "text": text}
        case Native(dialect=dialect, kind=kind, body=body):
            if dialect == NAME:
                own: Block = msgspec.json.decode(body)
                return own
            draft.fidelity.drop(f"{place}.content[].{kind}")
    return None


def _finish(draft: Draft, extras: Extras, blocks: list[Block], place: str) -> None:
    """Take the mark over to the last of ``blocks``, and note what is left out."""
    if not extras:
        return
    mark = mark_of(extras, draft.fidelity)
    if mark is not None and blocks and blocks[-1]["type"] not in {"thinking", "redacted_thinking"}:
        blocks[-1]["cache_control"] = mark
    for members in extras.values():
        for member in members:
            if member not in _SILENT_MEMBERS:
                draft.fidelity.drop(f"{place}.{member}")


class Conversation:
    """Everything behind the leading instructions, turn by turn."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self.turns: list[Turn] = []
        self._open: dict[str, list[str]] = {}
        """The caller's id of each call of the assistant's last turn -> its ids on the wire."""
        self._ids: set[str] = set()
        """All ids on the wire so far: the API takes none twice."""

    def add(self, message: Message, number: int) -> None:
        """Write one message. Raises ``InvalidRequest``."""
        place = f"messages[{number}]"
        role = message.role
        if role is Role.TOOL:
            self._results(message, place)
        elif role is Role.ASSISTANT:
            self._assistant(message, place)
        elif role is Role.USER:
            self._user(message, place)
        else:
            turn = Turn("system", place, _instructions(self._draft, message, place))
            turn.original = role.value
            if turn.content:
                self.turns.append(turn)

    def _turn(self, role: str, place: str) -> Turn:
        if self.turns and self.turns[-1].role == role:
            self.turns[-1].place = place
            return self.turns[-1]
        self.turns.append(Turn(role, place))
        return self.turns[-1]

    def _user(self, message: Message, place: str) -> None:
        blocks: list[Block] = []
        for number, part in enumerate(message.parts):
            if isinstance(part, Media):
                blocks.append(self._media(part, f"{place}.content[{number}]"))
                continue
            block = _spoken(self._draft, part, place)
            if block is not None:
                blocks.append(block)
        _finish(self._draft, message.extras, blocks, place)
        if blocks:
            self._turn("user", place).content += blocks

    def _media(self, media: Media, path: str) -> Block:
        block = media_block(self._draft, media, path)
        _finish(self._draft, media.extras, [block], path)
        return block

    def _assistant(self, message: Message, place: str) -> None:
        blocks: list[Block] = []
        calls: list[tuple[str, str]] = []
        for number, part in enumerate(message.parts):
            match part:
                case Reasoning():
                    blocks += self._thoughts(part)
                case ToolCall():
                    wire_id = self._new_id(part.id)
                    calls.append((part.id, wire_id))
                    blocks.append(self._call(part, wire_id, place))
                case Media():
                    raise UnsupportedByTarget(
                        "Claude takes pictures and files in the user's messages only. Move this"
                        " there.",
                        param=f"{place}.content[{number}]",
                    )
                case _:
                    block = _spoken(self._draft, part, place)
                    blocks += [] if block is None else [block]
        _finish(self._draft, message.extras, blocks, place)
        if not any(block["type"] not in {"thinking", "redacted_thinking"} for block in blocks):
            return  # thoughts alone are no turn
        if not self.turns or self.turns[-1].role != "assistant":
            self._open = {}
        for call_id, wire_id in calls:
            self._open.setdefault(call_id, []).append(wire_id)
        self._turn("assistant", place).content += blocks

    def _thoughts(self, part: Reasoning) -> list[Block]:
        """Only what is signed can go back, and only where thoughts are wanted."""
        members = part.extras.get(NAME, {})
        if not self._draft.keeps_thoughts:
            return []
        if "redacted_thinking" in members:
            return [{"type": "redacted_thinking", "data": members["redacted_thinking"]}]
        if "signature" in members:
            signature = members["signature"]
            return [{"type": "thinking", "thinking": part.text, "signature": signature}]
        return []

    def _new_id(self, call_id: str) -> str:
        """Some servers number calls anew in each answer, so that ids come back."""
        first = wire_id = safe_id(call_id)
        number = 2
        while wire_id in self._ids:
            wire_id = f"{first}_{number}"
            number += 1
        self._ids.add(wire_id)
        return wire_id

    def _call(self, call: ToolCall, wire_id: str, place: str) -> Block:
        block = {
            "type": "tool_use",
            "id": wire_id,
            "name": self._draft.names.wire(call.name),
            "input": self._arguments(call, place),
        }
        _finish(self._draft, call.extras, [block], f"{place}.tool_calls[]")
        return block

    def _arguments(self, call: ToolCall, place: str) -> Raw | Mapping[str, Any]:
        """An object, spelled as the model spelled it where possible."""
        if call.kind is CallKind.CUSTOM:
            return {"input": call.arguments}
        text = call.arguments.strip()
        if not text:
            return {}
        encoded = text.encode("utf-8", "replace")
        try:
            if text.startswith("{"):
                _object.decode(encoded)
                return Raw(encoded)
            value = msgspec.json.decode(encoded)
        except (msgspec.DecodeError, RecursionError):
            self._draft.fidelity.adjust(f"{place}.tool_calls", "invalid JSON", "object")
            return {"_raw": call.arguments}
        self._draft.fidelity.adjust(f"{place}.tool_calls", "no object", "object")
        return {"value": value}

    def _results(self, message: Message, place: str) -> None:
        for part in message.parts:
            if isinstance(part, ToolResult):
                self._result(part, message.extras, place)

    def _result(self, result: ToolResult, extras: Extras, place: str) -> None:
        open_ids = self._open.get(result.call_id)
        turn = self._turn("user", place)
        if not open_ids:
            self._draft.fidelity.adjust(place, "result without a call", "user text")
            text = f"{result.name}: {text_of(result.parts)}"
            turn.content.append({"type": "text", "text": text})
            return
        wire_id = open_ids[0]
        if len(open_ids) > 1:
            del open_ids[0]
        elif any(wire_id in one.results for one in self.turns):
            self._draft.fidelity.adjust(place, "several results", "the last")
            for one in self.turns:
                one.results.pop(wire_id, None)
        block: Block = {"type": "tool_result", "tool_use_id": wire_id}
        content = self._shown(result, place)
        if content:
            block["content"] = content
        for inner in content if isinstance(content, list) else ():
            if "cache_control" in inner:  # what counts is the end of the whole result
                block["cache_control"] = inner.pop("cache_control")
        if result.is_error:
            block["is_error"] = True
        _finish(self._draft, extras, [block], place)
        turn.results[wire_id] = block

    def _shown(self, result: ToolResult, place: str) -> str | list[Block]:
        if all(isinstance(part, Text) and not part.extras for part in result.parts):
            return text_of(result.parts)
        blocks: list[Block] = []
        for number, part in enumerate(result.parts):
            if isinstance(part, Media):
                blocks.append(self._media(part, f"{place}.content[{number}]"))
            elif (block := _spoken(self._draft, part, place)) is not None:
                blocks.append(block)
        return blocks
