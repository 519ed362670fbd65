"""Messages of a caller, in canonical form.

``History`` reads them in order, because a tool's result is named after the call it answers.
Every form of content that known clients send is read (string, list of parts in any role, empty,
null); a kind of part that is not known stays whole as ``Native``. What has no canonical place
rides in ``extras``: members of a part under their own name, unknown members of a part's payload
(``image_url.detail``) together under ``payload``.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b32encode
from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec import Raw

from dragoman.canonical.conversation import (
    NO_EXTRAS,
    CallKind,
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
from dragoman.dialects.nesting import is_excessive
from dragoman.dialects.openai_chat.open_calls import OpenCalls
from dragoman.dialects.openai_chat.thoughts import read_details, read_thinking_blocks
from dragoman.dialects.openai_chat.wire import (
    LIST_OF_MEMBERS,
    LIST_OF_RAW,
    MEMBERS,
    NAME,
    NULL,
    SYNTAX,
    TEXT,
    Members,
    given,
    invalid_type,
    invalid_value,
    missing_member,
    optional,
    orphan_result,
    others,
    read_as,
    required,
)

_DATA_URI: Final = re.compile(
    r"data:([^;,]*)((?:;[^;,]*)*?);base64,(.*)", re.DOTALL | re.IGNORECASE
)
_AUDIO_TYPES: Final = {"mp3": "audio/mpeg", "wav": "audio/wav", "pcm16": "audio/pcm"}
_FILE_KINDS: Final = {
    "image": MediaKind.IMAGE,
    "audio": MediaKind.AUDIO,
    "video": MediaKind.VIDEO,
}

_PLAIN: Final = frozenset({"role", "content", "name"})
_ASSISTANT: Final = _PLAIN | {
    "refusal",
    "tool_calls",
    "function_call",
    "reasoning_content",
    "reasoning",
    "reasoning_details",
}
_TOOL: Final = _PLAIN | {"tool_call_id"}


def own_extras(members: dict[str, Any]) -> Extras:
    """``members`` as this dialect's extras."""
    return {NAME: members} if members else NO_EXTRAS


def derived_call_id(*seed: str) -> str:
    """An id for a call that was given none: the same seed gives the same id."""
    digest = hashlib.sha256("\0".join(seed).encode("utf-8", "replace")).digest()
    return "call_" + b32encode(digest)[:24].decode("ascii")


def parsed_data_uri(url: str) -> tuple[str | None, str] | None:
    """Media type and base64 text of a data URI; ``None`` for every other URL."""
    found = _DATA_URI.fullmatch(url)
    return (found[1] or None, found[3]) if found else None


def read_image(payload: Raw, path: str) -> tuple[Media, Members]:
    """An image from an object with ``url`` or from the bare URL, and what else the object held."""
    if memoryview(payload)[0] == 0x22:
        members: Members = {}
        url = read_as(TEXT, payload, path)
    else:
        members = read_as(MEMBERS, payload, path)
        url = required(members, "url", TEXT, path)
    inline = parsed_data_uri(url)
    media = (
        Media(kind=MediaKind.IMAGE, media_type=inline[0], data=inline[1])
        if inline
        else Media(kind=MediaKind.IMAGE, media_type=None, url=url)
    )
    return media, others(members, frozenset({"url"}))


def _text(part: Members, path: str) -> Part:
    text = required(part, "text", TEXT, path)
    return Text(text, own_extras(dict(others(part, frozenset({"type", "text"})))))


def _refusal(part: Members, path: str) -> Part:
    return Refusal(required(part, "refusal", TEXT, path))


def _image(part: Members, path: str) -> Part:
    payload = given(part, "image_url")
    if payload is None:
        raise missing_member(f"{path}.image_url")
    media, payload_rest = read_image(payload, f"{path}.image_url")
    return _with_rest(media, part, "image_url", payload_rest)


def _audio(part: Members, path: str) -> Part:
    payload = required(part, "input_audio", MEMBERS, path)
    path += ".input_audio"
    sort = required(payload, "format", TEXT, path)
    data = required(payload, "data", TEXT, path)
    if not data:
        raise invalid_value(f"{path}.data", "it holds nothing")
    media = Media(
        kind=MediaKind.AUDIO,
        media_type=_AUDIO_TYPES.get(sort, f"audio/{sort}"),
        data=data,
    )
    return _with_rest(media, part, "input_audio", others(payload, frozenset({"data", "format"})))


