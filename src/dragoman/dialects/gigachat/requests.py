"""A canonical request to the body of ``POST /chat/completions`` (v1).

``fates`` says what becomes of each member, ``messages`` writes the conversation. The body is
UTF-8 without escapes of the form u0430, which would cost tokens.
"""

from __future__ import annotations

import msgspec

from dragoman.canonical.conversation import CallKind
from dragoman.canonical.request import ChatRequest
from dragoman.dialects.base import ModelFacts, WrittenRequest
from dragoman.dialects.gigachat.draft import Draft
from dragoman.dialects.gigachat.fates import apply_fates
from dragoman.dialects.gigachat.messages import write_messages
from dragoman.dialects.gigachat.names import ToolNames

_encoder = msgspec.json.Encoder()


def write_request(request: ChatRequest, facts: ModelFacts) -> WrittenRequest:
    """Raises ``UnsupportedByTarget`` and, for schemas that nobody can take, ``InvalidRequest``."""
    draft = Draft(
        request=request,
        facts=facts,
        body={"model": request.model, "messages": None},
        names=ToolNames(tool.name for tool in request.tools),
    )
    apply_fates(draft)
    draft.body["messages"] = write_messages(draft)
    return WrittenRequest(
        body=[_encoder.encode(draft.body)],
        fidelity=draft.fidelity,
        tool_names=draft.names.renamed,
        stop=request.stop,
        custom_tools=frozenset(tool.name for tool in request.tools if tool.kind is CallKind.CUSTOM),
        json_tool=draft.json_tool,
    )
