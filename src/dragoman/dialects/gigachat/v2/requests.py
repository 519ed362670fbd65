"""A canonical request to the body of ``POST /v2/chat/completions``.

``fates`` says what becomes of each member, ``messages`` writes the conversation, ``tools`` what
may be called. The body is UTF-8 without escapes of the form u0430, which would cost tokens.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import msgspec

from dragoman.canonical.conversation import CallKind
from dragoman.canonical.fidelity import Fidelity
from dragoman.canonical.request import ChatRequest
from dragoman.dialects.base import ModelFacts, WrittenRequest
from dragoman.dialects.gigachat.names import ToolNames
from dragoman.dialects.gigachat.preferences import STANDARD, Preferences
from dragoman.dialects.gigachat.v2.draft import Draft
from dragoman.dialects.gigachat.v2.fates import apply_fates
from dragoman.dialects.gigachat.v2.messages import write_messages
from dragoman.dialects.gigachat.v2.tools import searches, write_tools

_encode: Final = msgspec.json.Encoder().encode


def write_request(
    request: ChatRequest, facts: ModelFacts, preferences: Preferences = STANDARD
) -> WrittenRequest:
    """Raises ``UnsupportedByTarget`` and, for values that nobody can take, ``InvalidRequest``."""
    tools = request.tools
    body: dict[str, Any] = {"model": request.model, "messages": None}
    names = ToolNames({tool.name for tool in tools} if tools else ())
    draft = Draft(request, facts, body, Fidelity(), names, preferences=preferences)
    apply_fates(draft)
    if preferences is not STANDARD:
        _prefer(draft)
    write_tools(draft)
    body["messages"] = write_messages(draft)
    if draft.options:
        body["model_options"] = draft.options
    slots = draft.slots
    customs = [tool.name for tool in tools if tool.kind is CallKind.CUSTOM] if tools else ()
    return WrittenRequest(
        body=[_encode(body)],
        fidelity=draft.fidelity,
        tool_names=names.renamed,
        stop=request.stop,
        custom_tools=frozenset(customs),
        json_tool=draft.json_tool,
        cites=searches(draft),
        attachments=slots.attachments if slots is not None else (),
        with_media=partial(slots.fill, body) if slots is not None else None,
    )


def _prefer(draft: Draft) -> None:
    """What the operator prefers where the caller has said nothing."""
    request, preferences = draft.request, draft.preferences
    if preferences.max_tokens is not None and request.max_output_tokens is None:
        draft.options["max_tokens"] = preferences.max_tokens
    if draft.facts.reasoning and request.reasoning_effort is None and preferences.reasoning_effort:
        draft.options.setdefault("reasoning", {})["effort"] = preferences.reasoning_effort
