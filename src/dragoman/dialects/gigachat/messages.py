"""A conversation as GigaChat takes it: one system message first, turns that alternate, one call
at a time.

The work goes in two steps. ``_turns`` groups the caller's messages: neighbours of one side
become one turn, and each result belongs to the last turn that asked for it. Then each turn is
written: words, and calls one by one, each followed by its own result, because a ``function``
message must follow the call it answers.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from dragoman.canonical.conversation import (
    NO_EXTRAS,
    CallKind,
    Media,
    Message,
    Native,
    Role,
    Text,
    ToolCall,
    ToolResult,
    text_of,
)
from dragoman.dialects.gigachat.attachments import Shown, Slots, shown_by
from dragoman.dialects.gigachat.draft import Draft
from dragoman.dialects.gigachat.results import document, words_of
from dragoman.dialects.gigachat.state_ids import state_id
from dragoman.errors import InvalidRequest, UnsupportedByTarget

Wire = dict[str, Any]

BETWEEN: Final = "\n\n"
"""Between the texts of messages that become one."""
_USER: Final = Role.USER
_ASSISTANT: Final = Role.ASSISTANT
_TOOL: Final = Role.TOOL
INSTRUCTING: Final = (Role.SYSTEM, Role.DEVELOPER)
_SILENT_MEMBERS: Final = frozenset(
    {
        "annotations",
        "audio",
        "cache_control",
        "detail",
        "name",
        "payload",
        "prompt_cache_breakpoint",
        "reasoning",
        "reasoning_content",
        "reasoning_details",
        "refusal",
        "thinking_blocks",
    }
)
"""Members of messages and parts that have no bearing on what the model reads."""

_object: Final = msgspec.json.Decoder(dict[str, Raw])


class _Call(Struct, frozen=True):
    call: ToolCall
    place: str
    """Where the caller wrote it."""


class _Turn(Struct):
    """What one side says before the other side speaks."""

    role: Role
    number: int
    """Of its last message."""
    words: list[str] = []
    shown: list[Shown] = []
    calls: list[_Call] = []
    asked: dict[str, int] = {}
    """Call id -> how many of ``calls`` have it."""
    results: dict[str, list[ToolResult]] = {}
    """Call id -> what the tools answered, in the caller's order."""


def write_messages(draft: Draft) -> list[Wire]:
    """The wire messages. Raises ``UnsupportedByTarget`` and ``InvalidRequest``."""
    instructions, start = opening(draft)
    turns = _turns(draft, start)
    wire: list[Wire] = []
    instructions += draft.instructions
    if instructions:
        wire.append({"role": "system", "content": BETWEEN.join(instructions)})
    for turn in turns:
        if turn.role is _ASSISTANT:
            _write_assistant(draft, turn, wire)
        elif turn.words or turn.shown:
            _write_user(draft, turn, wire)
    if not wire:
        raise InvalidRequest("The messages hold no words. Send some.", param="messages")
    if wire[-1]["role"] == "assistant":
        raise UnsupportedByTarget(
            "GigaChat does not go on with an answer that has been begun. Let the last message be"
            " the user's.",
            param=f"messages[{turns[-1].number}]",
        )
    return wire


def _turns(draft: Draft, start: int) -> list[_Turn]:
    turns: list[_Turn] = []
    turn: _Turn | None = None
    answering: dict[str, _Turn] = {}
    """Call id -> the last assistant turn that made such a call."""
    messages = draft.request.messages
    for number in range(start, len(messages)):
        message = messages[number]
        text = said(draft, message, number)
        role = message.role
        if role is _TOOL:
            _take_results(draft, message, number, answering, turns)
            turn = None  # what the assistant says next, it says knowing the result
            continue
        side = _ASSISTANT if role is _ASSISTANT else _USER
        if turn is None or turn.role is not side:
            turn = _Turn(side, number)
            turns.append(turn)
        turn.number = number
        if side is _ASSISTANT:
            _take_calls(turn, message, answering)
        elif text and role is not _USER:
            text = f"<system-reminder>\n{text}\n</system-reminder>"
            draft.fidelity.adjust(f"messages[{number}].role", role.value, "system-reminder")
        if text:
            turn.words.append(text)
        if side is _USER and (len(message.parts) > 1 or not text):
            turn.shown += shown_by(message, f"messages[{number}]")
    return [turn for turn in turns if turn.words or turn.calls or turn.shown]


def opening(draft: Draft) -> tuple[list[str], int]:
    """The instructions before the conversation, and the number of its first message."""
    instructions: list[str] = []
    start = 0
    for message in draft.request.messages:
        if message.role not in INSTRUCTING:
            break
        if text := said(draft, message, start):
            instructions.append(text)
        start += 1
    return instructions, start


def said(draft: Draft, message: Message, number: int) -> str:
    """The words of message ``number``, once it holds nothing that the model would not see.

    Most messages are one text and nothing else, which is told without looking further.
    """
    parts = message.parts
    if len(parts) == 1 and message.extras is NO_EXTRAS:
        part = parts[0]
        if type(part) is Text and part.extras is NO_EXTRAS:
            return part.text
    _check_members(draft, message, f"messages[{number}]")
    return text_of(parts)


def _take_calls(turn: _Turn, message: Message, answering: dict[str, _Turn]) -> None:
    for part in message.parts:
        if isinstance(part, ToolCall):
            turn.calls.append(_Call(part, f"messages[{turn.number}]"))
            turn.asked[part.id] = turn.asked.get(part.id, 0) + 1
            answering[part.id] = turn


