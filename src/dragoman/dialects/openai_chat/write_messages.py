"""Canonical messages as an upstream of this dialect takes them.

Text alone is sent as a plain string, because many compatible servers take nothing else from
systems, assistants and tools. What a tool showed (images) cannot stand in a ``tool`` message; it
follows in a user message after the last result of the turn.
"""

from __future__ import annotations

from typing import Any, Final

from dragoman.canonical.conversation import (
    CallKind,
    Citation,
    Extras,
    Media,
    MediaKind,
    Message,
    Native,
    Part,
    Reasoning,
    Refusal,
    Role,
    Text,
    ToolCall,
    ToolResult,
)
from dragoman.canonical.fidelity import Fidelity
from dragoman.dialects.openai_chat.wire import NAME

_SILENT: Final = frozenset({"cache_control", "prompt_cache_breakpoint"})
"""Members whose loss changes nothing in the answer."""

_AUDIO_FORMATS: Final = {"audio/mpeg": "mp3", "audio/x-wav": "wav", "audio/wave": "wav"}


def note_foreign(extras: Extras, path: str, fidelity: Fidelity) -> None:
    """Note the members that only other dialects understand."""
    for dialect, members in extras.items():
        if dialect != NAME:
            for name in members:
                if name not in _SILENT:
                    fidelity.drop(f"{path}.{name}" if path else name)


class MessageWriter:
    """Writes a conversation and notes what it cannot carry."""

    def __init__(self, fidelity: Fidelity, *, developer_role: bool) -> None:
        self._fidelity = fidelity
        self._developer_role = developer_role
        self._written: list[dict[str, Any]] = []
        self._shown: list[dict[str, Any]] = []
        """What tools showed, for the user message after their results."""

    def write(self, messages: tuple[Message, ...]) -> list[dict[str, Any]]:
        """``messages`` of the body."""
        for at, message in enumerate(messages):
            path = f"messages[{at}]"
            note_foreign(message.extras, path, self._fidelity)
            results = [part for part in message.parts if isinstance(part, ToolResult)]
            for result in results:
                self._result(result, message, path)
            if message.role is not Role.TOOL:
                self._show()
            rest = tuple(part for part in message.parts if not isinstance(part, ToolResult))
            if rest or not results:
                self._message(message, rest, path)
        self._show()
        return self._written

    def _message(self, message: Message, parts: tuple[Part, ...], path: str) -> None:
        role = message.role.value
        if message.role is Role.DEVELOPER and not self._developer_role:
            role = Role.SYSTEM.value
        body: dict[str, Any] = {"role": role}
        if message.role is Role.ASSISTANT:
            self._assistant(body, parts, path)
        else:
            body["content"] = self._content(parts, path)
        if message.name is not None:
            body["name"] = message.name
        body.update(message.extras.get(NAME, {}))
        self._written.append(body)

    def _assistant(self, body: dict[str, Any], parts: tuple[Part, ...], path: str) -> None:
        spoken: list[Part] = []
        calls: list[dict[str, Any]] = []
        for part in parts:
            match part:
                case ToolCall():
                    calls.append(write_call(part))
                case Reasoning():
                    body["reasoning_content"] = body.get("reasoning_content", "") + part.text
                    body.update(part.extras.get(NAME, {}))
                case Media():
                    self._fidelity.drop(f"{path}.content.{part.kind.value}")
                case _:
                    spoken.append(part)
        refusal = "".join(part.text for part in spoken if isinstance(part, Refusal))
        if refusal and all(isinstance(part, Refusal) for part in spoken):
            body["content"] = None
            body["refusal"] = refusal
        else:
            body["content"] = self._content(tuple(spoken), path) if spoken or not calls else None
        if calls:
            body["tool_calls"] = calls

    def _content(self, parts: tuple[Part, ...], path: str) -> str | list[Any]:
        """A string when there is nothing but text without marks of its own."""
        plain = all(isinstance(part, Text) and not part.extras.get(NAME) for part in parts)
        bodies: list[Any] = []
        for at, part in enumerate(parts):
            body = self._part(part, f"{path}.content[{at}]")
            if body is not None:
                bodies.append(body)
        return "".join(body["text"] for body in bodies) if plain else bodies

    def _part(self, part: Part, path: str) -> Any:
        match part:
            case Text():
                note_foreign(part.extras, path, self._fidelity)
                return {"type": "text", "text": part.text, **part.extras.get(NAME, {})}
            case Refusal():
                return {"type": "refusal", "refusal": part.text}
            case Media():
                note_foreign(part.extras, path, self._fidelity)
                body = write_media(part)
                if body is None:
                    self._fidelity.drop(path)
                return body
            case Native(dialect=dialect, kind=kind, body=body):
                if dialect == NAME:
                    return body
                self._fidelity.drop(f"{path}.{kind}")
                return None
            case _:
                self._fidelity.drop(path)
                return None

    def _result(self, result: ToolResult, message: Message, path: str) -> None:
        words = "".join(part.text for part in result.parts if isinstance(part, Text))
        for part in result.parts:
            note_foreign(part.extras, f"{path}.content", self._fidelity)
            if isinstance(part, Media):
                body = write_media(part)
                if body is None:
                    self._fidelity.drop(f"{path}.content.{part.kind.value}")
                    continue
                self._shown.append(body)
                words += f"[{part.kind.value} {len(self._shown)} of the next user message]"
                self._fidelity.adjust(f"{path}.content", "tool", "user")
        if result.is_error and not words.startswith("Error: "):
            words = f"Error: {words}"
        body = {"role": "tool", "tool_call_id": result.call_id, "content": words}
        body.update(message.extras.get(NAME, {}))
        self._written.append(body)

    def _show(self) -> None:
        if self._shown:
            self._written.append({"role": "user", "content": self._shown})
            self._shown = []


