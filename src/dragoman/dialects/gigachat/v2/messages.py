"""A conversation as version 2 takes it: content in parts, several calls in one turn, and their
results together in the ``tool`` message that follows it.

The caller's messages are grouped into turns first. A result belongs to the turn that asked for
it, wherever the caller put it; what nobody asked for the user says. Assistant messages in a row
are one turn, unless they come from different answers of GigaChat.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct

from dragoman.canonical.conversation import Media, Message, Role, Text, ToolCall, ToolResult
from dragoman.dialects.gigachat.attachments import Shown, Slots, shown_by
from dragoman.dialects.gigachat.messages import (
    BETWEEN,
    call_arguments,
    opening,
    said,
    unescaped,
)
from dragoman.dialects.gigachat.results import document, words_of
from dragoman.dialects.gigachat.v2.call_ids import CallOrigin, origin_of
from dragoman.dialects.gigachat.v2.draft import Draft
from dragoman.errors import InvalidRequest, UnsupportedByTarget

Wire = dict[str, Any]

_NOWHERE: Final = CallOrigin("", "", 0)


class _Turn(Struct):
    """What one side says before the other side speaks."""

    role: Role
    number: int
    """Of its last message."""
    words: list[str] = []
    shown: list[Shown] = []
    """Pictures, documents and recordings of the user's."""
    calls: list[ToolCall] = []
    results: dict[str, list[ToolResult]] = {}
    """Call id -> what the tools answered, in the caller's order."""
    state: str = ""
    """The ``tools_state_id`` of the answer that it was."""


def write_messages(draft: Draft) -> list[Wire]:
    """The wire messages. Raises ``UnsupportedByTarget`` and ``InvalidRequest``."""
    instructions, start = opening(draft)
    turns = _Turns(draft).read(start)
    instructions += draft.instructions
    wire: list[Wire] = []
    if instructions:
        wire.append(_message("system", [{"text": BETWEEN.join(instructions)}]))
    for turn in turns:
        if turn.role is Role.ASSISTANT:
            _write_assistant(draft, turn, wire)
        else:
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