def _file(part: Members, path: str) -> Part:
    payload = required(part, "file", MEMBERS, path)
    path += ".file"
    data = optional(payload, "file_data", TEXT, path)
    if data == "":
        raise invalid_value(f"{path}.file_data", "it holds nothing")
    file_id = optional(payload, "file_id", TEXT, path)
    if (data is None) == (file_id is None):
        raise invalid_value(path, "exactly one of 'file_data' and 'file_id' is needed")
    media_type, data = (parsed_data_uri(data) or (None, data)) if data else (None, data)
    sort = media_type.partition("/")[0].lower() if media_type is not None else ""
    media = Media(
        kind=_FILE_KINDS.get(sort, MediaKind.DOCUMENT),
        media_type=media_type,
        data=data,
        file_id=file_id,
        name=optional(payload, "filename", TEXT, path),
    )
    known = frozenset({"file_data", "file_id", "filename"})
    return _with_rest(media, part, "file", others(payload, known))


def _with_rest(media: Media, part: Members, own: str, payload_rest: Members) -> Media:
    rest: dict[str, Any] = dict(others(part, frozenset({"type", own})))
    if payload_rest:
        rest["payload"] = payload_rest
    return msgspec.structs.replace(media, extras=own_extras(rest)) if rest else media


_PART_READERS: Final[dict[str, Callable[[Members, str], Part]]] = {
    "text": _text,
    "refusal": _refusal,
    "image_url": _image,
    "input_audio": _audio,
    "file": _file,
}
"""``type`` of a part -> what reads it."""


def read_parts(members: Members, path: str) -> tuple[Part, ...]:
    """``content`` of the message at ``path``, in whatever form."""
    raw = given(members, "content")
    if raw is None:
        return ()
    path += ".content"
    first = memoryview(raw)[0]
    if first == 0x22:
        return (Text(read_as(TEXT, raw, path)),)
    if first != 0x5B:
        raise invalid_type(path, "a string or an array of parts")
    bodies = read_as(LIST_OF_RAW, raw, path)
    return tuple(_part(body, f"{path}[{at}]") for at, body in enumerate(bodies))


def _part(body: Raw, path: str) -> Part:
    part = read_as(MEMBERS, body, path)
    kind = required(part, "type", TEXT, path)
    reader = _PART_READERS.get(kind)
    return reader(part, path) if reader else Native(NAME, kind, body)


def read_arguments(raw: Raw, path: str) -> str:
    """Arguments of a call in the history. Raises ``InvalidRequest`` unless they are JSON."""
    text = read_as(TEXT, raw, path)
    if not text.strip():
        return ""
    coded = text.encode()
    try:
        SYNTAX.decode(coded)
    except (msgspec.DecodeError, RecursionError):
        raise invalid_value(path, "it has to be a string that holds valid JSON") from None
    if is_excessive(coded):
        raise invalid_value(path, "it is nested too deep")
    return text


