"""Messages and the parts they are made of.

Two valves keep this small. ``extras`` holds members that one dialect understands, keyed by
that dialect's name: it may write them back, the others do not look. ``Native`` is a part
that only its own dialect can write.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from msgspec import Raw, Struct

Extras = Mapping[str, Mapping[str, Any]]
"""Dialect name -> member name -> value. ``Raw`` values are the JSON text as received."""

NO_EXTRAS: Final[Extras] = MappingProxyType({})


class Role(StrEnum):
    """Who speaks."""

    SYSTEM = "system"
    DEVELOPER = "developer"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"
    """Carries ``ToolResult`` parts only."""


class MediaKind(StrEnum):
    """What a ``Media`` part shows."""

    IMAGE = "image"
    DOCUMENT = "document"
    AUDIO = "audio"
    VIDEO = "video"


class Text(Struct, frozen=True, gc=False):
    """Words."""

    text: str
    extras: Extras = NO_EXTRAS


class Refusal(Struct, frozen=True, gc=False):
    """The model's own words for declining (OpenAI's ``refusal``)."""

    text: str


class Reasoning(Struct, frozen=True):
    """What a model thought before it spoke."""

    text: str
    extras: Extras = NO_EXTRAS
    """Signatures and encrypted forms, which must return byte for byte to their origin."""


class Media(Struct, frozen=True, kw_only=True):
    """A picture, document or recording, given by exactly one of ``data``, ``url``, ``file_id``."""

    kind: MediaKind
    media_type: str | None
    """MIME type as the client declared it; ``None`` when it did not."""
    data: str | None = None
    """Base64 text as received, without a ``data:`` prefix."""
    url: str | None = None
    file_id: str | None = None
    name: str | None = None
    extras: Extras = NO_EXTRAS


class CallKind(StrEnum):
    """How a tool takes its input."""

    FUNCTION = "function"
    CUSTOM = "custom"
    """Free text instead of JSON arguments (OpenAI's custom tools)."""


class ToolCall(Struct, frozen=True):
    """A model asks the client to run a tool."""

    id: str
    name: str
    arguments: str
    """JSON text exactly as the model wrote it (free text for a custom tool). It may be invalid
    or cut short; an empty string means no arguments."""
    kind: CallKind = CallKind.FUNCTION
    extras: Extras = NO_EXTRAS


class ToolResult(Struct, frozen=True):
    """What a tool answered."""

    call_id: str
    name: str
    """Name of the tool, looked up from the call when the wire format does not repeat it."""
    parts: tuple[Text | Media, ...]
    is_error: bool = False


class Native(Struct, frozen=True):
    """A part that only the dialect ``dialect`` can write; the others drop it and say so."""

    dialect: str
    kind: str
    """The dialect's own word for it, for the notice."""
    body: Raw


class Citation(Struct, frozen=True, gc=False):
    """A page that an answer is based on, and where the text of its choice says so."""

    url: str
    title: str
    start: int
    """Characters of the choice's text before the place; ``start == end`` marks no words."""
    end: int


Part = Text | Refusal | Reasoning | Media | ToolCall | ToolResult | Native


class Message(Struct, frozen=True):
    """One turn."""

    role: Role
    parts: tuple[Part, ...]
    name: str | None = None
    extras: Extras = NO_EXTRAS


def text_of(parts: tuple[Part, ...] | tuple[Text | Media, ...]) -> str:
    """The words of a message, joined as OpenAI joins them: without a separator."""
    return "".join(part.text for part in parts if isinstance(part, Text | Refusal))
