"""A request under construction: what the rules of ``fates`` write into."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from dragoman.canonical.fidelity import Fidelity
from dragoman.canonical.request import ChatRequest
from dragoman.dialects.base import ModelFacts
from dragoman.dialects.gigachat.attachments import Slots
from dragoman.dialects.gigachat.names import ToolNames
from dragoman.dialects.gigachat.preferences import STANDARD, Preferences


class Draft(Struct):
    """Lives as long as one ``write_request``."""

    request: ChatRequest
    facts: ModelFacts
    body: dict[str, Any]
    """The body so far; ``messages`` is put in last, in the place that is kept for it."""
    fidelity: Fidelity
    names: ToolNames
    slots: Slots | None = None
    """Where file ids go, once there is one to wait for."""
    instructions: list[str] = []
    """What the system message has to say besides the caller's own words."""
    json_tool: str = ""
    """See ``WrittenRequest.json_tool``."""
    preferences: Preferences = STANDARD
    reduced: dict[str, None] = {}
    """The words of JSON Schema that lost their meaning in the functions written so far."""
