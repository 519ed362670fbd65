"""Calls of one answer: their ids, names and arguments."""

from __future__ import annotations

from msgspec import Raw, Struct

from dragoman.canonical.conversation import CallKind, Text, ToolCall
from dragoman.dialects.base import WrittenRequest
from dragoman.dialects.free_text_tools import free_text
from dragoman.dialects.gigachat.answers import read_arguments
from dragoman.dialects.gigachat.state_ids import derived_id
from dragoman.dialects.gigachat.v2.call_ids import CallOrigin, call_id


class WireCall(Struct, gc=False):
    """``arguments`` is an object; a string is tolerated."""

    name: str = ""
    arguments: Raw = Raw(b"null")
    id: str | int | None = None


class CallReader:
    """Reads the calls of one answer and keeps count of them."""

    def __init__(self, written: WrittenRequest, answer_id: str, created: str) -> None:
        self._written = written
        self._answer = (answer_id, created)
        self._given: set[str] = set()
        """Ids of calls that GigaChat gave: a call that comes again is the same call."""
        self.count = 0

    def read(self, call: WireCall, state: str) -> ToolCall | Text | None:
        """The call, or the text that it stands for (see ``WrittenRequest.json_tool``); ``None``
        for one that has been read before.
        """
        written = self._written
        own = "" if call.id is None else str(call.id)
        if own and own in self._given:
            return None
        self._given.add(own)
        arguments = read_arguments(call.arguments)
        if call.name == written.json_tool and call.name:
            return Text(arguments)
        name = written.tool_names.get(call.name, call.name)
        number = self.count
        self.count += 1
        identity = call_id(CallOrigin(state, own, number))
        if identity is None:
            identity = derived_id(*self._answer, str(number), own, call.name, arguments)
        if name in written.custom_tools:
            return ToolCall(identity, name, free_text(arguments), CallKind.CUSTOM)
        return ToolCall(identity, name, arguments)