class History:
    """Reads messages in their order."""

    def __init__(self) -> None:
        self._open = OpenCalls()
        self._legacy: list[tuple[str, str]] = []
        """Name and id of each ``function_call`` that has no result yet."""
        self._legacy_count = 0

    def read(self, members: Members, role: str, path: str) -> Message:
        """One message. Raises ``InvalidRequest`` with the exact path of what is wrong."""
        return _ROLES[role](self, members, path)

    def read_plain(self, members: Members, path: str) -> Message:
        """A message of a system, developer or user."""
        role = Role(required(members, "role", TEXT, path))
        extras = own_extras(dict(others(members, _PLAIN)))
        name = optional(members, "name", TEXT, path)
        return Message(role, read_parts(members, path), name, extras)

    def read_assistant(self, members: Members, path: str) -> Message:
        """What a model said earlier."""
        parts = [*self._reasoning(members, path), *read_parts(members, path)]
        refusal = optional(members, "refusal", TEXT, path)
        if refusal:
            parts.append(Refusal(refusal))
        calls = self._calls(members, path)
        if calls:
            parts = [part for part in parts if not (isinstance(part, Text) and not part.text)]
        extras = own_extras(dict(others(members, _ASSISTANT)))
        name = optional(members, "name", TEXT, path)
        return Message(Role.ASSISTANT, (*parts, *calls), name, extras)

    def _reasoning(self, members: Members, path: str) -> list[Part]:
        text = ""
        for name in ("reasoning_content", "reasoning"):
            raw = given(members, name)
            if raw is not None and not text:
                text = read_as(TEXT, raw, f"{path}.{name}")
        details = optional(members, "reasoning_details", LIST_OF_RAW, path)
        blocks = optional(members, "thinking_blocks", LIST_OF_RAW, path)
        signed = read_details(details or ()) or read_thinking_blocks(blocks or ())
        if not signed:
            if not text and not details and given(members, "reasoning_content") is None:
                return []
            signed = [Reasoning(text)]
        if details:
            own = own_extras({"reasoning_details": details})
            signed[0] = Reasoning(signed[0].text, {**signed[0].extras, **own})
        return [*signed]

    def _calls(self, members: Members, path: str) -> list[ToolCall]:
        calls = []
        bodies = optional(members, "tool_calls", LIST_OF_MEMBERS, path) or []
        for at, body in enumerate(bodies):
            call = _call(body, f"{path}.tool_calls[{at}]")
            self._open.add(call.id, call.name)
            calls.append(call)
        legacy = optional(members, "function_call", MEMBERS, path)
        if legacy is not None:
            path += ".function_call"
            name = required(legacy, "name", TEXT, path)
            call_id = derived_call_id("function_call", str(self._legacy_count), name)
            self._legacy_count += 1
            self._legacy.append((name, call_id))
            raw = given(legacy, "arguments")
            arguments = read_arguments(raw, f"{path}.arguments") if raw is not None else ""
            calls.append(ToolCall(call_id, name, arguments))
        return calls

    def read_tool(self, members: Members, path: str) -> Message:
        """What a tool answered. Without the id of its call it answers the oldest open one."""
        call_id = optional(members, "tool_call_id", TEXT, path)
        if call_id is not None:
            name = self._open.answered(call_id)
            if name is None:
                raise orphan_result(f"{path}.tool_call_id")
            return self._result(call_id, name, members, path)
        found = self._open.oldest(optional(members, "name", TEXT, path))
        if found is None:
            raise missing_member(f"{path}.tool_call_id")
        return self._result(*found, members, path)

    def read_function(self, members: Members, path: str) -> Message:
        """The deprecated form of a tool's answer: it names the function, not the call."""
        name = required(members, "name", TEXT, path)
        for at, (called, call_id) in enumerate(self._legacy):
            if called == name:
                del self._legacy[at]
                return self._result(call_id, name, members, path)
        raise orphan_result(f"{path}.name")

    def _result(self, call_id: str, name: str, members: Members, path: str) -> Message:
        parts: list[Text | Media] = []
        for at, part in enumerate(read_parts(members, path)):
            if not isinstance(part, Text | Media):
                raise invalid_value(
                    f"{path}.content[{at}].type", "a tool's result holds text or media"
                )
            parts.append(part)
        extras = own_extras(dict(others(members, _TOOL)))
        return Message(Role.TOOL, (ToolResult(call_id, name, tuple(parts)),), None, extras)


_CALL: Final = frozenset({"id", "type", "function", "custom", "index"})


def _call(body: Members, path: str) -> ToolCall:
    call_id = required(body, "id", TEXT, path)
    kind = optional(body, "type", TEXT, path) or CallKind.FUNCTION.value
    extras = own_extras(dict(others(body, _CALL)))
    if kind == CallKind.CUSTOM:
        custom = required(body, "custom", MEMBERS, path)
        path += ".custom"
        name = required(custom, "name", TEXT, path)
        text = optional(custom, "input", TEXT, path) or ""
        return ToolCall(call_id, name, text, CallKind.CUSTOM, extras)
    if kind != CallKind.FUNCTION:
        raise invalid_value(f"{path}.type", "it has to be 'function' or 'custom'")
    function = required(body, "function", MEMBERS, path)
    path += ".function"
    raw = function.get("arguments", NULL)
    arguments = "" if raw == NULL else read_arguments(raw, f"{path}.arguments")
    return ToolCall(call_id, required(function, "name", TEXT, path), arguments, extras=extras)


_ROLES: Final[dict[str, Callable[[History, Members, str], Message]]] = {
    "system": History.read_plain,
    "developer": History.read_plain,
    "user": History.read_plain,
    "assistant": History.read_assistant,
    "tool": History.read_tool,
    "function": History.read_function,
}
"""``role`` -> what reads the message."""

ROLES: Final = frozenset(_ROLES)

_SPEAKERS: Final = {
    "system": Role.SYSTEM,
    "developer": Role.DEVELOPER,
    "user": Role.USER,
    "assistant": Role.ASSISTANT,
}
"""``role`` -> whose words a message may be that holds nothing else."""


def read_messages(bodies: list[Members], roles: list[str]) -> tuple[Message, ...]:
    """The conversation. Raises ``InvalidRequest`` with the exact path of what is wrong.

    Most messages are a role and a string: these are read here, before anything is built that
    only the others need.
    """
    messages: list[Message] = []
    history: History | None = None
    decode = TEXT.decode
    for members, role in zip(bodies, roles, strict=True):
        if len(members) == 2 and "content" in members and role in _SPEAKERS:
            try:
                text = Text(decode(members["content"]))
            except msgspec.ValidationError:  # no string
                pass
            else:
                messages.append(Message(_SPEAKERS[role], (text,)))
                continue
        if history is None:
            history = History()
        messages.append(history.read(members, role, f"messages[{len(messages)}]"))
    return tuple(messages)