class _Turns:
    """Groups messages into turns."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._turns: list[_Turn] = []
        self._asking: dict[str, _Turn] = {}
        """Call id -> the latest turn that made such a call."""
        self._answered = False
        """Results have come since the last turn began: what the assistant says next is another."""
        self._pending: list[tuple[str, list[Shown]]] = []
        """What tools have shown: the user shows it behind their results."""

    def read(self, start: int) -> list[_Turn]:
        """The turns of the messages from ``start``, without those that say nothing."""
        messages = self._draft.request.messages
        for number in range(start, len(messages)):
            message = messages[number]
            text = said(self._draft, message, number)
            if message.role is Role.TOOL:
                self._results(message, number)
                continue
            self._show(number)
            if message.role is Role.ASSISTANT:
                self._assistant(message, number, text)
            else:
                self._user(message, number, text)
        self._show(len(messages) - 1)
        return self._turns

    def _show(self, number: int) -> None:
        for words, shown in self._pending:
            turn = self._last(Role.USER) or self._begin(Role.USER, number)
            turn.words.append(words)
            turn.shown += shown
        self._pending.clear()

    def _user(self, message: Message, number: int, text: str) -> None:
        role = message.role
        if role is Role.USER and (len(message.parts) > 1 or not text):
            shown = shown_by(message, f"messages[{number}]")
        else:
            shown = []
        if not text and not shown:
            return
        if role is not Role.USER:
            text = f"<system-reminder>\n{text}\n</system-reminder>"
            place = f"messages[{number}].role"
            self._draft.fidelity.adjust(place, role.value, "system-reminder")
        turn = self._last(Role.USER) or self._begin(Role.USER, number)
        turn.number = number
        turn.shown += shown
        if text:
            turn.words.append(text)

    def _assistant(self, message: Message, number: int, text: str) -> None:
        calls = [part for part in message.parts if isinstance(part, ToolCall)]
        if not text and not calls:
            return
        origins = [origin for call in calls if (origin := origin_of(call.id)) is not None]
        state = next((origin.state for origin in origins if origin.state), "")
        turn = self._last(Role.ASSISTANT)
        differs = turn is not None and turn.calls and calls and turn.state != state
        if turn is None or self._answered or differs:
            turn = self._begin(Role.ASSISTANT, number)
        turn.number = number
        turn.state = turn.state or state
        if text:
            turn.words.append(text)
        for call in calls:
            turn.calls.append(call)
            self._asking[call.id] = turn

    def _results(self, message: Message, number: int) -> None:
        place = f"messages[{number}]"
        for part in message.parts:
            if not isinstance(part, ToolResult):
                continue
            shown = [
                Shown(medium, f"{place}.content[{at}]")
                for at, medium in enumerate(part.parts)
                if isinstance(medium, Media)
            ]
            turn = self._asking.get(part.call_id)
            if turn is not None:
                turn.results.setdefault(part.call_id, []).append(part)
                self._answered = True
                if shown:
                    self._draft.fidelity.adjust(place, "media in a result", "user message")
                    self._pending.append((f"What {part.name} shows:", shown))
                continue
            self._draft.fidelity.adjust(place, "result without a call", "user text")
            turn = self._last(Role.USER) or self._begin(Role.USER, number)
            turn.words.append(f"{part.name}: {words_of(part)}")
            turn.shown += shown

    def _last(self, role: Role) -> _Turn | None:
        last = self._turns[-1] if self._turns else None
        return last if last is not None and last.role is role else None

    def _begin(self, role: Role, number: int) -> _Turn:
        turn = _Turn(role, number)
        self._turns.append(turn)
        self._answered = False
        return turn


def _message(role: str, content: list[Wire]) -> Wire:
    return {"role": role, "content": content}


def _write_user(draft: Draft, turn: _Turn, wire: list[Wire]) -> None:
    parts: list[Wire] = [{"text": BETWEEN.join(turn.words)}] if turn.words else []
    if turn.shown:
        draft.slots = draft.slots or Slots()
        parts.append(draft.slots.part(turn.shown, len(wire)))
    wire.append(_message("user", parts))


def _write_assistant(draft: Draft, turn: _Turn, wire: list[Wire]) -> None:
    spoken: list[Wire] = [{"text": BETWEEN.join(turn.words)}] if turn.words else []
    asking = _message("assistant", spoken)
    wire.append(asking)
    if not turn.calls:
        return
    answering = _message("tool", [])
    wire.append(answering)
    if turn.state:
        asking["tools_state_id"] = answering["tools_state_id"] = turn.state
    left = [call.id for call in turn.calls]
    for number, call in enumerate(turn.calls):
        left.remove(call.id)
        result = _result_of(draft, turn, call, is_last=call.id not in left)
        name = draft.names.wire(call.name)
        named: Wire = {"name": name}
        if own := _own_id(turn, call, number):
            named = {"id": own, "name": name}
        arguments = call_arguments(draft, call, f"messages[{turn.number}]")
        spoken.append({"function_call": {**named, "arguments": arguments}})
        value = unescaped(document(words_of(result)).encode())
        answering["content"].append({"function_result": {**named, "result": value}})


def _own_id(turn: _Turn, call: ToolCall, number: int) -> str:
    """GigaChat's id of the call; where it has none, one that tells several apart."""
    own = (origin_of(call.id) or _NOWHERE).own
    if own or turn.state or len(turn.calls) == 1:
        return own
    return f"call_{number}"


def _result_of(draft: Draft, turn: _Turn, call: ToolCall, *, is_last: bool) -> ToolResult:
    """The next result of calls that share an id; the last of several for one call."""
    results = turn.results.get(call.id, [])
    place = f"messages[{turn.number}].tool_calls"
    if not results:
        draft.fidelity.adjust(place, "no result", "placeholder")
        return ToolResult(call.id, call.name, (Text("Tool result missing"),), is_error=True)
    if not is_last:
        return results.pop(0)
    if len(results) > 1:
        draft.fidelity.adjust(place, "several results", "the last")
    return results[-1]