def write_call(call: ToolCall) -> dict[str, Any]:
    """One entry of a message's ``tool_calls``; no arguments are ``{}``, never an empty string."""
    rest = call.extras.get(NAME, {})
    if call.kind is CallKind.CUSTOM:
        custom = {"name": call.name, "input": call.arguments}
        return {"id": call.id, "type": "custom", "custom": custom, **rest}
    function = {"name": call.name, "arguments": call.arguments or "{}"}
    return {"id": call.id, "type": "function", "function": function, **rest}


def write_citation(citation: Citation) -> dict[str, Any]:
    """One entry of an answer's ``annotations``."""
    place = {"start_index": citation.start, "end_index": citation.end}
    page = {"url": citation.url, "title": citation.title}
    return {"type": "url_citation", "url_citation": {**place, **page}}


def write_media(media: Media) -> dict[str, Any] | None:
    """A part that shows ``media``; ``None`` where the dialect has no such part."""
    rest = dict(media.extras.get(NAME, {}))
    payload = dict(rest.pop("payload", {}))
    if media.kind is MediaKind.IMAGE and media.file_id is None:
        inline = f"data:{media.media_type or 'image/png'};base64,{media.data}"
        url = media.url if media.url is not None else inline
        return {"type": "image_url", "image_url": {"url": url, **payload}, **rest}
    if media.kind is MediaKind.AUDIO and media.data is not None:
        kind = media.media_type or "audio/wav"
        sort = _AUDIO_FORMATS.get(kind, kind.removeprefix("audio/"))
        body = {"data": media.data, "format": sort, **payload}
        return {"type": "input_audio", "input_audio": body, **rest}
    if media.file_id is not None:
        return {"type": "file", "file": {"file_id": media.file_id, **payload}, **rest}
    if media.kind is MediaKind.DOCUMENT and media.data is not None:
        prefix = f"data:{media.media_type};base64," if media.media_type else ""
        body = {"file_data": prefix + media.data, **payload}
        if media.name is not None:
            body["filename"] = media.name
        return {"type": "file", "file": body, **rest}
    return None