def _take_results(
    draft: Draft,
    message: Message,
    number: int,
    answering: Mapping[str, _Turn],
    turns: list[_Turn],
) -> None:
    """Hand results to the turn that asked for them; what nobody asked for the user says."""
    place = f"messages[{number}]"
    for part in message.parts:
        if not isinstance(part, ToolResult):
            continue
        shown = [
            Shown(medium, f"{place}.content[{at}]")
            for at, medium in enumerate(part.parts)
            if isinstance(medium, Media)
        ]
        asking = answering.get(part.call_id)
        if asking is not None:
            asking.results.setdefault(part.call_id, []).append(part)
            if shown:
                draft.fidelity.adjust(place, "media in a result", "user message")
                turns.append(_Turn(_USER, number, [f"What {part.name} shows:"], shown))
            continue
        draft.fidelity.adjust(place, "result without a call", "user text")
        if not turns or turns[-1].role is not _USER:
            turns.append(_Turn(_USER, number))
        turns[-1].words.append(f"{part.name}: {words_of(part)}")
        turns[-1].shown += shown


def _write_words(wire: list[Wire], role: str, words: list[str]) -> None:
    """Turns that became neighbours because what stood between them was empty are joined."""
    content = BETWEEN.join(words)
    last = wire[-1] if wire else None
    if last is not None and last["role"] == role and "function_call" not in last:
        last["content"] += BETWEEN + content
    else:
        wire.append({"role": role, "content": content})


def _write_user(draft: Draft, turn: _Turn, wire: list[Wire]) -> None:
    _write_words(wire, "user", turn.words)
    if turn.shown:
        draft.slots = draft.slots or Slots()
        draft.slots.attach(wire[-1], turn.shown, len(wire) - 1)


def _write_assistant(draft: Draft, turn: _Turn, wire: list[Wire]) -> None:
    if turn.words:
        _write_words(wire, "assistant", turn.words)
    for number, item in enumerate(turn.calls):
        call = item.call
        results = turn.results.get(call.id, [])
        turn.asked[call.id] -= 1
        is_last = not turn.asked[call.id]
        result = _pick(results, is_last=is_last)
        if result is None:
            draft.fidelity.adjust(f"{item.place}.tool_calls", "no result", "placeholder")
            text = (Text("Tool result missing"),)
            result = ToolResult(call.id, call.name, text, is_error=True)
        elif is_last and results:
            draft.fidelity.adjust(f"{item.place}.tool_calls", "several results", "the last")
        if number or not turn.words:
            wire.append({"role": "assistant", "content": ""})
        message = wire[-1]
        name = draft.names.wire(call.name)
        arguments = call_arguments(draft, call, item.place)
        message["function_call"] = {"name": name, "arguments": arguments}
        if state := state_id(call.id):
            message["functions_state_id"] = state
        wire.append({"role": "function", "name": name, "content": document(words_of(result))})


def _pick(results: list[ToolResult], *, is_last: bool) -> ToolResult | None:
    """The next result of calls that share an id; the last of several for one call."""
    if not results:
        return None
    if not is_last:
        return results.pop(0)
    return results.pop()


def call_arguments(draft: Draft, call: ToolCall, place: str) -> Any:
    """The call's arguments as an object, spelled as the model spelled them where possible."""
    text = call.arguments.strip()
    if call.kind is CallKind.CUSTOM:
        return {"input": call.arguments}
    if not text:
        return {}
    encoded = text.encode()
    try:
        if text.startswith("{"):
            _object.decode(encoded)
            value: Any = None
        else:
            value = msgspec.json.decode(encoded)
    except (msgspec.DecodeError, RecursionError):
        draft.fidelity.adjust(f"{place}.tool_calls", "invalid JSON", "object")
        return {"_raw": call.arguments}
    if value is None and text.startswith("{"):
        return unescaped(encoded)
    draft.fidelity.adjust(f"{place}.tool_calls", "no object", "object")
    return {"value": value}


def unescaped(encoded: bytes) -> Any:
    """A JSON document to put into a body. Escaped Cyrillic costs tokens (vendor documentation),
    so escapes are undone, unless it holds a number that Python cannot.
    """
    if b"\\u" in encoded:
        with contextlib.suppress(msgspec.DecodeError):
            return msgspec.json.decode(encoded)
    return Raw(encoded)


def _check_members(draft: Draft, message: Message, place: str) -> None:
    """Refuse what the model would not see; note what is left out."""
    if message.role is not _USER:
        shown_by(message, place)
    if message.extras:
        _note_members(draft, message.extras, "messages[]")
    for part in message.parts:
        if isinstance(part, Native):
            draft.fidelity.drop(f"{place}.content[].{part.kind}")
        elif isinstance(part, Text) and part.extras:
            _note_members(draft, part.extras, "messages[].content[]")
        elif isinstance(part, Media):
            for members in part.extras.values():
                own = {**members, **members.get("payload", {})}
                _note_members(draft, {"": own}, "messages[].content[]")


def _note_members(draft: Draft, extras: Mapping[str, Mapping[str, Any]], where: str) -> None:
    for members in extras.values():
        for member in members:
            if member not in _SILENT_MEMBERS:
                draft.fidelity.drop(f"{where}.{member}")
