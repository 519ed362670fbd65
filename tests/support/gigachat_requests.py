"""Canonical requests for GigaChat's dialect, and what it makes of them."""

from __future__ import annotations

import json
from typing import Any

from dragoman.canonical.conversation import Message, Role, Text, ToolCall, ToolResult
from dragoman.canonical.request import ChatRequest
from dragoman.dialects import gigachat
from dragoman.dialects.base import ModelFacts, UpstreamDialect, WrittenRequest

ALL = ModelFacts()
PLAIN = ModelFacts(reasoning=False, json_schema=False)


def said(role: Role, text: str) -> Message:
    return Message(role, (Text(text),))


def user(text: str) -> Message:
    return said(Role.USER, text)


def called(*calls: ToolCall, text: str = "") -> Message:
    words = (Text(text),) if text else ()
    return Message(Role.ASSISTANT, (*words, *calls))


def result(call_id: str, text: str, name: str = "f", *, is_error: bool = False) -> Message:
    return Message(Role.TOOL, (ToolResult(call_id, name, (Text(text),), is_error=is_error),))


def request(*messages: Message, **members: Any) -> ChatRequest:
    members.setdefault("stream", False)
    return ChatRequest(model="GigaChat-2", messages=messages or (user("Hi"),), **members)


def write(
    asked: ChatRequest, facts: ModelFacts = ALL, upstream: UpstreamDialect = gigachat.UPSTREAM
) -> tuple[dict[str, Any], WrittenRequest]:
    """The body, decoded, and the whole record."""
    written = upstream.write_request(asked, facts)
    return json.loads(b"".join(written.body)), written
